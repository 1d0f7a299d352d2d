"""
The command: ``python -m benchmarks.comparison``.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from benchmarks.comparison import machine, options
from benchmarks.comparison.idle import allow_descriptors
from benchmarks.comparison.memory import Scales
from benchmarks.comparison.nginx import content_command
from benchmarks.comparison.options import LATENCY, MEMORY, OURS, Options
from benchmarks.comparison.peer import (
    STARTUP,
    Contender,
    NotInstalled,
    Peer,
    find_program,
    free_ports,
    listens,
)
from benchmarks.comparison.process import Failed, Process, niceness, wait_until
from benchmarks.comparison.report import Report
from benchmarks.comparison.rounds import Rounds, tell
from benchmarks.comparison.scenario import BASIS, SCENARIOS, Scenario, latency_scenarios
from benchmarks.comparison.site import EndpointPorts, Site, Sites
from benchmarks.comparison.txingress import CHECKOUT


class Comparison:
    """
    :param folder: for everything that is written meanwhile.
    :param stack: ends what is started.
    """

    def __init__(self, chosen: Options, report: Report, folder: Path, stack: ExitStack) -> None:
        self._chosen = chosen
        self._report = report
        self._folder = folder
        self._stack = stack
        self._peers = self._find()
        ports = EndpointPorts(*free_ports(4))
        content = content_command(find_program("nginx"), ports.content, folder / "content")
        self._endpoints = [
            self._endpoint(ports.content, content),
            self._endpoint(ports.sink, _own("sink", ports.sink)),
            self._endpoint(ports.unary, _echo(ports.unary, folder)),
            self._endpoint(ports.stream, _own("message_stream", ports.stream)),
        ]
        self._site = cache(Sites(folder, ports).make)

    def _find(self) -> list[Peer]:
        found = []
        for peer in self._chosen.peers:
            try:
                self._report.notes[peer.name] = f"{peer.find()}; {peer.notes}"
            except NotInstalled as error:
                self._leave_out(peer.name, str(error))
            else:
                found.append(peer)
        return found

    def _leave_out(self, name: str, why: str) -> None:
        self._report.missing[name] = why
        tell(f"Left out: {name}: {why}")

    def _endpoint(self, port: int, command: list[str]) -> Process:
        environment = {"PYTHONPATH": str(CHECKOUT)}
        output = self._folder / f"endpoint-{port}.output"
        process = Process(command, self._chosen.cores.load, output, environment)
        self._stack.callback(process.stop)
        wait_until(lambda: listens(port), process, STARTUP)
        return process

    def run(self) -> None:
        chosen, report = self._chosen, self._report
        names = set(chosen.scenarios)
        if LATENCY in names:
            names.add(BASIS)
        scenarios = [each for each in SCENARIOS if each.name in names]
        contenders = self._contenders(scenarios)
        rounds = Rounds(contenders, self._endpoints, chosen.cores, chosen.effort)
        report.scenarios += scenarios
        for run in rounds.runs(scenarios):
            report.runs.append(run)
        if LATENCY in chosen.scenarios:
            scenarios = latency_scenarios(report.rates(BASIS), OURS)
            report.scenarios += scenarios
            for run in rounds.runs(scenarios):
                report.runs.append(run)
        for group in contenders.values():
            for contender in group:
                contender.stop()
        if MEMORY in chosen.scenarios:
            self._weigh()

    def _contenders(self, scenarios: list[Scenario]) -> dict[str, list[Contender]]:
        """By the name of their site; a peer that does not start is left out."""
        contenders: dict[str, list[Contender]] = {}
        for name in dict.fromkeys(scenario.site for scenario in scenarios):
            contenders[name] = []
            for peer in self._peers:
                try:
                    contender = self._contender(peer, self._site(name))
                except Failed as error:
                    self._leave_out(f"{peer.name} ({name})", str(error))
                else:
                    contenders[name].append(contender)
        return contenders

    def _contender(self, peer: Peer, site: Site) -> Contender:
        folder = self._folder / site.name / peer.name
        contender = Contender(peer, site, folder, self._chosen.cores.proxy)
        self._stack.callback(contender.stop)
        return contender

    def _weigh(self) -> None:
        sites = {name: self._site(name) for name in ("one", "many", "certificates")}
        cores = self._chosen.cores
        scales = Scales(sites, self._folder / MEMORY, cores.proxy, cores.load)
        for peer in self._peers:
            self._report.footprints.append(scales.weigh(peer))


def _own(module: str, port: int) -> list[str]:
    """The command of an endpoint that is a module beside this one."""
    return [sys.executable, "-m", f"benchmarks.comparison.{module}", str(port)]


def _echo(port: int, folder: Path) -> list[str]:
    """The command of an endpoint of gRPC that sends each message back."""
    options = ["--no-tls", "--echo-upload", "--trailer", "grpc-status: 0", "-a", "127.0.0.1"]
    streams = ["--max-concurrent-streams", "1000"]
    return [find_program("nghttpd"), *options, *streams, "-d", str(folder), str(port)]


NEEDED = {
    "taskset": "util-linux",
    "nginx": "nginx",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
    "nghttpd": "nghttp2-server",
}
"""Programs without which there is nothing, and Debian's packages of them."""


def main() -> int:
    chosen = options.parse()
    for program, package in NEEDED.items():
        try:
            find_program(program)
        except NotInstalled as error:
            print(f"{error}: install {package}", file=sys.stderr)
            return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have us ignore the first
        signal.signal(number, signal.default_int_handler)
    allow_descriptors()
    os.sched_setaffinity(0, {chosen.cores.load})
    report = Report(machine.description())
    status = 0
    try:
        with ExitStack() as stack:
            stack.enter_context(niceness(chosen.niceness))
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="comparison-"))
            Comparison(chosen, report, Path(folder), stack).run()
    except KeyboardInterrupt:
        tell("Interrupted: this is what there is.")
        status = 1
    report.write(chosen.output)
    print("\n".join(report.lines()))
    return status


if __name__ == "__main__":
    sys.exit(main())
