"""
The data plane of one process, put together for its reactor.
"""

from __future__ import annotations

import os
import time
from functools import partial
from random import Random
from typing import Any

from ingress.deadline import Deadlines
from ingress.exchange.loop_marker import LoopMarker
from ingress.policy.limiter import Limiter
from ingress.relay.transport import connect_relay
from ingress.serving.data_plane import DataPlane
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.traffic import Traffic
from ingress.transports.connector import connect
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.tls import tls_dialers


def make_plane(
    reactor: Any, marker: LoopMarker, limiter: Limiter | None = None
) -> tuple[DataPlane, Recorder]:
    """
    Make the data plane of this process.

    :param marker: marks what is forwarded, with the token of the installation.
    :param limiter: the state of limits that all workers share; None if there is one process.
    :return: the data plane, and the recorder of its exchanges, to be started with it.
    """
    deadlines = Deadlines(reactor)
    recorder = Recorder(Traffic(), AccessLog(reactor, None, time.time))
    plane = DataPlane(
        EndpointRegistry(partial(connect, reactor), tls_dialers(reactor), deadlines),
        deadlines,
        Random(),  # noqa: S311 (ids and sessions need not be secret)
        wall_clock=time.time,
        process=os.getpid(),
        recorder=recorder,
        marker=marker,
        limiter=limiter,
        dial_relay=partial(connect_relay, reactor),
    )
    return plane, recorder
