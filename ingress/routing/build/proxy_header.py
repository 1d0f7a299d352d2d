"""
The annotation of a Service that says that connections to its endpoints begin with a header of the
PROXY protocol.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ingress.endpoint import Endpoint, Upstream
from ingress.kube.objects import Service
from ingress.policy.annotation import OWN_PREFIX
from ingress.problem import quoted
from ingress.proxy_protocol import Version

ANNOTATION: Final = f"{OWN_PREFIX}proxy-protocol"


def with_proxy_header(upstream: Upstream, service: Service | None) -> tuple[Upstream, str]:
    """
    :param service: that of the Upstream.
    :return: the Upstream with what the Service says, and what is wrong with that, if anything: then
        no header is sent.
    """
    written = "" if service is None else service.metadata.annotations.get(ANNOTATION, "").strip()
    if not written:
        return upstream, ""
    if written not in (*Version,):
        fault = f"{ANNOTATION} is {quoted(written)}: v1 or v2 is accepted, and no header is sent"
        return upstream, fault
    if upstream.key.is_udp:
        return upstream, ""

    def headed(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        return tuple(each._replace(proxy_protocol=written) for each in endpoints)

    return replace(
        upstream, endpoints=headed(upstream.endpoints), lingering=headed(upstream.lingering)
    ), ""
