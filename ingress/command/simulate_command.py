"""
``txingress simulate LOG``: an access log of ingress-nginx against what would be decided here.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import BinaryIO, Final, cast

from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.log_comparison import (
    Comparison,
    LogComparer,
    Result,
    Tally,
    examples_text,
    report,
)
from ingress.command.log_format import configured_format, make_reader
from ingress.command.offline import STANDARD_INPUT, load
from ingress.command.options import add_format, add_objects, cluster_of
from ingress.command.progress import Progress
from ingress.explain.decider import Decider
from ingress.policy.inputs import Input
from ingress.problem import shown

EXAMPLES: Final = """examples:
  txingress simulate access.log -- k8s/
  kubectl -n ingress-nginx logs deploy/ingress-nginx-controller | txingress simulate - -- k8s/
  txingress simulate access.log.gz --config ingress.yaml --host shop.example --format json
  txingress simulate a.log --log-format '$remote_addr "$request" $status $host' -- k8s/
"""
MAX_LINE: Final = 1 << 20
"""Bytes of a line; the rest of a longer one is another, malformed one."""

_UNKNOWN: Final = frozenset({Input.FIELDS, Input.SESSION, Input.OUTSIDE, Input.STATE})
"""What no access log has."""

_MOST_SHOWN: Final = 120
_GZIP: Final = b"\x1f\x8b"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "log", metavar="LOG", help="the log, which may be compressed by gzip; - is standard input"
    )
    parser.add_argument(
        "--log-format",
        default="",
        metavar="FORMAT",
        help="the format in nginx's syntax; that of the ConfigMap, those of ingress-nginx, JSON "
        "and our own need none",
    )
    parser.add_argument("--host", help="the host of requests whose line has none")
    parser.add_argument(
        "--scheme",
        choices=("http", "https"),
        help="the scheme of requests whose line has none; without it both are tried",
    )
    add_format(parser, "text", "json")
    add_objects(parser, behind=True)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    if arguments.log == STANDARD_INPUT and STANDARD_INPUT in arguments.paths:
        raise CannotRun("standard input can be only one of the log and the manifests")
    read = make_reader(arguments.log_format)
    built = load(
        arguments.config,
        arguments.paths,
        cluster=cluster_of(arguments),
        assumes_endpoints=True,
    ).built
    if not arguments.log_format and (configured := configured_format(built)):
        read = make_reader(configured)
    decider = Decider(built.snapshot, _UNKNOWN, datetime.now(UTC).timestamp())
    host = _host(arguments.host) if arguments.host else None
    is_secure = None if arguments.scheme is None else arguments.scheme == "https"
    comparer, tally = LogComparer(built, decider, host, is_secure), Tally(built)
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(arguments.log))
        progress = stack.enter_context(Progress("lines", sys.stderr, time.monotonic))
        for number, line in enumerate(_lines(stream), 1):
            entry = read(line)
            if entry is None:
                tally.add(number, shown(line.decode("utf-8", "replace"), _MOST_SHOWN), _MALFORMED)
            else:
                found = comparer.compare(entry)
                if found.result is Result.SAME:
                    tally.counts[Result.SAME] += 1
                else:
                    tally.add(number, examples_text(entry), found)
            if not number & 0x3FF:
                progress.show(number)
    if arguments.format == "json":
        print(json.dumps(tally.as_json(), indent=2, ensure_ascii=False))
    else:
        for text in report(tally):
            print(text)
    return FOUND if tally.counts[Result.DIFFERENT] else FINE


_MALFORMED: Final = Comparison(Result.MALFORMED)


def _host(written: str) -> bytes:
    try:
        return written.encode("idna")
    except UnicodeError:
        raise CannotRun(f"--host {shown(written, _MOST_SHOWN)}: a host name is accepted") from None


def _opened(name: str) -> BinaryIO:
    """
    Open a log, compressed or not.

    :raises CannotRun: if it cannot be read.
    """
    try:
        if name == STANDARD_INPUT:
            raw: BinaryIO = sys.stdin.buffer
        else:
            raw = open(name, "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
        stream = io.BufferedReader(cast("io.RawIOBase", raw), 1 << 20)
        is_compressed = stream.peek(2)[:2] == _GZIP
    except OSError as error:
        raise CannotRun(f"{name}: {error.strerror}; a file or - is accepted") from None
    return cast("BinaryIO", gzip.open(stream) if is_compressed else stream)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """
    Yield lines without their ends, and none that is empty.

    :raises CannotRun: if the compressed data are broken.
    """
    try:
        while line := stream.readline(MAX_LINE):
            line = line.rstrip(b"\r\n")
            if line:
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise CannotRun(f"the log cannot be read to its end: {error}") from None
