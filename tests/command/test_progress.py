"""
Tests for `ingress.command.progress`.
"""

from __future__ import annotations

from io import StringIO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.progress import Progress, Stages


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def show(self, stream: StringIO, seconds: float) -> str:
        clock = Clock()
        with Progress("lines", stream, clock.seconds) as progress:
            for number in range(4):
                progress.show(number * 1000)
                clock.advance(seconds)
        return stream.getvalue()

    def test_terminal(self) -> None:
        """After a second there is a number with its rate, and nothing of it stays."""
        text = self.show(Terminal(), 1)
        self.assertIn("\r1,000 lines, 1,000 a second\x1b[K\r2,000 lines", text)
        self.assertTrue(text.endswith("\r\x1b[K"))

    def test_silent(self) -> None:
        """Nothing is written for what takes a moment, and to what is no terminal."""
        self.assertEqual(self.show(Terminal(), 0.1), "")
        self.assertEqual(self.show(StringIO(), 10), "")


class StagesTests(SynchronousTestCase):
    def show(self, stream: StringIO) -> str:
        clock = Clock()
        with Stages(stream, clock.seconds) as stages:
            stages.begin("reading")
            for _ in range(30):
                stages.tick()
                clock.advance(0.1)
            stages.begin("writing" * 99)
        return stream.getvalue()

    def test_terminal(self) -> None:
        """What is done is shown at once, how long it takes after a second, and nothing stays."""
        text = self.show(Terminal())
        self.assertTrue(text.startswith("\rreading ...\x1b[K\rreading ... 1 s\x1b[K"), text)
        self.assertTrue(text.endswith("\r\x1b[K"))
        self.assertTrue(all(len(line) < 90 for line in text.split("\r")))

    def test_failed(self) -> None:
        """Nothing stays after an error."""
        stream = Terminal()

        def fail() -> None:
            with Stages(stream, Clock().seconds) as stages:
                stages.begin("reading")
                int("no number")

        self.assertRaises(ValueError, fail)
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))

    def test_silent(self) -> None:
        """Nothing is written to what is no terminal."""
        self.assertEqual(self.show(StringIO()), "")
