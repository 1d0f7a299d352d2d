"""
``twistd ingress``: its options, and the composition of the whole process.

This module is imported before a reactor is installed, and may therefore install one.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from socket import gethostname
from typing import Any, ClassVar, cast

from twisted.application.service import IService, MultiService
from twisted.logger import Logger
from twisted.python import usage
from twisted.web.server import Site

from ingress.admin.access_check import AccessCheck
from ingress.admin.host_check import HostCheck
from ingress.admin.pages import make_pages
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.admin.turns import Turns
from ingress.change_log import ChangeLog
from ingress.config import Config
from ingress.config_file import ConfigError, load_config
from ingress.control_plane import ControlPlane
from ingress.control_side import ClusterSide, in_threads_of, make_cluster_plane, make_files_plane
from ingress.controller import utc_now
from ingress.data_side import Given, make_local_serving, make_workers
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import bind_listeners
from ingress.exchange.loop_marker import LoopMarker, make_token
from ingress.explain.history import SnapshotHistory
from ingress.health.checks import HealthChecks
from ingress.health.probe import asking
from ingress.installation import describe, find_documented_configuration, find_version
from ingress.kube.api.connect import find_api
from ingress.live_config import LiveConfig
from ingress.local_addresses import LocalAddresses, own_addresses
from ingress.process_log import PROCESS_LOG
from ingress.reopening import Reopening
from ingress.routing.snapshot import Snapshot
from ingress.service import Admin, IngressService
from ingress.service_manager import ServiceManager, sender
from ingress.telemetry.ingress_checks import IngressChecks
from ingress.telemetry.observed_proxy import ObservedProxy, Reports
from ingress.telemetry.rate_keeper import RateKeeper
from ingress.telemetry.totals import Totals
from ingress.termination import Termination

if hasattr(select, "epoll"):
    # Before any import of the reactor. Without epoll Twisted's default is used.
    from ingress.transports.reactor import install_reactor

    install_reactor()


_log = Logger()

SWITCH_INTERVAL = 0.001
"""
Seconds for which a thread that reads files may hold the interpreter while the reactor
waits for it. Python's default of 5 ms adds up over the few turns that a request takes.
"""


class Options(usage.Options):
    """The command line of ``twistd ingress``."""

    synopsis = "[--config FILE]"
    longdesc = "Serves the Ingresses of a cluster, or of plain YAML files, over HTTP and TLS."
    optParameters: ClassVar = [
        ["config", "c", None, "The configuration file (etc/ingress.yaml documents every key)."]
    ]

    def opt_version(self) -> None:
        """Show what is installed, and exit."""
        print(describe())
        raise SystemExit(0)

    def postOptions(self) -> None:
        """
        Read the configuration and bind the sockets.

        This is before the process becomes a daemon and sheds its privileges, so that mistakes
        are shown on the terminal and ports below 1024 can be bound.

        :raises SystemExit: with one line for each mistake, and status 1.
        """
        if self["config"] is None:
            documented = find_documented_configuration()
            raise SystemExit(f"--config FILE is required; {documented} documents every key")
        try:
            config = load_config(Path(self["config"]))
            api = find_api(config.cluster, os.environ) if config.cluster is not None else None
            assert config.path is not None
            listeners = bind_listeners(config.listen, config.path.parent)
            twins = listeners.twins(config.workers) if config.workers > 1 else ()
        except (ConfigError, ListenError) as error:
            raise SystemExit(str(error)) from None
        self["loaded"], self["listeners"], self["twins"] = config, listeners, twins
        self["api"] = api
        namespace = os.environ.get("POD_NAMESPACE") or (api.namespace if api is not None else "")
        self["marker"] = LoopMarker(make_token(config, namespace))
        if self.parent is not None:
            PROCESS_LOG.take_over(self.parent, config.log)


def makeService(options: Options) -> IService:
    """Compose the service of one process (`IServiceMaker`)."""
    from twisted.internet import reactor as installed

    _log.info("{what}", what=describe())
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Its declared type names only some of its interfaces.
    reactor: Any = installed
    config = options["loaded"]
    listeners = options["listeners"]
    readiness = Readiness(start="the first snapshot is not published yet")
    termination = Termination(reactor)
    totals = Totals()
    make = make_local_serving if config.workers == 1 else make_workers
    given = Given(options["marker"], listeners, options["twins"])
    serving, reports, lost = make(reactor, given, totals, termination, readiness)
    changes = ChangeLog(reactor)
    history = SnapshotHistory(reactor, utc_now)
    health = HealthChecks(reactor, Random(), asking(reactor), serving.publish)  # noqa: S311

    def publish(snapshot: Snapshot) -> None:
        health.publish(snapshot)
        changes.take(snapshot)
        history.take(snapshot)

    checks = IngressChecks()
    own = own_addresses(listeners.tcp_addresses, os.environ)
    in_cluster = config.cluster is not None
    local = LocalAddresses(own, reactor, in_threads_of(reactor), is_from_cluster=in_cluster)
    cluster = None
    if in_cluster:
        cluster = ClusterSide(reactor, config, options["api"])
        readiness.add_notes(cluster.source.contacts.notes)
        control_plane = make_cluster_plane(reactor, config, cluster, publish, checks, local)
    else:
        control_plane = make_files_plane(reactor, config, publish, checks, local)
    local.changed = control_plane.controller.rebuild
    serving.port_failures.report = control_plane.report_ports
    checks.problems = control_plane.problem_log
    readiness.add_notes(control_plane.problem_log.notes)
    observed = _observed_proxy(
        control_plane, cluster, totals, reports, lost, checks, health, history
    )
    site = _make_site(reactor, config, control_plane.live_config, observed, readiness)
    process: Any = MultiService()
    files = [PROCESS_LOG.reopen, serving.reopen]
    manager = ServiceManager(reactor, os.environ, sender(os.environ))

    def reread() -> None:
        manager.begin_reload()
        control_plane.live_config.reread(manager.end_reload)

    process.addService(Reopening(reactor, files, reread))
    process.addService(local)
    process.addService(health)
    process.addService(RateKeeper(reactor, reports, totals.rates))
    process.addService(
        IngressService(
            reactor,
            Admin(listeners.admin, site, readiness),
            control_plane,
            serving,
            termination,
            [manager],
        )
    )
    # The last, so that its timer begins behind the forks.
    process.addService(manager)
    return cast(IService, process)


def _make_site(
    reactor: Any,
    config: Config,
    live: LiveConfig,
    observed: ObservedProxy,
    readiness: Readiness,
) -> Site:
    """:return: what the admin listener serves."""
    names = (gethostname(), os.environ.get("POD_NAME", ""))
    path = config.admin.health_path
    access = AccessCheck(
        HostCheck(names, lambda: live.current.admin.hosts),
        lambda: live.current.admin.clients,
        path,
    )
    turns = Turns(reactor)
    pages = make_pages(observed, turns, in_threads_of(reactor))
    return make_admin_site(readiness, turns, pages, access, path)


def _observed_proxy(
    control_plane: ControlPlane,
    cluster: ClusterSide | None,
    totals: Totals,
    reports: Reports,
    lost: Callable[[], int],
    checks: IngressChecks,
    health: HealthChecks,
    history: SnapshotHistory,
) -> ObservedProxy:
    return ObservedProxy(
        version=find_version(),
        published=control_plane.controller,
        configured=control_plane.live_config,
        problems=control_plane.problem_log,
        found=control_plane.problem_log.found,
        totals=totals,
        reports=reports,
        now=utc_now,
        api_ages=lambda: cluster.source.contacts.staleness if cluster is not None else {},
        api_relists=lambda: cluster.source.contacts.relists if cluster is not None else {},
        api_watch_failures=lambda: (
            cluster.source.contacts.watch_failures if cluster is not None else {}
        ),
        leases=cluster.writer.leases if cluster is not None else dict,
        ingress_checks=checks,
        unhealthy=lambda: health.unhealthy,
        health_check_results=health.results,
        lost_workers=lost,
        changes=history,
        pod=os.environ.get("POD_NAME", ""),
        namespace=os.environ.get("POD_NAMESPACE", ""),
    )
