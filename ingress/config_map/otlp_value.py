"""
Conversions of the values of ``otlp-*``, ``otel-*`` and ``opentelemetry-*``.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config.otlp import MISSING_PACKAGES, has_packages, is_collector_url
from ingress.config.section import NotAccepted

_HOST: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]{2,45}\]?"
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:-]{0,127}")
_RATIO: Final = re.compile(r"[01]|[01]?\.[0-9]{1,18}")
_SAMPLERS: Final = {
    "AlwaysOn": "always-on",
    "AlwaysOff": "always-off",
    "TraceIdRatioBased": "ratio",
}


def collector_host(written: str) -> str:
    """Accept the name or address of a host, without a port."""
    bare = written.strip("[]")
    host = f"[{bare}]" if ":" in bare else bare
    if _HOST.fullmatch(written) is None or not is_collector_url(f"http://{host}/"):
        raise NotAccepted("the name or address of a host is accepted, without a port")
    if not has_packages():
        raise NotAccepted(MISSING_PACKAGES)
    return host


def span_name(written: str) -> str:
    """Accept a name without variables."""
    if _NAME.fullmatch(written) is None:
        raise NotAccepted("a name of letters, digits, blanks and . _ / : - is accepted")
    return written


def sampler(written: str) -> str:
    """Accept one of the samplers of nginx's module."""
    if written not in _SAMPLERS:
        raise NotAccepted(f"{', '.join(_SAMPLERS)} is accepted")
    return _SAMPLERS[written]


def ratio(written: str) -> float:
    """Accept a share from 0 to 1."""
    if _RATIO.fullmatch(written) is None or float(written) > 1:
        raise NotAccepted("a number from 0 to 1 is accepted")
    return float(written)


def milliseconds(written: str) -> float:
    """Accept milliseconds, which become seconds."""
    if re.fullmatch(r"[0-9]{1,7}", written) is None or not 100 <= int(written) <= 3_600_000:
        raise NotAccepted("a number of milliseconds from 100 to 3600000 is accepted")
    return int(written) / 1000
