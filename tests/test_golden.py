"""
Golden cases: manifests in, a readable route table and the Problems out.

A case is ``tests/fixtures/routing/TOPIC/CASE.yaml`` with

- ``CASE.routes`` and ``CASE.problems``: what comes out. With ``INGRESS_GOLDEN=write``
  in the environment a run writes them anew: read the diff before you commit it;
- ``CASE.requests``: requests and their outcomes, by hand, so that no wrong table
  is ever taken for right.

The first comment of a case may choose a configuration: ``# with: NAME``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import AF_INET6, inet_pton
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.client_session import ClientSession
from ingress.config import (
    TLS,
    Cluster,
    Config,
    FilesSource,
    Hosts,
    Listen,
    OtlpSettings,
    PublicPorts,
    StatusAddresses,
)
from ingress.document import load_documents
from ingress.errors import RequestError
from ingress.explain.asked import ask
from ingress.explain.explanation import explain
from ingress.kube.manifest import read_objects
from ingress.kube.objects import KubeObject, Objects
from ingress.own_addresses import OwnAddresses, pack_all
from ingress.problem import Problem
from ingress.routing.build import Built, build
from ingress.routing.match import find_captures, find_client_trust, find_route
from ingress.routing.path import canonical_path
from ingress.routing.snapshot import Snapshot
from ingress.routing.upstream_target import route_target
from ingress.testing import policy_context
from tests.support.objects import endpoint_slice, ingress, objects, resolved_name
from tests.support.route_table import render

FIXTURES = Path(__file__).parent / "fixtures" / "routing"
IS_WRITING = os.environ.get("INGRESS_GOLDEN") == "write"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CLIENT = "192.0.2.1"
"""The client of `policy_context`."""

_FILES = Config(source=FilesSource(paths=(Path("manifests"),)))
CONFIGS = {
    "": _FILES,
    "no-ssl-redirect": replace(_FILES, ssl_redirect=False),
    "without-class": replace(
        _FILES, ingress_class=replace(_FILES.ingress_class, without_class=True)
    ),
    "owned-hosts": replace(_FILES, hosts=Hosts(ownership="namespace")),
    "ignore-snippets": replace(_FILES, snippets="ignore"),
    "config-map": replace(
        _FILES,
        config_map=("default", "ingress-nginx-controller"),
        default_backend=("default", "errors", ""),
    ),
    "collector": replace(_FILES, otlp=OtlpSettings("http://collector:4318/v1/traces")),
    "other-ports": replace(_FILES, public_ports=PublicPorts(http=8080, https=8443)),
    "no-https": replace(_FILES, listen=Listen(https=())),
    "default-certificate": replace(_FILES, tls=TLS(default=("default", "default"))),
    "cluster": Config(cluster=Cluster()),
    "behind-a-service": Config(cluster=Cluster(status=StatusAddresses(("default", "front")))),
    "looping-endpoints": replace(
        _FILES,
        source=FilesSource(
            paths=(Path("manifests"),),
            endpoints={
                ("default", "loop", ""): (("127.0.0.1", 8080), ("::ffff:127.0.0.1", 8080)),
                ("default", "admin", ""): (("localhost", 10254),),
                ("default", "partly", ""): (("127.0.0.1", 3000), ("fe80::5%eth0", 8080)),
                ("default", "sound", ""): (("127.0.0.2", 10254), ("192.0.2.6", 8080)),
            },
        ),
    ),
    "local-endpoints": replace(
        _FILES,
        source=FilesSource(
            paths=(Path("manifests"),),
            endpoints={
                ("default", "slices", ""): (("127.0.0.1", 1),),
                ("default", "endpoints", ""): (("127.0.0.1", 2),),
                ("default", "local", ""): (("127.0.0.1", 3000), ("::1", 3000)),
                ("default", "port", "web"): (("127.0.0.1", 3001),),
                ("default", "unknown", "80"): (("localhost", 3002),),
            },
        ),
    ),
}

NAMES = (
    resolved_name("api.example.com", "192.0.2.1", "192.0.2.2"),
    resolved_name("api.example.net", "192.0.2.3"),
    resolved_name("local.example.com", "127.0.0.1"),
    resolved_name("moved.example.com", "192.0.2.4", fault="moved.example.com cannot be resolved: nobody answers; its last addresses stay in use"),
    resolved_name("nowhere.example.com", fault="nowhere.example.com has no address: the name does not exist"),
    resolved_name("pod.internal.example", "10.0.0.7"),
    resolved_name("web.example.com", "192.0.2.5"),
    resolved_name("front.example.com", "203.0.113.9", "203.0.113.10"),
)  # fmt: skip
"""What names mean in all cases; of others nothing is known yet."""

OWN = OwnAddresses(
    pack_all([("0.0.0.0", 8080), ("::", 8080), ("127.0.0.1", 10254)]),
    frozenset(inet_pton(AF_INET6, text) for text in ("fd00::5", "fe80::5")) | {b"\xc0\0\2\5"},
)
"""Where the proxy of all cases listens, and the addresses of its machine."""

BROKEN_SIBLINGS: tuple[KubeObject, ...] = (
    ingress(
        "broken.invalid",
        {"/": "missing:80", "~/%zz": "missing:80", "/twice": "a:1", "/twice/": "b:1"},
        name="broken/broken",
        tls={"missing": ["broken.invalid"]},
        annotations={"auth-tls-secret": "x", "affinity": "nonsense", "unknown": "\n"},
    ),
    endpoint_slice("broken/nobody", "10.66.66.66"),
)
"""Of a namespace and a host of their own: whatever is wrong with them is theirs."""


def read_case(path: Path) -> tuple[Config, list[KubeObject], list[Problem]]:
    """The configuration and the objects of a case, and the Problems of reading them."""
    text = path.read_text()
    first = text.partition("\n")[0]
    name = first.removeprefix("# with: ") if first.startswith("# with: ") else ""
    items: list[KubeObject] = []
    problems: list[Problem] = []
    for document in load_documents(text):
        for reading in read_objects(document, path.name):
            problems += reading.problems
            if reading.item is not None:
                items.append(reading.item)
    return CONFIGS[name], items, problems


def outcome(snapshot: Snapshot, url: str) -> str:
    """``STATUS SERVICE [TARGET]``, or ``STATUS LOCATION``, or a status alone."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    query = f"?{parts.query}" if parts.query else ""
    path = canonical_path(parts.path.encode())
    route = find_route(snapshot, parts.hostname.encode(), path)
    if route is None:
        return "404"
    is_secure = parts.scheme == "https"
    trust = find_client_trust(snapshot, parts.hostname) if is_secure else None
    context = policy_context(
        target=f"{parts.path}{query}".encode(),
        path=path,
        host=parts.netloc.encode(),
        is_secure=is_secure,
        session=None if trust is None else ClientSession(trust, None, {}),
        captures=find_captures(route, path),
    )
    decisions = (
        *(policy.access(context) for policy in route.access_policies),
        *(policy.request(context) for policy in route.request_policies),
    )
    for answer in decisions:
        if isinstance(answer, Answer):
            location = b"".join(value for name, value in answer.fields if name == b"Location")
            return f"{answer.status} {location.decode()}".rstrip()
    if route.upstream is None:
        return "404"
    upstream = snapshot.upstreams[route.upstream]
    if not upstream.endpoints:
        return "502" if upstream.is_unresolved else "503"
    try:
        target = route_target(context.request, route).decode()
    except RequestError as error:
        return f"{error.status}"
    return f"200 {route.upstream.service}" + (f" {target}" if route.rewrite else "")


def explained(result: Built, url: str) -> str:
    """The same as `outcome`, as an explanation has it."""
    explanation = explain(result, ask(url, client=CLIENT), now=NOW)
    if explanation.endpoint is None:
        return f"{explanation.status} {explanation.redirect}".rstrip()
    assert explanation.candidates is not None
    # Chance may have chosen a canary; a case compares the rule itself.
    route = explanation.candidates.chosen
    assert route is not None
    assert route.upstream is not None
    target = f" {explanation.sent_target}" if route.rewrite else ""
    return f"200 {route.upstream.service}{target}"


def problem_lines(result: Built, read: list[Problem]) -> str:
    """All Problems in order, but those of the broken siblings."""
    found = [*read, *result.all_problems()]
    lines = sorted(str(problem) for problem in found if problem.namespace != "broken")
    return "".join(f"{line}\n" for line in lines)


class GoldenTests(SynchronousTestCase):
    """One test a case; `_add_cases` makes them."""

    maxDiff = None

    def check(self, path: Path) -> None:
        """A case comes to its table, its Problems and the outcomes of its requests."""
        config, items, read = read_case(path)
        items += NAMES
        result = build(objects(items), config, now=NOW, own=OWN)
        self._check_text(path.with_suffix(".routes"), render(result.snapshot))
        self._check_text(path.with_suffix(".problems"), problem_lines(result, read))
        for problem in (*read, *result.all_problems()):
            self.assertIsNotNone(problem.code, problem)
        self._check_requests(path.with_suffix(".requests"), result)
        self._check_siblings(objects(items), objects(items, BROKEN_SIBLINGS), config, result)

    def _check_text(self, path: Path, text: str) -> None:
        if IS_WRITING:
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text)
        expected = path.read_text() if path.exists() else ""
        self.assertEqual(text.splitlines(), expected.splitlines(), path.name)

    def _check_requests(self, path: Path, result: Built) -> None:
        if not path.exists():
            return
        snapshot = result.snapshot
        for line in path.read_text().splitlines():
            url, _, expected = line.partition(" ")
            with self.subTest(url=url):
                self.assertEqual(outcome(snapshot, url), expected.strip())
                self.assertEqual(explained(result, url), expected.strip())

    def _check_siblings(
        self, alone: Objects, together: Objects, config: Config, result: Built
    ) -> None:
        """Broken objects beside the case change nothing of it, from scratch or as a change."""
        for beside in (
            build(together, config, now=NOW, own=OWN),
            build(together, config, result, now=NOW, own=OWN),
        ):
            is_ours = ("Ingress", "broken", "broken") in beside.problems
            self.assertEqual(is_ours, b"broken.invalid" in beside.snapshot.hosts)
            hosts = {**beside.snapshot.hosts}
            hosts.pop(b"broken.invalid", None)
            upstreams = {
                key: upstream
                for key, upstream in beside.snapshot.upstreams.items()
                if key.namespace != "broken"
            }
            snapshot = replace(beside.snapshot, hosts=hosts, upstreams=upstreams)
            self.assertEqual(snapshot, result.snapshot)
            self.assertEqual(problem_lines(beside, []), problem_lines(result, []))
        self.assertEqual(build(alone, config, beside, now=NOW, own=OWN).snapshot, result.snapshot)


def _add_cases() -> None:
    for path in sorted(FIXTURES.glob("*/*.yaml")):
        name = f"test_{path.parent.name}_{path.stem}".replace("-", "_")
        setattr(GoldenTests, name, _case(path, name))


def _case(path: Path, name: str) -> Callable[[GoldenTests], None]:
    def test(self: GoldenTests) -> None:
        self.check(path)

    test.__name__ = name
    test.__doc__ = path.read_text().split("---")[0].replace("#", "").strip()
    return test


_add_cases()
