"""
The gate of limits: what one client may ask for at one Ingress.
"""

from __future__ import annotations

from typing import Any, Final

from ingress.address_ranges import AddressRanges
from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.bucket_table import Rate, Refusal
from ingress.policy.gate import COUNTED, UNDECIDED, Gate
from ingress.policy.in_flight import Flight
from ingress.policy.limiter import Limiter, LimitLabels, client_of

CONNECTIONS: Final = "connections"

_DETAILS: Final = {
    "rps": "This client has sent more requests within a second than the path accepts.",
    "rpm": "This client has sent more requests within a minute than the path accepts.",
    CONNECTIONS: "This client has as many requests in progress as the path accepts.",
}

LIMITS: Final = tuple(_DETAILS)
"""The names of limits."""


_UNUSED_BITS: Final = 2
"""Those of a hash that are left out, because compiled code is faster with 62 bits."""


class LimitedClient:
    """
    A client at one Ingress.

    :ivar zone: stands for that Ingress, without keeping its gate in memory.
    :ivar is_exempt: whether it is not limited.
    :ivar number: a hash of both.
    :ivar flight: its requests in progress; None until they have been counted.
    """

    __slots__ = ("flight", "is_exempt", "number", "zone")

    def __init__(self, zone: object, is_exempt: bool, number: int) -> None:
        self.zone = zone
        self.is_exempt = is_exempt
        self.number = number
        self.flight: Flight | None = None

    def __repr__(self) -> str:
        return f"<LimitedClient {self.number:x} exempt={self.is_exempt}>"


class LimitGate(Gate):
    """
    Refuses what a client sends beyond a limit: those of requests first, as in nginx.

    :param zone: the namespace and name of the Ingress, whose rules count together.
    :param limits: the names of the limits of requests.
    :param rates: these limits, in the same order.
    :param connections: requests that a client may have in progress; 0 for no limit.
    :param exempt: who is not limited; None for nobody.
    :param is_dry: whether to count what would be refused, and to refuse nothing.
    :param is_shared: whether all replicas count together, so that a decision has to be waited for.
    :param statuses: of refusals beyond a rate, and beyond the requests in progress.
    """

    def __init__(
        self,
        zone: tuple[str, str],
        limits: tuple[str, ...],
        rates: tuple[Rate, ...],
        connections: int,
        exempt: AddressRanges | None,
        is_dry: bool,
        is_shared: bool,
        statuses: tuple[int, int],
    ) -> None:
        self._zone = zone
        self._token = object()
        self._zone_hash = hash(zone) >> _UNUSED_BITS
        self._limits = limits
        self._rates = rates
        self._connections = connections
        self._exempt = exempt
        self._is_dry = is_dry
        self._is_shared = is_shared
        self._statuses = statuses

    def __repr__(self) -> str:
        return f"<LimitGate of {self._zone}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return LimitGate, (
            self._zone,
            self._limits,
            self._rates,
            self._connections,
            self._exempt,
            self._is_dry,
            self._is_shared,
            self._statuses,
        )

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """Gate."""
        if self._is_shared:
            return UNDECIDED
        limited = self.limited(client)
        if limited.is_exempt:
            return None
        if self._rates:
            refusal = self.take(limited, limiter, now)
            if refusal is not None:
                answer = self.beyond_rate(refusal, limiter)
                if answer is not None:
                    return answer
        return self.begin(limited, limiter)

    def ended(self, client: BelievedClient, limiter: Limiter) -> None:
        """Gate."""
        limiter.in_flight.end(_flight(self.limited(client), limiter))

    # The steps, for limits that several replicas share as well.

    def limited(self, client: BelievedClient) -> LimitedClient:
        """:return: the client at this Ingress, which is kept for its next request."""
        kept = client.memo
        if isinstance(kept, LimitedClient) and kept.zone is self._token:
            return kept
        address = client.address
        made = LimitedClient(self._token, self.exempts(address), self.number(address))
        client.memo = made
        return made

    def exempts(self, address: bytes) -> bool:
        """:return: whether a client is not limited."""
        return self._exempt is not None and self._exempt.has(address)

    def number(self, address: bytes) -> int:
        """:return: what stands for a client at this Ingress in the state of limits."""
        return hash((self._zone, client_of(address))) >> _UNUSED_BITS

    def take(self, limited: LimitedClient, limiter: Limiter, now: float) -> Refusal | None:
        """Put a request into the buckets of a client."""
        return limiter.buckets.take(limited.number, self._zone_hash, int(now * 1000), self._rates)

    def beyond_rate(self, refusal: Refusal, limiter: Limiter) -> Answer | None:
        """:return: the answer to a request beyond a rate; None if it passes nevertheless."""
        return self._refuse(limiter, self._limits[refusal.which], refusal.wait)

    def begin(self, limited: LimitedClient, limiter: Limiter) -> object:
        """
        Count a request in progress.

        :return: as `decide`.
        """
        if not self._connections:
            return None
        if limiter.in_flight.begin(_flight(limited, limiter), self._connections):
            return COUNTED
        return self.beyond_connections(limiter)

    def beyond_connections(self, limiter: Limiter) -> Answer | None:
        """:return: the answer to a request beyond those in progress; None if it passes anyway."""
        return self._refuse(limiter, CONNECTIONS, 0)

    def _refuse(self, limiter: Limiter, limit: str, wait: int) -> Answer | None:
        """
        Count a request beyond a limit.

        :param wait: milliseconds until another request may pass.
        """
        namespace, name = self._zone
        limiter.count(LimitLabels(namespace, name, limit, self._is_dry))
        if self._is_dry:
            return None
        seconds = b"%d" % max(1, -(-wait // 1000))
        status = self._statuses[1 if limit == CONNECTIONS else 0]
        return Answer(status, Outcome.LIMITED, _DETAILS[limit], fields=((b"Retry-After", seconds),))


def _flight(limited: LimitedClient, limiter: Limiter) -> Flight:
    """:return: the requests in progress of a client."""
    flight = limited.flight
    if flight is None or not flight.is_kept:
        flight = limited.flight = limiter.in_flight.flight_of(limited.number)
    return flight
