"""
The command: ``python -m benchmarks.comparison``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.comparison import machine, report
from benchmarks.comparison.caddy import Caddy
from benchmarks.comparison.envoy import Envoy
from benchmarks.comparison.haproxy import HAProxy
from benchmarks.comparison.nginx import Nginx, content_command
from benchmarks.comparison.peer import Contender, NotInstalled, Peer, find_program, free_ports
from benchmarks.comparison.process import Failed, Process, take_precedence
from benchmarks.comparison.rounds import Effort, Rounds, Run
from benchmarks.comparison.scenario import SCENARIOS, Scenario
from benchmarks.comparison.site import Sites
from benchmarks.comparison.txingress import CHECKOUT, DISTRIBUTION_PYTHON, TxIngress

QUICK = ("small", "small-tls")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenarios", help=f"some of {','.join(names)}", default=",".join(names))
    parser.add_argument("--peers", help="some of txingress,nginx,haproxy,envoy,caddy")
    parser.add_argument("--quick", action="store_true", help=f"{','.join(QUICK)} in little time")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="of load in each run")
    parser.add_argument("--tries", type=int, default=3, help="until a run counts")
    parser.add_argument("--cores", default="1,0", help="of the proxies, and of the load")
    parser.add_argument("--nice", type=int, default=0, help="-10, say, where others work, as root")
    parser.add_argument("--python", default=DISTRIBUTION_PYTHON, help="to install txingress with")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=CHECKOUT",
        help="another version of txingress",
    )
    for program in ("nginx", "haproxy", "envoy", "caddy"):
        parser.add_argument(f"--{program}", metavar="PROGRAM", help="where it is, if not on PATH")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "build" / "comparison")
    return parser.parse_args(arguments)


def peers(chosen: argparse.Namespace) -> list[Peer]:
    everybody: list[Peer] = [
        Nginx(chosen.nginx),
        HAProxy(chosen.haproxy),
        TxIngress(chosen.python),
        *(
            TxIngress(chosen.python, Path(checkout), name)
            for name, _, checkout in (also.partition("=") for also in chosen.also)
        ),
        Envoy(chosen.envoy),
        Caddy(chosen.caddy),
    ]
    if not chosen.peers:
        return everybody
    names = chosen.peers.lower().split(",")
    return [peer for peer in everybody if peer.name.lower() in names]


def main() -> int:
    chosen = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    about = machine.description()
    there, versions, skipped = [], {}, {}
    for peer in peers(chosen):
        try:
            versions[peer.name] = peer.find()
            there.append(peer)
        except NotInstalled as error:
            skipped[peer.name] = str(error)
            print(f"Skipped: {peer.name}: {error}", file=sys.stderr)
    about |= {"versions": versions, "skipped": skipped}
    names = QUICK if chosen.quick else chosen.scenarios.split(",")
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in names]
    runs: list[Run] = []
    try:
        with tempfile.TemporaryDirectory(prefix="comparison-") as folder:
            measure(chosen, there, scenarios, Path(folder), runs)
    except KeyboardInterrupt:
        print("Interrupted: this is what there is", file=sys.stderr)
    lines = [f"{name}: {value}" for name, value in about.items()] + [""]
    for scenario in scenarios:
        lines += report.scenario_table(scenario, runs)
    print("\n".join(lines))
    chosen.output.mkdir(parents=True, exist_ok=True)
    chosen.output.joinpath("comparison.md").write_text("\n".join(lines))
    report.write_json(chosen.output / "comparison.json", about, runs)
    return 0


def measure(
    chosen: argparse.Namespace,
    there: list[Peer],
    scenarios: list[Scenario],
    folder: Path,
    runs: list[Run],
) -> None:
    proxy_core, load_core = map(int, chosen.cores.split(","))
    os.sched_setaffinity(0, {load_core})
    if chosen.nice:
        take_precedence(chosen.nice)
    effort = Effort(
        chosen.rounds or 3, chosen.seconds or (3 if chosen.quick else 5), chosen.tries, load_core
    )
    with ExitStack() as stack:
        content_port, sink_port = free_ports(2)
        endpoint = content_command(find_program("nginx"), content_port, folder / "content")
        sink = [sys.executable, "-m", "benchmarks.comparison.sink", str(sink_port)]
        for name, command in (("content", endpoint), ("sink", sink)):
            process = Process(
                command, load_core, folder / f"{name}.output", {"PYTHONPATH": str(CHECKOUT)}
            )
            stack.callback(process.stop)
        sites = Sites(folder, content_port, sink_port)
        contenders: dict[str, list[Contender]] = {}
        for name in dict.fromkeys(scenario.site for scenario in scenarios):
            site = sites.make(name)
            for peer in there:
                try:
                    contender = Contender(peer, site, folder / name / peer.name, proxy_core)
                except Failed as error:
                    print(f"Without {peer.name} on site {name}: {error}", file=sys.stderr)
                    continue
                stack.callback(contender.stop)
                contenders.setdefault(name, []).append(contender)
        for run in Rounds(scenarios, contenders, effort).runs():
            runs.append(run)


if __name__ == "__main__":
    sys.exit(main())
