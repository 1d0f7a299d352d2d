"""
The examples in ``examples/ingress-nginx``: their files, and the Services that they need.

``examples/ingress-nginx/README.md`` describes the form of ``requests.yaml``.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.process import CHECKOUT
from tests.support.tls_pair import server_context

FOLDER: Final = CHECKOUT / "examples" / "ingress-nginx"


@dataclass(frozen=True)
class Rule:
    """
    One answer of a Service.

    :ivar condition: is searched for in the head of a request; no answer is given without it.
    :ivar status: None to echo the request as JSON.
    """

    condition: re.Pattern[str]
    status: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Rule:
        known = {"if", "status", "fields", "body"}
        assert written.keys() <= known, f"{written}: the keys of an answer are {sorted(known)}"
        return cls(
            re.compile(written.get("if", ""), re.MULTILINE | re.IGNORECASE),
            written.get("status"),
            written.get("fields", {}),
            written.get("body", ""),
        )


ECHO: Final = Rule(re.compile(""))


class ExampleEndpoint:
    """
    Answers each request by the first rule whose condition holds, and closes the connection.

    :param tls: None for plain text.
    :ivar heads: the heads of the requests received so far.
    """

    def __init__(
        self, name: str, rules: tuple[Rule, ...], tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._tls = tls
        self.heads: list[str] = []
        self._rules = rules
        self._server = RawEndpoint(self._serve)
        self.port = self._server.port

    def stop(self) -> None:
        self._server.stop()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._answer(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as secured:
            self._answer(secured)

    def _answer(self, connection: socket.socket) -> None:
        head = read_head(connection).decode("latin-1")
        self.heads.append(head)
        line, *lines = head.rstrip("\r\n").split("\r\n")
        fields = [(name, value.strip()) for name, _, value in (one.partition(":") for one in lines)]
        for name, value in fields:
            if name.lower() == "content-length":
                self._skip(connection, int(value))
        rule = next(rule for rule in (*self._rules, ECHO) if rule.condition.search(head))
        sent = dict(rule.fields)
        body = rule.body.encode()
        if rule.status is None:
            method, target, _ = line.split(" ")
            seen = {"name": self.name, "method": method, "target": target, "fields": fields}
            body = json.dumps(seen).encode()
            sent.setdefault("Content-Type", "application/json")
        lines = [f"{name}: {value}" for name, value in sent.items()]
        lines += [f"Content-Length: {len(body)}", "Connection: close"]
        start = f"HTTP/1.1 {rule.status or 200} Example"
        if line.startswith("HEAD "):
            body = b""
        connection.sendall("\r\n".join((start, *lines, "", "")).encode("latin-1") + body)

    def _skip(self, connection: socket.socket, size: int) -> None:
        while size and (data := connection.recv(min(size, 65536))):
            size -= len(data)


@dataclass(frozen=True)
class Example:
    """One folder of ``examples/ingress-nginx``."""

    name: str
    document: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Example:
        document = yaml.safe_load((folder / "requests.yaml").read_text())
        known = {"services", "settings", "requests", "problems"}
        assert document.keys() <= known, f"{folder}: the keys are {sorted(known)}"
        return cls(folder.name, document)

    @property
    def manifests(self) -> Path:
        return FOLDER / self.name / "manifests.yaml"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the configuration that it needs."""
        found: Mapping[str, Any] = self.document.get("settings", {})
        return found

    @property
    def problems(self) -> tuple[re.Pattern[str], ...]:
        """The Problems that it is expected to have."""
        return tuple(re.compile(written) for written in self.document.get("problems", ()))

    @property
    def requests(self) -> tuple[ExampleRequest, ...]:
        return tuple(
            ExampleRequest(f"{self.name}, request {number}", written, FOLDER / self.name)
            for number, written in enumerate(self.document["requests"], 1)
        )

    def start(self, resources: ExitStack) -> dict[str, list[str]]:
        """
        Start its Services.

        :return: their addresses by namespace and name, as ``source.endpoints`` has them.
        """
        addresses: dict[str, list[str]] = {}
        for service, written in self.document["services"].items():
            tls = None
            if written == "tls":
                tls, written = server_context(CertificateAuthority().issue("example.com")), 1
            count, rules = _service(written)
            for number in range(count):
                endpoint = ExampleEndpoint(f"{service}#{number}", rules, tls)
                resources.callback(endpoint.stop)
                addresses.setdefault(service, []).append(f"127.0.0.1:{endpoint.port}")
        return addresses


def _service(written: object) -> tuple[int, tuple[Rule, ...]]:
    """:return: the number of its endpoints, and their answers."""
    if isinstance(written, int):
        return written, ()
    assert isinstance(written, list), f"{written}: a number of endpoints, or a list of answers"
    return 1, tuple(Rule.read(each) for each in written)


@dataclass(frozen=True)
class ExampleRequest:
    """A request, which may be sent several times, and what is expected of its answers."""

    name: str
    written: Mapping[str, Any]
    folder: Path
    """Of its example."""

    def check(self, ports: Mapping[str, int]) -> list[Reply]:
        """
        Send it, and compare the answers.

        :param ports: those of the listeners ``http`` and ``https``.
        :return: the answers.
        :raises AssertionError: if an answer is not as expected.
        """
        known = {"send", "host", "https", "fields", "body", "times", "cookies", "expect", "why"}
        known.add("certificate")
        assert self.written.keys() <= known, f"{self.name}: the keys are {sorted(known)}"
        replies = list(self._replies(ports))
        _Expectation(self.name, self.written["expect"]).check(replies)
        return replies

    def _replies(self, ports: Mapping[str, int]) -> Iterator[Reply]:
        written = self.written
        method, target = written["send"].split(" ", 1)
        jar: dict[str, str] = {}
        for _ in range(written.get("times", 1)):
            fields = dict(written.get("fields", {}))
            if jar:
                fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            with self._connect(ports) as client:
                reply = client.request(
                    target,
                    written["host"],
                    method=method,
                    fields=f"{lines}Connection: close\r\n",
                    body=written.get("body", "").encode(),
                )
            if written.get("cookies"):
                for cookie in reply.all("Set-Cookie"):
                    name, _, value = cookie.partition(";")[0].partition("=")
                    jar[name] = value
            yield reply

    def _connect(self, ports: Mapping[str, int]) -> HTTPClient:
        if not self.written.get("https"):
            return HTTPClient(ports["http"])
        host, context = self.written["host"].partition(":")[0], trusting_all()
        if "certificate" in self.written:
            context.load_cert_chain(self.folder / self.written["certificate"])
        return HTTPClient(ports["https"], tls=context, server_name=host)


@dataclass(frozen=True)
class _Expectation:
    name: str
    written: Mapping[str, Any]

    def check(self, replies: list[Reply]) -> None:
        known = {"status", "fields", "absent", "body", "seen", "service", "services", "endpoints"}
        assert self.written.keys() <= known, f"{self.name}: the keys are {sorted(known)}"
        statuses = self.written["status"]
        listed = statuses if isinstance(statuses, list) else [statuses]
        self._equal("the statuses", {reply.status for reply in replies}, set(listed))
        for reply in replies:
            self._check_reply(reply)
        if "endpoints" in self.written:
            met = {reply.echo["name"] for reply in replies}
            self._equal(
                "the number of endpoints that were met", len(met), self.written["endpoints"]
            )
        if "services" in self.written:
            services = {reply.echo["name"].partition("#")[0] for reply in replies}
            self._equal("the Services that were met", services, set(self.written["services"]))

    def _check_reply(self, reply: Reply) -> None:
        written = self.written
        for name, value in written.get("fields", {}).items():
            self._matches(f"the field {name}", reply.field(name), value)
        for name in written.get("absent", ()):
            self._equal(f"the field {name}", reply.field(name), None)
        if "body" in written:
            assert written["body"] in reply.text, f"{self.name}: {written['body']!r}: {reply}"
        if "service" in written:
            self._equal("the Service", reply.echo["name"].partition("#")[0], written["service"])
        if "seen" in written:
            self._check_seen(reply.echo, written["seen"])

    def _check_seen(self, echo: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        known = {"method", "target", "fields", "absent"}
        assert written.keys() <= known, f"{self.name}: the keys of `seen` are {sorted(known)}"
        for key in ("method", "target"):
            if key in written:
                self._equal(f"the {key} that the endpoint saw", echo[key], written[key])
        fields = {name.lower(): value for name, value in echo["fields"]}
        for name, value in written.get("fields", {}).items():
            self._matches(
                f"the field {name} that the endpoint saw", fields.get(name.lower()), value
            )
        for name in written.get("absent", ()):
            self._equal(f"the field {name} that the endpoint saw", fields.get(name.lower()), None)

    def _matches(self, what: str, found: str | None, expected: str) -> None:
        """Compare with text, or with a regular expression between two tildes."""
        if expected.startswith("~") and expected.endswith("~"):
            pattern = expected[1:-1]
            assert re.search(pattern, found or ""), (
                f"{self.name}: {what} is {found!r}, and does not match {pattern!r}"
            )
        else:
            self._equal(what, found, expected)

    def _equal(self, what: str, found: object, expected: object) -> None:
        assert found == expected, f"{self.name}: {what} is {found!r}, expected is {expected!r}"


def all_examples() -> tuple[Example, ...]:
    return tuple(Example.read(file.parent) for file in sorted(FOLDER.glob("*/requests.yaml")))
