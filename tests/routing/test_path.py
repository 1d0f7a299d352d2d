"""Tests of `ingress.routing.path`."""

from __future__ import annotations

import re
from string import ascii_letters, digits

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import RequestError
from ingress.routing.path import (
    MAX_AMBIGUOUS,
    canonical_path,
    canonical_rule_path,
    has_segments_to_resolve,
    other_readings,
)

PLAIN_PIECES = [b"/", b".", b"..", b"a", b"~", b";", b"[", b"00"]
ESCAPED_PIECES = [b"%2e", b"%2E", b"%2f", b"%5C", b"%41", b"%25", b"%7e", b"%c3%a9", b"%"]


def paths_of(pieces: list[bytes]) -> st.SearchStrategy[bytes]:
    chosen = st.lists(st.sampled_from(pieces), max_size=12)
    return chosen.map(lambda chosen: b"/" + b"".join(chosen))


def unescape(escape: re.Match[bytes]) -> bytes:
    """The one character that an escape stands for, if it is one that is decoded."""
    character = bytes.fromhex(escape[0][1:].decode())
    if character in (b"/", b"\\"):
        return escape[0]
    return character if character.isalnum() or character in b"-._~" else escape[0].upper()


def form(path: bytes) -> bytes | None:
    """The canonical form; None for a path that is refused."""
    try:
        return canonical_path(path)
    except RequestError:
        return None


class CanonicalPathTests(SynchronousTestCase):
    def check(self, *cases: tuple[bytes, bytes]) -> None:
        for path, expected in cases:
            self.assertEqual(canonical_path(path), expected, path)

    def test_plain(self) -> None:
        """A path without anything to resolve is its own canonical form."""
        for path in (b"/", b"/a", b"/a/", b"/a.b/c~d", b"/a;b=c", b"/a[0]", b"/A", b"/...", b"/.a"):
            self.check((path, path))

    def test_dot_segments(self) -> None:
        """Dot segments are resolved; a path that ends in one names a folder."""
        self.check(
            (b"/a/./b", b"/a/b"),
            (b"/a/../b", b"/b"),
            (b"/a/b/../../c", b"/c"),
            (b"/a/.", b"/a/"),
            (b"/a/..", b"/"),
            (b"/a/b/..", b"/a/"),
            (b"/.", b"/"),
            (b"/./", b"/"),
            (b"/a/...", b"/a/..."),
        )

    def test_escaped_dot_segments(self) -> None:
        """Dots mean the same escaped."""
        self.check(
            (b"/a/%2e%2E/b", b"/b"),
            (b"/a/.%2e/b", b"/b"),
            (b"/a/%2e/b", b"/a/b"),
        )

    def test_runs_of_slashes(self) -> None:
        """Runs of slashes are one slash."""
        self.check((b"//", b"/"), (b"//a///b//", b"/a/b/"), (b"/a/..//b", b"/b"))

    def test_empty_segments(self) -> None:
        """Dots that take an empty segment away are refused: endpoints differ in what is left."""
        for path in (b"/a//../b", b"/a//.././b", b"/a/.//%2e%2e/b", b"/a//b/../..", b"//../a"):
            with self.subTest(path=path):
                self.assertRaises(RequestError, canonical_path, path)
        self.check((b"/a//b/../c", b"/a/c"), (b"/a/b/..//c", b"/a/c"))

    def test_unreserved(self) -> None:
        """Escapes of unreserved characters are decoded, others are in upper case."""
        self.check(
            (b"/%61%7E%2d%5F%2e", b"/a~-_."), (b"/%c3%a9", b"/%C3%A9"), (b"/%3f%23", b"/%3F%23")
        )

    def test_separators_stay_escaped(self) -> None:
        """Escaped slashes and backslashes are data and stay as written."""
        self.check((b"/a%2fb", b"/a%2fb"), (b"/a%2Fb", b"/a%2Fb"), (b"/a%5c..%5Cb", b"/a%5c..%5Cb"))
        self.check((b"/a/..%2fb", b"/a/..%2fb"))

    def test_characters(self) -> None:
        """A character that no URI has in a path is refused wherever it stands; escaped, it passes."""
        allowed = b"!$&'()*+,-./:;=@[]_~" + (ascii_letters + digits).encode()
        for octet in range(256):
            for begin in (b"/", b"/a/b", b"/a//./b"):
                path = b"%b%cc" % (begin, octet)
                if octet in allowed:
                    canonical_path(path)
                else:
                    self.assertRaises(RequestError, canonical_path, path)
        for octet in b' "<>\\^`{|}\x80\xff':
            self.check((b"/a%%%02X" % octet,) * 2)

    def test_decoded_once(self) -> None:
        """What an escape decodes to is never an escape itself."""
        self.check((b"/%2561", b"/%2561"), (b"/%252e%252e/a", b"/%252e%252e/a"))

    def test_refused(self) -> None:
        """Broken escapes, NUL and a climb above the root are refused."""
        for path in (
            b"/%",
            b"/%4",
            b"/%zz",
            b"/%%341",
            b"/a%00",
            b"/..",
            b"/../a",
            b"/a/../..",
            b"/a/../../a",
            b"//..",
            b"/%2e%2e",
            b"/./../a",
        ):
            self.assertRaises(RequestError, canonical_path, path)

    @settings(deadline=None)
    @given(paths_of(PLAIN_PIECES + ESCAPED_PIECES))
    def test_one_form(self, path: bytes) -> None:
        """The canonical form of a canonical form is itself, and has nothing left to resolve."""
        canonical = form(path)
        if canonical is None:
            return
        self.assertEqual(canonical_path(canonical), canonical)
        segments = canonical.split(b"/")
        self.assertEqual(segments[0], b"")
        self.assertNotIn(b".", segments)
        self.assertNotIn(b"..", segments)
        self.assertNotIn(b"", segments[1:-1])

    @settings(deadline=None)
    @given(paths_of(PLAIN_PIECES))
    def test_equal_for_every_spelling(self, path: bytes) -> None:
        """A path in which each unreserved character is escaped has the same canonical form."""
        spelled = b"".join(
            bytes((octet,)) if octet in b"/;[" else b"%%%02x" % octet for octet in path
        )
        self.assertEqual(form(path), form(spelled))


class SegmentsToResolveTests(SynchronousTestCase):
    def test_some(self) -> None:
        """Dot segments, escaped ones too, and runs of slashes make the canonical form differ."""
        for path in (
            *(b"/.", b"/..", b"/a/.", b"/a/..", b"/a/./b", b"/a/../b", b"//", b"//a", b"/a//b"),
            *(b"/a//", b"/%2e", b"/a/%2E./b", b"/a/.%2e", b"/a/%2e%2E/b"),
        ):
            self.assertTrue(has_segments_to_resolve(path), path)

    def test_none(self) -> None:
        """A trailing slash, other dots and other escapes do not."""
        for path in (b"/", b"/a/", b"/a.b", b"/.a", b"/...", b"/a/..b", b"/%7Ea", b"/a%2F..%2Fb"):
            self.assertFalse(has_segments_to_resolve(path), path)

    @settings(deadline=None)
    @given(paths_of(PLAIN_PIECES + ESCAPED_PIECES))
    def test_agrees(self, path: bytes) -> None:
        """They are all that can make the canonical form differ, but for escapes."""
        canonical = form(path)
        if canonical is not None:
            differs = canonical != re.sub(rb"%..", unescape, path)
            self.assertEqual(has_segments_to_resolve(path), differs)


class OtherReadingsTests(SynchronousTestCase):
    def test_unambiguous(self) -> None:
        """Nearly every path has one reading."""
        for path in (b"/", b"/a/../b", b"//a", b"/a%20b", b"/%25%32%46", b"/" + b"a" * 9000):
            self.assertEqual(other_readings(path), ())

    def check(self, path: bytes, *readings: bytes) -> None:
        self.assertEqual(other_readings(path), readings, path)

    def test_separators(self) -> None:
        """Escaped slashes and backslashes separate segments, alone or together."""
        self.check(b"/a%2Fb", b"/a/b")
        self.check(b"/a%5cb", b"/a/b")
        self.check(b"/a%2fb%5Cc", b"/a%2fb/c", b"/a/b%5Cc", b"/a/b/c")

    def test_parameters(self) -> None:
        """Parameters are cut from each segment."""
        self.check(b"/a;b=c/d;e", b"/a/d")
        self.check(b"/admin;jsessionid=1", b"/admin")

    def test_dot_segments(self) -> None:
        """Dot segments and runs of slashes that come to light are read resolved, and as they are."""
        self.check(b"/x/..%2Fadmin", b"/admin", b"/x/../admin")
        self.check(b"/x%5C%2e%2e%5Cadmin", b"/admin", b"/x/../admin")
        self.check(b"/admin%2F..", b"/", b"/admin/..")
        self.check(b"/a/..;x/admin", b"/a/../admin", b"/admin")
        self.check(b"/;/admin", b"//admin", b"/admin")

    def test_either_order(self) -> None:
        """A parameter that has escaped slashes is cut before and after they separate."""
        readings = other_readings(b"/a;%2F..%2Fadmin/b")
        self.assertIn(b"/a/b", readings)
        self.assertIn(b"/admin/b", readings)

    def test_refused(self) -> None:
        """A path is refused whose reading climbs above the root, or out of an empty segment."""
        for path in (b"/..%2Fa", b"/a/..%5C..", b"/..;/a", b"/a/;/../b", b"/a%2F%2F../b"):
            self.assertRaises(RequestError, other_readings, path)

    def test_long(self) -> None:
        """A long path that has several readings is refused, because of what they cost."""
        self.assertTrue(other_readings(b"/a;b".ljust(MAX_AMBIGUOUS, b"a")))
        self.assertRaises(RequestError, other_readings, b"/a;b".ljust(MAX_AMBIGUOUS + 1, b"a"))

    @settings(deadline=None)
    @given(paths_of([*PLAIN_PIECES, b"%2F", b"%5c", b";x"]))
    def test_resolved(self, path: bytes) -> None:
        """With each reading there is its canonical form, unless that is the path's own."""
        canonical = form(path)
        if canonical is None:
            return
        try:
            readings = other_readings(path)
        except RequestError:
            return
        self.assertNotIn(canonical, readings)
        for reading in readings:
            self.assertIn(form(reading), {canonical, *readings})


class CanonicalRulePathTests(SynchronousTestCase):
    def test_as_a_request_has_it(self) -> None:
        """A rule's path meets the request for it, whichever way either is written."""
        for rule, target in (
            ("/café", b"/caf%C3%A9"),
            ("/a b", b"/a%20b"),
            ('/"<>\\^`{|}', b"/%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("/a[0]", b"/a[0]"),
            ("/a%20b", b"/a%20b"),
            ("/a/./b", b"/a/b"),
            ("/%7Euser", b"/~user"),
        ):
            self.assertEqual(canonical_rule_path(rule), canonical_path(target))

    def test_refused(self) -> None:
        """A rule's path is refused like a request's."""
        self.assertRaises(RequestError, canonical_rule_path, "/%zz")
        self.assertRaises(RequestError, canonical_rule_path, "/..")
