"""
Tests for benchmarks.comparison: what it reads, what counts, and that nothing of it stays.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.comparison import options
from benchmarks.comparison.haproxy import HAProxy
from benchmarks.comparison.load import LoadResult, parse_h2load, parse_wrk
from benchmarks.comparison.memory import Footprint
from benchmarks.comparison.nginx import Nginx
from benchmarks.comparison.peer import NotInstalled, Peer, Place, find_program
from benchmarks.comparison.process import Failed, Process, run
from benchmarks.comparison.report import Report
from benchmarks.comparison.rounds import Run
from benchmarks.comparison.scenario import SCENARIOS
from benchmarks.comparison.sink import Connection
from benchmarks.comparison.site import SITES, EndpointPorts, Sites
from benchmarks.comparison.txingress import INSTALLED
from tests.support.process import CHECKOUT, wait_until

WRK = """\
Running 5s test @ http://localhost:8080/small
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.21ms  100.00us   7.95ms   95.21%
    Req/Sec     2.05k   200.61     2.21k    72.73%
  Latency Distribution
     50%  900.00us
     75%    1.30ms
     90%    1.50ms
     99%    2.50ms
  2255 requests in 5.01s, 319.31KB read
Requests/sec:    450.18
Transfer/sec:     64.32KB
"""

H2LOAD = """\
finished in 3.87s, 387.30 req/s, 0B/s
requests: 1500 total, 1500 started, 1500 done, 1499 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 1499 2xx, 0 3xx, 0 4xx, 1 5xx
"""


def make_run(peer: str, cost: float, **settings: object) -> Run:
    """
    A run of a second with 1,000 requests.

    :param cost: microseconds of processor time for each.
    """
    facts: dict[str, object] = {
        "scenario": SCENARIOS[0].name,
        "round": 1,
        "outcome": LoadResult(1000, 1.0, 0.001, 0.002),
        "processor": cost / 1000,
        "wall": cost / 1000,
        "foreign": 0.0,
        "slowness": 1.0,
        "memory": 1024,
        "saturates": True,
    }
    return Run(peer=peer, **{**facts, **settings})  # type: ignore[arg-type]


class LoadTests(SynchronousTestCase):
    """What load generators say is understood."""

    def test_wrk(self) -> None:
        """Numbers have units."""
        self.assertEqual(parse_wrk(WRK), LoadResult(2255, 5.01, 0.0009, 0.0025))

    def test_wrk_faults(self) -> None:
        """Answers that were none, and connections that broke, are faults."""
        lines = (
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n"
            "  Non-2xx or 3xx responses: 7\n"
        )
        self.assertEqual(
            parse_wrk(WRK + lines).faults,
            "Socket errors: connect 0, read 3, write 0, timeout 0; Non-2xx or 3xx responses: 7",
        )

    def test_h2load(self) -> None:
        """Whatever is not 2xx is a fault."""
        outcome = parse_h2load(H2LOAD)
        self.assertEqual((outcome.requests, outcome.seconds), (1500, 3.87))
        self.assertIn("1499 2xx", outcome.faults)
        good = H2LOAD.replace("1499", "1500").replace(" 1 ", " 0 ")
        self.assertEqual(parse_h2load(good).faults, "")

    def test_nonsense(self) -> None:
        """Anything else is not taken for a result."""
        self.assertRaises(Failed, parse_wrk, "unable to connect\n")
        self.assertRaises(Failed, parse_h2load, "")


class RunTests(SynchronousTestCase):
    """Which runs count, and what they come to."""

    def test_own_core(self) -> None:
        """Where the proxy is the bound it had its core; elsewhere nobody else had much."""
        self.assertEqual(make_run("a", 10).fault, "")
        self.assertIn("had 50%", make_run("a", 10, wall=0.02).fault)
        self.assertEqual(make_run("a", 10, wall=0.02, saturates=False).fault, "")
        self.assertIn("had 20%", make_run("a", 10, foreign=0.2, saturates=False).fault)
        self.assertIn("40% slower", make_run("a", 10, slowness=1.4).fault)
        self.assertEqual(make_run("a", 10, outcome=LoadResult(1, 1, faults="bad")).fault, "bad")

    def test_ratios(self) -> None:
        """They are to nginx; runs that do not count are left out of them."""
        runs = [make_run("nginx", 10), make_run("ours", 20), make_run("ours", 90, wall=1.0)]
        lines = Report({}, scenarios=SCENARIOS[:1], runs=runs).lines()
        [line] = [line for line in lines if line.startswith("| ours")]
        cells = [cell.strip() for cell in line.split("|")]
        self.assertEqual(cells[2:6], ["1,000", "1.00", "20.0", "0.50"])
        self.assertEqual(cells[-3:-1], ["1", "1"])

    def test_brackets(self) -> None:
        """A rate that says little is in brackets, and the summary has processor time instead."""
        runs = [make_run("nginx", 10), make_run("ours", 20, wall=1.0)]
        lines = Report({}, scenarios=SCENARIOS[:1], runs=runs).lines()
        self.assertTrue([line for line in lines if line.startswith("| ours | 1,000 | (1.00)")])
        self.assertIn(f"| {SCENARIOS[0].title} | CPU | 1.00 | 0.50 |", lines)

    def test_nothing(self) -> None:
        """What was interrupted before its first run has a report."""
        report = Report({}, scenarios=SCENARIOS, footprints=[Footprint("ours")])
        report.write(Path(self.mktemp()))
        self.assertIn("| ours | - | - | - | - | - | - | - |", report.lines())


class InstalledTests(SynchronousTestCase):
    """What is compared is what users install."""

    def test_files(self) -> None:
        """Pip gets every file that the container image is built from."""
        lines = (CHECKOUT / "etc/container/Containerfile").read_text().splitlines()
        copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
        names = {name for each in copied if not each[0].startswith("--from") for name in each}
        self.assertEqual(names, set(INSTALLED))


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_also(self) -> None:
        """Another checkout is a peer, whatever peers were chosen."""
        here = Path(__file__).resolve().parent.parent
        chosen = options.parse(["--quick", "--peers", "nginx", "--also", f"old={here}"])
        self.assertEqual([peer.name for peer in chosen.peers], ["nginx", "old"])
        self.assertEqual(chosen.scenarios, options.QUICK)

    def test_refused(self) -> None:
        """A mistake is told with what is accepted."""
        for arguments, told in (
            (["--scenarios", "smal"], "'smal' is none of small, small-tls"),
            (["--peers", "traefik"], "'traefik' is none of txingress"),
            (["--cores", "0,0"], "another core"),
            (["--also", "here"], "NAME=CHECKOUT"),
        ):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors):
                self.assertRaises(SystemExit, options.parse, arguments)
            self.assertIn(told, errors.getvalue())


class SinkTests(SynchronousTestCase):
    """The endpoint of uploads."""

    def setUp(self) -> None:
        ours, self.client = socket.socketpair()
        for each in (ours, self.client):
            each.setblocking(False)
            self.addCleanup(each.close)
        self.connection = Connection(ours)

    def answers(self) -> int:
        try:
            return self.client.recv(4096).count(b"HTTP/1.1 200 ")
        except BlockingIOError:
            return 0

    def test_bodies(self) -> None:
        """Each is answered when all of it has come, however it is framed."""
        length = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd"
        chunks = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
        for request in (length, chunks, length):
            for cut in (request.index(b"\r\n\r\n") + 6, len(request) - 1):
                for part, answers in ((request[:cut], 0), (request[cut:], 1)):
                    self.client.send(part)
                    self.assertTrue(self.connection.read())
                    self.assertEqual(self.answers(), answers, (request, cut))

    def test_end(self) -> None:
        """A connection that is closed is over."""
        self.client.close()
        self.assertFalse(self.connection.read())


class ProcessTests(SynchronousTestCase):
    """What is started ends."""

    def setUp(self) -> None:
        if shutil.which("taskset") is None:
            raise SkipTest("no taskset")
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    def test_stop(self) -> None:
        """With all that it has started, and whether it wants to or not."""
        code = "trap '' TERM; sleep 60 & echo $!; exec sleep 0.1"
        process = Process(["sh", "-c", code], 0, self.folder / "output")
        self.addCleanup(process.stop)
        wait_until(lambda: process.output.read_text().endswith("\n"), "the child")
        wait_until(lambda: process.has_ended, "the end of the first")
        child = process.output.read_text().strip()
        self.assertGreater(process.memory, 0)
        process.stop()
        wait_until(lambda: not Path("/proc", child, "cmdline").exists(), "the end of the child")

    def test_run(self) -> None:
        """What takes too long or fails is no result."""
        self.assertEqual(run(["echo", "done"], 0, 30), "done\n")
        self.assertRaises(Failed, run, ["sleep", "60"], 0, 0.01)
        self.assertRaises(Failed, run, ["false"], 0, 30)


class PeerTests(SynchronousTestCase):
    """Peers that are installed here understand what is written for them."""

    def check(self, peer: Peer, *arguments: str) -> None:
        folder = Path(self.mktemp()).resolve()
        try:
            peer.find()
        except NotInstalled as error:
            raise SkipTest(str(error)) from None
        site = Sites(folder, EndpointPorts(9, 10, 11, 12)).make("grpc")
        place = Place(folder / "place", 13, 14, 15, 16)
        place.folder.mkdir()
        command = [*peer.command(site, place).line, *arguments]
        ended = subprocess.run(command, cwd=place.folder, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_nginx(self) -> None:
        """nginx does."""
        self.check(Nginx(), "-t")

    def test_haproxy(self) -> None:
        """HAProxy does."""
        self.check(HAProxy(), "-c")

    def test_not_installed(self) -> None:
        """Who is not there is named, with where it was looked for."""
        error = self.assertRaises(NotInstalled, find_program, "no-such-proxy")
        self.assertIn(sys.executable, str(error))

    def test_sites(self) -> None:
        """Every scenario has the site that it wants."""
        self.assertLessEqual({scenario.site for scenario in SCENARIOS}, SITES.keys())
