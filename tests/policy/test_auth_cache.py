"""Tests of decisions that are used again."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.auth_cache import (
    MAX_ENTRY,
    AuthCache,
    DurationsRefused,
    Kept,
    lifetime,
    parse_durations,
)
from ingress.policy.subrequest import Subresponse
from ingress.testing import RULE

OTHER = RULE._replace(ingress="other")


def response(*fields: tuple[bytes, bytes], status: int = 200) -> Subresponse:
    return Subresponse(status, [(name.lower(), name, value) for name, value in fields])


class DurationTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Each status has the time behind it; the default is that of ingress-nginx."""
        for written, expected in (
            ("", {200: 300, 202: 300, 401: 300}),
            ("200 202 401 5m", {200: 300, 202: 300, 401: 300}),
            ("200 202 30m, 401 5s", {200: 1800, 202: 1800, 401: 5}),
            ("1h 30m", {200: 5400, 301: 5400, 302: 5400}),
            ("200 500ms,200 2d", {200: 172800}),
            ("200 9999999y", {200: 365 * 86400}),
        ):
            durations = parse_durations(written)
            self.assertEqual(dict(durations.seconds), expected, written)
            self.assertEqual(pickle.loads(pickle.dumps(durations)), durations)

    def test_refused(self) -> None:
        """Anything else is refused."""
        for written in ("200", "5m 200", "x", "200 5", "200 -5m", ",", "200 5m,", "200 " * 50_000):
            error = self.assertRaises(DurationsRefused, parse_durations, written)
            self.assertIn("are accepted", str(error))

    def test_lifetime(self) -> None:
        """What the server says takes precedence over the times of the annotation."""
        durations = parse_durations("200 5m")
        for fields, seconds in (
            ((), 300.0),
            (((b"Cache-Control", b"max-age=60"),), 60.0),
            (((b"Cache-Control", b"public, s-maxage=10, max-age=60"),), 10.0),
            (((b"Cache-Control", b"max-age=0"),), 0.0),
            (((b"Cache-Control", b"no-cache"),), 0.0),
            (
                (
                    (b"Cache-Control", b"must-revalidate"),
                    (b"Cache-Control", b"no-store"),
                ),
                0.0,
            ),
            (((b"Cache-Control", b'private="x", max-age=60'),), 0.0),
            (((b"Cache-Control", b"max-age=99999999999"),), 999999999.0),
            (((b"Expires", b"Fri, 15 Jan 2027 08:01:00 GMT"),), 60.0),
            (((b"Expires", b"Fri, 15 Jan 2020 08:01:00 GMT"),), 0.0),
            (((b"Expires", b"0"),), 0.0),
            (((b"Expires", b"\xff"),), 0.0),
            (((b"Set-Cookie", b"a=b"),), 0.0),
            (((b"Vary", b"*"),), 0.0),
        ):
            found = lifetime(response(*fields), durations, 1_800_000_000.0)
            self.assertEqual(found, min(seconds, 365 * 86400.0), fields)
        self.assertEqual(lifetime(response(status=403), durations, 0.0), 0.0)


class CacheTests(SynchronousTestCase):
    def keep(self, cache: AuthCache, key: int, size: int = 0, rule: object = RULE) -> None:
        cache.keep(rule, b"%d" % key, Kept(None, 100.0, size))  # type: ignore[arg-type]

    def has(self, cache: AuthCache, key: int, now: float = 0.0, rule: object = RULE) -> bool:
        return cache.find(rule, b"%d" % key, now, lambda names: b"") is not None  # type: ignore

    def test_found(self) -> None:
        """A decision is found by rule and key until its time is over."""
        cache = AuthCache()
        self.keep(cache, 1)
        self.assertTrue(self.has(cache, 1, 99.0))
        self.assertFalse(self.has(cache, 2))
        self.assertFalse(self.has(cache, 1, rule=OTHER))
        self.assertFalse(self.has(cache, 1, 100.0))
        self.assertEqual((len(cache), cache.size), (0, 0))

    def test_replaced(self) -> None:
        """A later decision of the same key takes the place of the earlier one."""
        cache = AuthCache()
        for _ in range(3):
            self.keep(cache, 1, 100)
        self.assertEqual(len(cache), 1)
        self.assertLess(cache.size, 1000)

    def test_bounded(self) -> None:
        """The rule that has most gives way, its least recently used decision first."""
        cache = AuthCache(max_entries=10)
        self.keep(cache, 1, rule=OTHER)
        for key in range(9):
            self.keep(cache, key)
        self.assertTrue(self.has(cache, 0))
        for key in range(100, 200):
            self.keep(cache, key)
        self.assertEqual(len(cache), 10)
        self.assertTrue(self.has(cache, 1, rule=OTHER))
        self.assertFalse(self.has(cache, 1))
        self.assertTrue(self.has(cache, 199))

    def test_recently_used(self) -> None:
        """A decision that is used stays."""
        cache = AuthCache(max_entries=3)
        for key in range(10):
            self.keep(cache, key)
            self.assertTrue(self.has(cache, 0))

    def test_size(self) -> None:
        """The bytes of all decisions are bounded, and those of one."""
        cache = AuthCache(max_size=100_000)
        for key in range(1000):
            self.keep(cache, key, 5000)
            self.assertLessEqual(cache.size, 100_000)
        self.assertTrue(self.has(cache, 999))
        self.keep(cache, 1000, MAX_ENTRY + 1)
        self.assertFalse(self.has(cache, 1000))

    def test_no_secret(self) -> None:
        """A repr has neither a decision nor what it depends on."""
        kept = Kept(None, 1.0, 1, (b"cookie",), b"s3cret")
        self.assertNotIn("s3cret", repr(kept) + repr(AuthCache()))
