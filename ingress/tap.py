"""
``twistd ingress``: the options, and the one place that puts the parts together.

This module is imported before the reactor is chosen, and so may choose it.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.internet.threads import deferToThreadPool
from twisted.python import usage

from ingress.admin.pages import make_pages
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.config import Config
from ingress.config.file import ConfigError, load_config
from ingress.control_plane import ControlPlane
from ingress.controller import Controller, utc_now
from ingress.deadline import Deadlines
from ingress.frontend.bound_socket import ListenError
from ingress.frontend.data_plane import DataPlane
from ingress.frontend.listeners import Listeners, bind_listeners
from ingress.frontend.local_reports import LocalReports
from ingress.frontend.local_serving import LocalServing
from ingress.frontend.self_signed import make_self_signed
from ingress.frontend.tls import TLSContexts
from ingress.kube.files import FilesSource
from ingress.kube.store import ObjectStore
from ingress.problem_log import ProblemLog
from ingress.routing.snapshot import ServerCertificate, Snapshot
from ingress.service import Admin, IngressService
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.totals import Totals
from ingress.telemetry.traffic import Traffic
from ingress.telemetry.watched import Reports, Watched
from ingress.termination import Termination
from ingress.transport import connect_tcp
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.tls_transport import tls_dialers

if hasattr(select, "epoll"):
    # Before anybody asks for a reactor. Without epoll Twisted's own choice serves.
    from ingress.reactor import install_reactor

    install_reactor()


SWITCH_INTERVAL = 0.001
"""
Seconds for which a thread that reads files may keep the interpreter from the reactor,
each time that the reactor comes back from waiting for events; Python's own 5 ms add up
over the few turns that a request takes.
"""


class Options(usage.Options):
    """The command line of ``twistd ingress``."""

    synopsis = "[--config FILE]"
    longdesc = "Serves the Ingresses of a cluster, or of plain YAML files, over HTTP and TLS."
    optParameters: ClassVar = [
        ["config", "c", None, "The configuration file (etc/ingress.yaml shows all)."]
    ]

    def postOptions(self) -> None:
        """
        Read the configuration and bind the sockets.

        Here, before the process is a daemon and sheds its privileges: a mistake
        is told on the terminal, and a port below 1024 can be had.

        :raises SystemExit: with one line a mistake, and status 1.
        """
        if self["config"] is None:
            raise SystemExit("--config FILE is needed; etc/ingress.yaml shows what it may have")
        try:
            config = load_config(Path(self["config"]))
            assert config.path is not None
            self["listeners"] = bind_listeners(config.listen, config.path.parent)
        except (ConfigError, ListenError) as error:
            raise SystemExit(str(error)) from None
        self["loaded"] = config


def makeService(options: Options) -> IService:
    """Put the parts of one process together (`IServiceMaker`)."""
    from twisted.internet import reactor as installed

    # Its type names a part of what it does.
    reactor: Any = installed
    config = options["loaded"]
    listeners = options["listeners"]
    readiness = Readiness(start="the first snapshot is not published yet")
    totals = Totals()
    serving, reports = _make_serving(
        reactor, listeners, make_self_signed(datetime.now(UTC)), totals
    )
    control_plane = _make_control_plane(reactor, config, serving.publish)
    pages = make_pages(_watched(control_plane, totals, reports))
    return IngressService(
        reactor,
        Admin(listeners.admin, make_admin_site(readiness, reactor, pages), readiness),
        control_plane,
        serving,
        Termination(reactor),
    )


def _make_control_plane(
    reactor: Any, config: Config, publish: Callable[[Snapshot], None]
) -> ControlPlane:
    store = ObjectStore()
    source = FilesSource(reactor, store, config.source.paths, config.tls.secrets)
    problem_log = ProblemLog(reactor, source.locate)
    return ControlPlane(
        reactor,
        config,
        source,
        Controller(store, config, publish, problem_log, clock=reactor),
        problem_log,
        partial(deferToThreadPool, reactor, reactor.getThreadPool()),
    )


def _watched(control_plane: ControlPlane, totals: Totals, reports: Reports) -> Watched:
    try:
        version = metadata.version("txingress")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return Watched(
        version=version,
        published=control_plane.controller,
        configured=control_plane.live_config,
        problems=control_plane.problem_log,
        totals=totals,
        reports=reports,
        now=utc_now,
        pod=os.environ.get("POD_NAME", ""),
        namespace=os.environ.get("POD_NAMESPACE", ""),
    )


def _make_serving(
    reactor: Any, listeners: Listeners, default: ServerCertificate, totals: Totals
) -> tuple[LocalServing, LocalReports]:
    """
    :param default: where neither SNI nor a Snapshot gives a certificate.
    :param totals: get what is counted.
    """
    deadlines = Deadlines(reactor)
    traffic = Traffic()
    recorder = Recorder(traffic, AccessLog(reactor, None, time.time))
    plane = DataPlane(
        EndpointRegistry(partial(connect_tcp, reactor), tls_dialers(reactor), deadlines),
        deadlines,
        Random(),  # noqa: S311 (ids and sessions need not be secret)
        wall_clock=time.time,
        process=os.getpid(),
        recorder=recorder,
    )
    contexts = TLSContexts(lambda: plane.snapshot, default)
    return (
        LocalServing(reactor, listeners, plane, contexts, [recorder]),
        LocalReports(reactor, plane, traffic, totals),
    )
