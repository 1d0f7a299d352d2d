"""Tests of access rules that are not implemented."""

from __future__ import annotations

from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.policy.access import close_unsupported
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.scope import ReadContext

Snippets = Literal["refuse", "ignore"]

RULES = Closing(Extent.RULES, Subject.ACCESS)
HOSTS = Closing(Extent.OWNED_HOSTS, Subject.ACCESS)


def read(
    *names: str, snippets: Snippets = "refuse", value: str = "off", known: tuple[str, ...] = ()
) -> Annotations:
    annotations = Annotations({PREFIX + name: value for name in names})
    config = Config(snippets=snippets)
    context = ReadContext(config, "default", lambda name: BackendSecret(fault="does not exist"))
    close_unsupported(annotations, known, context)
    return annotations


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

    def test_supported(self) -> None:
        """An annotation that a feature reads closes nothing here."""
        self.assertIsNone(
            read("auth-type", "auth-tls-secret", known=("auth-type", "auth-tls-secret")).closing
        )

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
            self.assertEqual(reading.faults, [])

    def test_hidden(self) -> None:
        """The values may hold secrets and are in no fault."""
        for snippets in ("refuse", "ignore"):
            faults = read("auth-url", "server-snippet", value="hunter2", snippets=snippets).faults
            self.assertEqual(
                {fault.name for fault in faults}, {PREFIX + "auth-url", PREFIX + "server-snippet"}
            )
            self.assertNotIn("hunter2", str(faults))
