"""
Holds an Ingress back until the Secrets that it names were read.

Otherwise a new Ingress would be served for some milliseconds with the default certificate, and
one that names a new Secret would lose its old one. Each time a Problem about a missing Secret
would appear and vanish a moment later.
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
Seconds for which an Ingress is held back at most, once everything was read; its version of
before is served meanwhile. A working API server answers within milliseconds.
"""

ReferencesOf = Callable[[Ingress], Collection[ObjectKey]]
"""
Returns the Secrets that an Ingress names; empty for one that is not served. Two
equal functions return the same for each Ingress.
"""


class IngressGate:
    """
    A `Sink` for Ingresses, in front of another one.

    :param sink: takes each Ingress when it is time.
    :param idle: called when nothing is held back any more.
    :ivar has_loaded: whether an Ingress is held back for `HOLD_TIMEOUT` at most; before, it is
        held back for as long as it takes.
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
        return f"<IngressGate: {len(self._held)} of {len(self._ingresses)} held back>"

    @property
    def rule(self) -> ReferencesOf | None:
        """None until the first `apply`: until then everything is held back."""
        return self._rule

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held back."""
        return not self._held

    def put(self, item: KubeObject) -> None:
        """An Ingress was added or changed (`Sink`)."""
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
        self._notify_if_idle()

    def apply(self, rule: ReferencesOf) -> Steps[frozenset[ObjectKey]]:
        """
        Replace the rule that finds what Ingresses reference.

        :return: the referenced objects that are not known yet; `References.read` reads them.
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
        self._notify_if_idle()
        return frozenset(unknown)

    def stop(self) -> None:
        """Pass nothing on any more."""
        for name in tuple(self._held):
            self._let_go(name)

    def _hold(self, ingress: Ingress) -> None:
        name = ingress.key
        self._let_go(name)
        if self._rule is None:
            self._held[name] = None
            return
        keys = frozenset(self._rule(ingress))
        # The version that is served needs its references until it is replaced.
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
        self._notify_if_idle()

    def _let_go(self, name: ObjectName) -> None:
        self._references.wait_no_more(name)
        call = self._held.pop(name, None)
        if call is not None and call.active():
            call.cancel()

    def _notify_if_idle(self) -> None:
        if not self._held:
            self._idle()
