"""
The address of the API server, and how to verify it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~:@!$&'()*+,;=-]+)*")


@dataclass(frozen=True, slots=True)
class Server:
    """An API server, and how its certificate is verified."""

    host: str
    """A name, or an IP address without brackets."""

    port: int
    is_tls: bool = True
    base_path: str = ""
    """A prefix of all paths of the API, without a slash at its end."""

    ca_pem: bytes | None = field(default=None, repr=False)
    """The CA certificates to trust; None for those of the system."""

    server_name: str = ""
    """The name that its certificate must have; empty for `host`."""

    is_verified: bool = True
    """Whether its certificate is verified."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.host == "localhost" or (
            is_ip_address(self.host) and ip_address(self.host).is_loopback
        )

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        scheme = "https" if self.is_tls else "http"
        return f"{scheme}://{self.authority}{self.base_path}"


def is_ip_address(host: str) -> bool:
    """Whether it is an address of either family, without brackets."""
    try:
        return "%" not in host and ip_address(host) is not None
    except ValueError:
        return False


def is_host_name(host: str) -> bool:
    """Whether it can be a host name."""
    return _HOST_NAME.fullmatch(host) is not None


def parse_server_url(url: str) -> Server:
    """
    Read the URL of a server.

    :raises ValueError: if it is not one.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("neither http nor https, or without host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("more than host, port and path")
    if not is_ip_address(parts.hostname) and not is_host_name(parts.hostname):
        raise ValueError("no host name")
    path = parts.path.rstrip("/")
    if not _BASE_PATH.fullmatch(path):
        raise ValueError("no path")
    is_tls = parts.scheme == "https"
    port = (443 if is_tls else 80) if parts.port is None else parts.port
    if port == 0:
        raise ValueError("no port")
    return Server(parts.hostname, port, is_tls, path)
