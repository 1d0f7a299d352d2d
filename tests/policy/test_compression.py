"""Tests of `ingress.policy.compression`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.compression import CodingSettings, CompressionSettings
from ingress.linear_pattern import LinearPattern
from ingress.message import Request
from ingress.policy.compression import Compression, Offer
from ingress.testing import read_annotations

ON = CodingSettings(enabled=True)
GZIP = CompressionSettings(gzip=ON)
ALL = CompressionSettings(gzip=ON, brotli=ON, zstd=ON)
HTML = (b"Content-Type", b"text/html; charset=utf-8")
PLAIN = (b"content-type", b"Text/Plain")


def request(
    accepted: bytes | None = b"gzip",
    *fields: tuple[bytes, bytes],
    method: bytes = b"GET",
    is_http_10: bool = False,
) -> Request:
    pairs = list(fields) if accepted is None else [(b"Accept-Encoding", accepted), *fields]
    lines = [(name.lower(), name, value) for name, value in pairs]
    return Request(method, b"/", b"/", b"a", b"a", lines, 0, is_http_10=is_http_10)


def setting(settings: CompressionSettings = GZIP) -> Compression:
    config = replace(Config(), compression=settings)
    feature = read_annotations(Compression, {}, config=config).feature
    assert isinstance(feature, Compression)
    return feature


class ReadTests(SynchronousTestCase):
    def test_off(self) -> None:
        """It is off by default, and who wants it all the same is told."""
        self.assertIsNone(read_annotations(Compression, {}).feature)
        reading = read_annotations(Compression, {"txingress.dev/compression": "true"})
        self.assertEqual((reading.feature, len(reading.faults)), (None, 1))

    def test_opt_out(self) -> None:
        """An Ingress can leave its responses as they are; a bad value changes nothing."""
        config = replace(Config(), compression=GZIP)
        for value, is_on, faults in (("false", False, 0), ("true", True, 0), ("a\r\nb", True, 1)):
            reading = read_annotations(
                Compression, {"txingress.dev/compression": value}, config=config
            )
            self.assertEqual((reading.feature is not None, len(reading.faults)), (is_on, faults))

    def test_shared(self) -> None:
        """All Ingresses have one object."""
        self.assertIs(setting(), setting())


class OfferTests(SynchronousTestCase):
    def offer(
        self,
        *fields: tuple[bytes, bytes],
        of: Compression | None = None,
        to: Request | None = None,
        status: int = 200,
        length: int | None = None,
    ) -> Offer | None:
        return (of or setting()).offer(to or request(), status, list(fields or (HTML,)), length)

    def coding(self, accepted: bytes | None, settings: CompressionSettings = ALL) -> str | None:
        """The coding for a client that accepts this."""
        offer = self.offer(of=setting(settings), to=request(accepted))
        assert offer is not None
        return None if offer.coding is None else offer.coding.name

    def test_fields(self) -> None:
        """Length and ranges go, a strong validator becomes weak, and the coding is named."""
        offer = self.offer(
            HTML,
            (b"Content-Length", b"1000"),
            (b"Accept-Ranges", b"bytes"),
            (b"ETag", b'"abc"'),
            (b"Set-Cookie", b"a=1"),
            length=1000,
        )
        assert offer is not None
        expected = [
            HTML,
            (b"ETag", b'W/"abc"'),
            (b"Set-Cookie", b"a=1"),
            (b"Vary", b"Accept-Encoding"),
            (b"Content-Encoding", b"gzip"),
        ]
        self.assertEqual(list(offer.encoded_fields), expected)

    def test_weak(self) -> None:
        """A weak validator stays."""
        offer = self.offer(HTML, (b"ETag", b'W/"abc"'))
        assert offer is not None
        self.assertIn((b"ETag", b'W/"abc"'), offer.encoded_fields)

    def test_vary(self) -> None:
        """Vary is there for who accepts no coding, too, and once."""
        offer = self.offer(HTML, (b"ETag", b'"a"'), to=request(None))
        assert offer is not None
        self.assertIsNone(offer.coding)
        self.assertEqual(offer.fields, [HTML, (b"ETag", b'"a"'), (b"Vary", b"Accept-Encoding")])
        for there in (b"*", b"Origin, accept-encoding"):
            offer = self.offer(HTML, (b"Vary", there))
            assert offer is not None
            self.assertEqual([value for name, value in offer.fields if name == b"Vary"], [there])
        offer = self.offer(HTML, (b"Vary", b"Origin"))
        assert offer is not None
        self.assertEqual(
            [value for name, value in offer.fields if name == b"Vary"],
            [b"Origin", b"Accept-Encoding"],
        )

    def test_never(self) -> None:
        """What is encoded, must not be transformed, or is a part of something stays as it is."""
        for field in (
            (b"Content-Encoding", b"br"),
            (b"Content-Encoding", b"identity"),
            (b"Cache-Control", b"public, No-Transform"),
            (b"Content-Range", b"bytes 0-9/100"),
            (b"Content-MD5", b"x"),
            (b"Content-Digest", b"sha-256=:x:"),
            (b"Repr-Digest", b"sha-256=:x:"),
        ):
            self.assertIsNone(self.offer(HTML, field), field)
        for status in (201, 204, 206, 301, 304, 416, 500):
            self.assertIsNone(self.offer(status=status), status)
        self.assertIsNone(self.offer(to=request(method=b"HEAD")))
        self.assertIsNone(self.offer(length=0))
        no_transform = request(b"gzip", (b"Cache-Control", b"no-transform"))
        self.assertIsNone(self.offer(to=no_transform))

    def test_statuses(self) -> None:
        """Two errors are compressed, as in nginx."""
        for status in (200, 403, 404):
            self.assertIsNotNone(self.offer(status=status))

    def test_length(self) -> None:
        """A response below the least length stays as it is; an unknown length is no small one."""
        for length, expected in ((255, False), (256, True), (None, True)):
            self.assertEqual(self.offer(length=length) is not None, expected)

    def test_types(self) -> None:
        """Listed types are compressed, html always, in any case and with any parameters."""
        narrow = setting(replace(GZIP, gzip=replace(ON, types=("text/plain",))))
        every = setting(replace(GZIP, gzip=replace(ON, types=("*",))))
        for field, is_listed in (
            (PLAIN, True),
            (HTML, True),
            ((b"Content-Type", b"image/png"), False),
            ((b"Content-Type", b"text/event-stream"), False),
            ((b"X-Content-Type", b"text/html"), False),
        ):
            self.assertEqual(self.offer(field, of=narrow) is not None, is_listed, field)
            self.assertIsNotNone(self.offer(field, of=every))

    def test_choice(self) -> None:
        """The coding that the client likes best is taken, and among equal ones the cheapest."""
        for accepted, expected in (
            (b"gzip, deflate, br, zstd", "zstd"),
            (b"gzip, deflate, br", "br"),
            (b"x-gzip", "gzip"),
            (b"GZIP;q=0.5, br;q=0.4", "gzip"),
            (b"br;q=0, *;q=0.1, zstd;q=0", "gzip"),
            (b"*", "zstd"),
            (b"identity", None),
            (b"", None),
            (b"gzip;q=0", None),
            (b"gzip;q=0.000, *;q=0", None),
            (b"gzip;q=nan", None),
            (b"gzip;q=1e9", None),
            (b"gzip;level=9", "gzip"),
            (b"br, gzip;q=0.8" + b" " * 5000 + b", zstd", "br"),
            (b"\xff\x00;q=\xff, gzip", "gzip"),
        ):
            self.assertEqual(self.coding(accepted), expected, accepted)
        self.assertIsNone(self.coding(None))
        self.assertEqual(self.coding(b"br;q=0.9, gzip;q=0.1", GZIP), "gzip")

    def test_several_fields(self) -> None:
        """Several Accept-Encoding count as one."""
        offer = self.offer(of=setting(ALL), to=request(b"identity", (b"Accept-Encoding", b"br")))
        assert offer is not None
        assert offer.coding is not None
        self.assertEqual(offer.coding.name, "br")

    def test_old_clients(self) -> None:
        """HTTP/1.0 gets nothing compressed, nor do clients that the configuration names."""
        offer = self.offer(to=request(is_http_10=True))
        assert offer is not None
        self.assertIsNone(offer.coding)
        pattern = LinearPattern.of("msie [4-6]\\.", ignores_case=True)
        some = setting(replace(GZIP, disabled_for=pattern))
        for agent, is_compressed in (
            (b"Mozilla/4.0 (compatible; MSIE 6.0)", False),
            (b"curl/8", True),
            (b"x" * 1_000_000, False),
        ):
            offer = self.offer(of=some, to=request(b"gzip", (b"User-Agent", agent)))
            assert offer is not None
            self.assertEqual(offer.coding is not None, is_compressed)
