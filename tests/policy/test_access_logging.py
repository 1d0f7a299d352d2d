"""
Tests for `ingress.policy.access_logging`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.nginx_settings import NginxSettings
from ingress.policy.access_logging import AccessLogging
from ingress.testing import read_annotations


def read(written: str = "", *skipped: str) -> AccessLogging | None:
    config = Config(nginx=NginxSettings(skipped_log_targets=skipped))
    named = {"enable-access-log": written} if written else {}
    feature = read_annotations(AccessLogging, named, config=config).feature
    assert feature is None or isinstance(feature, AccessLogging)
    return feature


class AccessLoggingTests(SynchronousTestCase):
    """Which requests have a line."""

    def test_all(self) -> None:
        """All of them, unless something says otherwise."""
        for written in ("", "true", "maybe"):
            self.assertIsNone(read(written))

    def test_off(self) -> None:
        """None, where the annotation says so."""
        setting = read("false")
        assert setting is not None
        self.assertTrue(setting.skips(b"/") and setting.skips(b""))

    def test_skipped(self) -> None:
        """Those for some targets have none: whole ones with their query, and patterns."""
        setting = read("", "/healthz", "~^/static/")
        assert setting is not None
        for target, is_skipped in (
            (b"/healthz", True),
            (b"/healthz?x=1", False),
            (b"/static/a.js?1", True),
            (b"/a/static/", False),
            (b"", False),
        ):
            self.assertEqual(setting.skips(target), is_skipped, target)

    def test_too_long(self) -> None:
        """A target too long to be searched has a line."""
        setting = read("", "~(a{1,20}){1,30}x")
        assert setting is not None
        self.assertFalse(setting.skips(b"/" + b"a" * 30_000))
