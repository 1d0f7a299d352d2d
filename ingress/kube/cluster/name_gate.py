"""
A Service that leads to another name than before comes into the store once that was resolved.

Otherwise it would have no endpoint for the milliseconds that this takes. Names that nobody
uses need not be resolved at all; but whether somebody does, the build alone knows, and then
it is too late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredList

from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import EndpointSlice, KubeObject, ObjectKey, Service
from ingress.kube.store import key_of

MAX_HELD: Final = 100
"""Objects that are kept back; more are let through as they are."""

MAX_NAMES: Final = 10
"""Names of one object that are resolved ahead."""


class Names(Protocol):
    """Who resolves names (`ingress.dns.name_resolver.NameResolver`)."""

    def is_known(self, name: str) -> bool:
        """Whether something is known of it."""

    def resolve_ahead(self, name: str) -> Deferred[None]:
        """:return: fires when something is known of it, or nobody should wait any longer."""


class NameGate:
    """
    A `Sink` for Services and EndpointSlices, before another one.

    :ivar has_loaded: whether anything is kept back: at first everything is resolved together.
    """

    def __init__(self, names: Names, sink: Sink) -> None:
        self.has_loaded = False
        self._names = names
        self._sink = sink
        self._held: dict[ObjectKey, KubeObject] = {}

    def __repr__(self) -> str:
        return f"<NameGate: {len(self._held)} kept back>"

    def put(self, item: KubeObject) -> None:
        """An object is there, or is another one than before (`Sink`)."""
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
        """Let nothing pass any more."""
        self._held.clear()

    def _release(self, results: object, key: ObjectKey, item: KubeObject) -> None:
        if self._held.get(key) is item:
            del self._held[key]
            self._sink.put(item)


def names_of(item: KubeObject) -> Iterator[str]:
    """The names that an object leads to, as they are resolved."""
    if isinstance(item, Service) and item.spec.type == "ExternalName":
        yield item.spec.external_name.lower()
    elif isinstance(item, EndpointSlice) and item.address_type == "FQDN":
        for endpoint in item.endpoints:
            for address in endpoint.addresses:
                yield address.lower()
