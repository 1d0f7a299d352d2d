"""
One engine: what `txingress explain` says of a request is what a process does with it.

The requests are those of all golden cases, and generated ones: hosts, paths, methods, fields and
clients. With ``TXINGRESS_EXPLAINED=N`` in the environment N of these are asked; ``make explained``
asks 20,000.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from ingress.command.offline import Offline, load
from ingress.explain.as_json import as_json
from ingress.explain.asked import Asked, ask
from ingress.explain.explanation import Explanation, explain
from ingress.explain.heads import field_pairs
from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.golden_cluster import GoldenCluster, golden_cluster
from tests.support.process import wait_until

GENERATED = int(os.environ.get("TXINGRESS_EXPLAINED", "300"))
OF_CHANCE = 100
"""How often a decision that is left to chance is made anew, until it is that of the process."""

LIVE_SHARE = 0.05
"""Of the requests for which the running process is asked for its explanation, too."""

LIVE = ("status", "redirect", "ingress", "path", "upstream", "policies", "certificate")
"""What a running process explains as files do."""

METHODS = ("GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE", "BREW")
FIELDS = (
    "Origin: https://a.example",
    "Origin: null",
    "Cookie: a=b; canary=always; session=1",
    "Canary: always",
    "X-Canary: never",
    "User-Agent: curl/8.0",
    "Referer: https://bad.example/",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "Authorization: Bearer e30.e30.e30",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: other.example",
    "Accept-Encoding: gzip, br",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
ENDINGS = (
    "",
    "",
    "/",
    "x",
    "/x",
    "//x",
    "/%2e%2e/x",
    "/..;/x",
    "?a=1&b=%20",
    "%2Fx",
    "/%00",
    ";a=1",
)
OF_EACH_REQUEST = frozenset(
    {"x-request-id", "date", "content-length", "content-type", "set-cookie", "server", "etag"}
)
"""Fields that differ between two answers to one request, or that the endpoint decides."""

OF_EACH_PROCESS = frozenset({"traceparent", "tracestate", "cdn-loop"})


class Served(NamedTuple):
    """What the process has done with a request."""

    reply: Reply
    record: dict[str, Any] | None
    """Its line of the access log; None if it has none, or one without its id."""


class ExplainedTests(ProcessTestCase):
    """A process that serves all golden cases together."""

    cluster: ClassVar[GoldenCluster]
    access_log: ClassVar[Path]
    offline: ClassVar[Offline]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.cluster = golden_cluster()
        endpoints = [cls.keep(EchoEndpoint(f"e{number}")) for number in range(4)]
        addresses = [endpoint.address for endpoint in endpoints]
        cls.access_log = folder / "access.log"
        cls.serve(
            folder,
            *cls.cluster.manifests,
            source={
                "files": ["manifests"],
                "endpoints": {
                    name: [addresses[number % 4], addresses[(number // 4 + number + 1) % 4]]
                    for number, name in enumerate(cls.cluster.services)
                },
            },
            trusted_proxies=["127.0.0.0/8"],
            public_ports={"http": 80, "https": 443},
            snippets="interpret",
            access_log={"path": str(cls.access_log), "format": "json"},
        )
        cls.offline = load(str(cls.process.config), [])

    def setUp(self) -> None:
        super().setUp()
        self.tls = trusting_all()
        self.connections: dict[tuple[str, str], HTTPClient] = {}
        self.addCleanup(self.close)

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()

    def test_golden(self) -> None:
        """Every request of the golden cases."""
        self.compare([ask(url) for url in self.cluster.urls])

    def test_generated(self) -> None:
        """Requests that nobody has thought of."""
        self.compare(list(self.generate(GENERATED, Random(14))))

    # Asking.

    def generate(self, count: int, chance: Random) -> Iterator[Asked]:
        hosts = [
            host
            for host in self.offline.built.snapshot.virtual_hosts()
            if re.fullmatch(r"[\w.*-]*", host.name)
        ]
        for number in range(count):
            host = chance.choice(hosts)
            path = chance.choice([route.path for route in host.routes()] or ["/"])
            name = host.name.replace("*", "any") or "nobody.example"
            if chance.random() < 0.03:
                name = f"x{name}"
            target = "".join(each for each in path if each.isalnum() or each in "/-._~%")
            fields = chance.sample(FIELDS, chance.choice((0, 0, 1, 2)))
            # Many clients, so that few of them meet a limit.
            client = f"{chance.choice((10, 192, 203))}.{chance.randrange(256)}.{number >> 8}.{number & 255}"
            fields.append(f"X-Forwarded-For: {client}")
            url = f"{chance.choice(('http', 'https'))}://{name}{target}{chance.choice(ENDINGS)}"
            yield ask(url, chance.choice(METHODS), tuple(fields))

    def compare(self, requests: list[Asked]) -> None:
        """Serve all requests, and explain each of them but those of connections that are relayed."""
        requests = [asked for asked in requests if not self.is_relayed(asked)]
        replies = []
        last = ask("http://nobody.example/last")
        for number, asked in enumerate((*requests, last)):
            fields = (*asked.fields, ("X-Request-ID", self.identity(number)))
            replies.append(self.ask(replace(asked, fields=fields)))
        last_line = self.identity(len(requests))
        records = wait_until(lambda: self.records(last_line), "the lines of the access log") or {}
        chance, failures = Random(1), []
        for number, (asked, reply) in enumerate(zip(requests, replies, strict=False)):
            record = records.get(self.identity(number))
            identified = replace(
                asked, fields=(*asked.fields, ("X-Request-ID", self.identity(number)))
            )
            found = self.explained(identified, Served(reply, record))
            failures += [f"{asked}: {fault}" for fault in found]
            if chance.random() < LIVE_SHARE:
                explanation = explain(self.offline.built, asked, problems=())
                failures += [f"{asked}: {fault}" for fault in self.live_faults(asked, explanation)]
        self.assertEqual(failures, [], f"{len(failures)}\n" + "\n".join(failures[:40]))

    def is_relayed(self, asked: Asked) -> bool:
        """:return: whether TLS is passed through; it is shown that nobody else answers then."""
        if explain(self.offline.built, asked, problems=()).passthrough is None:
            return False
        # Its endpoints do not speak TLS.
        self.assertRaises((ConnectionError, ssl.SSLError), self.connect_for, asked)
        return True

    def explained(self, asked: Asked, served: Served) -> list[str]:
        """:return: what was otherwise; chance may choose another canary."""
        built = self.offline.built
        for seed in range(OF_CHANCE):
            explanation = explain(built, asked, problems=(), seed=seed)
            found = list(faults(served, explanation))
            if not found or not is_left_to_chance(explanation):
                break
        return found

    def identity(self, number: int) -> str:
        """:return: the id of a request of this test."""
        return f"{self.id().rpartition('.')[2]}-{number:08}"

    def ask(self, asked: Asked) -> Reply:
        key = (asked.scheme, asked.authority)
        kept = self.connections.pop(key, None)
        try:
            connection = kept or self.connect_for(asked)
            connection.send(asked.head())
            reply = connection.read_reply(asked.method)
        except ConnectionError:
            # A kept connection ends when it is idle.
            if kept is None:
                raise
            kept.close()
            return self.ask(asked)
        if reply.field("Connection") == "close" or reply.status == 400:
            connection.close()
        else:
            self.connections[key] = connection
        return reply

    def connect_for(self, asked: Asked) -> HTTPClient:
        port = self.process.port(asked.scheme)
        if not asked.is_secure:
            return HTTPClient(port)
        return HTTPClient(port, tls=self.tls, server_name=asked.server_name)

    def records(self, last: str) -> dict[str, dict[str, Any]] | None:
        """:return: the lines of the log by id, once the last one is there."""
        lines = self.access_log.read_bytes().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith(b"\n")]
        records = {each["request_id"]: each for each in found if "request_id" in each}
        return records if last in records else None

    def live_faults(self, asked: Asked, explanation: Explanation) -> Iterator[str]:
        """Ask the process itself for an explanation."""
        query = [("url", asked.url), ("method", asked.method), ("client", asked.client)]
        query += [("header", f"{name}: {value}") for name, value in asked.fields]
        with HTTPClient(self.process.port("admin")) as client:
            reply = client.request(f"/explain?{urlencode(query)}", "127.0.0.1")
        if reply.status != 200:
            yield f"/explain answers {reply.status}: {reply.text}"
            return
        live, own = json.loads(reply.body), as_json(explanation)
        for name in LIVE:
            if live.get(name) != own[name]:
                yield f"{name} is {live.get(name)}, explained offline as {own[name]}"


def is_left_to_chance(explanation: Explanation) -> bool:
    """:return: whether another request like this one may go to another Service."""
    candidates = explanation.candidates
    rule = candidates.chosen if candidates is not None else None
    return rule is not None and (
        rule.canaries is not None or any(policy.name == "traffic-split" for policy in rule.policies)
    )


def faults(served: Served, explanation: Explanation) -> Iterator[str]:
    """:return: what the process has done in another way than it is explained."""
    reply, record = served
    route = explanation.route
    if record is None:
        # What is no request has another id; the rule may ask for no line.
        if reply.status != explanation.status and (route is None or route.logging is None):
            yield f"{reply.status}, and no line in the access log"
        return
    rule = (*route.ingress, route.path) if route is not None else (None, None, None)
    found = (record.get("namespace"), record.get("ingress"), record.get("path"))
    if found != rule:
        yield f"the rule {found}, explained as {rule}"
        return
    tried = [each["endpoint"] for each in record.get("endpoints", ())]
    if explanation.status is not None:
        if tried or reply.status != explanation.status:
            yield f"{reply.status} by {tried or 'itself'}, explained as {explanation.status}"
        location = reply.field("Location") or ""
        if location != explanation.redirect:
            yield f"Location {location!r}, explained as {explanation.redirect!r}"
        yield from field_faults(explanation, reply)
        return
    if explanation.undecided and not tried:
        return
    allowed = {str(each) for each in allowed_endpoints(explanation)}
    if not tried or not allowed.issuperset(tried):
        yield f"{reply.status} by {tried or 'itself'}, explained as one of {sorted(allowed)}"
    elif reply.status == 200 and reply.body.startswith(b'{"name": '):
        yield from echo_faults(explanation, reply)
        yield from field_faults(explanation, reply)


def allowed_endpoints(explanation: Explanation) -> Iterator[object]:
    if explanation.endpoint is not None:
        yield explanation.endpoint
    if explanation.upstream is not None:
        yield from explanation.upstream.endpoints


def echo_faults(explanation: Explanation, reply: Reply) -> Iterator[str]:
    """Compare the head that the endpoint got with the one that is explained."""
    if reply.echo["target"] != explanation.sent_target:
        yield f"{reply.echo['target']} is sent, explained as {explanation.sent_target}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in reply.echo["fields"])
    got = field_pairs(f"GET / HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace"))
    told = field_pairs(explanation.sent_head)
    for key in (got.keys() | told.keys()) - OF_EACH_PROCESS:
        pair = [each.get(key, ("", None))[1] for each in (got, told)]
        if pair[0] != pair[1]:
            yield f"the endpoint gets {key}: {pair[0]}, explained as {pair[1]}"


def field_faults(explanation: Explanation, reply: Reply) -> Iterator[str]:
    """Compare the head that the client got with the one that is explained."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in reply.fields)
    got = field_pairs(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1"))
    told = field_pairs(explanation.answer_head)
    ignored = set(OF_EACH_REQUEST) | {"connection", "transfer-encoding", "content-encoding"}
    for key in (got.keys() | told.keys()) - ignored:
        pair = [each.get(key, ("", None))[1] for each in (got, told)]
        if pair[0] != pair[1]:
            yield f"the client gets {key}: {pair[0]}, explained as {pair[1]}"
