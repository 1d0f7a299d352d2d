"""Tests of `ingress.policy.cors_origin`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import PREFIX, Annotations
from ingress.policy.cors_origin import OriginList, read_origins

NAME = "cors-allow-origin"


def read(value: str) -> tuple[OriginList | None, list[str]]:
    """What is read, and the messages of the faults."""
    annotations = Annotations({PREFIX + NAME: value})
    return read_origins(annotations, NAME), [fault.message for fault in annotations.faults]


class ReadOriginsTests(SynchronousTestCase):
    def test_everybody(self) -> None:
        """Everybody is meant by a star, also in a list, and by nothing."""
        for value in ("", " ", ",", "*", "https://a.example, *"):
            self.assertEqual(read(value), (None, []))

    def test_list(self) -> None:
        """A list may have blanks and commas around its origins, schemes of any kind, and null."""
        value = " https://a.example , http://*.b.example:8080,, null, app+x://host,http://[::1]:80,"
        origins, faults = read(value)
        assert origins is not None
        self.assertEqual(faults, [])
        self.assertEqual(len(origins.written), 5)

    def test_bad_origins(self) -> None:
        """What is no origin is a fault, and lets nobody in; the others of the list count."""
        for bad in (
            "a.example",
            "https://a.example/",
            "https://a.*.example",
            "https://*",
            "https://a.example\r\nX: y",
            "https://a.example\0",
            'https://"a"',
            "https://$host",
            "https://" + "a" * 100 * 1024,
            "https://\xe4.example",
        ):
            origins, faults = read(bad)
            self.assertEqual(origins, OriginList.of(()), bad)
            self.assertEqual(len(faults), 1)
            origins, faults = read(f"{bad},https://b.example")
            assert origins is not None
            self.assertTrue(origins.has(b"https://b.example"))
            self.assertEqual(len(faults), 1)


class OriginListTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Origins are compared whole, without regard to case."""
        origins = OriginList.of(("https://A.example", "http://b.example:8080", "null"))
        for origin in (b"https://a.example", b"HTTPS://a.EXAMPLE", b"http://b.example:8080"):
            self.assertTrue(origins.has(origin), origin)
        self.assertTrue(origins.has(b"null"))
        for origin in (
            b"http://a.example",
            b"https://a.example:443",
            b"https://a.example.evil",
            b"https://xa.example",
            b"https://a.example, https://evil",
            b"http://b.example",
            b"a.example",
            b"",
        ):
            self.assertFalse(origins.has(origin), origin)

    def test_wildcard(self) -> None:
        """A wildcard stands for one label; scheme and port are those of the list."""
        origins = OriginList.of(("https://*.a.example", "http://*.b.example:81"))
        self.assertTrue(origins.has(b"https://www.A.example"))
        self.assertTrue(origins.has(b"http://www.b.example:81"))
        for origin in (
            b"https://a.example",
            b"https://.a.example",
            b"https://*.a.example",
            b"https://x.www.a.example",
            b"http://www.a.example",
            b"https://www.a.example:8443",
            b"http://www.b.example",
            b"https://evil\r\n.a.example",
            b"https://evil@.a.example",
            b"https://" + b"x" * 64 + b".a.example",
        ):
            self.assertFalse(origins.has(origin), origin)

    def test_shown(self) -> None:
        """A long list is cut for people."""
        self.assertEqual(str(OriginList.of(())), "(none)")
        self.assertEqual(str(OriginList.of(("http://a", "http://b"))), "http://a, http://b")
        many = OriginList.of(tuple(f"http://{n}" for n in range(7)))
        self.assertEqual(str(many), "http://0, http://1, http://2, http://3, http://4 and 2 more")
