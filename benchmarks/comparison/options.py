"""
The options of the command, and the peers that they name.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.caddy import Caddy
from benchmarks.comparison.envoy import Envoy
from benchmarks.comparison.haproxy import HAProxy
from benchmarks.comparison.machine import Cores
from benchmarks.comparison.nghttpx import Nghttpx
from benchmarks.comparison.nginx import Nginx
from benchmarks.comparison.peer import Peer
from benchmarks.comparison.rounds import Effort
from benchmarks.comparison.scenario import SCENARIOS
from benchmarks.comparison.txingress import CHECKOUT, DISTRIBUTION_PYTHON, TxIngress

OURS = "txingress"

LATENCY, MEMORY = "latency", "memory"
"""What is chosen like a scenario and measured after them."""

NAMES = (*(scenario.name for scenario in SCENARIOS), LATENCY, MEMORY)

QUICK = ("small", "small-tls")

PEERS = (OURS, "nginx", "haproxy", "envoy", "caddy", "nghttpx")


@dataclass(frozen=True)
class Options:
    """
    :ivar scenarios: some of `NAMES`.
    :ivar niceness: of all that is started.
    :ivar output: the folder for the results.
    """

    scenarios: tuple[str, ...]
    peers: tuple[Peer, ...]
    effort: Effort
    cores: Cores
    niceness: int
    output: Path


def parse(arguments: list[str] | None = None) -> Options:
    parsed = _parser().parse_args(arguments)
    quick = parsed.quick
    proxy, load = parsed.cores
    return Options(
        scenarios=parsed.scenarios or (QUICK if quick else NAMES),
        peers=tuple(_peers(parsed)),
        effort=Effort(
            parsed.rounds,
            parsed.seconds or (3 if quick else 5),
            parsed.tries,
            parsed.patience,
            parsed.minutes,
        ),
        cores=Cores(proxy, load),
        niceness=parsed.nice,
        output=parsed.output,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description="The proxy beside its peers, each alone on one core.",
    )
    add = parser.add_argument
    add("--scenarios", type=Some(NAMES), help=f"some of {','.join(NAMES)}; all by default")
    add("--peers", type=Some(PEERS), default=PEERS, help=f"some of {','.join(PEERS)}")
    add("--quick", action="store_true", help=f"only {','.join(QUICK)}, in shorter runs")
    add("--rounds", type=int, default=3)
    add("--seconds", type=int, help="of load in each run")
    add("--tries", type=int, default=5, help="until a run counts")
    add("--patience", type=float, default=5, help="seconds to wait for quiet before each run")
    add("--minutes", type=float, default=60, help="after which nothing waits or is repeated")
    add("--cores", type=_cores, default=(1, 0), metavar="PROXY,LOAD", help="1,0 by default")
    add("--nice", type=int, default=0, help="-10, say, as root, where others use these cores")
    add("--python", default=DISTRIBUTION_PYTHON, help=f"for {OURS}; {DISTRIBUTION_PYTHON}")
    add("--also", action="append", default=[], type=_checkout, metavar="NAME=CHECKOUT")
    for program in PEERS[1:]:
        add(f"--{program}", metavar="PROGRAM", help="where it is, if not on PATH")
    add("--output", type=Path, default=CHECKOUT / "build" / "comparison", metavar="FOLDER")
    return parser


class Some:
    """A type of argparse: some of these names, with commas between them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __call__(self, text: str) -> tuple[str, ...]:
        chosen = tuple(text.lower().split(","))
        for name in chosen:
            if name not in self._names:
                accepted = ", ".join(self._names)
                raise argparse.ArgumentTypeError(f"{name!r} is none of {accepted}")
        return chosen


def _cores(text: str) -> tuple[int, int]:
    proxy, load = map(int, text.split(","))
    if proxy == load:
        raise argparse.ArgumentTypeError("the load needs another core than the proxies")
    return proxy, load


def _checkout(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    path = Path(folder).resolve()
    if not path.joinpath("setup.cfg").exists():
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=CHECKOUT, with a setup.cfg in it")
    return name, path


def _peers(parsed: argparse.Namespace) -> list[Peer]:
    everybody: dict[str, Peer] = {
        "nginx": Nginx(parsed.nginx),
        "haproxy": HAProxy(parsed.haproxy),
        OURS: TxIngress(parsed.python),
        **{name: TxIngress(parsed.python, path, name) for name, path in parsed.also},
        "envoy": Envoy(parsed.envoy),
        "caddy": Caddy(parsed.caddy),
        "nghttpx": Nghttpx(parsed.nghttpx),
    }
    return [peer for name, peer in everybody.items() if name in parsed.peers or name not in PEERS]
