"""Tests of access rules that are not implemented."""

from __future__ import annotations

from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.policy.access import UnsupportedAccess
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.testing import Reading, read_annotations

Snippets = Literal["refuse", "ignore"]

RULES = Closing(Extent.RULES, Subject.ACCESS)
HOSTS = Closing(Extent.OWNED_HOSTS, Subject.ACCESS)


def read(*names: str, snippets: Snippets = "refuse", value: str = "off") -> Reading:
    annotations = dict.fromkeys(names, value)
    return read_annotations(UnsupportedAccess, annotations, config=Config(snippets=snippets))


class UnsupportedAccessTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """Every annotation that decides access closes paths, those that come later, too."""
        for name in (
            "auth-type",
            "auth-url",
            "auth-something-new",
            "satisfy",
            "enable-global-auth",
            "limit-rps",
            "limit-connections",
            "limit-whitelist",
        ):
            with self.subTest(name=name):
                self.assertEqual(read(name).closing, RULES)
                self.assertEqual(read(name, snippets="ignore").closing, RULES)
                self.assertEqual(read(name, value="").closing, RULES)

    def test_hosts(self) -> None:
        """Client certificates close hosts, whatever else there is and in whatever order."""
        self.assertEqual(read("auth-tls-secret").closing, HOSTS)
        self.assertEqual(read("auth-tls-secret", "auth-url", "server-snippet").closing, HOSTS)
        self.assertEqual(read("auth-url", "server-snippet", "auth-tls-secret").closing, HOSTS)

    def test_snippets(self) -> None:
        """A snippet closes paths unless the configuration ignores snippets."""
        for name in ("server-snippet", "configuration-snippet", "modsecurity-snippet"):
            self.assertEqual(read(name).closing, RULES)
            self.assertIsNone(read(name, snippets="ignore").closing)
        self.assertEqual(read("auth-snippet", snippets="ignore").closing, RULES)

    def test_nothing(self) -> None:
        """Amounts and annotations of other kinds close nothing."""
        for name in ("limit-rate", "limit-rate-after", "rewrite-target"):
            reading = read(name, value="1")
            self.assertIsNone(reading.closing)
            self.assertEqual(list(reading.faults), [name])

    def test_hidden(self) -> None:
        """The values may hold secrets and are in no fault."""
        for snippets in ("refuse", "ignore"):
            faults = read("auth-url", "server-snippet", value="hunter2", snippets=snippets).faults
            self.assertEqual(set(faults), {"auth-url", "server-snippet"})
            self.assertNotIn("hunter2", str(faults))
