"""
``txingress simulate LOG``: an access log of ingress-nginx against what would be decided here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import BinaryIO, Final

from ingress.command.bounded_input import STANDARD_INPUT
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.log_comparison import (
    UNKNOWN_OF_LINES,
    Comparison,
    LogComparer,
    Result,
    request_text,
)
from ingress.command.log_format import Reader, configured_format, make_reader
from ingress.command.log_lines import open_log, read_lines
from ingress.command.log_tally import Tally, report
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of
from ingress.command.progress import Progress
from ingress.explain.decider import Decider
from ingress.problem import shown

EXAMPLES: Final = """examples:
  txingress simulate access.log -- k8s/
  kubectl -n ingress-nginx logs deploy/ingress-nginx-controller | txingress simulate - -- k8s/
  txingress simulate access.log.gz --config ingress.yaml --host shop.example --format json
  txingress simulate a.log --log-format '$remote_addr "$request" $status $host' -- k8s/
"""
MOST_IN_VAIN: Final = 100_000
"""Lines of which one has to be of a known format: a wrong file may be endless."""

_MOST_SHOWN: Final = 120


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
    decider = Decider(built.snapshot, UNKNOWN_OF_LINES, datetime.now(UTC).timestamp())
    host = host_of(arguments.host) if arguments.host else None
    is_secure = None if arguments.scheme is None else arguments.scheme == "https"
    comparer, tally = LogComparer(built, decider, host, is_secure), Tally(built)
    with ExitStack() as stack:
        stream = stack.enter_context(open_log(arguments.log))
        progress = stack.enter_context(Progress("lines", sys.stderr, time.monotonic))
        _compare_all(stream, read, comparer, tally, progress)
    if arguments.format == "json":
        print(json.dumps(tally.as_json(), indent=2, ensure_ascii=False))
    else:
        for text in report(tally):
            print(text)
    refuse_unread(tally)
    return FOUND if tally.counts[Result.DIFFERENT] else FINE


def refuse_unread(tally: Tally) -> None:
    """:raises CannotRun: if no line could be read: then nothing is proved."""
    if tally.lines and tally.counts[Result.MALFORMED] == tally.lines:
        raise CannotRun("no line has a known format; --log-format names another one")


_MALFORMED: Final = Comparison(Result.MALFORMED)


def _compare_all(
    stream: BinaryIO,
    read: Reader,
    comparer: LogComparer,
    tally: Tally,
    progress: Progress,
) -> None:
    """:raises CannotRun: if this is no access log, or has another format."""
    for number, line in enumerate(read_lines(stream), 1):
        if not number & 0x3FF:
            progress.show(number)
        if number == MOST_IN_VAIN and tally.counts[Result.MALFORMED] == tally.lines:
            raise CannotRun(
                f"none of the first {MOST_IN_VAIN:,} lines has a known format; --log-format names "
                "another one"
            )
        if not line:
            continue
        entry = read(line)
        if entry is None:
            begin = line[: 4 * _MOST_SHOWN].decode("utf-8", "replace")
            tally.add(number, shown(begin, _MOST_SHOWN), _MALFORMED)
            continue
        found = comparer.compare(entry)
        if found.result is Result.SAME:
            tally.counts[Result.SAME] += 1
        else:
            tally.add(number, request_text(entry.method, entry.host, entry.target), found)


def host_of(written: str) -> bytes:
    try:
        return written.encode("idna")
    except UnicodeError:
        raise CannotRun(f"--host {shown(written, _MOST_SHOWN)}: a host name is accepted") from None
