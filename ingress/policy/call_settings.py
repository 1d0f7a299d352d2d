"""
How a call reaches an Upstream: everything that it must know beside the request.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import LoadBalance
from ingress.policy.proxy_settings import ProxySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """The settings of calls for one rule, or of calls that have no rule."""

    affinity: CookieAffinity | None = None
    """A session that is found goes before `load_balance`."""

    load_balance: LoadBalance = LoadBalance()
    proxy: ProxySettings = ProxySettings()
    """Timeouts, and when another endpoint is tried."""

    tls: BackendTLS | None = None
    """
    None where endpoints are spoken to in the clear. Two rules may differ in it for one Service,
    so that a connection is kept for an endpoint and this.
    """

    def without_session(self) -> CallSettings:
        """:return: the same for an Upstream with which clients have no sessions."""
        return CallSettings(load_balance=self.load_balance, proxy=self.proxy, tls=self.tls)
