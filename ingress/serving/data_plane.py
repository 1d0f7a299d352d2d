"""
The data plane of one process, without its listeners: clients, exchanges and calls, put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from ingress.deadline import Deadlines
from ingress.downstream.clients import Clients
from ingress.exchange.call_resources import CallResources
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.loop_marker import LoopMarker
from ingress.exchange.request_copies import RequestCopies
from ingress.exchange.request_shares import RequestShares
from ingress.exchange.subrequests import Subrequests
from ingress.policy.limiter import Limiter
from ingress.relay.resources import RelayResources
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import RecordReceiver
from ingress.telemetry.recorder import Recorder, RelayRecorder
from ingress.upstream.dialer import Dialer
from ingress.upstream.registry import EndpointRegistry


class DataPlane:
    """
    :param registry: the connections to endpoints.
    :param deadlines: end what takes too long, on both sides.
    :param random: for request ids, sessions and balancing; none of it need be secret.
    :param wall_clock: seconds since the epoch, for cookies.
    :param process: the process id, which tells the sessions of two workers apart.
    :param recorder: counts and logs exchanges; None where nothing does.
    :param marker: marks what is forwarded, so that loops end; the same in all processes of an
        installation.
    :param limiter: the state of limits that all workers share; None if there is one process.
    :param dial_relay: makes the connections of relays to endpoints; None where there are none.
    """

    def __init__(
        self,
        registry: EndpointRegistry,
        deadlines: Deadlines,
        random: Random,
        *,
        wall_clock: Callable[[], float],
        process: int,
        recorder: Recorder | None = None,
        marker: LoopMarker | None = None,
        limiter: Limiter | None = None,
        dial_relay: Dialer | None = None,
    ) -> None:
        self.deadlines = deadlines
        self.recorder = recorder
        self.spans: Counter[str] = Counter()
        """Spans of the process, by what became of them."""

        self.clients = Clients()
        self.calls = CallResources(
            registry, deadlines, random, wall_clock=wall_clock, process=process
        )
        self.exchanges = ExchangeResources(
            self.calls,
            deadlines.clock,
            recorder if recorder is not None else RecordReceiver(),
            marker if marker is not None else LoopMarker(),
            limiter,
        )
        self.exchanges.asker = Subrequests(self.exchanges)
        self.exchanges.mirrors = RequestCopies(self.exchanges, deadlines.clock)
        shares = self.exchanges.shares = RequestShares(
            self.clients.admission.is_crowded, self.clients.connections.in_flight
        )
        self.clients.admission.crowded = shares.look
        self.relays = RelayResources(
            dial_relay or registry.dial,
            self.calls.balancer,
            deadlines,
            self.clients.connections,
            RelayRecorder(recorder) if recorder is not None else None,
        )

    def __repr__(self) -> str:
        return f"<DataPlane {self.clients}>"

    def publish(self, snapshot: Snapshot) -> None:
        """Serve every exchange that begins from now on from `snapshot`."""
        previous = self.exchanges.snapshot
        registry = self.calls.registry
        self.exchanges.publish(snapshot)
        self.relays.publish(snapshot)
        if previous is None or previous.config is not snapshot.config:
            self.clients.apply(snapshot.config)
            maximum = self.clients.connection_limit.maximum
            self.exchanges.shares.apply(snapshot.config.limits, maximum)
            registry.apply(snapshot.config.limits)
            if self.recorder is not None:
                self.recorder.apply(snapshot.config)
        if previous is None or previous.upstreams is not snapshot.upstreams:
            registry.published(snapshot)
            self.calls.balancer.published(snapshot)
        else:
            registry.retire_unused()
