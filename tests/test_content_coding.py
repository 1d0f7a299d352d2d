"""Tests of `ingress.content_coding`."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import brotli
import zstandard
from twisted.trial.unittest import SynchronousTestCase

from ingress.content_coding import BROTLI, GZIP, ZSTD, make_coder, missing_package

TEXT = b"".join(b"<li>%x</li>\n" % random.Random(0).getrandbits(64) for _ in range(4000))

_LEVELS = {GZIP: range(1, 10), BROTLI: range(12), ZSTD: range(1, 10)}


def decode(coding: str, data: bytes) -> bytes:
    if coding == GZIP:
        return zlib.decompress(data, 31)
    if coding == BROTLI:
        return bytes(brotli.decompress(data))
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def decoder(coding: str) -> Callable[[bytes], bytes]:
    """What a client decodes from each piece that it gets."""
    if coding == GZIP:
        return zlib.decompressobj(31).decompress
    if coding == BROTLI:
        process: Callable[[bytes], bytes] = brotli.Decompressor().process
        return process
    return zstandard.ZstdDecompressor().decompressobj().decompress


class CoderTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Each coding and level gives what its decoder makes the same of, for every length."""
        for coding, levels in _LEVELS.items():
            for level in levels:
                for length in (1, 700, len(TEXT)):
                    for told in (length, None):
                        coder = make_coder(coding, level, told)
                        data = coder.compress(TEXT[:length]) + coder.finish()
                        self.assertEqual(decode(coding, data), TEXT[:length])

    def test_flush(self) -> None:
        """After a flush the client has everything."""
        for coding in _LEVELS:
            coder, decode_piece = make_coder(coding, 1, None), decoder(coding)
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                self.assertEqual(decode_piece(coder.compress(event) + coder.flush()), event)
            coder.finish()

    def test_memory(self) -> None:
        """Small responses need less memory, and the last levels are slow."""
        for coding in (GZIP, ZSTD):
            self.assertLess(make_coder(coding, 1, 600).memory, make_coder(coding, 1, None).memory)
        for coding, levels in _LEVELS.items():
            self.assertFalse(make_coder(coding, levels[1], None).is_slow)
            self.assertTrue(make_coder(coding, levels[-1], None).is_slow)

    def test_missing(self) -> None:
        """Nothing is missing where the extra is installed; gzip is always there."""
        self.assertEqual([missing_package(coding) for coding in _LEVELS], ["", "", ""])
