"""
The Autobahn test suite through the proxy, beside the same without it.

Usage: ``python -m benchmarks.autobahn --wstest PATH [--cases 1.* --cases 2.*]
[--agents direct http2]``

``wstest`` is of the package autobahntestsuite, which needs Python 2.7::

    python2.7 -m virtualenv autobahn
    autobahn/bin/pip install autobahntestsuite

It asks `benchmarks.websocket_echo` (which needs wsproto) three times: directly, through a
``twistd ingress``, and through that over HTTP/2, by `tests.support.websocket_bridge`. A proxy that
is no part of the conversation changes no outcome: each difference is printed, and the exit status
is 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.manifest import endpoint_manifests, ingress_manifest, service_manifest
from tests.support.process import IngressProcess, ModuleProcess

COMPRESSED = [*(f"12.{kind}.1" for kind in range(1, 6)), *(f"13.{kind}.1" for kind in range(1, 8))]
"""
One of each kind that is compressed: the others are larger, and take hours. With a pattern such as
``12.*.1`` the suite runs 12.1.10 to 12.1.18 as well.
"""

CASES = [*(f"{group}.*" for group in range(1, 11)), *COMPRESSED]

Results = dict[str, dict[str, str]]
"""By case: ``behavior``, ``behaviorClose`` and ``remoteCloseCode``."""

AGENTS = ("direct", "proxied", "http2")

COMPARED = ("behavior", "behaviorClose", "remoteCloseCode")


def run_suite(wstest: str, cases: list[str], agents: list[str], folder: Path) -> dict[str, Results]:
    """:return: the outcomes by agent."""
    echo = ModuleProcess("benchmarks.websocket_echo")
    port = echo.port
    process = IngressProcess(folder)
    bridge: ModuleProcess | None = None
    try:
        process.write(
            "all.yaml",
            service_manifest("echo"),
            *endpoint_manifests("echo", port),
            ingress_manifest("echo", "", {"/": "echo"}),
        )
        process.start()
        proxied = process.port("http")
        bridge = ModuleProcess("tests.support.websocket_bridge", str(proxied))
        ports = {"direct": port, "proxied": proxied, "http2": bridge.port}
        spec = folder / "spec.json"
        spec.write_text(
            json.dumps(
                {
                    "outdir": str(folder / "reports"),
                    "servers": [
                        {"agent": agent, "url": f"ws://127.0.0.1:{ports[agent]}"}
                        for agent in agents
                    ],
                    "cases": cases,
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        command = [wstest, "-m", "fuzzingclient", "-s", str(spec)]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        index: dict[str, Results] = json.loads((folder / "reports" / "index.json").read_text())
        return index
    finally:
        if bridge is not None:
            bridge.stop()
        process.stop()
        echo.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.autobahn")
    parser.add_argument("--wstest", default="wstest")
    parser.add_argument("--cases", action="append")
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=AGENTS)
    arguments = parser.parse_args()
    agents = list(arguments.agents)
    with tempfile.TemporaryDirectory(prefix="autobahn-") as folder:
        results = run_suite(arguments.wstest, arguments.cases or CASES, agents, Path(folder))
    for agent in agents:
        counted = Counter(result["behavior"] for result in results[agent].values())
        print(f"{agent}: {len(results[agent])} cases: {dict(counted)}")
    differences = 0
    for case in sorted(set().union(*results.values())):
        first, *others = [
            [results[agent].get(case, {}).get(key) for key in COMPARED] for agent in agents
        ]
        for agent, found in zip(agents[1:], others, strict=True):
            if found != first:
                differences += 1
                print(f"{case}: {first} {agents[0]}, {found} {agent}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
