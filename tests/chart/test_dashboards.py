"""
Tests for the dashboards and rules of etc/chart: their form, and how the chart delivers them.

That Prometheus has data for each expression, `tests.e2e.test_dashboards` shows.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from twisted.trial.unittest import SynchronousTestCase

from tests.chart.test_objects import FURTHER
from tests.support.chart import CHART, Rendering
from tests.support.dashboards import DASHBOARDS, expressions, load, panels
from tests.support.metric_page import documented

NOT_IN_MODEL = {"annotations.list.builtIn", "annotations.list.step", "annotations.list.titleFormat"}
NOT_IN_MODEL |= {"templating.list.definition"}
"""What Grafana writes itself, and its model leaves out."""

Document = dict[str, Any]


def lost(given: Any, kept: Any, place: str = "") -> set[str]:
    """The places of values that are not kept as they are given."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return {
            each
            for name, value in given.items()
            for each in lost(value, kept.get(name), f"{place}.{name}" if place else name)
        }
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        pairs = zip(given, kept, strict=True)
        return {each for value, other in pairs for each in lost(value, other, place)}
    return set() if given == kept else {place}


class FormTests(SynchronousTestCase):
    """The files are what Grafana imports."""

    def test_model(self) -> None:
        """Grafana's own model of a dashboard has each field, with the type that it has here."""
        register_default_plugins()
        for name in DASHBOARDS:
            given = load(name)
            made = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(given)))
            self.assertEqual(lost(given, made) - NOT_IN_MODEL, set(), name)

    def test_model_tells(self) -> None:
        """A field that the model does not have is found."""
        given = load(DASHBOARDS[0])
        given["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
        made = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(given)))
        self.assertIn("panels.fieldConfig.defaults.units", lost(given, made))

    def test_identity(self) -> None:
        """Each dashboard has a uid of its own, is not bound to an instance of Grafana, and is new."""
        loaded = [load(name) for name in DASHBOARDS]
        self.assertEqual(len({each["uid"] for each in loaded}), len(loaded))
        for each in loaded:
            self.assertNotIn("id", each)
            self.assertGreaterEqual(each["schemaVersion"], 39)
            self.assertNotIn("__inputs", each)
            self.assertRegex(each["title"], r"^txingress / ")

    def test_places(self) -> None:
        """No panel lies over another one, or beyond the grid; each has a number of its own."""
        for name in DASHBOARDS:
            found = panels(load(name), is_row=None)
            self.assertEqual(len({each["id"] for each in found}), len(found))
            for one, other in combinations([each["gridPos"] for each in found], 2):
                self.assertFalse(
                    one["x"] < other["x"] + other["w"]
                    and other["x"] < one["x"] + one["w"]
                    and one["y"] < other["y"] + other["h"]
                    and other["y"] < one["y"] + one["h"]
                )
            self.assertTrue(all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in found))

    def test_sources(self) -> None:
        """Panels ask the data source that the user chooses, for the replicas that are chosen."""
        for name in DASHBOARDS:
            dashboard = load(name)
            variables = {each["name"] for each in dashboard["templating"]["list"]}
            for panel in panels(dashboard):
                self.assertTrue(panel["targets"], panel["title"])
                for target in (panel, *panel["targets"]):
                    self.assertEqual(target["datasource"]["uid"], "${datasource}")
            for _, expression in expressions(dashboard):
                used = set(re.findall(r"\$(\w+)", expression)) - {"__rate_interval"}
                self.assertLessEqual({"job", "instance"}, used, expression)
                self.assertLessEqual(used, variables, expression)

    def test_complete(self) -> None:
        """Each metric of our own that docs/metrics.md lists is on a dashboard."""
        shown = " ".join(text for name in DASHBOARDS for _, text in expressions(load(name)))
        own = {name for name in documented() if name.startswith("txingress_")}
        self.assertGreater(len(own), 25)
        self.assertEqual({name for name in own if name not in shown}, set())


class DeliveryTests(SynchronousTestCase):
    """The chart delivers them to Grafana and Prometheus."""

    def setUp(self) -> None:
        self.rendering = Rendering(FURTHER["monitored"])

    def test_dashboards(self) -> None:
        """Each file is a ConfigMap with the label that the sidecar of Grafana looks for."""
        maps = [
            each
            for each in self.rendering.all("ConfigMap")
            if "grafana_dashboard" in each["metadata"]["labels"]
        ]
        delivered = {name: text for each in maps for name, text in each["data"].items()}
        self.assertEqual(
            {name: json.loads(text) for name, text in delivered.items()},
            {f"{name}.json": load(name) for name in DASHBOARDS},
        )
        self.assertEqual({each["metadata"]["namespace"] for each in maps}, {"monitoring"})
        self.assertTrue(all(len(text) < 1_000_000 for text in delivered.values()))

    def test_rules(self) -> None:
        """The alerts are those of the file, without the ones that are left out, and further ones."""
        written = yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
        groups = self.rendering.get("PrometheusRule")["spec"]["groups"]
        expected = [rule for group in written for rule in group["rules"]]
        made = [rule for group in groups for rule in group["rules"]]
        kept = [rule for rule in expected if rule["alert"] != "TxingressRestarts"]
        self.assertEqual(made, [*kept, {"alert": "Own", "expr": "vector(1)"}])
        self.assertEqual(len(kept), len(expected) - 1)

    def test_monitors(self) -> None:
        """They find the port by its name: of the Service for metrics, and of the pods."""
        service = self.rendering.get("Service", "txingress-metrics")
        monitor = self.rendering.get("ServiceMonitor")
        self.assertEqual(monitor["metadata"]["labels"]["release"], "kps")
        selected = monitor["spec"]["selector"]["matchLabels"]
        self.assertLessEqual(selected.items(), service["metadata"]["labels"].items())
        [endpoint] = monitor["spec"]["endpoints"]
        [port] = service["spec"]["ports"]
        self.assertEqual((endpoint["port"], port["targetPort"]), (port["name"], "admin"))
        # The Service for clients has the same labels, and no such port.
        clients = {each["name"] for each in self.rendering.get("Service")["spec"]["ports"]}
        self.assertNotIn(endpoint["port"], clients)
        pods = self.rendering.get("PodMonitor")["spec"]
        self.assertEqual(pods["podMetricsEndpoints"][0]["port"], "admin")
        self.assertEqual(pods["sampleLimit"], 100000)
