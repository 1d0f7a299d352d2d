"""
``txingress shadow``: the requests of a running ingress-nginx, decided here and compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from ingress.admin.page import Content, Page, PageRequest
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.admin.turns import Turns
from ingress.command.api_run import run_with_client, run_with_reactor
from ingress.command.bounded_input import STANDARD_INPUT, is_stream
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.log_format import FORMAT_KEY, make_reader
from ingress.command.log_tally import report
from ingress.command.offline import read_config
from ingress.command.options import add_format, add_objects, cluster_of
from ingress.command.shadow_lines import FileFollower, LineSplitter, StreamLines
from ingress.command.shadow_mirror import CopyFactory, CopyQueue
from ingress.command.shadow_record import ShadowRecord
from ingress.command.shadow_rules import LiveRules
from ingress.command.simulate_command import host_of, refuse_unread
from ingress.config import Config, Listen
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.downstream.listeners import Listeners, bind_listeners
from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.problem import printable
from ingress.routing.build import Built
from ingress.telemetry.exposition import MEDIA_TYPE, counter, pieces

EXAMPLES: Final = """examples:
  kubectl -n ingress-nginx logs -f deploy/ingress-nginx-controller |
    txingress shadow --log - -- k8s/
  txingress shadow --log /var/log/access.log --config ingress.yaml --metrics 127.0.0.1:10255
  txingress shadow --listen 0.0.0.0:8080 --kubeconfig ~/.kube/config --metrics 127.0.0.1:10255
"""
_CONNECTIONS: Final = 1024
_MAX_SECONDS: Final = 86400 * 31


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="follow this log, through rotation; - is standard input, which ends the command",
    )
    parser.add_argument(
        "--from-start", action="store_true", help="read what the log has already as well"
    )
    parser.add_argument(
        "--log-format",
        default="",
        metavar="FORMAT",
        help="as for simulate; that of the ConfigMap, those of ingress-nginx, JSON and our own "
        "need none",
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="take copies of requests here: HOST:PORT"
    )
    parser.add_argument(
        "--answer-field",
        default="",
        metavar="NAME",
        help="the field of copies that says what was answered: SERVICE STATUS, or STATUS",
    )
    parser.add_argument(
        "--metrics",
        metavar="ADDRESS",
        help="serve /metrics, /readyz and /differences here: HOST:PORT",
    )
    parser.add_argument("--host", help="the host of requests whose line has none")
    parser.add_argument(
        "--scheme",
        choices=("http", "https"),
        help="the scheme of requests that do not say it; without it both are tried for lines, and "
        "https is that of copies",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="end after this time, in place of ^C",
    )
    add_format(parser, "text", "json")
    add_objects(parser, behind=True)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    if not arguments.log and not arguments.listen:
        raise CannotRun("name a log (--log FILE), or an address for copies (--listen ADDRESS)")
    if any(map(is_stream, arguments.paths)):
        raise CannotRun("manifests are followed: name files and folders, no pipe")
    if arguments.seconds is not None and not 0 < arguments.seconds <= _MAX_SECONDS:
        raise CannotRun(
            f"--for {arguments.seconds:g}: seconds from 0 to {_MAX_SECONDS} are accepted"
        )
    config = read_config(arguments.config, arguments.paths, cluster_of(arguments))
    shadow = _Shadow(arguments, config)
    if config.cluster is not None:
        run_with_client(config.cluster, shadow.work)
    else:
        run_with_reactor(lambda reactor: shadow.work(reactor, None))
    shadow.write()
    if shadow.record.tally is not None:
        refuse_unread(shadow.record.tally)
    return FOUND if shadow.record.differs else FINE


class _Shadow:
    """What runs: rules, a log, listeners."""

    def __init__(self, arguments: argparse.Namespace, config: Config) -> None:
        self._arguments = arguments
        self._config = config
        self._format = ""
        host = host_of(arguments.host) if arguments.host else None
        is_secure = None if arguments.scheme is None else arguments.scheme == "https"
        self.record = ShadowRecord(
            make_reader(arguments.log_format), self._tell, time.time, host, is_secure
        )
        self._follower: FileFollower | None = None
        self._queue: CopyQueue | None = None
        self._readiness = Readiness(rules="the first rules are not read yet")
        self._listeners: Listeners | None = None
        self._over: Deferred[None] = Deferred()

    def write(self) -> None:
        """Write the report."""
        if self._arguments.format == "json":
            print(json.dumps(self._as_json(), indent=2, ensure_ascii=False))
        else:
            for text in self._as_text():
                print(text)

    async def work(self, reactor: Any, client: APIClient | None) -> None:
        """Return when the log has ended, the time is over, or ^C came."""
        over = self._over
        ended: Deferred[None] = Deferred()

        def interrupted() -> Deferred[None]:
            _fire(over)
            return ended

        rules = LiveRules(reactor, self._config, client, self._rebuilt)
        # A ^C stops the reactor, which waits for the end of this.
        reactor.addSystemEventTrigger("before", "shutdown", interrupted)
        try:
            self._listen(reactor)
            await rules.start()
            self._readiness.clear("rules")
            if rules.problems:
                self._remark(f"{rules.problems} problems; txingress check lists them")
            self._follow(reactor, over)
            if self._arguments.seconds is not None:
                reactor.callLater(self._arguments.seconds, _fire, over)
            await over
        finally:
            if self._follower is not None:
                self._follower.stop()
            if self._queue is not None:
                self._queue.stop()
            if self._listeners is not None:
                await self._listeners.stop()
            await rules.stop()
            ended.callback(None)

    def _rebuilt(self, built: Built) -> None:
        item = built.memo.config_map.item
        written = item.data.get(FORMAT_KEY, "").strip() if item is not None else ""
        if written != self._format and not self._arguments.log_format:
            self._format = written
            try:
                self.record.read = make_reader(written)
            except CannotRun as error:
                self._remark(f"{FORMAT_KEY}: {error}; the default of ingress-nginx is read")
                self.record.read = make_reader("")
        self.record.rebuild(built)
        if self.record.generation > 1:
            self._remark("the rules have changed")

    def _follow(self, reactor: Any, over: Deferred[None]) -> None:
        if not self._arguments.log:
            return
        splitter = LineSplitter(self.record.take_line)
        if self._arguments.log == STANDARD_INPUT:
            from twisted.internet.stdio import StandardIO

            StandardIO(StreamLines(splitter, lambda: _fire(over)), reactor=reactor)
            return
        self._follower = FileFollower(
            reactor,
            self._arguments.log,
            splitter,
            self.record.cut_line,
            from_start=self._arguments.from_start,
        )
        self._follower.start()
        self._remark(f"following {self._arguments.log}")

    def _listen(self, reactor: Any) -> None:
        """
        :raises CannotRun: if an address cannot be bound.
        """
        given = self._arguments
        addresses = Listen(http=_address(given.listen), https=(), admin=_address(given.metrics))
        self._queue = CopyQueue(
            reactor, self.record, given.answer_field, is_secure=given.scheme != "http"
        )
        try:
            self._listeners = bind_listeners(addresses, Path.cwd())
            for listener, factory, what in (
                (self._listeners.http, CopyFactory(reactor, self._queue), "copies"),
                (
                    self._listeners.admin,
                    make_admin_site(self._readiness, Turns(reactor), self._pages()),
                    "metrics",
                ),
            ):
                if listener.addresses:
                    listener.start(reactor, factory, ConnectionLimit(_CONNECTIONS))
                    self._remark(f"{what} on {', '.join(listener.addresses)}")
        except (ListenError, IngressError) as error:
            raise CannotRun(str(error)) from None

    def _pages(self) -> dict[str, Page]:
        async def metrics(request: PageRequest) -> Content:
            follower, queue = self._follower, self._queue
            rotations = follower.rotations if follower is not None else 0
            cut = follower.cut_lines if follower is not None else 0
            dropped = counter(
                "txingress_shadow_dropped_total",
                "Copies that came faster than they could be decided about.",
                queue.dropped if queue is not None else 0,
            )
            families = (*self.record.families(rotations, cut), dropped)
            return Content(MEDIA_TYPE, pieces(families))

        async def differences(request: PageRequest) -> Content:
            if request.query.choice("format", "json", "text") == "text":
                text = "".join(f"{line}\n" for line in self._as_text())
                return Content(b"text/plain; charset=utf-8", iter((text.encode(),)))
            data = json.dumps(self._as_json(), ensure_ascii=False).encode()
            return Content(b"application/json", iter((data,)))

        return {
            "metrics": Page(metrics, None),
            "differences": Page(differences, frozenset({"format"})),
        }

    def _as_json(self) -> dict[str, Any]:
        dropped = self._queue.dropped if self._queue is not None else 0
        return {**self.record.as_json(), "dropped": dropped}

    def _as_text(self) -> Iterator[str]:
        record = self.record
        for answer, group in sorted(record.answers.items(), key=lambda one: -one[1].count):
            rule = (
                f"{answer.host}{answer.path} of {answer.ingress}" if answer.ingress else "no rule"
            )
            yield f"{group.count} would get {answer.status} ({answer.reason}): {rule}"
            yield from (f"      {text}" for _, text in group.examples)
        if record.tally is not None:
            yield from report(record.tally)
        copies = record.results["mirror", "decided"]
        if copies or self._arguments.listen:
            yield f"{copies} copies whose answer nobody has said"

    def _tell(self, text: str) -> None:
        if self._arguments.format == "text":
            try:
                print(printable(text), flush=True)
            except BrokenPipeError:
                # Whoever reads has seen enough.
                _fire(self._over)

    def _remark(self, text: str) -> None:
        print(f"txingress shadow: {printable(text)}", file=sys.stderr, flush=True)


def _address(written: str | None) -> tuple[str, ...]:
    return (written,) if written else ()


def _fire(over: Deferred[None]) -> None:
    if not over.called:
        over.callback(None)
