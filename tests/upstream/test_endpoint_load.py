"""Tests of `ingress.upstream.endpoint_load`."""

from __future__ import annotations

from math import e

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.upstream.endpoint_load import DECAY_TIME, EndpointLoad


class EndpointLoadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.load = EndpointLoad()

    def test_first(self) -> None:
        """The first measurement counts whole."""
        self.load.measured(0.5, 0.0)
        self.assertEqual(self.load.cost(0.0), 0.5)
        self.assertEqual(repr(self.load), "<EndpointLoad in_flight=0 latency=0.5000>")

    def test_peak(self) -> None:
        """A slower answer counts at once and fully."""
        self.load.measured(0.1, 0.0)
        self.load.measured(5.0, 0.0)
        self.assertEqual(self.load.cost(0.0), 5.0)

    def test_recovery(self) -> None:
        """Faster answers count by the time since the last."""
        self.load.measured(1.0, 0.0)
        self.load.measured(0.0, DECAY_TIME)
        self.assertAlmostEqual(self.load.cost(DECAY_TIME), 1 / e)

    def test_decay(self) -> None:
        """An endpoint without requests gets cheaper, however slow it was."""
        self.load.measured(8.0, 0.0)
        self.assertAlmostEqual(self.load.cost(DECAY_TIME), 8 / e)
        self.assertLess(self.load.cost(10 * DECAY_TIME), 0.001)

    def test_in_flight(self) -> None:
        """Each request in flight costs the next one its time as well."""
        self.load.measured(0.5, 0.0)
        self.load.in_flight = 3
        self.assertEqual(self.load.cost(0.0), 2.0)

    def test_unknown(self) -> None:
        """An endpoint of unknown latency is cheap until it has a request, and then dear."""
        self.assertEqual(self.load.cost(0.0), 0.0)
        self.load.in_flight = 1
        one = self.load.cost(0.0)
        self.assertGreater(one, 3600)
        self.load.in_flight = 2
        self.assertGreater(self.load.cost(0.0), one)

    @given(
        st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e6, 1e6)), min_size=1),
        st.floats(-1e7, 1e7),
    )
    def test_bounded(self, measurements: list[tuple[float, float]], now: float) -> None:
        """The cost stays between zero and the slowest answer, even if the clock goes back."""
        load = EndpointLoad()
        for latency, at in measurements:
            load.measured(latency, at)
        slowest = max(latency for latency, _ in measurements)
        self.assertTrue(0.0 <= load.cost(now) <= slowest * (1 + 1e-9))
