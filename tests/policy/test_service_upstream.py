"""Tests of `ingress.policy.service_upstream`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.policy.annotation import Annotations
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.registry import REGISTRY
from ingress.policy.scope import ReadContext
from ingress.policy.service_upstream import ServiceUpstream
from ingress.testing import read_annotations

BY_SERVICE = replace(Config(), service_upstream=True)


def context(config: Config) -> ReadContext:
    return ReadContext(config, "default", lambda name: BackendSecret())


class ReadTests(SynchronousTestCase):
    def test_off(self) -> None:
        """Nobody gets it who does not ask for it, or whose value is no boolean."""
        for value, count in (("", 0), ("false", 0), ("yes\r\nX: 1", 1)):
            reading = read_annotations(ServiceUpstream, {"service-upstream": value})
            self.assertEqual((reading.feature, len(reading.faults)), (None, count))

    def test_configuration(self) -> None:
        """The annotation overrides the configuration, in both directions."""
        for written, expected in ((None, True), ("false", False), ("true", True)):
            values = {} if written is None else {"service-upstream": written}
            prefixed = {
                f"nginx.ingress.kubernetes.io/{name}": each for name, each in values.items()
            }
            features = REGISTRY.read(Annotations(prefixed), context(BY_SERVICE))
            self.assertEqual(ServiceUpstream.key() in features, expected)

    def test_useless(self) -> None:
        """What chooses among endpoints is a fault, because there is only one."""
        reading = read_annotations(
            ServiceUpstream,
            {"service-upstream": "true", "affinity": "cookie", "upstream-hash-by": "$uri"},
        )
        self.assertEqual(reading.feature, ServiceUpstream())
        self.assertEqual(
            [name.rpartition("/")[2] for name in reading.faults], ["affinity", "upstream-hash-by"]
        )
