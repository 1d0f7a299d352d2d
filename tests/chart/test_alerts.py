"""
Tests for the alerts of etc/chart: ``promtool`` evaluates them over series that are written down.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.chart import CHART
from tests.support.process import PATIENCE
from tests.support.prometheus import find_program

ALERTS = CHART / "alerts.yaml"

NGINX = "nginx_ingress_controller"
TARGET = 'job="edge", instance="pod:10254"'

Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """
    When an alert fires.

    :ivar firing: series, in the notation of promtool with a value each minute, over which it fires
        at `minute`.
    :ivar quiet: series over which it does not.
    :ivar labels: what it is about, beside the job.
    """

    firing: dict[str, str]
    quiet: dict[str, str]
    labels: dict[str, str]
    minute: int = 20


def series(name: str, labels: str = "") -> str:
    return f"{name}{{{TARGET}{', ' if labels else ''}{labels}}}"


def exchanges(outcome: str) -> str:
    return series("txingress_exchanges_total", f'outcome="{outcome}"')


def requests(status: int) -> str:
    return series(f"{NGINX}_requests", f'host="a.example", status="{status}"')


POD = {"instance": "pod:10254"}
HOST = {"host": "a.example"}

CASES = {
    "NGINXConfigFailed": Case(
        {series(f"{NGINX}_config_last_reload_successful"): "1 1 0x20"},
        {series(f"{NGINX}_config_last_reload_successful"): "0x18 1x9"},
        {**POD, "severity": "critical"},
    ),
    "NGINXCertificateExpiry": Case(
        {series(f"{NGINX}_ssl_expire_time_seconds", 'host="a.example"'): "600000x30"},
        {
            series(f"{NGINX}_ssl_expire_time_seconds", 'host="a.example"'): "700000x30",
            series(f"{NGINX}_ssl_expire_time_seconds", 'host="_"'): "1000x30",
        },
        {**HOST, "severity": "critical"},
    ),
    "NGINXTooMany500s": Case(
        {requests(200): "0+90x30", requests(502): "0+10x30"},
        {requests(200): "0+99x30", requests(502): "0+1x30"},
        {**HOST, "severity": "warning"},
    ),
    "NGINXTooMany400s": Case(
        {requests(200): "0+60x30", requests(404): "0+40x30"},
        {requests(200): "0+90x30", requests(404): "0+10x30"},
        {**HOST, "severity": "info"},
    ),
    "TxingressEndpointErrors": Case(
        {exchanges("ok"): "0+90x30", exchanges("dial_failed"): "0+10x30"},
        {exchanges("ok"): "0+90x30", exchanges("no_route"): "0+10x30"},
        {"severity": "warning"},
    ),
    "TxingressUnhealthyEndpoints": Case(
        {series("txingress_unhealthy_endpoints"): "0 2x30"},
        {series("txingress_unhealthy_endpoints"): "0x14 2x30"},
        {**POD, "severity": "warning"},
    ),
    "TxingressAccessClosed": Case(
        {exchanges("access_refused"): "0+1x30"},
        {exchanges("access_refused"): "7x30"},
        {"severity": "warning"},
    ),
    "TxingressOverloaded": Case(
        {series("txingress_connections_given_up_total"): "0+1x30"},
        {
            exchanges("overloaded"): "0 5x30",
            series("txingress_connections_given_up_total"): "0x30",
        },
        {"severity": "critical"},
    ),
    "TxingressAbsent": Case(
        {"up{}": "1x30"},
        {series("txingress_snapshot_generation"): "1x30"},
        {"severity": "critical"},
    ),
    "TxingressFault": Case(
        # The series is there from the first fault on.
        {exchanges("internal_error"): "_x15 1x30"},
        {exchanges("internal_error"): "_x3 1x30", series(f"{NGINX}_errors"): "0 1x30"},
        {**POD, "severity": "critical"},
    ),
    "TxingressWorkersLost": Case(
        {series("txingress_workers_lost_total"): "0x15 1x30"},
        {series("txingress_workers_lost_total"): "1x30"},
        {**POD, "severity": "warning"},
    ),
    "TxingressRestarts": Case(
        {series(f"{NGINX}_nginx_process_oldest_start_time_seconds"): "0x5 1x4 2x4 3x9"},
        {series(f"{NGINX}_nginx_process_oldest_start_time_seconds"): "0x5 1x30"},
        {**POD, "severity": "warning"},
    ),
    "TxingressStale": Case(
        {series("txingress_api_age_seconds", 'kind="Ingress"'): "0+60x30"},
        {series("txingress_api_age_seconds", 'kind="Ingress"'): "290x30"},
        {**POD, "kind": "Ingress", "severity": "warning"},
    ),
    "TxingressNoLeader": Case(
        {series(f"{NGINX}_leader_election_status", 'name="edge/lease"'): "0x30"},
        {
            series(f"{NGINX}_leader_election_status", 'name="edge/lease"'): "0x30",
            f'{NGINX}_leader_election_status{{job="edge", instance="b", name="edge/lease"}}': "1x30",
        },
        {"name": "edge/lease", "severity": "warning"},
    ),
    "TxingressPolicyFailures": Case(
        {series("txingress_policy_failures_total", 'policy="token"'): "_x15 3x30"},
        {series("txingress_policy_failures_total", 'policy="token"'): "3x30"},
        {"policy": "token", "severity": "warning"},
    ),
    "TxingressProblems": Case(
        {series("txingress_problems", 'kind="Ingress", code="ANN001"'): "2x99"},
        {series("txingress_problems", 'kind="Ingress", code="ANN001"'): "2x40 0x99"},
        {"kind": "Ingress", "code": "ANN001", "severity": "info"},
        minute=70,
    ),
    "TxingressLogLost": Case(
        {series("txingress_access_log_dropped_lines_total"): "0x15 9x30"},
        {series("txingress_access_log_dropped_lines_total"): "9x30"},
        {**POD, "severity": "warning"},
    ),
    "TxingressMetricsFolded": Case(
        {series("txingress_unlabelled_requests_total"): "0x15 9x30"},
        {series("txingress_unlabelled_requests_total"): "9x30"},
        {**POD, "severity": "info"},
    ),
}


class AlertTests(SynchronousTestCase):
    """Each alert fires when it should, and only then."""

    def setUp(self) -> None:
        self.groups = yaml.safe_load(ALERTS.read_text())["groups"]
        self.folder = Path(tempfile.mkdtemp(prefix="alerts-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def rules(self) -> list[Document]:
        return [rule for group in self.groups for rule in group["rules"]]

    def promtool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [find_program("promtool"), *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def run_cases(self, groups: list[Document], tests: list[Document]) -> str:
        """:return: what promtool complains of, or nothing."""
        (self.folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
        (self.folder / "test.yaml").write_text(
            yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests})
        )
        done = self.promtool("test", "rules", "test.yaml")
        return f"{done.stdout}{done.stderr}" if done.returncode else ""

    def test_complete(self) -> None:
        """Each alert has a case, and says what has happened and how bad it is."""
        rules = self.rules()
        self.assertEqual([each["alert"] for each in rules], list(CASES))
        for rule in rules:
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
            self.assertEqual(rule["annotations"].keys(), {"summary", "description"})
            self.assertFalse(rule["annotations"]["summary"].endswith("."))

    def test_listed(self) -> None:
        """docs/observing.md lists each alert with its severity."""
        page = (CHART.parents[1] / "docs" / "observing.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ", page, re.MULTILINE)
        self.assertEqual(
            [row for row in rows if row[1] in ("critical", "warning", "info")],
            [(rule["alert"], rule["labels"]["severity"]) for rule in self.rules()],
        )

    def test_checked(self) -> None:
        """promtool accepts the file."""
        done = self.promtool("check", "rules", str(ALERTS))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_cases(self) -> None:
        """Each alert fires over the series for that, and not over the others."""
        groups = [
            {**group, "rules": [without_annotations(rule) for rule in group["rules"]]}
            for group in self.groups
        ]
        tests = []
        for name, case in CASES.items():
            job = {} if name == "TxingressAbsent" else {"job": "edge"}
            fired = [{"exp_labels": {**job, **case.labels}}]
            tests.append(case_of(name, case.firing, case.minute, fired))
            tests.append(case_of(name, case.quiet, case.minute, []))
        self.assertEqual(self.run_cases(groups, tests), "")
        # That it would tell.
        self.assertIn(
            "NGINXConfigFailed", self.run_cases(groups, [{**tests[0], **quiet(tests[0])}])
        )

    def test_words(self) -> None:
        """What an alert says has the values in it."""
        tests = [case_of(name, case.firing, case.minute, []) for name, case in CASES.items()]
        said = self.run_cases(self.groups, tests)
        for text in (
            "That of a.example expires in 6d 22h 20m 0s.",
            "pod:10254 has known nothing new of the kind Ingress for 20m 0s",
            "10 % of the requests for a.example got a status of 500",
            "2 problems of the kind Ingress with the code ANN001",
        ):
            self.assertIn(text, re.sub(r"\s+", " ", said))
        self.assertNotIn("error", said.lower().replace("internal_error", "").replace("errors", ""))
        self.assertNotIn("<no value>", said)
        self.assertEqual(len(re.findall(r"description=", said)), len(CASES))


def without_annotations(rule: Document) -> Document:
    return {name: value for name, value in rule.items() if name != "annotations"}


def quiet(test: Document) -> Document:
    """The same test, which expects no alert."""
    return {"alert_rule_test": [{**each, "exp_alerts": []} for each in test["alert_rule_test"]]}


def case_of(name: str, values: dict[str, str], minute: int, expected: list[Document]) -> Document:
    """A test in the form of promtool."""
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": over} for each, over in values.items()],
        "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": expected}],
    }
