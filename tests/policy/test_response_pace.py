"""Tests of `ingress.policy.response_pace`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.policy.response_pace import ResponsePace
from ingress.testing import read_annotations

PACED = replace(Config(), limits=Limits(response_rate=5000, response_rate_after=100))


class ReadTests(SynchronousTestCase):
    def check(
        self, expected: ResponsePace | None, faults: int = 0, *, config: Config, **values: str
    ) -> None:
        """:param values: by name, with ``_`` for ``-``."""
        annotations = {name.replace("_", "-"): value for name, value in values.items()}
        reading = read_annotations(ResponsePace, annotations, config=config)
        self.assertEqual((reading.feature, len(reading.faults)), (expected, faults))
        self.assertIsNone(reading.closing)

    def test_units(self) -> None:
        """Both annotations count in kibibytes."""
        expected = ResponsePace(100 * 1024, 10 * 1024)
        self.check(expected, config=Config(), limit_rate="100", limit_rate_after="10")

    def test_none(self) -> None:
        """Nought and less are no limit, whatever the configuration says."""
        for value in ("0", "-1"):
            self.check(None, config=PACED, limit_rate=value)
        self.check(None, config=Config(), limit_rate_after="10")
        self.check(ResponsePace(1024), config=Config(), limit_rate="1", limit_rate_after="-5")

    def test_configuration(self) -> None:
        """The configuration holds where an annotation is absent or bad."""
        self.check(ResponsePace(5000, 100), config=PACED)
        self.check(ResponsePace(5000, 2048), config=PACED, limit_rate_after="2")
        for bad in ("10k", "1.5", "$rate", "1\r\n2", "9" * 100):
            self.check(ResponsePace(5000, 100), 1, config=PACED, limit_rate=bad)
            self.check(None, 1, config=Config(), limit_rate=bad)
