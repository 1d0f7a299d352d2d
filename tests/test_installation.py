"""
Tests for `ingress.installation`.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.installation import (
    describe,
    find_documented_configuration,
    find_version,
    is_compiled,
)


class InstallationTests(SynchronousTestCase):
    """What it says of itself."""

    def test_compiled(self) -> None:
        """An extension of this interpreter is compiled; a source and its bytecode are not."""
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        self.assertTrue(is_compiled(f"/lib/ingress/exchange/exchange{suffix}"))
        self.assertFalse(is_compiled("/lib/ingress/exchange/exchange.py"))
        self.assertFalse(is_compiled("/lib/ingress/exchange/exchange.pyc"))

    def test_documented_configuration(self) -> None:
        """The file that documents the configuration is there."""
        self.assertIn("trusted-proxies:", Path(find_documented_configuration()).read_text())

    def test_described(self) -> None:
        """Version and kind are in one line."""
        kind = "compiled" if is_compiled() else "interpreted"
        self.assertEqual(describe(), f"txingress {find_version()}, data path {kind}")
