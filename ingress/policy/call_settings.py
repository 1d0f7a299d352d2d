"""
The settings of calls: everything that a call needs to know apart from the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ingress.believed_client import BelievedClient
from ingress.endpoint import Upstream
from ingress.frozen_value import reduced
from ingress.policy.backend_tls import BackendTLS, Use, secure_port_tls
from ingress.policy.backend_version import BackendVersion
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.policy.proxy_settings import ProxySettings

_ROUND_ROBIN: Final = Algorithm.ROUND_ROBIN
_EWMA: Final = Algorithm.EWMA


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

    takes_turns: bool = field(default=True, init=False, repr=False, compare=False)
    """
    Whether nothing but turns decides on the endpoint, as for nearly all. It is ready-made, like the
    fields below, because each call asks for it, and only this class is compiled.
    """

    measures: bool = field(default=False, init=False, repr=False, compare=False)
    """Whether it matters for the choice of an endpoint how long the others took."""

    connect_timeout: float = field(default=0.0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        balance = self.load_balance
        is_round_robin = balance.algorithm is _ROUND_ROBIN and balance.hash_key is None
        object.__setattr__(self, "takes_turns", is_round_robin and self.affinity is None)
        object.__setattr__(self, "measures", balance.algorithm is _EWMA)
        object.__setattr__(self, "connect_timeout", self.proxy.connect_timeout)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

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
