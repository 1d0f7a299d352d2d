"""
Tests for `ingress.policy.known_annotations`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.known_annotations import (
    _CONSEQUENCES,
    FORMER_NAMES,
    NAMES,
    why_ignored,
)


class WhyIgnoredTests(SynchronousTestCase):
    """Annotations that are ignored are told apart."""

    def test_known(self) -> None:
        """An annotation of ingress-nginx is not implemented here, with what follows from that."""
        self.assertEqual(
            why_ignored("connection-proxy-header"),
            "not implemented; endpoints get the proxy's own Connection field",
        )
        self.assertEqual(
            why_ignored("proxy-busy-buffers-size"), "not implemented; the annotation is ignored"
        )

    def test_former(self) -> None:
        """An annotation that ingress-nginx has removed has no effect there either."""
        self.assertEqual(
            why_ignored("secure-backends"),
            "ingress-nginx 1.15 has this annotation no more; the annotation is ignored",
        )

    def test_mistyped(self) -> None:
        """A name that ingress-nginx never had is told as such, with the one that may be meant."""
        self.assertEqual(
            why_ignored("proxy-body-sise"),
            "ingress-nginx never had this annotation; the annotation is ignored;"
            " did you mean proxy-body-size?",
        )
        self.assertEqual(
            why_ignored("max-speed"),
            "ingress-nginx never had this annotation; the annotation is ignored",
        )

    def test_consequences(self) -> None:
        """Consequences are those of annotations that ingress-nginx has."""
        self.assertLessEqual(set(_CONSEQUENCES), NAMES)

    def test_sets(self) -> None:
        """No name is both current and former."""
        self.assertEqual(NAMES & FORMER_NAMES, frozenset())
