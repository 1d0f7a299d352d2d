"""Tests of single values; `tests.policy.test_external_auth` has those of annotations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import IngressError
from ingress.policy.external_auth_reading import (
    NotAcceptedHere,
    check_copied,
    checked_text,
    read_method,
)


class ValueTests(SynchronousTestCase):
    def test_text(self) -> None:
        """Text without control characters is a value of a field; variables are compiled."""
        self.assertEqual(checked_text("a b").constant, b"a b")
        self.assertIsNone(checked_text("$host").constant)
        for written in ("a\r\nb", "a\0", "$host\n", "$connection"):
            self.assertRaises(IngressError, checked_text, written)

    def test_method(self) -> None:
        """A method is one that is sent without a body and leads to an answer."""
        self.assertEqual(read_method("get"), "GET")
        self.assertEqual(read_method(""), "")
        for written in ("CONNECT", "TRACE", "G ET", "GET\r\n"):
            self.assertRaises(NotAcceptedHere, read_method, written)

    def test_copied(self) -> None:
        """Names are kept once, as they are written; those of the connection are left out."""
        self.assertEqual(list(check_copied(["X-A", "x-a", "X_B", "TE", "Upgrade"])), ["X-A", "X_B"])
