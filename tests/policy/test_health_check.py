"""Tests of `ingress.policy.health_check`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.health_check import HealthCheck
from ingress.testing import read_annotations

PREFIX = "txingress.dev/health-check-"


def read(**annotations: str) -> tuple[object, dict[str, str]]:
    found = read_annotations(
        HealthCheck,
        {PREFIX + name.replace("_", "-"): value for name, value in annotations.items()},
    )
    return found.feature, {
        name.removeprefix(PREFIX): message for name, message in found.faults.items()
    }


class HealthCheckTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """A path is enough."""
        self.assertEqual(
            read(path="/healthz?full=1"), (HealthCheck("/healthz?full=1", 10, 2, 2, 3), {})
        )

    def test_all(self) -> None:
        """Times and thresholds may be set."""
        found = read(
            path="/h", interval="1m", timeout="5", healthy_threshold="1", unhealthy_threshold="5"
        )
        self.assertEqual(found, (HealthCheck("/h", 60, 5, 1, 5), {}))

    def test_nothing(self) -> None:
        """Without a path nothing is checked, and the rest is reported."""
        self.assertEqual(read(), (None, {}))
        check, faults = read(interval="5s")
        self.assertEqual((check, list(faults)), (None, ["interval"]))

    def test_faults(self) -> None:
        """A bad path checks nothing; bad times and thresholds are the defaults."""
        for path in ("healthz", "/a b", "/a#b", "/\r\nX: 1", "/" + "x" * 2000, "/\xe4"):
            check, faults = read(path=path)
            self.assertEqual((check, list(faults)), (None, ["path"]), path)
        check, faults = read(
            path="/h", interval="0", timeout="2h", healthy_threshold="0", unhealthy_threshold="x"
        )
        self.assertEqual(check, HealthCheck("/h"))
        self.assertEqual(len(faults), 4)

    def test_told(self) -> None:
        """People are told what is asked for."""
        check = HealthCheck("/h")
        self.assertEqual(check.explain(), "Endpoints are asked for /h every 10 s.")
        self.assertEqual(
            check.shown()["healthCheck"],
            {
                "path": "/h",
                "interval": 10.0,
                "timeout": 2.0,
                "healthyThreshold": 2,
                "unhealthyThreshold": 3,
            },
        )
