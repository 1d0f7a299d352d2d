"""
The kinds of load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from benchmarks.comparison.idle import IdleConnections
from benchmarks.comparison.load import SCRIPTS, LoadResult, h2load, h2load_streams, wrk
from benchmarks.comparison.peer import Contender
from benchmarks.comparison.site import LARGE, SMALL, STREAM, UNARY, UPLOAD

CONNECTIONS = 64

PACED_CONNECTIONS = 256
"""So many that what one client does depends little on how others fare."""

IDLE_CONNECTIONS = 1000

BASIS = "small"
"""The scenario that says what a peer can take, half of which it then gets."""

HANDSHAKES = 500
"""New TLS connections a second: what even RSA leaves room for."""

Drive = Callable[[Contender, int, float], LoadResult]
"""Load a contender from that core for so many seconds."""

Prepare = Callable[[Contender], AbstractContextManager[object]]
"""What there is besides the load, and not measured."""


@dataclass(frozen=True)
class Scenario:
    """
    :ivar site: a key of `SITES`.
    :ivar saturates: whether the proxy is what bounds the rate. Else the processor time
        per request is what says something, and a run counts if nothing else disturbed it.
    """

    name: str
    title: str
    drive: Drive
    site: str = "one"
    saturates: bool = True
    prepare: Prepare = lambda contender: nullcontext()


def get(
    scheme: str, path: str = SMALL, script: str = "", *arguments: str, close: bool = False
) -> Drive:
    """As many requests as possible."""

    def drive(contender: Contender, core: int, seconds: float) -> LoadResult:
        url = contender.url(scheme, path)
        return wrk(url, core, seconds, CONNECTIONS, script, *arguments, close=close)

    return drive


def handshake(contender: Contender, core: int, seconds: float) -> LoadResult:
    """Full TLS handshakes at a fixed rate, one request each."""
    return h2load(contender.url("https", SMALL), core, seconds, HANDSHAKES)


def get_http2(scheme: str, clients: int, streams: int) -> Drive:
    """As many requests as possible over HTTP/2."""

    def drive(contender: Contender, core: int, seconds: float) -> LoadResult:
        return h2load_streams(contender.url(scheme, SMALL), core, seconds, clients, streams)

    return drive


def call_grpc(method: str, clients: int, streams: int) -> Drive:
    """As many calls of gRPC as possible, so many at once on each of the connections."""
    message = ("-d", str(SCRIPTS / "message.grpc"))
    fields = ("-H", "content-type: application/grpc", "-H", "te: trailers")

    def drive(contender: Contender, core: int, seconds: float) -> LoadResult:
        url = contender.url("h2c", f"{method}/Call")
        return h2load_streams(url, core, seconds, clients, streams, *message, *fields)

    return drive


def paced(rates: Mapping[str, float]) -> Drive:
    """
    Requests at about a rate, of each peer by its name: clients pause between requests.

    The pause is what the rate wants less what the answer takes, which is little beside it.
    """

    def drive(contender: Contender, core: int, seconds: float) -> LoadResult:
        pause = PACED_CONNECTIONS / rates[contender.peer.name] * 1000
        url = contender.url("http", SMALL)
        return wrk(url, core, seconds, PACED_CONNECTIONS, "pace.lua", f"{pause:.2f}")

    return drive


def _idle(contender: Contender) -> AbstractContextManager[object]:
    return IdleConnections(contender.place.http, IDLE_CONNECTIONS)


_h2, _h2c = partial(get_http2, "https"), partial(get_http2, "h2c")

SCENARIOS = [
    Scenario("small", "Small GETs, 64 connections", get("http")),
    Scenario("small-tls", "Small GETs over TLS, 64 connections", get("https")),
    Scenario(
        "h2c", "Small GETs in HTTP/2 in the clear, 16 connections of 10 streams", _h2c(16, 10)
    ),
    Scenario(
        "h2c-single", "Small GETs in HTTP/2 in the clear, 64 connections of 1 stream", _h2c(64, 1)
    ),
    Scenario("h2", "Small GETs in HTTP/2 over TLS, 16 connections of 10 streams", _h2(16, 10)),
    Scenario("h2-single", "Small GETs in HTTP/2 over TLS, 64 connections of 1 stream", _h2(64, 1)),
    Scenario(
        "grpc",
        "Unary calls of gRPC, 16 connections of 10 streams",
        call_grpc(UNARY, 16, 10),
        "grpc",
    ),
    Scenario(
        "grpc-stream",
        "Calls of gRPC that stream 1,000 messages of 64 bytes",
        call_grpc(STREAM, 4, 1),
        "grpc",
        saturates=False,
    ),
    Scenario("connect", "A connection for each GET", get("http", close=True), saturates=False),
    Scenario(
        "connect-ecdsa", "A TLS connection for each GET, ECDSA P-256", handshake, saturates=False
    ),
    Scenario(
        "connect-rsa", "A TLS connection for each GET, RSA 2048", handshake, "rsa", saturates=False
    ),
    Scenario(
        "connect-resumed",
        "A TLS connection for each GET, session resumed",
        get("https", close=True),
        saturates=False,
    ),
    Scenario("download", "Downloads of 1 MiB", get("http", LARGE), saturates=False),
    Scenario("download-tls", "Downloads of 1 MiB over TLS", get("https", LARGE), saturates=False),
    Scenario("upload", "Uploads of 1 MiB", get("http", UPLOAD, "upload.lua"), saturates=False),
    Scenario(
        "upload-tls",
        "Uploads of 1 MiB over TLS",
        get("https", UPLOAD, "upload.lua"),
        saturates=False,
    ),
    Scenario("idle", "Small GETs beside 1,000 idle connections", get("http"), prepare=_idle),
    Scenario("hosts-1", "Small GETs to 1 host", get("http", SMALL, "hosts.lua", "1")),
    Scenario(
        "hosts-10000",
        "Small GETs to 10,000 hosts",
        get("http", SMALL, "hosts.lua", "10000"),
        "many",
    ),
]


def latency_scenarios(most: Mapping[str, float], ours: str) -> list[Scenario]:
    """
    :param most: requests a second that each peer can take.
    :param ours: the peer whose half is what all of them get in the second scenario.
    """
    own = {peer: rate / 2 for peer, rate in most.items()}
    scenarios = [
        Scenario("latency", "Small GETs at half of its own maximum", paced(own), saturates=False)
    ]
    if ours in own:
        same = dict.fromkeys(own, own[ours])
        title = f"Small GETs at half of the maximum of {ours}"
        scenarios.append(Scenario("latency-same", title, paced(same), saturates=False))
    return scenarios
