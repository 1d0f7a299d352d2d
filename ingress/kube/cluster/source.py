"""
The `ObjectSource` that reads a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.config import Config
from ingress.kube.cluster.configured_objects import ConfiguredObjects
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.contact_problems import ContactProblems
from ingress.kube.cluster.contacts import Contacts
from ingress.kube.cluster.foreign_config_maps import config_map_reflectors
from ingress.kube.cluster.held_classes import HeldClasses
from ingress.kube.cluster.ingress_gate import HOLD_TIMEOUT, IngressGate, ReferencesOf
from ingress.kube.cluster.mirror import Mirror, Observer
from ingress.kube.cluster.name_gate import NameGate, Names
from ingress.kube.cluster.probe import Probe
from ingress.kube.cluster.problem_book import ProblemBook, Problems
from ingress.kube.cluster.referenced import ReferencedObjects
from ingress.kube.cluster.references import References
from ingress.kube.cluster.reflector import Access, Reflector
from ingress.kube.cluster.resource import (
    CLASSES_BESIDE_NAMESPACES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    INGRESSES,
    SECRETS,
    SERVICES,
    Resource,
    Target,
)
from ingress.kube.cluster.shared_objects import SharedObjects
from ingress.kube.cluster.store_batch import Sink, StoreBatch
from ingress.kube.objects import IngressClass, ObjectKey, ObjectName
from ingress.kube.slices import Slices, Stopped
from ingress.kube.store import ObjectStore
from ingress.memory import settle_objects

MakeRule = Callable[[Mapping[ObjectName, IngressClass], Config], ReferencesOf]
"""
Makes the rule that finds what an Ingress references, from the IngressClasses and the
configuration that decide whether it is ours.
"""

_CONFIGURATION: Final = "the configuration"
_RULE: Final = "the rule"


class ClusterSource:
    """
    Keeps an ObjectStore in step with a cluster.

    :param store: nothing else may write to its kinds.
    :param make_rule: given by the package that knows the annotations.
    :param observer: sees the text of each Ingress.
    :param names: resolves host names that Services lead to; without it nothing waits for them.
    """

    log = Logger()

    def __init__(
        self,
        access: Access,
        store: ObjectStore,
        config: Config,
        make_rule: MakeRule,
        observer: Observer | None = None,
        names: Names | None = None,
    ) -> None:
        assert config.cluster is not None, "the configuration names no cluster"
        self._access = access
        self._config = config
        self._make_rule = make_rule
        self._book = ProblemBook(access.clock)
        self._contact_problems = ContactProblems(self._book)
        self._batch_slices = Slices(access.clock, settle_objects)
        self._batch = StoreBatch(access.clock, store, self._batch_slices)
        namespaces = config.cluster.namespaces
        self._referenced = {
            resource: ReferencedObjects(access, resource, namespaces, self._batch, self._book)
            for resource in (SECRETS,)
        }
        config_maps = SharedObjects(self._batch)
        self._configured = ConfiguredObjects(
            config, config_maps.share(), self._reference_configured
        )
        self._config_maps = self._referenced[CONFIG_MAPS] = ReferencedObjects(
            access,
            CONFIG_MAPS,
            namespaces,
            self._configured,
            self._book,
            is_listed=False,
        )
        for each in self._referenced.values():
            each.changed = self._schedule_review
        self._references = References(
            {resource.kind: each for resource, each in self._referenced.items()},
            self._schedule_review,
        )
        self._gate = IngressGate(access.clock, self._references, self._batch, self._schedule_review)
        self._name_gate = NameGate(names, self._batch) if names is not None else None
        self._classes = HeldClasses(self._schedule_review)
        self._reflectors = [
            *self._reflectors_of(INGRESSES, self._gate, observer),
            *self._reflectors_of(
                CLASSES_BESIDE_NAMESPACES if namespaces else INGRESS_CLASSES, self._classes
            ),
            *self._reflectors_of(SERVICES, self._name_gate or self._batch),
            *self._reflectors_of(ENDPOINT_SLICES, self._name_gate or self._batch),
        ]
        self._optional = list(
            config_map_reflectors(
                access, namespaces, config_maps, self._book, self._schedule_review
            )
        )
        """Of objects that the proxy can do without."""

        all_reflectors = (*self._reflectors, *self._optional)
        self.contacts = Contacts(all_reflectors, tuple(self._referenced.values()))
        """The states of all connections to the API server."""

        self._probe = Probe(access, _probed(namespaces), self._schedule_review, self._renew_watches)
        self._review_call: IDelayedCall | None = None
        self._applying: Deferred[None] | None = None
        self._loaded: Deferred[None] = Deferred()
        self._reconfigured: Deferred[None] = succeed(None)
        self._is_running = False

    def __repr__(self) -> str:
        state = "loaded" if self._gate.has_loaded else "loading"
        return f"<ClusterSource, {state}, {len(self._reflectors)} reflectors>"

    def _reflectors_of(
        self, resource: Resource, sink: Sink, observer: Observer | None = None
    ) -> list[Reflector]:
        assert self._config.cluster is not None
        namespaces = self._config.cluster.namespaces if resource.is_namespaced else ()
        reflectors = []
        for namespace in namespaces or ("",):
            contact = Contact(
                Target(resource, namespace),
                self._access.clock,
                self._schedule_review,
                self._access.liveness,
            )
            mirror = Mirror(resource, sink, self._book, observer=observer)
            reflectors.append(Reflector(self._access, mirror, contact))
        return reflectors

    # An ObjectSource.

    @property
    def problems(self) -> Problems:
        """All Problems by their owner; the mapping is never changed."""
        return self._book.current

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `problems` has been replaced."""
        self._book.subscribe(changed)

    def start(self) -> Deferred[None]:
        """
        Load everything, then follow changes until `stop`.

        :return: fires when every kind but the optional ones has been read and is in the store,
            however long that takes.
        """
        self._is_running = True
        self._access.slices.is_running = self._batch_slices.is_running = True
        for reflector in (*self._reflectors, *self._optional):
            reflector.start()
        self._probe.start()
        self._reference_configured()
        return self._loaded

    def reconfigure(self, config: Config) -> Deferred[None]:
        """Apply a configuration: our class and what it names may have changed."""
        self._config = config
        self._configured.configure(config)
        self._reference_configured()
        self._classes.change()
        _fire(self._reconfigured)  # A later configuration has taken its place.
        reconfigured = self._reconfigured = Deferred()
        self._look_whether_reconfigured()
        return reconfigured

    def stop(self) -> Deferred[None]:
        """
        Stop following changes; the store stays as it is.

        :return: has fired already.
        """
        self._is_running = False
        self._probe.stop()
        self._access.slices.is_running = self._batch_slices.is_running = False
        for reflector in (*self._reflectors, *self._optional):
            reflector.stop()
        for objects in self._referenced.values():
            objects.stop()
        if self._review_call is not None:
            self._review_call.cancel()
            self._review_call = None
        if self._applying is not None:
            self._applying.cancel()
        self._gate.stop()
        if self._name_gate is not None:
            self._name_gate.stop()
        self._batch.stop()
        self._book.stop()
        self._finish_loading()
        _fire(self._reconfigured)
        return succeed(None)

    # Inside.

    def _reference_configured(self) -> None:
        """Reference what the configuration names."""
        self._references.move(_CONFIGURATION, self._configured.keys)
        if self._gate.rule is not None:
            self._references.read()

    def _renew_watches(self, since: float) -> None:
        """The server was gone, and is back: what it has to say may be lost on old watches."""
        for reflector in (*self._reflectors, *self._optional):
            reflector.renew_watch(since)
        for objects in self._referenced.values():
            objects.renew_watches(since)

    def _schedule_review(self) -> None:
        if self._review_call is None and self._is_running:
            self._review_call = self._access.clock.callLater(0, self._review)

    def _review(self) -> None:
        """React to the changes of one turn of the reactor together."""
        self._review_call = None
        self._contact_problems.review(self.contacts)
        if self._classes.has_changed and self._applying is None and self._can_apply_classes():
            self._applying = Deferred.fromCoroutine(self._apply_classes())
            self._applying.addErrback(self._cannot_apply)
            self._applying.addCallback(self._applied)
        self._look_whether_loaded()
        self._look_whether_reconfigured()

    def _can_apply_classes(self) -> bool:
        """Whether IngressClasses and Ingresses were read, so that one list of Secrets is enough."""
        return all(
            self._is_read(each.contact)
            for each in self._reflectors
            if each.contact.target.resource.kind in (INGRESSES.kind, INGRESS_CLASSES.kind)
        )

    def _is_read(self, contact: Contact) -> bool:
        """
        Whether everything that may be read was read.

        Beside namespaces, IngressClasses may be unreadable; then their names alone decide.
        """
        is_optional = contact.target.resource.is_optional
        if contact.has_synced or not is_optional or not contact.is_forbidden:
            return contact.has_synced
        # A server that starts refuses everything. This one has granted other kinds before.
        return all(
            each.contact.synced_at < contact.refused_at
            for each in self._reflectors
            if each.contact.target.resource is INGRESSES
        )

    def _look_whether_loaded(self) -> None:
        has_all = all(self._is_read(reflector.contact) for reflector in self._reflectors)
        is_settled = self._applying is None and not self._classes.has_changed
        if self._gate.has_loaded or not has_all or not is_settled or not self._gate.is_idle:
            return
        if not self._knows_configured():
            return
        self._gate.has_loaded = True
        if self._name_gate is not None:
            self._name_gate.has_loaded = True
        self._batch.when_applied(self._finish_loading)

    def _knows_configured(self) -> bool:
        """Whether what the configuration names was read, or does not exist."""
        keys = self._references.of(_CONFIGURATION)
        return self._knows_config_map() and all(map(self._references.is_known, keys))

    def _knows_config_map(self) -> bool:
        """
        Whether ingress-nginx's ConfigMap, and those that it names, were read or do not exist.

        It may decide access: if the server refuses to say what is in it, nothing may be published.
        """
        name = self._config.config_map
        if name is not None and not self._config_maps.has_read(name):
            return False
        keys = self._references.of(_CONFIGURATION)
        return all(self._references.is_known(key) for key in keys if key[0] == CONFIG_MAPS.kind)

    def _look_whether_reconfigured(self) -> None:
        if not self._reconfigured.called and self._knows_config_map():
            self._batch.when_applied(partial(_fire, self._reconfigured))

    def _finish_loading(self) -> None:
        if not self._loaded.called:
            self._loaded.callback(None)

    # IngressClasses.

    async def _apply_classes(self) -> None:
        """
        Pass on IngressClasses after they, or the configuration, have changed.

        A class that makes Ingresses ours waits until their Secrets were read, so that these
        Ingresses are never served without them.
        """
        classes = self._classes.take()
        rule = self._make_rule(classes, self._config)
        if rule != self._gate.rule:
            unknown = await self._access.slices.run(self._gate.apply(rule))
            self._references.read()
            await self._wait_for(unknown)
        self._classes.pass_on(classes, self._batch)

    async def _wait_for(self, keys: frozenset[ObjectKey]) -> None:
        """Wait until these are known, but not without end once everything was loaded."""
        waiting: Deferred[None] = Deferred()
        if self._references.wait(_RULE, keys, lambda: waiting.callback(None)):
            if self._gate.has_loaded:
                waiting.addTimeout(HOLD_TIMEOUT, self._access.clock, lambda *_: None)
            await waiting
            self._references.wait_no_more(_RULE)

    def _cannot_apply(self, failure: Failure) -> None:
        if not failure.check(CancelledError, Stopped):
            self.log.failure("A change of IngressClasses is lost", failure)

    def _applied(self, result: object) -> None:
        self._applying = None
        self._schedule_review()


def _fire(deferred: Deferred[None]) -> None:
    if not deferred.called:
        deferred.callback(None)


def _probed(namespaces: tuple[str, ...]) -> Target:
    """What the API server is asked for to see whether it is alive: there are few of these."""
    return Target(INGRESSES, namespaces[0]) if namespaces else Target(INGRESS_CLASSES)
