"""
The example of "Kubernetes in Action", without Kubernetes: ``make run``.

Starts programs in place of pods, makes the certificate of secure.example.com,
and serves the manifests beside this file with ``twistd ingress`` until ^C.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import treq
from certificate import ensure_certificate
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Site

DEMO = Path(__file__).resolve().parent
CHECKOUT = DEMO.parent.parent

# In a process group of its own, so that ^C reaches only us; we end the proxy.
TWISTD = "import os; os.setpgrp(); from twisted.scripts.twistd import run; run()"

# ingress.yaml and manifests/ have the same ports.
HTTP, HTTPS, ADMIN = 8080, 8443, 10254
PODS = {"kubia-1": 18001, "kubia-2": 18002, "kubia-3": 18003, "foo-1": 18011, "bar-1": 18012}

GREETING = """
Ready on {http} for http and on {https} for https.

The page with everything that is served, live:  http://localhost:{admin}/

To try, in another terminal and in this folder:

  # Three endpoints take turns.
  curl -H 'Host: kubia.example.com' 'http://localhost:{http}/[1-3]'

  # One host, two Services by path; any other path is 404.
  curl -H 'Host: paths.example.com' http://localhost:{http}/kubia
  curl -H 'Host: paths.example.com' http://localhost:{http}/foo
  curl -H 'Host: paths.example.com' http://localhost:{http}/

  # Two hosts, a Service each.
  curl -H 'Host: foo.example.com' http://localhost:{http}/
  curl -H 'Host: bar.example.com' http://localhost:{http}/

  # A host with a certificate: http is redirected.
  curl -i -H 'Host: secure.example.com' http://localhost:{http}/
  curl --cacert {certificate} \\
       --resolve secure.example.com:{https}:127.0.0.1 https://secure.example.com:{https}/

  # A cookie keeps a client on one endpoint.
  curl -b '' -H 'Host: sticky.example.com' 'http://localhost:{http}/[1-3]'

The manifests are in {manifests}; edit one, and the change is served at once.
To serve your own YAML, write a configuration like {config} and run
  PYTHONPATH={checkout} {twistd} -n --pidfile= ingress --config YOURS.yaml

^C ends it.
"""


class Pod(Resource):
    """Answers every request as the book's pods do."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._answer = f"You've hit {name}\n".encode()

    def render(self, request: IRequest) -> bytes:
        """Return the whole answer (`IResource`)."""
        request.setHeader(b"Content-Type", b"text/plain")
        return self._answer


class Proxy(ProcessProtocol):
    """The ``twistd ingress`` process, which writes to our own standard output."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.ending = signal.SIGTERM
        """The signal that ends the proxy: ^C is passed on as what it is."""

        self.ended: Deferred[None] = Deferred()

    def start(self, reactor: Any) -> None:
        path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
        config = str(DEMO / "ingress.yaml")
        twistd = (sys.executable, "-c", TWISTD, "-n", "--pidfile=")
        reactor.spawnProcess(
            self,
            sys.executable,
            (*twistd, "ingress", "--config", config),
            env={**os.environ, "PYTHONPATH": path},  # where twisted/plugins is found
            childFDs={0: 0, 1: 1, 2: 2},
        )
        reactor.addSystemEventTrigger("before", "shutdown", self.stop)

    def stop(self) -> Deferred[None]:
        """Ask the proxy to end; the Deferred fires when it has ended."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(self.ending)
        return self.ended

    def processEnded(self, reason: Failure) -> None:
        """Note that the process has ended (`IProcessProtocol`)."""
        self.status = reason.value.exitCode
        self.ended.callback(None)


async def demo(reactor: Any) -> None:
    taken = [str(port) for port in (HTTP, HTTPS, ADMIN, *PODS.values()) if is_taken(port)]
    if taken:
        raise SystemExit(
            f"Taken by something else: port {', '.join(taken)}. End what listens there, or"
            f" choose other ports in the files of {DEMO}."
        )
    certificate = ensure_certificate(DEMO / "secrets/default/tls-secret", "secure.example.com")
    for name, port in PODS.items():
        reactor.listenTCP(port, Site(Pod(name)), interface="127.0.0.1")
    proxy = Proxy()
    proxy.start(reactor)

    def end(number: int, _: object) -> None:
        # SIGHUP comes when the terminal is closed; the proxy would only read its configuration.
        proxy.ending = signal.SIGTERM if number == signal.SIGHUP else signal.Signals(number)
        reactor.callFromThread(reactor.stop)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not proxy.ended.called and not await is_ready():
        await deferLater(reactor, 0.1)
    if not proxy.ended.called:
        greet(certificate)
        await proxy.ended
    if proxy.status:
        raise SystemExit("The proxy has ended; its own last lines say why.")


def is_taken(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


async def is_ready() -> bool:
    try:
        response = await treq.get(f"http://127.0.0.1:{ADMIN}/readyz", persistent=False, timeout=5)
    except Exception:
        return False
    return response.code == 200


def greet(certificate: Path) -> None:
    def from_here(path: Path) -> str:
        return shlex.quote(os.path.relpath(path))

    print(
        GREETING.format(
            http=HTTP,
            https=HTTPS,
            admin=ADMIN,
            certificate=from_here(certificate),
            manifests=from_here(DEMO / "manifests"),
            config=from_here(DEMO / "ingress.yaml"),
            checkout=from_here(CHECKOUT),
            twistd=from_here(Path(sys.executable).with_name("twistd")),
        ),
        flush=True,
    )


if __name__ == "__main__":
    react(demo)
