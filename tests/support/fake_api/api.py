"""
`FakeAPI`: the whole server, without sockets, and what a test may do to it.
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
"""The token of who may do everything, while no test changes that."""

LOST = 1000
"""How many revisions later a server is that has lost its state."""

BY_HAND = Write("test")


class FakeAPI:
    """
    :param clock: the reactor, or a Clock.
    :param certified_user: as `APIResource` has it.
    :ivar resource: what is served.
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
        """An object as it is now; None if there is none."""
        found = kind_of({"apiVersion": api_version, "kind": kind})
        try:
            return self._registry.get(found, namespace if found.namespaced else "", name)
        except StatusError:
            return None

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object that is there."""
        found = kind_of({"apiVersion": api_version, "kind": kind})
        self._registry.delete(found, (namespace if found.namespaced else "", name))

    # Who may do what.

    def grant(self, user: User, *rules: Rule, token: str | None = None) -> None:
        """Let a user do what these rules allow, and nothing else but what its roles do."""
        self.access.granted[user.name] = list(rules)
        if token is not None:
            self.access.tokens[token] = user

    @property
    def requests(self) -> list[LoggedRequest]:
        """Those for resources, in the order of their answers."""
        return self.resource.log

    # What may happen to a server.

    def fail(self, fault: Fault) -> None:
        """Have requests answered with a fault from now on, as often as it says."""
        self.disturbances.faults.append(fault)

    def forget_history(self) -> None:
        """Compact: what asks for anything older gets 410, in one form or the other."""
        self.store.forget_history()

    def lose_state(self) -> None:
        """Lose every object without telling anybody, and start over at later revisions."""
        self.store.lose(self.store.revision + LOST)
        self._make_namespaces()
        self.store.forget_history()

    def send_bookmarks(self) -> None:
        """On every watch that wants them, at once."""
        for stream in tuple(self.resource.streams):
            stream.bookmark()

    def end_watches(self) -> None:
        """In an orderly way, as if their time were over."""
        for stream in tuple(self.resource.streams):
            stream.end()

    def drop_watches(self) -> None:
        """As a server does that is killed."""
        for stream in tuple(self.resource.streams):
            stream.drop()

    def _make_namespaces(self) -> None:
        for name in NAMESPACES:
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
