"""Tests of `ingress.routing.upstream_target`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, PathSetting
from ingress.endpoint import UpstreamKey
from ingress.errors import RequestError
from ingress.http1.request_head import parse_request_head
from ingress.message import Request
from ingress.policy.policy import Policy
from ingress.routing.match import find_route
from ingress.routing.path_handling import path_handling
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.routing.upstream_target import (
    NOT_CANONICAL,
    OTHER_ACCESS,
    check_path,
    upstream_target,
)


@dataclass(frozen=True, slots=True)
class Guard(Policy):
    """A policy that decides who gets access."""

    name: ClassVar[str] = "guard"
    group: str = ""

    @property
    def guards(self) -> bool:
        """Feature."""
        return True


@dataclass(frozen=True, slots=True)
class Label(Policy):
    """A policy that does not."""

    name: ClassVar[str] = "label"
    text: str = ""


OPEN = Route(("default", "open"), UpstreamKey("default", "web", "80"), policies=(Label("a"),))
ADMIN = replace(OPEN, policies=(Label("b"), Guard("admins")))
FILES = replace(OPEN, policies=(Label("c"),))
STAFF = replace(OPEN, policies=(Guard("staff"),))
SNAPSHOT = Snapshot(
    Config(),
    any_host=VirtualHost(
        "",
        ReverseProxyResource(
            prefix=OPEN,
            children={
                b"admin": ReverseProxyResource(prefix=ADMIN),
                b"files": ReverseProxyResource(prefix=FILES),
                b"staff": ReverseProxyResource(prefix=STAFF),
            },
        ),
    ),
)


def request(target: bytes, method: bytes = b"GET") -> Request:
    return parse_request_head(b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, target))[0]


class UpstreamTargetTests(SynchronousTestCase):
    def target(
        self, target: bytes, setting: PathSetting = "auto", *, is_guarded: bool = True
    ) -> bytes:
        handling = path_handling(setting, is_guarded=is_guarded)
        assert handling is not None
        received = request(target)
        route = find_route(SNAPSHOT, b"a", received.path)
        assert route is not None
        check_path(SNAPSHOT, received, route, handling)
        return upstream_target(received, handling)

    def check_refused(self, target: bytes, reason: str, setting: PathSetting = "auto") -> None:
        error = self.assertRaises(RequestError, self.target, target, setting)
        self.assertEqual(str(error), reason, target)

    def test_canonical(self) -> None:
        """Dot segments and runs of slashes are resolved upstream; the query stays as written."""
        for received, sent in (
            (b"/admin/users/42/../../..", b"/"),
            (b"/admin/..?a=../b//c", b"/?a=../b//c"),
            (b"/x/%2e%2e/admin/%7Ea?", b"/admin/~a?"),
            (b"//x//admin/", b"/x/admin/"),
            (b"/%7Ea/b?c", b"/%7Ea/b?c"),
            (b"/", b"/"),
            (b"http://a/x/../y", b"/y"),
            (b"http://a", b"/"),
        ):
            self.assertEqual(self.target(received), sent)
            self.assertEqual(self.target(received, "canonical", is_guarded=False), sent)

    def test_asterisk(self) -> None:
        """The target of OPTIONS for the whole server has no path."""
        handling = path_handling("auto", is_guarded=True)
        assert handling is not None
        received = request(b"*", b"OPTIONS")
        check_path(SNAPSHOT, received, OPEN, handling)
        self.assertEqual(upstream_target(received, handling), b"*")

    def test_as_written(self) -> None:
        """With as-written nothing is resolved, and other readings are still refused."""
        for target in (b"/admin/..", b"//x", b"/a%2Fb"):
            self.assertEqual(self.target(target, "as-written"), target)
        self.check_refused(b"/x/..%2Fadmin", OTHER_ACCESS, "as-written")
        self.check_refused(b"/x/./..;/admin", OTHER_ACCESS, "as-written")

    def test_strict(self) -> None:
        """With strict a path that would have to be resolved is refused."""
        for target in (b"/a/../b", b"/a//b?c", b"/a/%2e/b"):
            self.check_refused(target, NOT_CANONICAL, "strict")
        for target in (b"/a/b/", b"/%7Ea", b"/a?b=//../c"):
            self.assertEqual(self.target(target, "strict"), target)

    def test_other_access(self) -> None:
        """A path that can be read as one with other access rules is refused."""
        for target in (
            *(b"/x%2F..%2Fadmin", b"/x/..%5Cadmin", b"/x/..;/admin", b"/admin;x", b"/%2Fadmin"),
            *(b"/staff/..%2Fadmin", b"/admin/..%2Fstaff", b"/admin/..%2f", b"/files/..;/admin"),
        ):
            self.check_refused(target, OTHER_ACCESS)

    def test_same_access(self) -> None:
        """Readings with the same access pass, also those of another rule."""
        for target in (
            *(b"/files/a%2Fb", b"/files%2Fa", b"/files;x/a", b"/x/..%2Ffiles", b"/admin/a%5Cb"),
            *(b"/admin/a;b/c", b"/a;b=c?x=%2F..%2Fadmin"),
        ):
            self.assertEqual(self.target(target), target)

    def test_refused_reading(self) -> None:
        """A reading that climbs above the root is refused on guarded hosts alone."""
        error = self.assertRaises(RequestError, self.target, b"/..%2Fx")
        self.assertEqual(str(error), "The path climbs above the root.")
        target = b"/..%2Fx"
        self.assertEqual(self.target(target, "canonical", is_guarded=False), target)
