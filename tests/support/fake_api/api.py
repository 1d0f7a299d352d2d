"""
`FakeAPI`: the whole server without sockets, and a test's means to disturb it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.fake_api.access import ADMINISTRATOR, Access, Rule, User
from tests.support.fake_api.disturbance import Disturbances, Fault
from tests.support.fake_api.kind import Document, kind_of
from tests.support.fake_api.registry import Registry, Write
from tests.support.fake_api.resource import APIResource, LoggedRequest
from tests.support.fake_api.status import StatusError
from tests.support.fake_api.store import Store

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

TOKEN = "administrator"
"""The token of a user with every right, unless a test changes that."""

LOST = 1000
"""How many revisions a server skips when it loses its state."""

BY_HAND = Write("test")


class FakeAPI:
    """
    :param clock: the reactor, or a Clock.
    :param certified_user: as in `APIResource`.
    :ivar resource: the root resource of the server.
    """

    def __init__(
        self,
        clock: Any,
        random: Random | None = None,
        certified_user: Callable[[Any], User | None] = lambda request: None,
    ) -> None:
        self.store = Store()
        self.access = Access(self.store)
        self.access.tokens[TOKEN] = ADMINISTRATOR
        self.disturbances = Disturbances()
        self._clock = clock
        self._registry = Registry(self.store, clock.seconds, random or Random())
        self.resource = APIResource(
            self.store, self._registry, self.access, self.disturbances, clock, certified_user
        )
        self._make_namespaces()

    def __repr__(self) -> str:
        return f"<FakeAPI {self.store!r}, {len(self.resource.streams)} watches>"

    # Objects, without a request.

    def put(self, *documents: Document) -> None:
        """Create or replace these objects, status included."""
        for document in documents:
            kind = kind_of(document)
            metadata = document["metadata"]
            namespace = metadata.get("namespace", "default") if kind.namespaced else ""
            key = (namespace, metadata["name"])
            if self.store.get(kind.stored, key) is None:
                self._registry.create(kind, namespace, document, BY_HAND)
            else:
                self._registry.update(kind, key, document, BY_HAND)
            if kind.has_status and "status" in document:
                status = Write("test", "status")
                named = {"metadata": {"name": metadata["name"]}, "status": document["status"]}
                self._registry.update(kind, key, named, status)

    def get(
        self, api_version: str, kind: str, name: str, namespace: str = "default"
    ) -> Document | None:
        """Return the current object; None if there is none."""
        found = kind_of({"apiVersion": api_version, "kind": kind})
        try:
            return self._registry.get(found, namespace if found.namespaced else "", name)
        except StatusError:
            return None

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an existing object."""
        found = kind_of({"apiVersion": api_version, "kind": kind})
        self._registry.delete(found, (namespace if found.namespaced else "", name))

    # Rights.

    def grant(self, user: User, *rules: Rule, token: str | None = None) -> None:
        """Give a user the rights of these rules; only its roles add to them."""
        self.access.granted[user.name] = list(rules)
        if token is not None:
            self.access.tokens[token] = user

    @property
    def requests(self) -> list[LoggedRequest]:
        """List the requests for resources, in the order of their answers."""
        return self.resource.log

    # Disturbances.

    def fail(self, fault: Fault) -> None:
        """Answer requests with a fault from now on, as often as the fault says."""
        self.disturbances.faults.append(fault)

    def forget_history(self) -> None:
        """Compact the history: requests for anything older get 410, in one form or another."""
        self.store.forget_history()

    def lose_state(self) -> None:
        """Lose every object silently, and start over at later revisions."""
        self.store.lose(self.store.revision + LOST)
        self._make_namespaces()
        self.store.forget_history()

    def send_bookmarks(self) -> None:
        """Send bookmarks at once on every watch that wants them."""
        for stream in tuple(self.resource.streams):
            stream.bookmark()

    def end_watches(self) -> None:
        """End the watches in an orderly way, as if their time were over."""
        for stream in tuple(self.resource.streams):
            stream.end()

    def drop_watches(self) -> None:
        """Drop the watches like a server that is killed."""
        for stream in tuple(self.resource.streams):
            stream.drop()

    def restart(self, loading: float = 0.0) -> None:
        """
        Break every watch, as a server does that is killed and starts again.

        :param loading: seconds for which it refuses everything, until its rules are loaded.
        """
        self.drop_watches()
        if loading:
            self.access.are_rules_loaded = False
            self._clock.callLater(loading, setattr, self.access, "are_rules_loaded", True)

    def _make_namespaces(self) -> None:
        for name in NAMESPACES:
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
