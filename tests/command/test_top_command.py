"""
Tests for `ingress.command.top_command`.
"""

from __future__ import annotations

from argparse import Namespace
from io import StringIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.top_command import read_rates, screen, watch
from tests.command.test_progress import Terminal
from tests.support.command import run


def rule(host: str, rate: float, errors: float | None = 0.0, p99: float | None = 0.2) -> Any:
    return {
        "host": host, "path": "/", "ingress": "shop/web", "service": "web",
        "rate": rate, "errors": errors, "p50": 0.004, "p99": p99,
    }  # fmt: skip


RULES = [rule("a.example", 2), rule("b.example", 30, 0.5, 12.5), rule("c.example", 0, None, None)]


class Process:
    """A process that answers, a page of two rules at a time, or refuses."""

    def __init__(self) -> None:
        self.refuses: list[bool] = []

    def read(self, name: str, query: list[tuple[str, str]], /) -> Any:
        if self.refuses and self.refuses.pop(0):
            raise CannotRun("it does not answer")
        offset = int(dict(query)["offset"])
        own = rule("", 32)
        return {"all": own, "rules": RULES[offset : offset + 2], "total": len(RULES)}


class TopTests(SynchronousTestCase):
    def watch(self, process: Process, stream: StringIO, looks: int, **options: Any) -> str:
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == looks:
                raise KeyboardInterrupt

        arguments = Namespace(
            **{"sort": "rate", "rows": 0, "interval": 2, "once": False, **options}
        )
        watch(process, arguments, stream, wait)
        return stream.getvalue()

    def test_table(self) -> None:
        """The rules that have requests, the most first; all of them together above."""
        text = screen(read_rates(Process()), "rate", 10)
        self.assertEqual(
            text.splitlines(),
            [
                "requests/s 32.0  errors 0.0 %  p50 4 ms  p99 200 ms",
                "",
                "HOST       PATH  SERVICE   REQ/S  ERRORS  P50   P99",
                "b.example  /     shop/web  30.0   50.0 %  4 ms  12.5 s",
                "a.example  /     shop/web  2.0    0.0 %   4 ms  200 ms",
            ],
        )

    def test_bounded(self) -> None:
        """Rules that do not fit are counted, and nothing of a name steers a terminal."""
        rates = {"all": rule("", 1), "rules": [rule(f"\x1b[2J{'x' * 90}", 1), rule("b", 1)]}
        text = screen(rates, "p99", 1)
        self.assertNotIn("\x1b", text)
        self.assertLess(max(map(len, text.splitlines())), 140)
        self.assertEqual(text.splitlines()[-1], "and 1 more")

    def test_sorted(self) -> None:
        """Another column may come first."""
        rates = {"all": rule("", 1), "rules": [rule("a", 9, 0.1), rule("b", 1, 0.9)]}
        self.assertEqual(screen(rates, "errors", 9).splitlines()[3][0], "b")

    def test_terminal(self) -> None:
        """On a terminal each look takes the place of the one before; elsewhere it follows."""
        self.assertEqual(self.watch(Process(), Terminal(), 3).count("\x1b[H\x1b[J"), 3)
        text = self.watch(Process(), StringIO(), 2)
        self.assertNotIn("\x1b", text)
        self.assertEqual(text.count("HOST"), 2)

    def test_once(self) -> None:
        """One look ends by itself."""
        self.assertEqual(self.watch(Process(), StringIO(), 1, once=True).count("HOST"), 1)

    def test_restart(self) -> None:
        """A process that is away for a moment is told; one that never answers ends the command."""
        process = Process()
        process.refuses = [False, False, True]
        self.assertIn("it does not answer", self.watch(process, StringIO(), 3))
        for options in ({}, {"once": True}):
            process.refuses = [True]
            with self.assertRaises(CannotRun):
                self.watch(process, StringIO(), 1, **options)

    def test_unable(self) -> None:
        """Without a process, or with numbers that are none, it cannot run."""
        for arguments in ((), ("--rows", "-1"), ("--interval", "0", "--admin", "http://x")):
            status, _, remark = run("top", *arguments)
            self.assertEqual((status, bool(remark)), (2, True))
