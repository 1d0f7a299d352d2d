"""
The settings of calls: everything that a call needs to know apart from the request.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingress.believed_client import BelievedClient
from ingress.endpoint import Upstream
from ingress.policy.backend_tls import BackendTLS, Use, secure_port_tls
from ingress.policy.backend_version import BackendVersion
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import LoadBalance
from ingress.policy.proxy_settings import ProxySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """The settings of calls for one rule, or of calls that have no rule."""

    affinity: CookieAffinity | None = None
    """Sessions, which take precedence over `load_balance`; None without affinity."""

    load_balance: LoadBalance = LoadBalance()
    proxy: ProxySettings = ProxySettings()
    """Timeouts, and when another endpoint is tried."""

    tls: BackendTLS | None = None
    """
    None for connections in the clear. Two rules for one Service may differ in it, so each endpoint
    has a pool for each of these.
    """

    version: BackendVersion | None = None
    """The version of HTTP; None if the Service port says it, and else HTTP/1.1."""

    def towards(self, upstream: Upstream, client: BelievedClient) -> CallSettings:
        """
        :return: the settings of one call, in which `tls` is for its requests or None. It needs to
            be asked only if there are such settings, or if the Service port speaks TLS.
        """
        tls = self.tls
        if tls is None:
            chosen = secure_port_tls(upstream.key) if self.version is None else None
        elif tls.use is Use.FOR_SECURE_CLIENTS:
            chosen = tls if client.is_secure else None
        elif tls.use is Use.FOR_SECURE_PORTS:
            chosen = tls if upstream.speaks_tls else None
        else:
            return self
        return CallSettings(
            affinity=self.affinity,
            load_balance=self.load_balance,
            proxy=self.proxy,
            tls=chosen,
            version=self.version,
        )

    def for_diversion(self) -> CallSettings:
        """
        :return: the settings for an Upstream in place of the rule's. The client keeps its session
            with the rule's own; another Service is spoken to in the clear, as ingress-nginx does,
            whatever `tls` says of the rule's.
        """
        return CallSettings(load_balance=self.load_balance, proxy=self.proxy)
