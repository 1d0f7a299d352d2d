"""Tests of `ingress.routing.upstream_target`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, PathSetting
from ingress.endpoint import UpstreamKey
from ingress.errors import RequestError
from ingress.http1.request_head import parse_request_head
from ingress.message import Request
from ingress.policy.policy import Policy
from ingress.policy.rewrite import Rewrite
from ingress.policy.template import Template
from ingress.routing.match import find_route
from ingress.routing.path_handling import path_handling
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.routing.upstream_target import (
    NOT_CANONICAL,
    OTHER_ACCESS,
    REWRITTEN,
    check_path,
    route_target,
    upstream_target,
)
from ingress.testing import policy_context


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


def rewritten(written: str, target: bytes = b"/", *captures: bytes) -> bytes:
    """
    :param captures: what the groups of the rule's pattern match.
    :return: the target that goes upstream.
    """
    template = Template.read(written)
    assert template is not None
    path = b"".join(b"/" + capture for capture in captures) or b"/"
    groups = b"".join(b"/(%b)" % re.escape(capture) for capture in captures) or b"/"
    pattern = PathPattern(PathForm.REGULAR_EXPRESSION, groups)
    route = replace(OPEN, pattern=pattern, rewrite=Rewrite(written, template))
    query = target.partition(b"?")[2]
    context = policy_context(target=path + (b"?" + query if b"?" in target else b""), path=path)
    return route_target(context.request, route)


class RewriteTests(SynchronousTestCase):
    """The path that endpoints get in place of the request's."""

    def test_captures(self) -> None:
        """What the groups match is inserted."""
        self.assertEqual(rewritten("/$2", b"/", b"", b"new"), b"/new")
        self.assertEqual(rewritten("/a/$1/b", b"/", b"x%20y"), b"/a/x%20y/b")
        self.assertEqual(rewritten("/a$3", b"/", b"x"), b"/a")
        self.assertEqual(rewritten("/a"), b"/a")

    def test_query(self) -> None:
        """The query is kept as the client wrote it; an empty one is left out."""
        self.assertEqual(rewritten("/b", b"/a?b=%2e%2E/../?"), b"/b?b=%2e%2E/../?")
        self.assertEqual(rewritten("/b", b"/a?"), b"/b")

    def test_beginning(self) -> None:
        """A path begins with one slash: two would name a host for some endpoints."""
        self.assertEqual(rewritten("/$1", b"/", b"/evil.example"), b"/evil.example")
        self.assertEqual(rewritten("$1", b"/", b"a"), b"/a")
        self.assertEqual(rewritten("$1"), b"/")
        self.assertEqual(rewritten("/a/$1", b"/", b"/b"), b"/a//b")

    def test_dot_segments(self) -> None:
        """A result in which an endpoint could read a dot segment is refused."""
        for written, captures in (
            ("/a/$1", (b"..",)),
            ("/a/$1/b", (b".",)),
            ("/a/.$1", (b".",)),
            ("/a/$1", (b"..%2Fb",)),
            ("/a/$1", (b"x%5C..%5Cb",)),
            ("/a/$1", (b"..;x/b",)),
            ("/a/$1$2e/", (b"%", b"2")),
            ("$1", (b"../b",)),
            ("/..", ()),
        ):
            with self.assertRaises(RequestError) as raised:
                rewritten(written, b"/", *captures)
            self.assertEqual(str(raised.exception), REWRITTEN, (written, captures))

    def test_dots(self) -> None:
        """Other dots are only dots."""
        for captured in (b"...", b"a..", b"..a", b".well-known", b"a.b/c..d", b"a;.."):
            self.assertEqual(rewritten("/$1", b"/", captured), b"/" + captured)

    def test_broken_escape(self) -> None:
        """Half of an escape is refused."""
        for captured in (b"%", b"%2", b"a%2/"):
            with self.assertRaises(RequestError):
                rewritten("/$1", b"/", captured)

    @given(
        st.text("/$123a.:-", min_size=1, max_size=12).filter(
            lambda text: bool(Template.read(text))
        ),
        st.lists(st.text("/a.%2eF5C;-").map(str.encode), max_size=3),
    )
    def test_any(self, written: str, captures: list[bytes]) -> None:
        """Whatever is captured, the result has no dot segments, or the request is refused."""
        try:
            found = rewritten(written, b"/", *captures)
        except RequestError:
            return
        self.assertTrue(found.startswith(b"/"))
        self.assertFalse(found.startswith(b"//"))
        segments = re.split(b"/|%2[Ff]|%5[Cc]", found)
        names = {segment.partition(b";")[0].lower().replace(b"%2e", b".") for segment in segments}
        self.assertTrue(names.isdisjoint({b".", b".."}), found)
