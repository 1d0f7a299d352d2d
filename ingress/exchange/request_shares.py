"""
Bounds of the requests in flight of one client and of one route.

They apply only while most connections are in use. Before that nothing is counted: what is in
flight when it comes to that is counted then, once. Requests that no rule matches are answered
at once, and do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Limits
from ingress.errors import Outcome
from ingress.routing.route import Route, RouteLabels
from ingress.telemetry.record import ExchangeRecord

CLIENT: Final = "client"
ROUTE: Final = "route"
"""The shares, by what they are of."""

_REFUSALS: Final = {
    share: Answer(
        503,
        Outcome.OVERLOADED,
        f"Most connections are in use, and this {whose} has its share of them.",
        ((b"Retry-After", b"1"),),
    )
    for share, whose in ((CLIENT, "client"), (ROUTE, "rule"))
}


class RequestShares:
    """
    :param is_crowded: tells whether most connections are in use.
    :param in_flight: gives the records of all requests in flight.
    """

    def __init__(
        self,
        is_crowded: Callable[[], bool] = lambda: False,
        in_flight: Callable[[], Iterable[ExchangeRecord]] = tuple,
    ) -> None:
        self._is_crowded = is_crowded
        self._in_flight = in_flight
        self._client_bound = self._route_bound = 0.0
        self._clients: Counter[bytes] = Counter()
        self._routes: Counter[RouteLabels] = Counter()
        self._total = 0
        self.is_active = False
        """Whether requests are counted; each one asks before anything else."""

        self.refused: Counter[str] = Counter({CLIENT: 0, ROUTE: 0})
        """Requests that were refused, by share."""

    def __repr__(self) -> str:
        return f"<RequestShares {f'of {self._total} requests' if self.is_active else 'idle'}>"

    def apply(self, limits: Limits, connections: int) -> None:
        """
        Follow a new configuration.

        :param connections: how many this process may have.
        """
        self._client_bound = limits.client_share * connections
        self._route_bound = limits.route_share * connections

    def look(self) -> None:
        """Begin or stop counting, by the connections that are in use."""
        if self._is_crowded() is not self.is_active:
            self.is_active = not self.is_active
            self._clients.clear()
            self._routes.clear()
            self._total = 0
            if self.is_active:
                for record in self._in_flight():
                    if record.route is not None:
                        self._count(record.client_address, record.route, 1)

    def refusal(self, peer: bytes, client: BelievedClient, route: Route) -> Answer | None:
        """
        Count a request that begins, while `is_active`; `end` follows, also if it is refused.

        :param peer: the address at the other end of the connection.
        :return: what to answer, if its client or its rule has its share already.
        """
        # Of a UNIX socket, and of a trusted proxy that names nobody, the clients are unknown.
        address = client.address
        is_exempt = not address or (client.is_trusted and address == peer)
        share = self.begin(address, route, is_exempt=is_exempt)
        return None if share is None else _REFUSALS[share]

    def begin(self, client: bytes, route: Route, *, is_exempt: bool) -> str | None:
        """
        Count a request that begins.

        :param client: the address that is believed.
        :param is_exempt: whether the client is no single one: a trusted proxy that names
            none, or a UNIX socket.
        :return: the share that it is beyond, if any.
        """
        self.look()
        if not self.is_active:
            return None
        own, of_route, total = self._clients[client], self._routes[route.labels], self._total
        self._count(client, route, 1)
        if own == total:
            # Nobody else has a request in flight.
            return None
        beyond = None
        if own >= self._client_bound and not is_exempt:
            beyond = CLIENT
        elif of_route >= self._route_bound:
            beyond = ROUTE
        if beyond is not None:
            self.refused[beyond] += 1
        return beyond

    def end(self, client: bytes, route: Route) -> None:
        """Count a request no longer that ends, while `is_active`."""
        self._count(client, route, -1)

    def _count(self, client: bytes, route: Route, change: int) -> None:
        labels = route.labels
        self._total += change
        self._clients[client] += change
        self._routes[labels] += change
        if not self._clients[client]:
            del self._clients[client]
        if not self._routes[labels]:
            del self._routes[labels]
