"""
Makes a client from the configuration: which API server, with which credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from ingress.config import Cluster
from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import Connections, endpoint_maker
from ingress.kube.api.credential_files import FileCredentials
from ingress.kube.api.credentials import Credentials
from ingress.kube.api.exec_plugin import ExecCredentials, ExecPlugin
from ingress.kube.api.fresh_files import FreshFiles
from ingress.kube.api.kubeconfig import APIAccess, load_kubeconfig
from ingress.kube.api.service_account import FOLDER, load_service_account

_log = Logger()


def find_api(
    cluster: Cluster, environment: Mapping[str, str], service_account: Path = FOLDER
) -> APIAccess:
    """
    Find the API server and our credentials, before the reactor exists.

    :param environment: ours.
    :param service_account: its folder in a cluster.
    :raises ConfigError: with one line for each mistake.
    """
    if cluster.kubeconfig is not None:
        return load_kubeconfig(cluster.kubeconfig, cluster.context)
    return load_service_account(environment, service_account)


def connect(
    reactor: Any,
    access: APIAccess,
    environment: Mapping[str, str],
    wall_clock: Callable[[], float] = time.time,
) -> APIClient:
    """
    Make the client, which sends nothing before its first request.

    :param reactor: for connections, threads that read files, and processes.
    :param access: from `find_api`.
    :param environment: of exec plugins.
    :param wall_clock: in seconds since 1970.
    """
    if not access.server.is_verified:
        _log.warn(
            "The certificate of the API server at {url} is not verified (insecure-skip-tls-verify)",
            url=access.server.url,
        )
    run_in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    user = access.user
    credentials: Credentials
    if isinstance(user, ExecPlugin):
        credentials = ExecCredentials(reactor, user, access.server, environment, wall_clock)
    else:
        credentials = FileCredentials(reactor, run_in_thread, user)
    ca = None
    if access.ca_file is not None:
        ca = FreshFiles(reactor, run_in_thread, [access.ca_file])
    return APIClient(
        reactor,
        access.server,
        credentials,
        Connections(reactor, endpoint_maker(reactor, access.server), ca),
        namespace=access.namespace,
        wall_clock=wall_clock,
    )
