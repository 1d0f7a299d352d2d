"""Tests of `policies.served_by`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.testing import configure
from policies.served_by import ServedBy


class ServedByTests(SynchronousTestCase):
    def test_field(self) -> None:
        """The field takes the place of the endpoint's."""
        edits = ServedBy("blue").response_edits
        self.assertEqual(edits.apply([(b"x-served-by", b"web")]), [(b"X-Served-By", b"blue")])

    def test_options(self) -> None:
        """The value has to be given."""
        self.assertEqual(configure(ServedBy, {"value": "blue"}).policy, ServedBy("blue"))
        self.assertEqual(len(configure(ServedBy).mistakes), 1)
