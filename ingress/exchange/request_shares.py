"""
Bounds of the requests in flight of one client and of one route.

They apply only while most connections are in use. Before that nothing is counted; the requests
that are in flight when this begins are then counted once. Requests that no rule matches are
answered at once, and do not count.
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
"""The two kinds of shares."""

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
    Counts requests in flight, and refuses those that exceed a share.

    :param is_crowded: returns whether most connections are in use.
    :param in_flight: returns the records of all requests in flight.
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
        """Whether requests are counted; every request reads it."""

        self.refused: Counter[str] = Counter({CLIENT: 0, ROUTE: 0})
        """Requests that were refused, by the kind of share."""

    def __repr__(self) -> str:
        return f"<RequestShares {f'of {self._total} requests' if self.is_active else 'idle'}>"

    def apply(self, limits: Limits, connections: int) -> None:
        """
        Apply a new configuration.

        :param limits: has the shares.
        :param connections: how many client connections this process may have.
        """
        self._client_bound = limits.client_share * connections
        self._route_bound = limits.route_share * connections

    def look(self) -> None:
        """Begin or stop counting, depending on the connections that are in use."""
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
        Count a request that begins while `is_active`; call `end` for it, even if it is refused.

        :param peer: the address at the other end of the connection.
        :param client: what is believed of the client.
        :param route: the route of the request.
        :return: the answer, if the client or the route has its share already.
        """
        # A UNIX socket, and a trusted proxy that names no client, stand for unknown clients.
        address = client.address
        is_exempt = not address or (client.is_trusted and address == peer)
        share = self.begin(address, route, is_exempt=is_exempt)
        return None if share is None else _REFUSALS[share]

    def begin(self, client: bytes, route: Route, *, is_exempt: bool) -> str | None:
        """
        Count a request that begins.

        :param client: the client's address, as believed.
        :param route: the route of the request.
        :param is_exempt: whether the address may stand for many clients, as that of a UNIX socket
            or of a trusted proxy that names no client.
        :return: the kind of share that the request exceeds, if any.
        """
        self.look()
        if not self.is_active:
            return None
        own, of_route, total = self._clients[client], self._routes[route.labels], self._total
        self._count(client, route, 1)
        if own == total:
            # No other client has a request in flight.
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
        """Stop counting a request that ends while `is_active`."""
        self._count(client, route, -1)

    def move(self, before: Route, after: Route) -> None:
        """Count a request in flight for another route from now on."""
        if self.is_active:
            self._count(b"", before, -1)
            self._count(b"", after, 1)

    def _count(self, client: bytes, route: Route, change: int) -> None:
        labels = route.labels
        self._total += change
        self._clients[client] += change
        self._routes[labels] += change
        if not self._clients[client]:
            del self._clients[client]
        if not self._routes[labels]:
            del self._routes[labels]
