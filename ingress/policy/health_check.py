"""
Active health checks of endpoints: ``txingress.dev/health-check-*``.

They are of the Service ports to which the rules of an Ingress lead, and of nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.duration import parse_duration
from ingress.frozen import dataclass
from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_PATH: Final = f"{OWN_PREFIX}health-check-path"
_INTERVAL: Final = f"{OWN_PREFIX}health-check-interval"
_TIMEOUT: Final = f"{OWN_PREFIX}health-check-timeout"
_HEALTHY: Final = f"{OWN_PREFIX}health-check-healthy-threshold"
_UNHEALTHY: Final = f"{OWN_PREFIX}health-check-unhealthy-threshold"

_TARGET: Final = re.compile(r"/[\x21-\x22\x24-\x7e]{0,1023}")
_MAX_SECONDS: Final = 3600.0
_MAX_THRESHOLD: Final = 100


@dataclass(frozen=True, slots=True)
class HealthCheck(RouteFeature):
    """How the endpoints of a Service port are checked; times are in seconds."""

    annotations: ClassVar[tuple[str, ...]] = (_PATH, _INTERVAL, _TIMEOUT, _HEALTHY, _UNHEALTHY)
    differences: ClassVar[Mapping[str, str]] = {
        _PATH: "the path that every endpoint is asked for; one that does not answer with 200 to "
        "399 gets no requests, unless all of the Service fail",
        _INTERVAL: "the time between two checks: `10s`",
        _TIMEOUT: "the time that a check may take: `2s`",
        _HEALTHY: "how many checks in a row bring an endpoint back: 2",
        _UNHEALTHY: "how many failures in a row leave it out: 3",
    }

    path: str
    interval: float = 10.0
    timeout: float = 2.0
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "health-check"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> HealthCheck | None:
        """Feature: without a path nothing is checked."""
        path = annotations.text(_PATH)
        defaults = cls(path)
        check = cls(
            path,
            _seconds(annotations, _INTERVAL, defaults.interval),
            _seconds(annotations, _TIMEOUT, defaults.timeout),
            _threshold(annotations, _HEALTHY, defaults.healthy_threshold),
            _threshold(annotations, _UNHEALTHY, defaults.unhealthy_threshold),
        )
        if not path:
            for name in cls.annotations:
                if annotations.text(name):
                    annotations.fault(name, f"has no effect without {_PATH}")
            return None
        if _TARGET.fullmatch(path) is None:
            annotations.fault(
                _PATH, "a path that begins with / is accepted, with a query; nothing is checked"
            )
            return None
        return check

    def explain(self) -> str:
        """Feature."""
        return f"Endpoints are asked for {self.path} every {self.interval:g} s."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "healthCheck": {
                "path": self.path,
                "interval": self.interval,
                "timeout": self.timeout,
                "healthyThreshold": self.healthy_threshold,
                "unhealthyThreshold": self.unhealthy_threshold,
            }
        }


def _seconds(annotations: Annotations, name: str, default: float) -> float:
    written = annotations.text(name)
    if not written:
        return default
    seconds = parse_duration(written)
    if seconds is not None and 1 <= seconds <= _MAX_SECONDS:
        return seconds
    annotations.fault(name, f"a time such as 30s or 2m is accepted; {default:g}s is used instead")
    return default


def _threshold(annotations: Annotations, name: str, default: int) -> int:
    count = annotations.integer(name)
    if count is None or 1 <= count <= _MAX_THRESHOLD:
        return count or default
    accepted = f"a number from 1 to {_MAX_THRESHOLD} is accepted"
    annotations.fault(name, f"{accepted}; {default} is used instead")
    return default
