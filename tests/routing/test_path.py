"""Tests of the canonical path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import RequestError
from ingress.routing.path import canonical_path, canonical_rule_path


class CanonicalPathTests(SynchronousTestCase):
    def test_plain_path(self) -> None:
        """A path with nothing to resolve is the same object."""
        path = b"/a/b;c=1/d-e_f.g~h"
        self.assertIs(canonical_path(path), path)

    def test_table(self) -> None:
        """Dot segments, runs of slashes and escapes have one spelling."""
        for raw, canonical in (
            (b"/", b"/"),
            (b"//", b"/"),
            (b"/a//b", b"/a/b"),
            (b"///a///", b"/a/"),
            (b"/a/./b", b"/a/b"),
            (b"/a/b/.", b"/a/b/"),
            (b"/a/../b", b"/b"),
            (b"/a/..", b"/"),
            (b"/a/b/..", b"/a/"),
            (b"/.hidden", b"/.hidden"),
            (b"/...", b"/..."),
            (b"/%61dmin", b"/admin"),
            (b"/%7euser", b"/~user"),
            (b"/%2e%2e/a%2e", None),
            (b"/a/%2E%2e/b", b"/b"),
            (b"/a%20b%c3%bc", b"/a%20b%C3%BC"),
            (b"/a%2Fb", b"/a%2Fb"),
            (b"/a%2fb", b"/a%2fb"),
            (b"/a%5Cb%5c..", b"/a%5Cb%5c.."),
            (b"/a%25zz", b"/a%25zz"),
        ):
            with self.subTest(raw=raw):
                if canonical is None:
                    self.assertRaises(RequestError, canonical_path, raw)
                else:
                    self.assertEqual(canonical_path(raw), canonical)

    def test_refused(self) -> None:
        """Broken escapes, an escaped NUL and a climb above the root are refused."""
        for raw in (b"/%", b"/%4", b"/%zz", b"/a%00b", b"/..", b"/a/../..", b"//../a", b"/%2e./"):
            with self.subTest(raw=raw):
                self.assertRaises(RequestError, canonical_path, raw)

    @given(st.text(alphabet="a/.%2eEfF5c~", max_size=24))
    def test_idempotent(self, text: str) -> None:
        """A canonical path is canonical, and has no dot segment and no empty one inside."""
        try:
            once = canonical_path(b"/" + text.encode())
        except RequestError:
            return
        self.assertEqual(canonical_path(once), once)
        segments = once.split(b"/")[1:]
        self.assertNotIn(b"", segments[:-1])
        self.assertTrue({b".", b".."}.isdisjoint(segments))


class CanonicalRulePathTests(SynchronousTestCase):
    def test_escapes(self) -> None:
        """What cannot stand in a target is escaped, as a request has it."""
        self.assertEqual(canonical_rule_path("/grüße und\tmehr"), b"/gr%C3%BC%C3%9Fe%20und%09mehr")
        self.assertEqual(canonical_rule_path("/a|b"), b"/a|b")

    def test_same_as_request(self) -> None:
        """An escaped letter in a rule is the letter."""
        self.assertEqual(canonical_rule_path("/%61/./b"), b"/a/b")

    def test_refused(self) -> None:
        """A rule that no request can match is refused."""
        self.assertRaises(RequestError, canonical_rule_path, "/a%")
