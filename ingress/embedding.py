"""
A proxy within a program of one's own, on its reactor, with manifests from memory::

    proxy = EmbeddedProxy(reactor, config)
    problems = proxy.publish(manifests)
    await proxy.listen()
    ...
    await proxy.stop()

It has no files to watch, no cluster, no admin listener, no workers, and resolves no names.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred

from ingress.config import Config
from ingress.document import load_documents
from ingress.downstream.listeners import bind_listeners
from ingress.downstream.self_signed import make_self_signed
from ingress.downstream.tls import TLSContexts
from ingress.exchange.loop_marker import LoopMarker, make_token
from ingress.health.checks import HealthChecks
from ingress.health.probe import asking
from ingress.kube.manifest import read_objects
from ingress.kube.store import ObjectStore
from ingress.local_addresses import own_addresses, read_local_addresses
from ingress.problem import Problem
from ingress.routing.build import Built, build
from ingress.serving.local_plane import make_plane
from ingress.serving.local_serving import LocalServing

_MANIFESTS: Final = "manifests"
"""The name of the manifests in Problems."""


class EmbeddedProxy:
    """
    One data plane with its listeners, which are bound at once.

    :param config: of it, ``listen``, ``source.endpoints``, ``policies``, ``access_log`` and all
        that concerns requests is used.
    :raises ListenError: with a line for each address that cannot be bound.
    """

    def __init__(self, reactor: Any, config: Config) -> None:
        # Objects that are no cluster's: without an IngressClass, every Ingress is served.
        source = replace(config.source, paths=(Path(_MANIFESTS),))
        self._config = replace(config, source=source, cluster=None)
        self._built: Built | None = None
        folder = config.path.parent if config.path is not None else Path()
        self.listeners = bind_listeners(replace(config.listen, admin=()), folder)
        self.plane, recorder = make_plane(reactor, LoopMarker(make_token(config, "")))
        contexts = TLSContexts(
            lambda: self.plane.exchanges.snapshot, make_self_signed(datetime.now(UTC))
        )
        self._serving = LocalServing(reactor, self.listeners, self.plane, contexts, [recorder])
        publish = self._serving.publish
        self._health = HealthChecks(reactor, Random(), asking(reactor), publish)  # noqa: S311

    def __repr__(self) -> str:
        return f"<EmbeddedProxy {self._serving}>"

    def publish(self, manifests: str) -> list[Problem]:
        """
        Serve these manifests from now on, in place of those before.

        :param manifests: YAML or JSON documents.
        :return: what is wrong with them; everything else is served.
        :raises DocumentError: if the text is neither YAML nor JSON; what was published stays.
        """
        store = ObjectStore()
        problems: list[Problem] = []
        for document in load_documents(manifests):
            for reading in read_objects(document, _MANIFESTS):
                problems += reading.problems
                if reading.item is not None:
                    store.apply([reading.item])
        own = own_addresses(self.listeners.tcp_addresses, {}).with_local(read_local_addresses())
        built = build(store.view(), self._config, self._built, now=datetime.now(UTC), own=own)
        if self._built is None:
            self._serving.prepare()
        self._built = built
        self._health.publish(built.snapshot)
        return [*problems, *built.all_problems()]

    def listen(self) -> Deferred[None]:
        """
        Accept connections, after the first `publish`.

        :return: fires when it does; fails with `ListenError` if another process was faster.
        """
        if self._built is None:
            raise RuntimeError("publish manifests first: a proxy without rules answers 404")
        return self._serving.accept()

    def stop(self, grace: float | None = None) -> Deferred[None]:
        """
        Stop accepting, and let requests in flight finish.

        :param grace: seconds until those that are left are cut; ``shutdown_grace`` if not given.
        :return: fires when the last one is over.
        """
        if self._built is None:
            return self.listeners.stop()
        self._health.stopService()
        return self._serving.drain(self._config.shutdown_grace if grace is None else grace)
