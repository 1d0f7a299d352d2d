"""
The commands ``python -m tests.fuzz.heads`` and its siblings: atheris, for a given time.

atheris is in the extra ``fuzz``; it mutates bytes and is led by what they reach in our
own modules and in those of the tests. A finding is printed with its bytes, and ends
the run with a status that is not 0; it belongs into tests/support/corpus.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

INSTRUMENTED = ["ingress", "tests.fuzz.invariants", "tests.fuzz.readings", "h11"]

MAX_SIZE = 2048
"""Bytes of an input: what breaks a parser is short."""

TOKENS = [
    b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b" / ", b"HTTP/1.1", b"HTTP/1.0",
    b"Host: a", b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"identity",
    b"Connection: ", b"close", b"keep-alive", b"upgrade", b"Upgrade: websocket", b"TE: trailers",
    b"Expect: 100-continue", b"http://a/", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"\n", b"\r", b"\0",
    b"\t", b";", b":", b",", b"+", b"0x", b"_", b"\x0b", b"\x85", b"\xa0",
]  # fmt: skip
"""What mutations put in."""


def instrumented() -> AbstractContextManager[Any]:
    """:return: what to import the modules under test in."""
    import atheris

    context: AbstractContextManager[Any] = atheris.instrument_imports(include=INSTRUMENTED)
    return context


def run(check: Callable[[bytes, list[int]], object], seeds: Iterable[bytes]) -> None:
    """
    Try `check` until the time of the command line is over; does not return.

    :param check: is given bytes and where to cut them; raises what is a finding.
    :param seeds: to begin with.
    """
    import atheris

    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", help="a folder for what was reached, to go on from")
    arguments = parser.parse_args()

    def try_one(data: bytes) -> None:
        # The first bytes say where the others are cut.
        check(data[2:], [data[0] * 3, data[1]] if len(data) > 2 else [])

    with TemporaryDirectory() as folder:
        corpus = Path(arguments.corpus or folder)
        corpus.mkdir(parents=True, exist_ok=True)
        for index, seed in enumerate(seeds):
            if len(seed) < MAX_SIZE:
                corpus.joinpath(f"seed-{index}").write_bytes(b"\x05\x0b" + seed)
        tokens = Path(folder, "tokens")
        tokens.write_text("".join(f'"{_escaped(token)}"\n' for token in TOKENS))
        options = [
            sys.argv[0],
            f"-max_total_time={arguments.seconds}",
            f"-max_len={MAX_SIZE}",
            f"-dict={tokens}",
            f"-artifact_prefix={corpus.parent}/",
            "-timeout=10",
            "-print_final_stats=1",
            str(corpus),
        ]
        atheris.Setup(options, try_one)
        atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)
