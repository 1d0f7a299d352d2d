"""
The Autobahn test suite through the proxy, beside the same without it.

Usage: ``python -m benchmarks.autobahn --wstest PATH [--cases 1.* --cases 2.*]``

``wstest`` is of the package autobahntestsuite, which needs Python 2.7::

    python2.7 -m virtualenv autobahn
    autobahn/bin/pip install autobahntestsuite

It asks `benchmarks.websocket_echo` (which needs wsproto) once directly and once through a
``twistd ingress``. A proxy that is no part of the conversation changes no outcome: each
difference is printed, and the exit status is 1 if there is one.
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
from tests.support.process import CHECKOUT, ENVIRONMENT, IngressProcess

CASES = [*(f"{group}.*" for group in range(1, 11)), "12.*.1", "13.*.1"]
"""All but for repetitions of what is compressed, which take hours."""

Results = dict[str, dict[str, str]]
"""By case: ``behavior``, ``behaviorClose`` and ``remoteCloseCode``."""

COMPARED = ("behavior", "behaviorClose", "remoteCloseCode")


def run_suite(wstest: str, cases: list[str], folder: Path) -> tuple[Results, Results]:
    """:return: the outcomes without the proxy, and with it."""
    echo = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.websocket_echo"],
        cwd=CHECKOUT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    process = IngressProcess(folder)
    try:
        assert echo.stdout is not None
        port = int(echo.stdout.readline())
        process.write(
            "all.yaml",
            service_manifest("echo"),
            *endpoint_manifests("echo", port),
            ingress_manifest("echo", "", {"/": "echo"}),
        )
        process.start()
        spec = folder / "spec.json"
        spec.write_text(
            json.dumps(
                {
                    "outdir": str(folder / "reports"),
                    "servers": [
                        {"agent": "direct", "url": f"ws://127.0.0.1:{port}"},
                        {"agent": "proxied", "url": f"ws://127.0.0.1:{process.port('http')}"},
                    ],
                    "cases": cases,
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        command = [wstest, "-m", "fuzzingclient", "-s", str(spec)]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        index = json.loads((folder / "reports" / "index.json").read_text())
        return index["direct"], index["proxied"]
    finally:
        process.stop()
        echo.kill()
        echo.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.autobahn")
    parser.add_argument("--wstest", default="wstest")
    parser.add_argument("--cases", action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autobahn-") as folder:
        direct, proxied = run_suite(arguments.wstest, arguments.cases or CASES, Path(folder))
    for name, results in (("direct", direct), ("proxied", proxied)):
        counted = Counter(result["behavior"] for result in results.values())
        print(f"{name}: {len(results)} cases: {dict(counted)}")
    differences = 0
    for case in sorted(direct.keys() | proxied.keys()):
        pair = [[side.get(case, {}).get(key) for key in COMPARED] for side in (direct, proxied)]
        if pair[0] != pair[1]:
            differences += 1
            print(f"{case}: {pair[0]} without the proxy, {pair[1]} with it")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
