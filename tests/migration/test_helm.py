"""
Tests for `ingress.migration.helm` and `ingress.migration.helm_values`.
"""

from __future__ import annotations

from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.migration.config_maps import judge_key
from ingress.migration.configuration import judge_flag
from ingress.migration.controller import Installation, find_installations
from ingress.migration.helm import objects_of
from ingress.migration.helm_values import MAX_VALUES, judge_values
from ingress.migration.unused_values import UNUSED
from ingress.migration.verdict import Part, Row, Verdict, plain
from tests.support.process import CHECKOUT


def installed(values: dict[str, Any], **names: str) -> Installation:
    """The installation that the chart makes of values."""
    [found] = find_installations(objects_of(values, **names))
    return found


def judged(values: dict[str, Any]) -> dict[str, Row]:
    """The rows of values by their names."""
    return {row.name: row for row in judge_values(values, judge_key, judge_flag)}


class ObjectTests(SynchronousTestCase):
    """What the chart makes of values."""

    def test_defaults(self) -> None:
        """Without values there is a Deployment with the chart's flags, its Service and class."""
        found = installed({})
        self.assertEqual(found.name, "Deployment ingress-nginx/ingress-nginx-controller")
        self.assertEqual(
            (found.class_name, found.controller_class), ("nginx", "k8s.io/ingress-nginx")
        )
        self.assertEqual(
            found.reference("publish-service"), ("ingress-nginx", "ingress-nginx-controller")
        )
        self.assertEqual([each.name for each in found.services], ["ingress-nginx-controller"])
        self.assertEqual([each.name for each in found.classes], ["nginx"])
        self.assertIsNotNone(found.config_map)
        self.assertEqual((found.autoscalers, found.budgets), ((), ()))

    def test_texts(self) -> None:
        """A text that is not empty is true, whatever it says, as in templates of Go."""
        given = {
            "watchIngressWithoutClass": "true",
            "ingressClassByName": "false",
            "allowSnippetAnnotations": "false",
            "enableAnnotationValidations": "false",
            "publishService": {"enabled": ""},
            "admissionWebhooks": {"enabled": 0},
        }
        found = installed({"controller": given})
        self.assertIs(found.read.values["watch-ingress-without-class"], True)
        self.assertIs(found.read.values["ingress-class-by-name"], True)
        for missing in ("publish-service", "validating-webhook", "enable-annotation-validation"):
            self.assertNotIn(missing, found.read.values)
        assert found.config_map is not None
        self.assertEqual(found.config_map.at("data", "allow-snippet-annotations"), "true")
        service = {"external": {"enabled": False}, "internal": {"enabled": True}}
        inner = installed({"controller": {"service": service}})
        self.assertEqual(
            inner.reference("publish-service"),
            ("ingress-nginx", "ingress-nginx-controller-internal"),
        )
        service["internal"] = {}
        self.assertIsNone(
            installed({"controller": {"service": service}}).reference("publish-service")
        )

    def test_unquoted(self) -> None:
        """Numbers and booleans in quotes are none any more in what a template makes of them."""
        given = {
            "kind": "DaemonSet",
            "hostNetwork": "true",
            "hostPort": {"enabled": True, "ports": {"http": "8080"}},
            "terminationGracePeriodSeconds": "60",
            "service": {"ports": {"http": "81"}, "targetPorts": {"http": "8080"}},
        }
        found = installed({"controller": given, "tcp": {"22": "git/ssh:22"}})
        self.assertIs(found.pod["hostNetwork"], True)
        self.assertEqual(found.pod["terminationGracePeriodSeconds"], 60)
        numbers = {port["name"]: port["hostPort"] for port in found.container["ports"]}
        self.assertEqual(numbers, {"http": 8080, "https": 443, "22-tcp": 22})
        self.assertEqual(found.services[0].at("spec", "ports", 0, "port"), 81)
        replicas = installed({"controller": {"replicaCount": "3", "minAvailable": "50%"}})
        self.assertEqual(replicas.workload.at("spec", "replicas"), 3)
        self.assertEqual(replicas.budgets[0].at("spec", "minAvailable"), "50%")

    def test_names(self) -> None:
        """Names follow the release, and the overrides of names and of the namespace."""
        found = installed({"namespaceOverride": "edge"}, release="blue", namespace="x")
        self.assertEqual(found.name, "Deployment edge/blue-ingress-nginx-controller")
        found = installed({"fullnameOverride": "door", "controller": {"kind": "DaemonSet"}})
        self.assertEqual(found.name, "DaemonSet ingress-nginx/door-controller")

    def test_dependency(self) -> None:
        """Values of a chart that has it as a dependency are those below its name."""
        found = installed({"ingress-nginx": {"controller": {"ingressClass": "inner"}}})
        self.assertEqual(found.class_name, "inner")

    def test_flags(self) -> None:
        """Values are the flags that the chart makes of them."""
        found = installed(
            {
                "controller": {
                    "scope": {"enabled": True, "namespace": "shop"},
                    "watchIngressWithoutClass": True,
                    "extraArgs": {"enable-ssl-passthrough": "", "default-ssl-certificate": "a/b"},
                    "ingressClassResource": {"name": "web", "controllerValue": "x.io/web"},
                },
                "tcp": {5432: "db/pg:5432"},
            }
        )
        values = found.read.values
        self.assertEqual(values["watch-namespace"], "shop")
        self.assertEqual(values["enable-ssl-passthrough"], True)
        self.assertEqual(values["watch-ingress-without-class"], True)
        self.assertEqual(values["tcp-services-configmap"], "ingress-nginx/ingress-nginx-tcp")
        self.assertEqual([each.name for each in found.classes], ["web"])

    def test_scaling(self) -> None:
        """An autoscaler and a budget are made where the chart makes them."""
        found = installed({"controller": {"autoscaling": {"enabled": True, "minReplicas": 2}}})
        self.assertIsNone(found.workload.at("spec", "replicas"))
        self.assertEqual(found.autoscalers[0].at("spec", "minReplicas"), 2)
        self.assertEqual(found.budgets[0].at("spec", "minAvailable"), 1)


class ValueTests(SynchronousTestCase):
    """What becomes of values."""

    def test_as_keys_and_flags(self) -> None:
        """A value that becomes a key or a flag has the verdict of that."""
        rows = judged(
            {
                "controller": {
                    "config": {"use-gzip": True, "enable-modsecurity": "true", "no-such": "1"},
                    "extraArgs": {"watch-namespace-selector": "a=b", "sync-period": "1m"},
                }
            }
        )
        verdicts = {name.rpartition(".")[2]: row.verdict for name, row in rows.items()}
        self.assertEqual(
            verdicts,
            {
                "use-gzip": Verdict.SAME,
                "enable-modsecurity": Verdict.IGNORED,
                "no-such": Verdict.IGNORED,
                "watch-namespace-selector": Verdict.CLOSED,
                "sync-period": Verdict.SAME,
            },
        )
        self.assertTrue(all(row.part is Part.VALUE for row in rows.values()))

    def test_fields_and_credentials(self) -> None:
        """Values of fields are never shown, nor what is named as a credential."""
        hidden = {
            "proxySetHeaders": {"Authorization": "hidden", "X-Api": "hidden"},
            "addHeaders": {"X-Shop": "hidden"},
            "podAnnotations": {"vault.example/credential": "hidden", "db-pwd": "hidden"},
        }
        hidden["podAnnotations"]["plain"] = "hidden"
        others = {"defaultBackend": {"extraArgs": {"pass": "hidden"}}, "x-common": "hidden"}
        rows = judged({"controller": hidden, **others})
        self.assertEqual(len(rows), 8)
        self.assertNotIn("hidden", repr(rows))

    def test_sentences(self) -> None:
        """The report says of a value what the notes of our chart say of it."""
        notes = yaml.safe_load((CHECKOUT / "etc" / "chart" / "unused.yaml").read_text())
        self.assertEqual(list(notes), list(UNUSED))
        said = 0
        for name, each in UNUSED.items():
            self.assertTrue(notes[name]["reason"].startswith(each.follows), name)
            if each.follows:
                value: Any = not each.harmless
                for step in reversed(name.split(".")):
                    value = {step: value}
                [row] = judged(value).values()
                told = (
                    row.follows.partition(": ")[2] if row.follows.startswith("as ") else row.follows
                )
                if not (each.harmless or row.verdict is Verdict.SAME):
                    self.assertEqual(plain(each.follows), told, name)
                    said += 1
        self.assertGreater(said, 5)

    def test_flags_of_values(self) -> None:
        """A value that only sets a flag has the verdict of the flag."""
        rows = judged(
            {
                "controller": {
                    "disableLeaderElection": True,
                    "enableTopologyAwareRouting": False,
                    "scope": {"namespaceSelector": "a=b"},
                    "electionID": "x",
                }
            }
        )
        verdicts = {name.rpartition(".")[2]: row.verdict for name, row in rows.items()}
        self.assertEqual(
            verdicts,
            {
                "disableLeaderElection": Verdict.IGNORED,
                "enableTopologyAwareRouting": Verdict.SAME,
                "namespaceSelector": Verdict.CLOSED,
                "electionID": Verdict.SAME,
            },
        )
        rows = judged({"controller": {"scope": {"enabled": True, "namespaceSelector": "a=b"}}})
        self.assertTrue(all(row.verdict is Verdict.SAME for row in rows.values()))

    def test_table(self) -> None:
        """The longest known beginning of a path decides; what nobody knows is told."""
        rows = judged(
            {
                "controller": {
                    "metrics": {"enabled": True, "serviceMonitor": {"enabled": True}},
                    "replicaCuont": 3,
                    "extraModules": [{"name": "x"}],
                    "keda": {"enabled": False, "minReplicas": 3},
                    "hostNetwork": False,
                }
            }
        )
        self.assertEqual(rows["controller.metrics.enabled"].verdict, Verdict.SAME)
        self.assertEqual(rows["controller.metrics.serviceMonitor.enabled"].verdict, Verdict.DIFFERS)
        self.assertIn("no such value", rows["controller.replicaCuont"].follows)
        self.assertEqual(rows["controller.extraModules"].verdict, Verdict.IGNORED)
        self.assertEqual(rows["controller.keda.minReplicas"].verdict, Verdict.SAME)
        self.assertEqual(rows["controller.hostNetwork"].verdict, Verdict.SAME)

    def test_webhook(self) -> None:
        """The webhook is told unless it is switched off."""
        name = "controller.admissionWebhooks.port"
        self.assertEqual(
            judged({"controller": {"admissionWebhooks": {"port": 1}}})[name].verdict,
            Verdict.DIFFERS,
        )
        rows = judged({"controller": {"admissionWebhooks": {"port": 1, "enabled": False}}})
        self.assertEqual(rows[name].verdict, Verdict.SAME)

    def test_secrets(self) -> None:
        """No value that may be a secret is shown."""
        rows = judged(
            {
                "controller": {
                    "maxmindLicenseKey": "hidden",
                    "extraEnvs": [{"name": "A", "value": "hidden"}],
                    "extraArgs": {"maxmind-license-key": "hidden"},
                    "config": {"ssl-session-ticket-key": "hidden", "http-snippet": "hidden"},
                },
                "dhParam": "hidden",
            }
        )
        self.assertNotIn("hidden", repr(rows))

    def test_bounded(self) -> None:
        """The number of values, and the depth of a bomb of them, harm nothing."""
        deep: dict[str, Any] = {}
        for _ in range(100):
            deep = {"a": deep}
        rows = judged({"controller": {str(n): n for n in range(2 * MAX_VALUES)}, "deep": deep})
        self.assertEqual(len(rows), MAX_VALUES + 1)
        self.assertIn("not judged", rows["…"].follows)
