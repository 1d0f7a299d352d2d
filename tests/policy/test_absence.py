"""
Tests for `ingress.policy.absence`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.policy.absence import Prepared, absent
from ingress.policy.annotation import PREFIX, Annotations
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.known_annotations import NAMES
from ingress.policy.registry import REGISTRY
from ingress.policy.rewrite import Rewrite
from ingress.policy.scope import ReadContext

VALUES = ("", "true", "on", "any", "cookie", "HTTPS", "/x", "100", "default/web", "nonsense")


def no_secret(name: tuple[str, str]) -> BackendSecret:
    """No Secret exists."""
    return BackendSecret(fault="does not exist")


class AbsenceTests(SynchronousTestCase):
    def test_what_is_looked_at(self) -> None:
        """It has the names that were asked for, by whatever method, and the result without."""

        def read(annotations: Annotations, context: ReadContext) -> Any:
            if annotations.boolean("a", context.config.ssl_redirect):
                annotations.words("b")
            return "c" in annotations or annotations.integer("d") or Rewrite

        found = absent(read, Config())
        assert found is not None
        self.assertEqual((found.names, found.feature), (frozenset("abcd"), Rewrite))

    def test_depends_on_more(self) -> None:
        """Nothing is known of a reader that looks at all annotations, at faults or at the object."""
        for look in (
            lambda annotations, context: set(annotations),
            lambda annotations, context: bool(annotations),
            lambda annotations, context: annotations.faults,
            lambda annotations, context: annotations.closing,
            lambda annotations, context: annotations.fault("a", "wrong"),
            lambda annotations, context: annotations.close("a", "wrong"),
            lambda annotations, context: context.namespace,
            lambda annotations, context: context.secret_of(("a", "b"), bytes),
            lambda annotations, context: context.may_name("a"),
        ):

            def read(annotations: Annotations, context: ReadContext, look: Any = look) -> Any:
                try:
                    look(annotations, context)
                except Exception:
                    return None

            self.assertIsNone(absent(read, Config()))

    def test_registry(self) -> None:
        """Most features are known without annotations, and whatever an object has, the same."""
        config = Config()
        known = {
            key: (entry, absent(entry.read, config))
            for key, entry in ((each.key(), each) for each in REGISTRY.entries)
        }
        self.assertGreater(
            sum(without is not None for _, without in known.values()), len(known) - 5
        )
        for value in VALUES:
            for key, (entry, without) in known.items():
                if without is None:
                    continue
                others = {PREFIX + name: value for name in NAMES - without.names}
                annotations = Annotations(others)
                feature = entry.read(annotations, ReadContext(config, "default", no_secret))
                self.assertEqual(feature, without.feature, (key, value))
                self.assertEqual(annotations.faults, [], (key, value))

    def test_prepared(self) -> None:
        """Those are concerned that are something without annotations, or look at one of these."""
        prepared = Prepared({each.key(): each for each in REGISTRY.entries}, Config())
        keys = [key for key, _, _ in prepared.concerned(())]
        self.assertIn("https-redirect", keys)
        self.assertNotIn("cors", keys)
        keys = [key for key, _, _ in prepared.concerned(("enable-cors", "unknown"))]
        self.assertLess(keys.index("https-redirect"), keys.index("cors"))

    def test_other_configuration(self) -> None:
        """What a feature is without annotations follows the configuration."""
        for is_on in (True, False, True):
            config = Config(ssl_redirect=is_on)
            context = ReadContext(config, "default", no_secret)
            features = REGISTRY.read(Annotations({}), context)
            self.assertEqual("https-redirect" in features, is_on)
