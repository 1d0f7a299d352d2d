"""
Content codings: gzip from the standard library, Brotli and zstd from packages that are imported
where they are used.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from typing import Any, Final

GZIP: Final = "gzip"
BROTLI: Final = "br"
ZSTD: Final = "zstd"
"""As Content-Encoding names them (RFC 9110 section 8.4.1, RFC 7932, RFC 8878)."""

_PACKAGES: Final = {BROTLI: ("brotli", "Brotli"), ZSTD: ("zstandard", "zstandard")}
"""The module, and the package that has it."""

_QUICK_LEVEL: Final = {GZIP: 5, BROTLI: 6, ZSTD: 7}
"""
The highest level at which no 64 KiB take longer than 3 ms on a processor of 2021, however they
were made: a client may choose what an endpoint sends. At the next level gzip takes 5 ms, and 180 ms
at the last one; Brotli takes 4 and 500 ms.
"""

_WINDOW: Final = 19
"""The most bits of a window of Brotli and zstd: 512 KiB, as nginx's module for Brotli has it."""

_BROTLI_MEMORY: Final = (300, 500, 1800, 1800, 1800, 2700, 4000, 10000, 18000, 35000, 10000, 10000)
"""The most that an encoder of Brotli needs at each level, in KiB; measured."""


def missing_package(coding: str) -> str:
    """:return: the package that has to be installed for a coding; empty if nothing is missing."""
    module, package = _PACKAGES.get(coding, ("zlib", ""))
    return "" if find_spec(module) is not None else package


class Coder:
    """
    Compresses one response.

    :ivar memory: the bytes that it needs at most.
    :ivar is_slow: whether a piece of 64 KiB may take longer than the reactor should be held.
    """

    def __init__(self, memory: int, *, is_slow: bool) -> None:
        self.memory = memory
        self.is_slow = is_slow

    def compress(self, data: bytes) -> bytes:
        """:return: what there is to send; often nothing."""
        raise NotImplementedError

    def flush(self) -> bytes:
        """:return: the rest of everything that was given so far; the client can decode it."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """:return: the end."""
        raise NotImplementedError


def make_coder(coding: str, level: int, length: int | None) -> Coder:
    """
    :param coding: one whose package is installed.
    :param length: of the response in bytes; a small one needs little memory. None if unknown.
    """
    return _CODERS[coding](level, length)


def _window(most: int, least: int, length: int | None) -> int:
    """:return: the bits of the smallest window in which a response has room."""
    if length is None:
        return most
    return min(most, max(least, length.bit_length()))


class _Gzip(Coder):
    def __init__(self, level: int, length: int | None) -> None:
        bits = _window(zlib.MAX_WBITS, 9, length)
        memory_level = max(1, zlib.DEF_MEM_LEVEL - (zlib.MAX_WBITS - bits))
        # zconf.h has this formula.
        memory = (1 << (bits + 2)) + (1 << (memory_level + 9)) + (16 << 10)
        super().__init__(memory, is_slow=level > _QUICK_LEVEL[GZIP])
        wrapped = 16 + bits
        self._encoder = zlib.compressobj(level, zlib.DEFLATED, wrapped, memory_level)

    def compress(self, data: bytes) -> bytes:
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        return self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._encoder.flush(zlib.Z_FINISH)


class _Brotli(Coder):
    def __init__(self, level: int, length: int | None) -> None:
        import brotli

        super().__init__(_BROTLI_MEMORY[level] << 10, is_slow=level > _QUICK_LEVEL[BROTLI])
        self._encoder: Any = brotli.Compressor(quality=level, lgwin=_window(_WINDOW, 10, length))

    def compress(self, data: bytes) -> bytes:
        return bytes(self._encoder.process(data))

    def flush(self) -> bytes:
        return bytes(self._encoder.flush())

    def finish(self) -> bytes:
        return bytes(self._encoder.finish())


class _Zstd(Coder):
    def __init__(self, level: int, length: int | None) -> None:
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, source_size=length or 0, window_log=_window(_WINDOW, 10, length)
        )
        memory = parameters.estimated_compression_context_size()
        super().__init__(memory, is_slow=level > _QUICK_LEVEL[ZSTD])
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._encoder = compressor.compressobj()
        self._flush_block = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def compress(self, data: bytes) -> bytes:
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        return self._encoder.flush(self._flush_block)

    def finish(self) -> bytes:
        return self._encoder.flush()


_CODERS: Final[dict[str, type[_Gzip] | type[_Brotli] | type[_Zstd]]] = {
    GZIP: _Gzip,
    BROTLI: _Brotli,
    ZSTD: _Zstd,
}
