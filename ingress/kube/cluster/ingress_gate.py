"""
An Ingress comes into the store once the Secrets that it names were asked for.

Otherwise a new Ingress would be served for some milliseconds with the default certificate,
and one that names another Secret than before would lose its own; and each time there would
be a Problem about a Secret that is missing, and gone a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ingress.kube.cluster.references import References
from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import Ingress, KubeObject, ObjectKey, ObjectName
from ingress.steps import STRIDE, Steps

HOLD_TIMEOUT: Final = 5.0
"""
Seconds for which an Ingress is kept back, once everything was read; the version of before
is served meanwhile. An API server that answers at all does so within milliseconds.
"""

ReferencesOf = Callable[[Ingress], Collection[ObjectKey]]
"""
The Secrets and ConfigMaps that an Ingress names; none for one that is not served. Two that
are equal give the same for each Ingress.
"""


class IngressGate:
    """
    A `Sink` for Ingresses, before another one.

    :param sink: takes each Ingress when it is time.
    :param idle: called when nothing is kept back any more.
    :ivar has_loaded: whether an Ingress is kept back for `HOLD_TIMEOUT` at most, and not
        for as long as it takes.
    """

    def __init__(
        self, clock: IReactorTime, references: References, sink: Sink, idle: Callable[[], None]
    ) -> None:
        self.has_loaded = False
        self._clock = clock
        self._references = references
        self._sink = sink
        self._idle = idle
        self._rule: ReferencesOf | None = None
        self._ingresses: dict[ObjectName, Ingress] = {}
        self._held: dict[ObjectName, IDelayedCall | None] = {}

    def __repr__(self) -> str:
        return f"<IngressGate: {len(self._held)} of {len(self._ingresses)} kept back>"

    @property
    def rule(self) -> ReferencesOf | None:
        """None as long as nothing can be told, so that everything is kept back."""
        return self._rule

    @property
    def is_idle(self) -> bool:
        """Whether nothing is kept back."""
        return not self._held

    def put(self, item: KubeObject) -> None:
        """An Ingress is there, or is another one than before (`Sink`)."""
        assert isinstance(item, Ingress), item
        self._ingresses[item.key] = item
        self._hold(item)
        if self._rule is not None:
            self._references.read()

    def delete(self, key: ObjectKey) -> None:
        """An Ingress is gone (`Sink`)."""
        name = key[1:]
        self._ingresses.pop(name, None)
        self._let_go(name)
        self._references.move(name, frozenset())
        self._sink.delete(key)
        self._tell_idle()

    def apply(self, rule: ReferencesOf) -> Steps[frozenset[ObjectKey]]:
        """
        Another rule tells from now on what Ingresses reference.

        :return: what they reference now and is not known yet; `References.read` reads it.
        """
        self._rule = rule
        unknown: set[ObjectKey] = set()
        for count, name in enumerate(tuple(self._ingresses)):
            ingress = self._ingresses.get(name)
            if ingress is None:
                continue
            if name in self._held:
                self._hold(ingress)
            else:
                self._references.move(name, frozenset(rule(ingress)))
            unknown.update(
                key for key in self._references.of(name) if not self._references.is_known(key)
            )
            if count % STRIDE == STRIDE - 1:
                yield
        self._tell_idle()
        return frozenset(unknown)

    def stop(self) -> None:
        """Let nothing pass any more."""
        for name in tuple(self._held):
            self._let_go(name)

    def _hold(self, ingress: Ingress) -> None:
        name = ingress.key
        self._let_go(name)
        if self._rule is None:
            self._held[name] = None
            return
        keys = frozenset(self._rule(ingress))
        # The version that is served now needs what it references until it is replaced.
        self._references.move(name, keys | self._references.of(name))
        if not self._references.wait(name, keys, lambda: self._release(name)):
            self._release(name)
            return
        call = None
        if self.has_loaded:
            call = self._clock.callLater(HOLD_TIMEOUT, self._release, name)
        self._held[name] = call

    def _release(self, name: ObjectName) -> None:
        self._let_go(name)
        ingress = self._ingresses[name]
        self._sink.put(ingress)
        assert self._rule is not None
        self._references.move(name, frozenset(self._rule(ingress)))
        self._tell_idle()

    def _let_go(self, name: ObjectName) -> None:
        self._references.wait_no_more(name)
        call = self._held.pop(name, None)
        if call is not None and call.active():
            call.cancel()

    def _tell_idle(self) -> None:
        if not self._held:
            self._idle()
