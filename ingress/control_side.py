"""
The control plane of the whole program: from files, or from a cluster with what is written there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from random import Random, SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ingress.config import Config
from ingress.control_plane import ControlPlane
from ingress.controller import BuildSteps, Controller, utc_now
from ingress.dns.lookup import Lookup, client_maker
from ingress.dns.name_resolver import NameResolver
from ingress.dns.route import can_reach
from ingress.dns.system_files import SystemFiles
from ingress.foreign_log import ForeignLog
from ingress.kube.api.connect import connect
from ingress.kube.api.kubeconfig import APIAccess
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.source import ClusterSource
from ingress.kube.files import FilesSource
from ingress.kube.ingress_status import IngressStatuses
from ingress.kube.objects import Ingress, ObjectName
from ingress.kube.resolved_names import ResolvedNames
from ingress.kube.slices import Slices
from ingress.kube.store import ObjectStore
from ingress.kube.writing.cluster_writer import ClusterWriter, Runtime
from ingress.local_addresses import LocalAddresses
from ingress.memory import settle_objects
from ingress.problem_log import ProblemLog
from ingress.process_log import PROCESS_LOG
from ingress.routing.build import build_steps
from ingress.routing.build.reference import reference_rule
from ingress.routing.snapshot import Snapshot
from ingress.signing.keeper import CertificateKeeper
from ingress.telemetry.ingress_checks import IngressChecks

Publish = Callable[[Snapshot], None]


class ClusterSide:
    """The components of a control plane that reads from a cluster."""

    def __init__(self, reactor: Any, config: Config, access: APIAccess) -> None:
        assert config.cluster is not None
        client = self.client = connect(reactor, access, os.environ)
        random = Random()  # noqa: S311 (for jitter and names)
        statuses = IngressStatuses()
        self.store = ObjectStore()
        self.problem_log = ProblemLog(reactor)
        self.names = _make_resolver(reactor, self.store)
        self.source = ClusterSource(
            Access(client, reactor, random, Slices(reactor, settle_objects)),
            self.store,
            config,
            reference_rule,
            statuses,
            self.names,
        )
        runtime = Runtime(reactor, random, os.environ, utc_now)
        self.writer = ClusterWriter(
            client, config.cluster, self.store, statuses, self.problem_log, runtime
        )
        self.signers: Callable[[], Collection[str]] = lambda: config.certificate_signers
        self.writer.add(
            CertificateKeeper(
                client,
                lambda: self.store.view().secrets,
                lambda: self.signers(),
                self.writer.tell,
                clock=reactor,
                now=utc_now,
            )
        )


def make_files_plane(
    reactor: Any, config: Config, publish: Publish, checks: IngressChecks, local: LocalAddresses
) -> ControlPlane:
    """:return: the control plane of a configuration that names files."""
    store = ObjectStore()
    source = FilesSource(
        reactor,
        store,
        config.source.paths,
        config.tls.secrets,
        configuration=config.path,
        config_map=config.config_map,
    )
    problem_log = ProblemLog(reactor, source.locate)
    controller = Controller(
        store,
        config,
        publish,
        problem_log,
        clock=reactor,
        build=_building(local),
        on_foreign=ForeignLog(reactor).take,
        on_served=checks.take,
        resolve_names=_make_resolver(reactor, store).want,
    )
    return ControlPlane(
        reactor,
        config,
        source,
        controller,
        problem_log,
        in_threads_of(reactor),
        configured=_apply_to_process,
    )


def make_cluster_plane(
    reactor: Any,
    config: Config,
    cluster: ClusterSide,
    publish: Publish,
    checks: IngressChecks,
    local: LocalAddresses,
) -> ControlPlane:
    """:return: the control plane of a configuration that names a cluster."""

    def on_served(served: Mapping[ObjectName, Ingress]) -> None:
        checks.take(served)
        cluster.writer.serve(served)

    controller = Controller(
        cluster.store,
        config,
        publish,
        cluster.problem_log,
        clock=reactor,
        build=_building(local),
        on_foreign=ForeignLog(reactor).take,
        on_served=on_served,
        resolve_names=cluster.names.want,
    )
    control_plane = ControlPlane(
        reactor,
        config,
        cluster.source,
        controller,
        cluster.problem_log,
        in_threads_of(reactor),
        cluster.writer,
        configured=_apply_to_process,
        close=lambda: Deferred.fromCoroutine(cluster.client.close()),
    )
    cluster.signers = lambda: control_plane.config.certificate_signers
    return control_plane


def in_threads_of(reactor: Any) -> Callable[..., Deferred[Any]]:
    """:return: calls a function in a thread of the reactor."""
    return partial(deferToThreadPool, reactor, reactor.getThreadPool())


def _apply_to_process(config: Config) -> None:
    """Apply a configuration to what the process has only one of."""
    PROCESS_LOG.configure(config.log)


def _building(local: LocalAddresses) -> BuildSteps:
    """:return: the build, with our own addresses as they are when it begins."""
    return lambda objects, config, previous, *, now: build_steps(
        objects, config, previous, now=now, own=local.current
    )


def _make_resolver(reactor: Any, store: ObjectStore) -> NameResolver:
    files = SystemFiles(reactor, in_threads_of(reactor))
    lookup = Lookup(files.current, client_maker(reactor, SystemRandom()), can_reach)
    return NameResolver(reactor, SystemRandom(), lookup, ResolvedNames(store))
