"""
TCP and UDP services: ports whose bytes go to a Service without being understood.

A text names the Service as in the ConfigMaps ``tcp-services`` and ``udp-services`` of
ingress-nginx::

    NAMESPACE/SERVICE:PORT[:[PROXY][:[PROXY]]]

The first ``PROXY`` says that clients send a header of the PROXY protocol, the second one that
endpoints get one; ``ns/svc:port::PROXY`` asks for the second alone. Upper and lower case are alike.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.problem import Origin, Problem, quoted
from ingress.problem_code import Code

TCP: Final = "TCP"
UDP: Final = "UDP"

ACCEPTED: Final = (
    "NAMESPACE/SERVICE:PORT, with the port's name or number, is accepted, and behind it :PROXY for"
    " a header of the PROXY protocol from clients, ::PROXY for one to endpoints, or :PROXY:PROXY"
)

_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_REFERENCE: Final = re.compile(rf"({_NAME})/({_NAME}):([a-z0-9](?:[-a-z0-9]{{0,61}}[a-z0-9])?)")


class PortServiceRefused(IngressError):
    """A text names no Service port; the message says what is accepted."""


class ServiceReference(NamedTuple):
    """What a text says."""

    namespace: str
    service: str
    port: str
    """The port's name or number."""

    proxy_in: bool = False
    """Whether clients send a header of the PROXY protocol."""

    proxy_out: bool = False
    """Whether endpoints get one."""

    remark: str = ""
    """What of the text has no effect; empty if all of it has."""


def parse_service_reference(text: str) -> ServiceReference:
    """
    :param text: as in a ConfigMap of ingress-nginx.
    :raises PortServiceRefused: for any other text.
    """
    place, *options = _split(text.strip())
    match = _REFERENCE.fullmatch(place)
    if match is None or (match[3].isdecimal() and not 1 <= int(match[3]) <= 65535):
        raise PortServiceRefused(ACCEPTED)
    are_proxy = [option.upper() == "PROXY" for option in options]
    odd = [option for option, is_known in zip(options, are_proxy, strict=True) if not is_known]
    odd = [*filter(None, odd), *options[2:]]
    remark = f"{quoted(odd[0])} has no effect: only PROXY may stand there" if odd else ""
    proxy_in, proxy_out = (*are_proxy, False, False)[:2]
    return ServiceReference(match[1], match[2], match[3], proxy_in, proxy_out, remark)


def _split(text: str) -> list[str]:
    """:return: ``NAMESPACE/SERVICE:PORT``, and what follows after further colons."""
    service, *rest = text.split(":")
    return [":".join([service, *rest[:1]]), *rest[1:]]


class PortKey(NamedTuple):
    """A port of this machine; a port of TCP and one of UDP have nothing to do with each other."""

    protocol: str
    """``TCP`` or ``UDP``."""

    port: int

    def __str__(self) -> str:
        return f"{self.protocol} port {self.port}"


class PortSource(NamedTuple):
    """Where a TCP or UDP service is written: in a ConfigMap, or in the configuration."""

    kind: str = ""
    """``ConfigMap``; empty for the configuration."""

    namespace: str = ""
    name: str = ""
    field: str = ""
    """``data[9000]``, or ``listen.tcp[9000]``."""

    value: str = ""
    """As it is written."""

    origin: Origin = Origin()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.kind else "the configuration"

    def problem(self, code: Code, message: str) -> Problem:
        """Make a Problem of this entry."""
        return Problem(
            message,
            self.kind,
            self.namespace,
            self.name,
            self.field,
            quoted(self.value) if self.value else "",
            self.origin,
            code,
        )


@dataclass(frozen=True, slots=True)
class PortService:
    """The Service that a port leads to."""

    key: PortKey
    upstream: UpstreamKey
    source: PortSource
    interface: str = ""
    """The IP address to listen on; empty for all addresses of both families."""

    proxy_in: bool = False
    """Whether clients send a header of the PROXY protocol."""

    proxy_out: bool = False
    """Whether endpoints get one."""

    def __str__(self) -> str:
        return f"{self.key} to {self.upstream.full_name}"


def make_port_service(
    key: PortKey, reference: ServiceReference, source: PortSource, interface: str = ""
) -> PortService:
    """
    :param reference: what is written.
    :param source: where.
    """
    is_udp = key.protocol == UDP
    upstream = UpstreamKey(reference.namespace, reference.service, reference.port, is_udp=is_udp)
    return PortService(
        key,
        upstream,
        source,
        interface,
        proxy_in=reference.proxy_in and not is_udp,
        proxy_out=reference.proxy_out and not is_udp,
    )
