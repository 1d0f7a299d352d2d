"""
The settings of the access log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ingress.frozen import dataclass
from ingress.log_template import LogTemplate


@dataclass(frozen=True, slots=True)
class CustomLine:
    """A format of one's own: ``log-format-upstream``."""

    template: LogTemplate
    escape: Literal["default", "json", "none"] = "default"
    """How values are escaped, as in nginx."""

    http_port: int = 80
    https_port: int = 443
    """The public ports, for ``$server_port``."""

    has_proxy_protocol: bool = False
    """Whether addresses come from headers of the PROXY protocol: ``$proxy_protocol_addr``."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """A line for each exchange, and for each relay."""

    path: Path | None = None
    """None for standard output."""

    format: Literal["nginx", "nginx-exact", "json"] = "nginx"
    """The format of a line (`ingress.telemetry.log_line`)."""

    custom: CustomLine | None = None
    """The format of lines for exchanges in place of that; the file has no key for it."""

    has_exchanges: bool = True
    """False for no lines of exchanges: ``disable-http-access-log``."""

    has_relays: bool = True
    """False for no lines of relays: ``disable-stream-access-log``."""

    has_unmatched: bool = True
    """False for no lines of requests that no rule matches."""
