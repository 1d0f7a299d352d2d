"""
Tests for `ingress.command.simulate_command`, `log_comparison`, `log_tally` and `log_lines`.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.command import log_lines, simulate_command
from ingress.command.log_comparison import Comparison, Result
from ingress.command.log_tally import Tally
from tests.support.command import run
from tests.support.manifest import ingress_manifest, service_manifest
from tests.support.objects import built

RANGES = {"whitelist-source-range": "10.0.0.0/8"}


def line(
    path: str = "/",
    upstream: str = "default-web-80",
    status: int = 200,
    *,
    client: str = "10.0.0.7",
    asked: str = "10.1.0.1:80",
    method: str = "GET",
) -> str:
    """A line of ingress-nginx's default format."""
    return (
        f'{client} - - [30/Nov/2026:10:00:00 +0000] "{method} {path} HTTP/1.1" {status} 5 "-" "-" '
        f"80 0.001 [{upstream}] [] {asked} 5 0.001 {status} 0123456789abcdef\n"
    )


def own(path: str = "/", upstream: str = "default-web-80", status: int = 200, **more: str) -> str:
    """A line of a request that nginx answered itself."""
    return line(path, upstream, status, asked="-", **more)


class SimulateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def manifests(self, *manifests: Any) -> str:
        path = self.folder / "manifests.yaml"
        path.write_text(
            yaml.safe_dump_all([*manifests, service_manifest("web"), service_manifest("api")])
        )
        return str(path)

    def shop(self, *, annotations: dict[str, str] | None = None, tls: bool = False) -> str:
        return self.manifests(
            ingress_manifest(
                "shop", "shop.example", {"/": "web", "/api": "api"},
                annotations=annotations, tls={"pair": ["shop.example"]} if tls else None,
            )
        )  # fmt: skip

    def log(self, *lines: str) -> str:
        path = self.folder / "access.log"
        path.write_text("".join(lines))
        return str(path)

    def simulate(self, manifests: str, *lines: str, options: tuple[str, ...] = ()) -> Any:
        """:return: the report as data."""
        status, text, remark = run(
            "simulate", self.log(*lines), "--format", "json", *options, "--", manifests
        )
        found = json.loads(text)
        if found["malformed"] == found["lines"]:
            self.assertIn("no line has a known format", remark)
            self.assertEqual(status, 2)
        else:
            self.assertEqual((status, remark), (1 if found["different"] else 0, ""))
        numbers = (found[result.name.lower()] for result in Result)
        self.assertEqual(sum(numbers), found["lines"])
        return found

    def results(self, manifests: str, *lines: str, options: tuple[str, ...] = ()) -> str:
        """:return: the result of each line: S, D, U or M."""
        return "".join(
            next(r.name[0] for r in Result if found[r.name.lower()])
            for found in (self.simulate(manifests, each, options=options) for each in lines)
        )

    def test_same(self) -> None:
        """Requests that get what they got; what is left out of the log is tried."""
        shop = self.shop(tls=True)
        lines = (
            line(),
            line("/api/x", "default-api-80", 404),
            own("/", status=308),
            own("/", status=400),
            own("/", status=499),
        )
        self.assertEqual(self.results(shop, *lines), "SSSSS")

    def test_upstream(self) -> None:
        """Another Service, or none."""
        found = self.simulate(self.shop(), *[line("/api/x")] * 5, line("/", "default-gone-80"))
        self.assertEqual(found["different"], 6)
        first, second = found["differences"]
        self.assertEqual(
            {name: first[name] for name in ("ingress", "host", "path", "was", "now", "count")},
            {
                "ingress": "default/shop", "host": "shop.example", "path": "/api", "count": 5,
                "was": "default-web-80 200", "now": "default-api-80 an endpoint answers",
            },
        )  # fmt: skip
        self.assertEqual(Path(first["file"]).name, "manifests.yaml")
        self.assertIsInstance(first["line"], int)
        self.assertEqual(
            first["examples"], [{"line": n, "request": "GET /api/x"} for n in (1, 2, 3)]
        )
        self.assertEqual(
            (second["ingress"], second["now"]), (None, "no rule leads to this Service")
        )

    def test_own_answers(self) -> None:
        """Statuses are compared where an answer is the proxy's own, on either side."""
        shop = self.shop(annotations=RANGES)
        lines = (
            own("/", status=403, client="192.0.2.1"),
            line("/", client="192.0.2.1"),
            own("/", status=403, client="10.0.0.1"),
            own("/", status=503, client="192.0.2.1"),
        )
        self.assertEqual(self.results(shop, *lines), "SDDU")
        found = self.simulate(shop, lines[1])["differences"][0]
        self.assertEqual(found["was"], "default-web-80 200")
        self.assertIn("default-web-80 403: ", found["now"])
        found = self.simulate(shop, lines[2])["differences"][0]
        self.assertEqual(found["was"], "default-web-80 403 of its own")

    def test_undecidable(self) -> None:
        """What the log does not have is told, and makes nothing the same or different."""
        shop = self.shop(annotations={"auth-url": "http://auth.default.svc/"})
        lines = (line(), own("/", status=401), own("-", "", status=400))
        self.assertEqual(self.results(shop, *lines), "SUU")
        reason = self.simulate(shop, lines[1])["reasons"][0]["reason"]
        self.assertEqual(reason, "external-auth: the log does not have what it decides by")
        found = self.simulate(shop, own("/x", "upstream-default-backend", 404))
        self.assertIn("no host", found["reasons"][0]["reason"])

    def test_configured_format(self) -> None:
        """The format of the ConfigMap needs no option."""
        config_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "nginx"},
            "data": {"log-format-upstream": "$host|$request|$status|$proxy_upstream_name|"},
        }
        shop = self.manifests(ingress_manifest("shop", "shop.example", {"/": "web"}), config_map)
        config = self.folder / "ingress.yaml"
        files = {"files": [str(Path(shop).absolute())]}
        config.write_text(yaml.safe_dump({"source": files, "config-map": "default/nginx"}))
        log = self.log("shop.example|GET / HTTP/1.1|200|default-web-80|\n", line())
        status, text, _ = run("simulate", log, "--config", str(config))
        self.assertEqual(status, 0)
        self.assertIn("2 lines: 1 same, 0 different, 0 undecidable, 1 malformed", text)

    def test_host(self) -> None:
        """A host can be given for lines that have none."""
        shop = self.shop()
        missing = own("/x", "upstream-default-backend", 404)
        self.assertEqual(self.results(shop, missing, options=("--host", "x.example")), "S")
        self.assertEqual(self.results(shop, missing, options=("--host", "shop.example")), "D")
        self.assertEqual(self.results(shop, line(), options=("--host", "x.example")), "D")

    def test_scheme(self) -> None:
        """A scheme can be given, too, and the log may have both."""
        shop = self.shop(tls=True)
        self.assertEqual(self.results(shop, line(), options=("--scheme", "http")), "D")
        member = {"host": "shop.example", "scheme": "http", "status": 200, "request_uri": "/"}
        for scheme, name, result in (
            ("https", "default-web-80", "S"),
            ("http", "default-web-80", "D"),
            ("https", None, "U"),
        ):
            entry = {**member, "scheme": scheme, "method": "GET"}
            if name:
                entry["proxy_upstream_name"] = name
            self.assertEqual(self.results(shop, json.dumps(entry) + "\n"), result)

    def test_hosts_without_names(self) -> None:
        """Wildcards, rules without a host and error pages of a Service are found by their names."""
        manifests = self.manifests(
            ingress_manifest("w", "*.a.example", {"/w": "web"}),
            ingress_manifest(
                "any", "", {"/x": "api"},
                annotations={"custom-http-errors": "503", "default-backend": "web"},
            ),
        )  # fmt: skip
        lines = (
            line("/w"),
            line("/x", "default-api-80"),
            line("/x"),
            line("/x", "upstream-default-backend", 503),
        )
        self.assertEqual(self.results(manifests, *lines), "SSDU")
        self.assertEqual(
            self.results(manifests, lines[3], options=("--host", "other.example")), "U"
        )

    def test_formats(self) -> None:
        """Compressed logs, standard input, and a format in nginx's syntax."""
        shop = self.shop()
        packed = self.folder / "access.log.gz"
        packed.write_bytes(gzip.compress((line() * 3).encode()))
        status, text, _ = run("simulate", str(packed), "--", shop)
        self.assertEqual((status, text.splitlines()[-1][:15]), (0, "3 lines: 3 same"))
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed.read_bytes())))
        self.assertIn("3 lines: 3 same", run("simulate", "-", "--", shop)[1])
        packed.write_bytes(packed.read_bytes()[:-9])
        status, _, remark = run("simulate", str(packed), "--", shop)
        self.assertEqual((status, "cannot be read to its end" in remark), (2, True))
        own_format = ("--log-format", '"$request" $status $host $proxy_upstream_name')
        written = '"GET /api HTTP/2.0" 200 shop.example default-api-80\n'
        self.assertEqual(self.results(shop, written, options=own_format), "S")
        self.assertEqual(self.results(shop, line(), options=own_format), "M")

    def test_text(self) -> None:
        """People read what differs first, with its rule and examples, and the numbers last."""
        status, text, _ = run(
            "simulate",
            self.log(line("/api?token=s3cret"), "nonsense\n", own("-", "", 400)),
            "--",
            self.shop(),
        )
        self.assertEqual(status, 1)
        lines = text.splitlines()
        self.assertRegex(
            lines[0], r"1 different: shop.example/api of default/shop, in .*, line \d+"
        )
        self.assertEqual(lines[1], "    default-web-80 200 -> default-api-80 an endpoint answers")
        self.assertEqual(lines[2], "      line 1: GET /api")
        self.assertEqual(
            lines[-1], "3 lines: 0 same, 1 different, 1 undecidable, 1 malformed"
        )  # fmt: skip
        self.assertNotIn("s3cret", text)

    def test_unable(self) -> None:
        """A log that cannot be read, and standard input for two things."""
        shop = self.shop()
        broken = self.folder / "broken.log.gz"
        packed = gzip.compress(b"".join(b"%d\n" % (number * number) for number in range(9999)))
        broken.write_bytes(packed[:2000] + b"\x5a" * 100 + packed[2100:])
        for arguments in (
            (str(broken), "--", shop),
            (self.log(line()), "--host", "a..example", "--", shop),
            ("/nowhere", "--", shop),
            (str(self.folder), "--", shop),
            ("-", "--", "-"),
        ):
            status, _, remark = run("simulate", *arguments)
            self.assertEqual(status, 2, arguments)
            self.assertTrue(remark)

    def test_no_log(self) -> None:
        """What is no log ends the command: without the end of a line, or without a known format."""
        shop = self.shop()
        self.patch(log_lines, "MAX_SKIPPED", 4 << 20)
        self.patch(simulate_command, "MOST_IN_VAIN", 3)
        long = self.folder / "long.gz"
        long.write_bytes(gzip.compress(line().encode() + bytes(6 << 20)))
        for log, reason in (
            (str(long), "line 2 has more than 4 MiB: this is no access log"),
            ("/dev/zero", "line 1 has more than 4 MiB: this is no access log"),
            (self.log("a\n", "\n", "b\n"), "none of the first 3 lines has a known format"),
        ):
            status, _, remark = run("simulate", log, "--", shop)
            self.assertEqual(status, 2)
            self.assertIn(reason, remark)

    def test_nothing_read(self) -> None:
        """A log without any line of a known format proves nothing, and does not count as fine."""
        status, text, remark = run("simulate", self.log("a\n", "b\n"), "--", self.shop())
        self.assertEqual(status, 2)
        self.assertIn("2 malformed", text)
        self.assertIn("no line has a known format; --log-format", remark)
        mixed = self.log("a\n", line())
        self.assertEqual(run("simulate", mixed, "--", self.shop())[::2], (0, ""))

    def test_long_line(self) -> None:
        """A line that is too long is one malformed line; the lines have their own numbers."""
        text = ("x" * (3 << 20) + "\n", "\n", line("/api/x"), "\n")
        found = self.simulate(self.shop(), *text)
        self.assertEqual((found["lines"], found["malformed"]), (2, 1))
        self.assertEqual([each["line"] for each in found["malformedExamples"]], [1])

    def test_bounded(self) -> None:
        """Differences beyond a number are counted and not kept."""
        tally = Tally(built(), most=2)
        for number in range(5):
            tally.add(number, "GET /", Comparison(Result.DIFFERENT, str(number), "x"))
        found = tally.as_json()
        self.assertEqual((found["different"], len(found["differences"])), (5, 2))
        self.assertEqual(found["differencesNotListed"], 3)
