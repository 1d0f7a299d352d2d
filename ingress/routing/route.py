"""
A rule that a request can match, with all that its exchange needs ready-made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import LoadBalance
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.request_policy import RequestPolicy

MAX_PATH_LABEL: Final = 256
"""Each metric of a rule repeats it, and an Ingress may have paths of many kilobytes."""


class RouteLabels(NamedTuple):
    """What tells a rule from all others in metrics, from Snapshot to Snapshot."""

    host: str
    """``_`` for hosts that nobody names, as ingress-nginx calls them."""

    namespace: str = ""
    ingress: str = ""
    service: str = ""
    path: str = ""
    """Of a longer one the first `MAX_PATH_LABEL` characters."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path rule (or default backend) of one Ingress."""

    ingress: tuple[str, str]
    """``(namespace, name)`` of the Ingress that has the rule."""

    upstream: UpstreamKey | None
    """None for a resource backend, which is answered with 404."""

    path: str = "/"
    """As the Ingress has it; ``/`` for a default backend."""

    path_type: str = "Prefix"

    host: str = ""
    """The name of its VirtualHost: ``*.example.com`` for a wildcard, empty for none."""

    policies: tuple[RequestPolicy, ...] = ()
    """Asked in order; the first answer ends the exchange before any endpoint sees it."""

    affinity: CookieAffinity | None = None
    """A session that is found goes before `load_balance`."""

    load_balance: LoadBalance = LoadBalance()
    proxy: ProxySettings = ProxySettings()

    tls: BackendTLS | None = None
    """
    None where endpoints are spoken to in the clear. Two Ingresses may differ in it for one
    Service, so that a connection is kept for an endpoint and this.
    """

    labels: RouteLabels = field(init=False, repr=False, compare=False)
    """Ready-made, because each request needs them; the next as well."""

    upstream_name: bytes = field(init=False, repr=False, compare=False)
    """For the access log; ``-`` without an Upstream."""

    def __post_init__(self) -> None:
        name = str(self.upstream).encode("utf-8") if self.upstream is not None else b"-"
        object.__setattr__(self, "upstream_name", name)
        service = self.upstream.service if self.upstream is not None else ""
        labels = RouteLabels(self.host or "_", *self.ingress, service, self.path[:MAX_PATH_LABEL])
        object.__setattr__(self, "labels", labels)
