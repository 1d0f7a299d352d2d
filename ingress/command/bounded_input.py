"""
What a command reads as a whole, up to a size: a device has no end, and neither has a wrong pipe.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, Final

from ingress.command.failure import CannotRun
from ingress.kube.folder import MAX_FILE_SIZE

STANDARD_INPUT: Final = "-"

_PIECE: Final = 1 << 20


def read_input(name: str, most: int = MAX_FILE_SIZE) -> bytes:
    """
    :param name: a file, or a device or pipe such as ``/dev/fd/63``; or `STANDARD_INPUT`.
    :param most: bytes that are read.
    :raises CannotRun: if it cannot be read, or has more.
    """
    return b"".join(_pieces(name, most))


def copy_input(name: str, file: str, most: int = MAX_FILE_SIZE) -> None:
    """
    Write to a new file what `read_input` would return, a piece at a time.

    :raises CannotRun: if it cannot be read, or has more.
    """
    with open(file, "xb") as copy:
        for piece in _pieces(name, most):
            copy.write(piece)


def is_stream(name: str) -> bool:
    """:return: whether this is standard input, or something that can be read once: no file."""
    if name == STANDARD_INPUT:
        return True
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _pieces(name: str, most: int) -> Iterator[bytes]:
    size = 0
    try:
        with _opened(name) as stream:
            known = os.fstat(stream.fileno()) if name != STANDARD_INPUT else None
            if known is not None and stat.S_ISREG(known.st_mode) and known.st_size > most:
                raise _too_large(name, f"it has {known.st_size:,} bytes", most)
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > most:
                    raise _too_large(name, "it has more", most)
                yield piece
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotRun(f"{name}: {reason}") from None


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    return open(name, "rb")


def _too_large(name: str, what: str, most: int) -> CannotRun:
    named = "standard input" if name == STANDARD_INPUT else name
    return CannotRun(f"{named}: {most >> 20} MiB ({most:,} bytes) at most are read, and {what}")
