"""
Tests for `ingress.config.file_value`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.config import file_value as value
from ingress.config.section import NotAccepted


class AcceptTests(SynchronousTestCase):
    """Names of files are turned into paths, or refused with what is accepted."""

    def refusal(self, accept: Callable[[object], object], value: object) -> str:
        return str(self.assertRaises(NotAccepted, accept, value))

    def assert_none_of(self, accept: Callable[[object], object], *values: object) -> None:
        for refused in values:
            self.assertTrue(self.refusal(accept, refused), refused)

    def test_path(self) -> None:
        """Relative paths are relative to the folder, absolute ones are kept."""
        accept = value.path(Path("/etc/ingress"))
        self.assertEqual(accept("secrets"), Path("/etc/ingress/secrets"))
        self.assertEqual(accept("/run/secrets"), Path("/run/secrets"))
        self.assert_none_of(accept, "", "a\0b", 5, None)

    def test_existing_path(self) -> None:
        """What is not there is refused with the place that was looked at."""
        folder = Path(self.mktemp())
        folder.mkdir()
        accept = value.existing_path(folder)
        self.assertIn(str(folder / "web.yaml"), self.refusal(accept, "web.yaml"))
        (folder / "web.yaml").touch()
        self.assertEqual(accept("web.yaml"), folder / "web.yaml")

    def test_log_file(self) -> None:
        """A file that is there or can be made, or standard output."""
        folder = Path(self.mktemp())
        folder.mkdir()
        accept = value.log_file(folder)
        self.assertIsNone(accept("stdout"))
        self.assertEqual(accept("./stdout"), folder / "stdout")
        self.assertEqual(accept("access.log"), folder / "access.log")
        (folder / "access.log").touch()
        self.assertEqual(accept("access.log"), folder / "access.log")
        self.assertEqual(accept("/dev/null"), Path("/dev/null"))
        for refused, accepted in (
            (5, "a path, or stdout"),
            ("", "a path, or stdout"),
            (".", f"a file that can be written; {folder} is not a file"),
            ("logs/access.log", f"there is no folder {folder / 'logs'}"),
            ("access.log/access.log", f"there is no folder {folder / 'access.log'}"),
        ):
            self.assertIn(accepted, self.refusal(accept, refused))

    def test_log_file_that_may_not_be_written(self) -> None:
        """Neither where the file, nor where the folder may not be written."""
        if os.getuid() == 0:
            raise SkipTest("root may write everywhere")
        folder = Path(self.mktemp())
        folder.mkdir()
        accept = value.log_file(folder)
        (folder / "access.log").touch(0o400)
        self.assertIn("access.log is not writable", self.refusal(accept, "access.log"))
        folder.chmod(0o500)
        self.addCleanup(folder.chmod, 0o700)
        self.assertIn(f"{folder} is not writable", self.refusal(accept, "other.log"))
