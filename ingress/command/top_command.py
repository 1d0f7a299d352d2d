"""
``txingress top``: the rules of a running process by what goes on, again and again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TextIO

from ingress.command.failure import FINE, CannotRun
from ingress.command.live import add_live, live_process
from ingress.command.options import as_table
from ingress.problem import printable

EXAMPLES: Final = """examples:
  txingress top --admin http://127.0.0.1:10254
  txingress top --deployment txingress --namespace ingress --sort p99
  txingress top --admin http://127.0.0.1:10254 --once
"""
HEADS: Final = ("HOST", "PATH", "SERVICE", "REQ/S", "ERRORS", "P50", "P99")
SORTED: Final = ("rate", "errors", "p50", "p99")

_ROWS: Final = 1000
"""Rules that are asked for at once."""

_OTHER_LINES: Final = 4
_FEWEST: Final = 5
_CLEAR: Final = "\x1b[H\x1b[J"
_MOST_SHOWN: Final = 48


class Asked(Protocol):
    """A process, as `ingress.command.live` reaches it."""

    def read(self, name: str, query: list[tuple[str, str]], /) -> Any:
        """:raises CannotRun: if it does not answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("--sort", choices=SORTED, default="rate", help="what comes first")
    parser.add_argument(
        "--rows", type=int, default=0, metavar="N", help="as many rules; those that fit without it"
    )
    parser.add_argument(
        "--interval", type=float, default=2.0, metavar="SECONDS", help="between two looks; 2"
    )
    parser.add_argument("--once", action="store_true", help="look once")
    add_live(parser)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    if arguments.rows < 0 or not arguments.interval > 0:
        raise CannotRun("--rows and --interval: positive numbers are accepted")
    with live_process(arguments) as process:
        if process is None:
            raise CannotRun("name a running process: --admin URL, --pod or --deployment")
        watch(process, arguments, sys.stdout, time.sleep)
    return FINE


def watch(
    process: Asked, arguments: argparse.Namespace, stream: TextIO, wait: Callable[[float], None]
) -> None:
    """
    Show the rules until the user has seen enough.

    :raises CannotRun: if the first look fails, or the only one.
    """
    is_live = stream.isatty() and not arguments.once
    is_first = True
    try:
        while True:
            rows = arguments.rows or (_fitting() if is_live else _ROWS)
            try:
                text = screen(read_rates(process), arguments.sort, rows)
            except CannotRun as error:
                # It may be restarting.
                if is_first or arguments.once:
                    raise
                text = f"{error}\n"
            stream.write(f"{_CLEAR if is_live else ''}{text}")
            stream.flush()
            if arguments.once:
                return
            is_first = False
            wait(arguments.interval)
            if not is_live:
                stream.write("\n")
    except KeyboardInterrupt:
        return


def _fitting() -> int:
    return max(_FEWEST, shutil.get_terminal_size().lines - _OTHER_LINES)


def read_rates(process: Asked) -> dict[str, Any]:
    """
    :return: ``all``, and all ``rules``.
    :raises CannotRun: if the process does not answer.
    """
    rules: list[Mapping[str, Any]] = []
    while True:
        found = process.read("rates", [("limit", str(_ROWS)), ("offset", str(len(rules)))])
        rules += found["rules"]
        if not found["rules"] or len(rules) >= found["total"]:
            return {"all": found["all"], "rules": rules}


def screen(rates: Mapping[str, Any], sort: str, rows: int) -> str:
    """
    :param sort: one of `SORTED`; the most comes first.
    :param rows: as many rules are shown, and the others counted.
    :return: lines with their ends.
    """
    rules = sorted(
        rates["rules"],
        key=lambda rule: (-(rule.get(sort) or 0), -(rule.get("rate") or 0), rule["host"]),
    )
    busy = [rule for rule in rules if rule.get("rate")]
    numbers = "  ".join(
        f"{head} {cell}"
        for head, cell in zip(
            ("requests/s", "errors", "p50", "p99"), _cells(rates["all"]), strict=True
        )
    )
    lines = [
        (_shown(rule["host"]), _shown(rule["path"]), _service(rule), *_cells(rule))
        for rule in busy[:rows]
    ]
    text = f"{numbers}\n\n{as_table(HEADS, lines)}"
    left = len(busy) - len(lines)
    return text + (f"and {left} more\n" if left else "")


def _service(rule: Mapping[str, Any]) -> str:
    namespace = rule["ingress"].partition("/")[0]
    return _shown(f"{namespace}/{rule['service']}" if rule.get("service") else "-")


def _cells(rate: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        f"{rate.get('rate') or 0:.1f}",
        f"{(rate.get('errors') or 0) * 100:.1f} %",
        _time(rate.get("p50")),
        _time(rate.get("p99")),
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
