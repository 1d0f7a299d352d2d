"""Tests of other paths for endpoints than for clients."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.field_edits import NO_EDITS
from ingress.policy.context import Captures
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.rewrite import Rewrite
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of


def rewrite(target: str, prefix: str = "") -> Rewrite:
    """:return: what these annotations ask for, without faults."""
    annotations = {"rewrite-target": target, "x-forwarded-prefix": prefix}
    reading = read_annotations(Rewrite, annotations)
    assert reading.faults == {}, reading.faults
    assert isinstance(reading.feature, Rewrite)
    return reading.feature


def decided(policy: Rewrite, target: bytes = b"/something/new", *captures: bytes | None) -> Verdict:
    return verdict_of(policy.request(policy_context(target=target, captures=captures)))


class ReadTests(SynchronousTestCase):
    def faults(self, **annotations: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in annotations.items()}
        return dict(read_annotations(Rewrite, named).faults)

    def test_nothing(self) -> None:
        """Without a target there is no rewrite, whatever the prefix."""
        self.assertIsNone(read_annotations(Rewrite, {"x-forwarded-prefix": "/a"}).feature)
        self.assertIsNone(read_annotations(Rewrite, {"rewrite-target": " "}).feature)

    def test_characters(self) -> None:
        """Other characters, other variables and endless texts are faults; nothing is rewritten."""
        for value in (
            "/a b", "/a?b=$1", "/$0", "/$", "/$uri", "/${1}", "/a\r\nX: y", '/"',"/a;b", "/\0",
            "/" + "a" * 100 * 1024,
        ):  # fmt: skip
            reading = read_annotations(Rewrite, {"rewrite-target": value})
            self.assertIsNone(reading.feature, value)
            self.assertIn("the path as the client sent it", reading.faults["rewrite-target"])

    def test_prefix(self) -> None:
        """A wrong prefix is a fault, and the field alone is left out."""
        annotations = {"rewrite-target": "/$1", "x-forwarded-prefix": "/a\r\nX-Other: b"}
        reading = read_annotations(Rewrite, annotations)
        assert isinstance(reading.feature, Rewrite)
        self.assertIsNone(reading.feature.prefix)
        self.assertIn("the field is not sent", reading.faults["x-forwarded-prefix"])

    def test_same_path(self) -> None:
        """A target that is the path changes nothing there, and is no fault."""
        policy = rewrite("/app")
        self.assertIsNone(policy.at(rule_scope(path="/app")))
        self.assertFalse(policy.makes_patterns("/app"))
        self.assertIs(policy.at(rule_scope(path="/app/")), policy)
        self.assertTrue(policy.makes_patterns("/app/"))


class RequestTests(SynchronousTestCase):
    def test_captures(self) -> None:
        """Groups are inserted; one that does not exist or has no part in the match is empty."""
        policy = rewrite("/$2")
        self.assertEqual(decided(policy, b"/something/new", b"/", b"new"), Proceed(target=b"/new"))
        self.assertEqual(decided(policy, b"/something", b"", b""), Proceed(target=b"/"))
        self.assertEqual(decided(policy, b"/something", b"/", None), Proceed(target=b"/"))
        self.assertEqual(decided(policy, b"/something"), Proceed(target=b"/"))
        self.assertEqual(decided(rewrite("/a/$1$1/$9x"), b"/", b"b"), Proceed(target=b"/a/bb/x"))

    def test_digits(self) -> None:
        """A group is one digit, as in nginx."""
        self.assertEqual(decided(rewrite("/$10"), b"/", b"b"), Proceed(target=b"/b0"))

    def test_query(self) -> None:
        """The query is kept as the client wrote it."""
        found = decided(rewrite("/$1"), b"/a?b=%2e%2E/../?", b"c")
        self.assertEqual(found, Proceed(target=b"/c?b=%2e%2E/../?"))
        self.assertEqual(decided(rewrite("/b"), b"/a?"), Proceed(target=b"/b"))

    def test_beginning(self) -> None:
        """A path begins with one slash: two would name a host for some endpoints."""
        self.assertEqual(
            decided(rewrite("/$1"), b"/", b"/evil.example"), Proceed(target=b"/evil.example")
        )
        self.assertEqual(decided(rewrite("$1"), b"/", b"a"), Proceed(target=b"/a"))
        self.assertEqual(decided(rewrite("$1"), b"/", b""), Proceed(target=b"/"))
        self.assertEqual(decided(rewrite("/a/$1"), b"/", b"/b"), Proceed(target=b"/a//b"))

    def test_dot_segments(self) -> None:
        """A result in which an endpoint could read a dot segment is refused."""
        for written, captures in (
            ("/a/$1", (b"..",)),
            ("/a/$1/b", (b".",)),
            ("/a/.$1", (b".",)),
            ("/a/$1", (b"..%2Fb",)),
            ("/a/$1", (b"x%5c..%5cb",)),
            ("/a/$1", (b"..;x/b",)),
            ("/a/%$1".replace("%", ""), (b"%2e%2E/b",)),
            ("$1", (b"../b",)),
        ):
            answer = decided(rewrite(written), b"/", *captures)
            assert isinstance(answer, Answer), (written, captures, answer)
            self.assertEqual(answer.status, 400)

    def test_dots(self) -> None:
        """Other dots are only dots."""
        for captured in (b"...", b"a..", b"..a", b".well-known", b"a.b/c..d", b"a;.."):
            self.assertEqual(
                decided(rewrite("/$1"), b"/", captured), Proceed(target=b"/" + captured)
            )

    def test_broken_escape(self) -> None:
        """Half of an escape is refused."""
        for captured in (b"%", b"%2", b"a%2/"):
            answer = decided(rewrite("/$1"), b"/", captured)
            assert isinstance(answer, Answer)
            self.assertEqual(answer.status, 400)

    def test_redirect(self) -> None:
        """A URL redirects, as nginx's rewrite does."""
        answer = decided(rewrite("https://b.example/$1"), b"/a?c=d", b"x")
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.fields, ((b"Location", b"https://b.example/x?c=d"),))

    @given(
        st.text("/$123a.:-", min_size=1, max_size=12),
        st.lists(st.one_of(st.none(), st.text("/a.%2eF5C;-").map(str.encode)), max_size=3),
    )
    def test_any(self, written: str, captures: list[bytes | None]) -> None:
        """Whatever is captured, the result is a path without dot segments, or is refused."""
        feature = read_annotations(Rewrite, {"rewrite-target": written}).feature
        if not isinstance(feature, Rewrite):
            return
        verdict = decided(feature, b"/", *captures)
        if isinstance(verdict, Proceed):
            assert verdict.target is not None
            self.assertTrue(verdict.target.startswith(b"/"))
            self.assertFalse(verdict.target.startswith(b"//"))
            segments = verdict.target.replace(b"%2F", b"/").replace(b"%5C", b"/").split(b"/")
            self.assertTrue({b".", b"..", b"%2e", b"%2e%2e"}.isdisjoint(segments), verdict)


class PrefixTests(SynchronousTestCase):
    """The field X-Forwarded-Prefix."""

    def test_constant(self) -> None:
        """One prefix for all requests is an edit of the route, and costs a request nothing."""
        policy = rewrite("/$2", "/something")
        self.assertEqual(policy.request_edits.replace, ((b"X-Forwarded-Prefix", b"/something"),))
        found = decided(policy, b"/something/new", b"/", b"new")
        self.assertEqual(found, Proceed(target=b"/new"))

    def test_captures(self) -> None:
        """Groups of the path are inserted for each request."""
        policy = rewrite("/$2", "/app/$1")
        self.assertEqual(policy.request_edits, NO_EDITS)
        found = decided(policy, b"/x", b"v1", b"new")
        assert isinstance(found, Proceed)
        self.assertEqual(found.request_edits.replace, ((b"X-Forwarded-Prefix", b"/app/v1"),))

    def test_empty(self) -> None:
        """A prefix of which nothing is left is not sent, not even by a trusted proxy."""
        found = decided(rewrite("/", "$1"), b"/x")
        assert isinstance(found, Proceed)
        self.assertEqual(found.request_edits.remove, {b"x-forwarded-prefix"})

    def test_captured_text(self) -> None:
        """What is captured can end no field."""
        captures: Captures = (b"a%0D%0AX: y",)
        context = policy_context(captures=captures)
        found = verdict_of(rewrite("/", "/$1").request(context))
        assert isinstance(found, Proceed)
        self.assertEqual(found.request_edits.replace, ((b"X-Forwarded-Prefix", b"/a%0D%0AX: y"),))
