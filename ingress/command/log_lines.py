"""
The lines of a log of any size, compressed or not, in constant memory.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from ingress.command.bounded_input import STANDARD_INPUT
from ingress.command.failure import CannotRun

MAX_LINE: Final = 256 << 10
"""Bytes of a line that are kept; the rest of a longer one is left out."""

MAX_SKIPPED: Final = 64 << 20
"""Bytes without the end of a line. What has more is no log: a device, or a small file of gzip."""

_BUFFER: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


def open_log(name: str) -> BinaryIO:
    """
    Open a log, compressed by gzip or not.

    :param name: a file, or `STANDARD_INPUT`.
    :raises CannotRun: if it cannot be read.
    """
    try:
        if name == STANDARD_INPUT:
            raw: BinaryIO = sys.stdin.buffer
        else:
            raw = open(name, "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
        stream = io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER)
        is_compressed = stream.peek(2)[:2] == _GZIP
    except OSError as error:
        raise CannotRun(f"{name}: {error.strerror}; a file or - is accepted") from None
    if not is_compressed:
        return cast("BinaryIO", stream)
    # Around it once more, because its own `readline` is written in Python.
    packed = gzip.GzipFile(fileobj=stream)
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", packed), _BUFFER))


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """
    Yield each line without its end.

    :raises CannotRun: if the compressed data are broken, or have no lines.
    """
    number = 0
    try:
        while line := stream.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                _skip(stream, number)
            yield line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise CannotRun(f"the log cannot be read to its end: {error}") from None


def _skip(stream: BinaryIO, number: int) -> None:
    """Leave out the rest of a line."""
    size = MAX_LINE
    while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        size += len(rest)
        if size >= MAX_SKIPPED:
            raise CannotRun(
                f"line {number} has more than {MAX_SKIPPED >> 20} MiB: this is no access log"
            )
