"""
Tests that no endpoint reads another path than the rules did, whose access differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import SimpleHTTPRequestHandler
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ingress.errors import RequestError
from ingress.http1.request_head import parse_request_head
from ingress.policy.policy import Policy
from ingress.routing.match import find_route
from ingress.routing.path import canonical_path
from ingress.routing.path_handling import path_handling
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.routing.upstream_target import OTHER_ACCESS, check_path, upstream_target
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.path_readings import BACKENDS, FROM_PUBLIC, TO_ADMIN, Backend
from tests.support.wire import ENDPOINT, OK, UPSTREAM, Wire, request, snapshot_of

PIECES = (
    *(b"admin", b"public", b"x", b"/", b"//", b"/..", b"/../", b"/./", b"%2F", b"%5c", b"/;/"),
    *(b";", b";a=b", b"..", b"%2e%2e", b"..;", b"%25"),
)

Access = Callable[[bytes], bool]
"""Whether the rules of a host guard a path."""


def guards_admin(path: bytes) -> bool:
    """A rule for ``/admin`` is guarded, and one for ``/`` is open."""
    return path == b"/admin" or path.startswith(b"/admin/")


def guards_all_but_public(path: bytes) -> bool:
    """A rule for ``/`` is guarded, and one for ``/public`` is open."""
    return path != b"/public" and not path.startswith(b"/public/")


@dataclass(frozen=True, slots=True)
class Guard(Policy):
    """A policy that decides who gets access."""

    name: ClassVar[str] = "guard"

    @property
    def guards(self) -> bool:
        """Feature."""
        return True


HANDLING = path_handling("auto", is_guarded=True)
OPEN = Route(("default", "open"), UPSTREAM, paths=HANDLING)
GUARDED = replace(OPEN, policies=(Guard(),))
ROOTS: dict[Access, ReverseProxyResource] = {
    guards_admin: ReverseProxyResource(
        prefix=OPEN, children={b"admin": ReverseProxyResource(prefix=GUARDED)}
    ),
    guards_all_but_public: ReverseProxyResource(
        prefix=GUARDED, children={b"public": ReverseProxyResource(prefix=OPEN)}
    ),
}
"""The rules of a host that guard just these paths."""


def snapshot_for(guards: Access) -> Snapshot:
    return replace(snapshot_of(ENDPOINT), any_host=VirtualHost("", root=ROOTS[guards]))


def sent_upstream(path: bytes, guards: Access) -> bytes | None:
    """Return the path that an endpoint gets on a host with these rules; None for a refusal."""
    snapshot = snapshot_for(guards)
    try:
        received, _ = parse_request_head(request(b"GET", target=path))
        route = find_route(snapshot, received.host, received.path)
        assert route is not None
        assert route.paths is not None
        check_path(snapshot, received, route, route.paths)
    except RequestError:
        return None
    return upstream_target(received, route.paths)


def backend(measured_by: str) -> Backend:
    (found,) = (row for row in BACKENDS if row.measured_by == measured_by)
    return found


class Recorder(Resource):
    """Records the segments that Twisted looks resources up by."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.segments: list[bytes] = []

    def render_GET(self, request: Request) -> bytes:
        """IResource."""
        assert request.postpath is not None
        self.segments = request.postpath
        return b""


class TableTests(SynchronousTestCase):
    """The table agrees with real servers, as far as there are any to compare with."""

    def test_http_server(self) -> None:
        """`http.server` looks for the files that its row says."""
        handler = SimpleHTTPRequestHandler.__new__(SimpleHTTPRequestHandler)
        handler.directory = "/root"
        row = backend("http.server")
        for path in TO_ADMIN:
            read = row.read(path)
            assert read is not None
            found = handler.translate_path(path.decode("ascii"))
            self.assertEqual(found.rstrip("/"), "/root" + read.decode("ascii").rstrip("/"), path)

    def test_twisted(self) -> None:
        """Twisted's resources are looked up by the segments that their row says."""
        row = backend("twisted.web")
        for path in TO_ADMIN:
            recorder = Recorder()
            channel = Site(recorder).buildProtocol(None)
            channel.makeConnection(StringTransport())
            channel.dataReceived(b"GET %b HTTP/1.0\r\n\r\n" % path)
            segments = [segment.replace(b"/", b"%2F") for segment in recorder.segments]
            self.assertEqual(b"/" + b"/".join(segments), row.read(path))

    def test_corpus(self) -> None:
        """Endpoints differ in the access of each path of the corpus, as it is written."""
        for paths, guards in ((TO_ADMIN[1:], guards_admin), (FROM_PUBLIC, guards_all_but_public)):
            for path in paths:
                readings = [row.read(path) for row in BACKENDS]
                access = {guards(reading) for reading in readings if reading is not None}
                self.assertEqual(access, {True, False}, path)

    def test_number(self) -> None:
        """There are 22 rows, each of its own name."""
        self.assertEqual(len({row.name for row in BACKENDS}), 22)


class GuardedHostTests(SynchronousTestCase):
    """A host with an open rule and a guarded one (docs/compatibility.md, section 5)."""

    def check(self, path: bytes, guards: Access) -> None:
        sent = sent_upstream(path, guards)
        if sent is None or guards(canonical_path(path)):
            return
        for row in BACKENDS:
            read = row.read(sent)
            if read is not None:
                self.assertFalse(guards(read), f"{row.name}: {path!r}, sent as {sent!r}")

    def test_guarded_folder(self) -> None:
        """No endpoint reads a guarded path in what the open rule let pass."""
        for path in (*TO_ADMIN, *FROM_PUBLIC):
            self.check(path, guards_admin)

    def test_open_folder(self) -> None:
        """No endpoint reads a guarded path if a folder is open and all else is guarded."""
        for path in (*TO_ADMIN, *FROM_PUBLIC):
            self.check(path, guards_all_but_public)
            self.check(path.replace(b"admin", b"public"), guards_all_but_public)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
    def test_pieces(self, pieces: list[bytes]) -> None:
        """No endpoint reads a guarded path in any path that is made of such pieces."""
        path = b"/" + b"".join(pieces)
        self.check(path, guards_admin)
        self.check(path, guards_all_but_public)

    def test_harmless(self) -> None:
        """Paths that have several readings with the same access pass as they are written."""
        for path in (b"/files/a%2Fb", b"/a;b=c/d", b"/a%5Cb", b"/admin/a%2Fb", b"/x/a%2F..%2Fb"):
            self.assertEqual(sent_upstream(path, guards_admin), path)


class GuardedExchangeTests(SynchronousTestCase):
    """The bytes that an endpoint and a client get."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.wire.plane.publish(snapshot_for(guards_admin))
        self.records: list[ExchangeRecord] = []
        self.wire.plane.exchanges.recorder = KeptRecords(self.records)
        self.client = self.wire.connect()

    def test_canonical(self) -> None:
        """The endpoint gets the canonical path and the query as written; the log has it all."""
        target = b"/admin/users/42/../../..?q=/../x"
        self.client.send(request(b"GET", target=target))
        endpoint = self.wire.accept()
        self.assertTrue(endpoint.read().startswith(b"GET /?q=/../x HTTP/1.1\r\n"))
        endpoint.send(OK)
        (record,) = self.records
        assert record.request is not None
        self.assertEqual(record.request.target, target)

    def test_refused(self) -> None:
        """A path with another reading is answered with 400 and the reason; the connection is kept."""
        self.client.send(request(b"GET", target=b"/x/..;/admin"))
        answer = self.client.receive()
        self.assertEqual(answer.status, 400)
        self.assertIn(OTHER_ACCESS.encode(), answer.rest)
        (record,) = self.records
        self.assertEqual((record.outcome, record.detail), ("bad_request", OTHER_ACCESS))
        self.client.send(request(b"GET", target=b"/x;y/a%2Fb"))
        self.assertTrue(self.wire.accept().read().startswith(b"GET /x;y/a%2Fb HTTP/1.1\r\n"))

    def test_open_host(self) -> None:
        """An endpoint gets the path as written on a host without access rules."""
        self.wire.plane.publish(snapshot_of(ENDPOINT))
        self.client.send(request(b"GET", target=b"/x/../a//b/..;/c%2F.."))
        endpoint = self.wire.accept()
        self.assertTrue(endpoint.read().startswith(b"GET /x/../a//b/..;/c%2F.. HTTP/1.1\r\n"))
