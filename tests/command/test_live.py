"""
Tests for `ingress.command.live`, and for the tables of a running process.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.live import add_live, live_process
from ingress.command.main import main

ROWS = [
    {
        "host": f"{number}.example",
        "path": "/",
        "type": "Prefix",
        "upstream": "default/web:80",
        "ingress": "default/web",
        "features": [],
    }
    for number in range(2500)
]

KUBECTL = """#!{python}
import json, signal, sys, time
with open({asked!r}, "w") as file:
    json.dump(sys.argv[1:], file)
if "pod/broken" in sys.argv:
    sys.exit("Error from server (NotFound): pods \\"broken\\" not found")
print("Forwarding from 127.0.0.1:{port} -> 10254", flush=True)
print("Forwarding from [::1]:{port} -> 10254", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (open({ended!r}, "w").close(), sys.exit(143)))
while True:
    time.sleep(60)
"""


class _Listener(BaseHTTPRequestHandler):
    """An admin listener that has prepared values."""

    values: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[tuple[str, Mapping[str, list[str]]]]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name, query = parts.path[1:], parse_qs(parts.query)
        self.asked.append((name, query))
        status, body = 200, b"<html>"
        if name == "refused":
            status, body = 403, b"this client may only ask for /healthz\n"
        elif name in self.values:
            value = dict(self.values[name])
            if "offset" in query:
                first = int(query["offset"][0])
                value[name] = value[name][first : first + int(query["limit"][0])]
            body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """BaseHTTPRequestHandler."""


class LiveTests(SynchronousTestCase):
    def setUp(self) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Listener)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        _Listener.asked.clear()
        _Listener.values = {
            "routes": {"total": len(ROWS), "routes": ROWS},
            "ports": {"total": 0, "ports": []},
        }

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """The status and both outputs of a command."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(arguments)
        return status, out.getvalue(), err.getvalue()

    def use_kubectl(self) -> Path:
        """Put a stand-in before the real one; return the folder of what it leaves."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        script = folder / "kubectl"
        script.write_text(
            KUBECTL.format(
                python=sys.executable,
                port=self.port,
                asked=str(folder / "asked"),
                ended=str(folder / "ended"),
            )
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        self.patch(os, "environ", {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
        return folder

    def test_paged(self) -> None:
        """A table has all rows, however many pages they take."""
        status, text, _ = self.run_command("routes", "--admin", self.url, "--format", "json")
        self.assertEqual((status, json.loads(text)), (0, ROWS))
        offsets = [query["offset"] for name, query in _Listener.asked if name == "routes"]
        self.assertEqual(offsets, [["0"], ["1000"], ["2000"]])
        _, text, _ = self.run_command("routes", "--admin", f"{self.url}/")
        self.assertEqual(len(text.splitlines()), len(ROWS) + 1)

    def test_endpoints(self) -> None:
        """An endpoint that is not as it should be has its state beside it."""
        endpoints = [
            {"address": "10.0.0.1:80", "state": "ok", "terminating": False, "inFlight": 0},
            {"address": "10.0.0.2:80", "state": "ejected", "terminating": False, "inFlight": 0},
            {"address": "10.0.0.3:80", "state": "ok", "terminating": True, "inFlight": 1},
        ]
        row = {"service": "default/web:80", "endpoints": endpoints, "fault": None}
        _Listener.values = {"endpoints": {"total": 1, "endpoints": [row]}}
        _, text, _ = self.run_command("endpoints", "--admin", self.url)
        self.assertEqual(
            text.splitlines()[1].split("  "),
            ["default/web:80", "10.0.0.1:80, 10.0.0.2:80 ejected", "10.0.0.3:80", "-"],
        )

    def test_explained(self) -> None:
        """An explanation is shown as it would be offline, with what the process knows."""
        live = {
            "limits": [{"limit": "rps", "used": 3.5, "most": 5}],
            "endpoints": [{"address": "10.0.0.1:80", "state": "failing", "inFlight": 3}],
            "exchanges": [
                {
                    "at": "2026-11-30T12:00:00.000Z",
                    "method": "GET",
                    "path": "/x",
                    "status": 502,
                    "outcome": "dial_failed",
                    "seconds": 0.1,
                }
            ]
            * 12,
        }
        _Listener.values = {"explain": {"text": "because\n", "live": live}}
        status, text, _ = self.run_command(
            "explain", "a.example/x", "-H", "A: 1", "-H", "B: 2", "-X", "PUT", "--admin", self.url
        )
        self.assertEqual(status, 0)
        first, second, limit, third, *_, last = text.splitlines()
        self.assertEqual(limit.strip(), "limit rps: 3.5 of 5 used by this client")
        self.assertEqual(
            (first, second.split()[1:]),
            ("because", ["10.0.0.1:80:", "failing,", "3", "in", "flight"]),
        )
        self.assertIn("GET /x -> 502 dial_failed (0.100 s)", third)
        self.assertEqual(last.strip(), "and 2 more")
        ((_, query),) = _Listener.asked
        self.assertEqual(
            query,
            {
                "url": ["a.example/x"],
                "method": ["PUT"],
                "client": ["127.0.0.1"],
                "header": ["A: 1", "B: 2"],
            },
        )

    def test_forwarded(self) -> None:
        """kubectl forwards the port of a pod or deployment for as long as it is needed."""
        folder = self.use_kubectl()
        status, text, _ = self.run_command(
            "routes", "--deployment", "txingress", "-n", "ingress", "--context", "east"
        )
        self.assertEqual((status, len(text.splitlines())), (0, len(ROWS) + 1))
        self.assertEqual(
            json.loads((folder / "asked").read_text()),
            [
                "port-forward",
                "deployment/txingress",
                ":10254",
                "--address=127.0.0.1",
                "--namespace=ingress",
                "--context=east",
            ],
        )
        self.assertTrue((folder / "ended").exists())

    def test_not_forwarded(self) -> None:
        """What kubectl says is said."""
        self.use_kubectl()
        status, _, text = self.run_command("routes", "--pod", "broken")
        self.assertEqual(status, 2)
        self.assertIn('kubectl port-forward: Error from server (NotFound): pods "broken"', text)

    def test_cannot_ask(self) -> None:
        """A process that does not answer, or refuses, is named with what it said."""
        with live_process(self.arguments("--admin", self.url)) as process:
            assert process is not None
            error = self.assertRaises(CannotRun, process.read, "refused")
            self.assertIn("answers 403: this client may only ask for /healthz", str(error))
            error = self.assertRaises(CannotRun, process.read, "page")
            self.assertIn("is no JSON", str(error))
        status, _, text = self.run_command("routes", "--admin", "http://127.0.0.1:1")
        self.assertEqual(status, 2)
        self.assertIn("http://127.0.0.1:1 cannot be asked: ", text)

    def arguments(self, *written: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        add_live(parser)
        parser.set_defaults(config=None, paths=[], kubeconfig=None, context=None, in_cluster=False)
        return parser.parse_args(written)

    def test_contradictions(self) -> None:
        """Options that contradict each other, and URLs that are none, are refused."""
        for written in (
            ("--admin", "http://a", "--pod", "b"),
            ("--pod", "a", "--deployment", "b"),
            ("--namespace", "a"),
            ("--admin", "file:///etc/passwd"),
            ("--admin", "127.0.0.1:10254"),
            ("--admin", "http://[::1"),
        ):
            context = live_process(self.arguments(*written))
            self.assertRaises(CannotRun, context.__enter__)
        self.assertEqual(
            self.run_command("routes", "k8s/", "--admin", self.url)[2],
            "txingress routes: name either files or one of --admin, --pod and --deployment\n",
        )
        with live_process(self.arguments()) as process:
            self.assertIsNone(process)
