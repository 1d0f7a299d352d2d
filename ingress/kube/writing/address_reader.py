"""
Reads the addresses at which clients reach us, periodically while we lead.

The objects are few, seldom change, and only the leader needs them. So they are read, not
watched. They may be in a namespace from which nothing else is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Literal, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.config import StatusAddresses
from ingress.errors import IngressError
from ingress.kube.api.client import NO_QUERY, APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.api.time_limit import within
from ingress.kube.ingress_status import Addresses
from ingress.kube.objects import ObjectName
from ingress.kube.writing.addresses import (
    FrontService,
    Node,
    Replica,
    ReplicaSlices,
    has_other_replica,
    listed_addresses,
    node_addresses,
    nodes_of,
    service_addresses,
)
from ingress.kube.writing.answer import decode_answer, read_listed
from ingress.kube.writing.retry_log import RetryLog

READ_PERIOD: Final = 30.0
"""Seconds between two reads. A load balancer that moves takes minutes by itself."""

PENDING_PERIOD: Final = 5.0
"""Seconds between two reads while no address is known: somebody is waiting for one."""

NODE_PERIOD: Final = 600.0
"""Seconds until a node is read again; there may be many nodes."""

REQUEST_TIMEOUT: Final = 10.0

T = TypeVar("T")


class NoAddress(IngressError):
    """No object that was read has an address; the text names the objects."""


class AddressReader:
    """
    :param environment: of this process: POD_NAME and NODE_NAME.
    :ivar addresses: the current ones; empty until they are known. They stay as they were
        when they cannot be read or are gone, because clients may still reach us there.
    :ivar changed: called when they have changed.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        settings: StatusAddresses,
        environment: Mapping[str, str],
        *,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self.addresses: Addresses = listed_addresses(settings.addresses)
        self.changed: Callable[[], None] = lambda: None
        self._client = client
        self._service = settings.service
        self._nodes = settings.nodes
        self._own_pod = environment.get("POD_NAME", "")
        self._own_node = environment.get("NODE_NAME", "")
        self._clock = clock
        self._random = random
        self._known_nodes: dict[str, tuple[Node, float]] = {}
        """Each node by name, with the time at which it was read."""

        self._running: Deferred[None] | None = None
        self._retries = RetryLog(self.log, clock)

    def __repr__(self) -> str:
        return f"<AddressReader: {len(self.addresses)} addresses>"

    def start(self) -> None:
        """Read periodically until `stop`, if anything has to be read."""
        if self._service is None and self._nodes is None:
            return
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError))

    def stop(self) -> None:
        """Stop reading; the addresses stay."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def has_other_replica(self) -> bool:
        """
        Whether another replica keeps serving when this process ends.

        :return: False if no Service is configured.
        :raises APIError: and APIUnreachable, if that cannot be read.
        """
        if self._service is None:
            return False
        return has_other_replica(await self._replicas(self._service), self._own_pod)

    async def _run(self) -> None:
        while True:
            period = PENDING_PERIOD
            try:
                found = await self._read()
            except IngressError as error:
                self._retries.failed("Finding out the addresses of Ingresses", error)
            else:
                period = READ_PERIOD
                self._retries.succeeded("Finding out the addresses of Ingresses")
                if found != self.addresses:
                    self.addresses = found
                    self.changed()
            await deferLater(self._clock, period * (0.9 + 0.2 * self._random.random()))

    async def _read(self) -> Addresses:
        """:raises NoAddress: if no object has one."""
        if self._nodes is not None:
            return await self._read_nodes(self._nodes)
        assert self._service is not None, "something is to be read"
        namespace, name = self._service
        reading = read_listed(
            self._client, f"/api/v1/namespaces/{namespace}/services", name, FrontService
        )
        service = await within(REQUEST_TIMEOUT, self._clock, reading)
        if service is None:
            raise NoAddress(f"the Service {namespace}/{name} does not exist")
        found = service_addresses(service)
        if not found:
            kind = service.spec.type
            raise NoAddress(f"the Service {namespace}/{name} ({kind}) has no address yet")
        return found

    async def _read_nodes(self, wanted: Literal["external", "internal"]) -> Addresses:
        names: frozenset[str] = frozenset()
        if self._service is not None:
            names = nodes_of(await self._replicas(self._service))
        names = names or frozenset({self._own_node} - {""})
        if not names:
            raise NoAddress("no node is known: neither an endpoint nor NODE_NAME names one")
        nodes = [await self._node(name) for name in sorted(names)]
        self._known_nodes = {
            name: known for name, known in self._known_nodes.items() if name in names
        }
        found = node_addresses(nodes, wanted)
        if not found:
            raise NoAddress(f"none of the nodes has an address: {', '.join(sorted(names))}")
        return found

    async def _node(self, name: str) -> Node:
        node, read_at = self._known_nodes.get(name, (Node(), -NODE_PERIOD))
        if self._clock.seconds() - read_at >= NODE_PERIOD:
            try:
                node = await self._get(f"/api/v1/nodes/{name}", Node)
            except APIError as error:
                if error.code != 404:
                    raise
                return Node()  # the node is gone, with everything on it
            self._known_nodes[name] = (node, self._clock.seconds())
        return node

    async def _replicas(self, service: ObjectName) -> tuple[Replica, ...]:
        namespace, name = service
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        query = {"labelSelector": f"kubernetes.io/service-name={name}"}
        return (await self._get(path, ReplicaSlices, query)).replicas

    async def _get(self, path: str, type_: type[T], query: Mapping[str, str] = NO_QUERY) -> T:
        request = self._client.get(path, query)
        return decode_answer(await within(REQUEST_TIMEOUT, self._clock, request), type_)
