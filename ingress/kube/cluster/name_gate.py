"""
Holds a Service that leads to a new host name back until that was resolved.

Otherwise the Service would have no endpoint for the milliseconds that resolving takes. Names
that nobody uses would not have to be resolved, but only the build knows which these are, and
that is too late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredList

from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import EndpointSlice, KubeObject, ObjectKey, Service
from ingress.kube.store import key_of

MAX_HELD: Final = 100
"""Objects that are held back at most; more are passed on at once."""

MAX_NAMES: Final = 10
"""Names of one object that are resolved in advance."""


class Names(Protocol):
    """Resolves names (`ingress.dns.name_resolver.NameResolver`)."""

    def is_known(self, name: str) -> bool:
        """Whether a result for the name is known."""

    def resolve_ahead(self, name: str) -> Deferred[None]:
        """:return: fires when a result is known, or nobody should wait any longer."""


class NameGate:
    """
    A `Sink` for Services and EndpointSlices, in front of another one.

    :ivar has_loaded: whether objects are held back; at first everything is resolved together.
    """

    def __init__(self, names: Names, sink: Sink) -> None:
        self.has_loaded = False
        self._names = names
        self._sink = sink
        self._held: dict[ObjectKey, KubeObject] = {}

    def __repr__(self) -> str:
        return f"<NameGate: {len(self._held)} held back>"

    def put(self, item: KubeObject) -> None:
        """An object was added or changed (`Sink`)."""
        key = key_of(item)
        self._held.pop(key, None)
        unknown: list[str] = []
        if self.has_loaded and len(self._held) < MAX_HELD:
            unknown = [name for name in names_of(item) if not self._names.is_known(name)]
        if not unknown:
            self._sink.put(item)
            return
        self._held[key] = item
        resolving = [self._names.resolve_ahead(name) for name in unknown[:MAX_NAMES]]
        DeferredList(resolving, consumeErrors=True).addCallback(self._release, key, item)

    def delete(self, key: ObjectKey) -> None:
        """An object is gone (`Sink`)."""
        self._held.pop(key, None)
        self._sink.delete(key)

    def stop(self) -> None:
        """Pass nothing on any more."""
        self._held.clear()

    def _release(self, results: object, key: ObjectKey, item: KubeObject) -> None:
        if self._held.get(key) is item:
            del self._held[key]
            self._sink.put(item)


def names_of(item: KubeObject) -> Iterator[str]:
    """The host names that an object leads to, in lower case."""
    if isinstance(item, Service) and item.spec.type == "ExternalName":
        yield item.spec.external_name.lower()
    elif isinstance(item, EndpointSlice) and item.address_type == "FQDN":
        for endpoint in item.endpoints:
            for address in endpoint.addresses:
                yield address.lower()
