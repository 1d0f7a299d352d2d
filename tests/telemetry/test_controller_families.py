"""Tests of `ingress.telemetry.controller_families`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import TLS
from ingress.kube.objects import KubeObject
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.telemetry.controller_families import controller_families
from ingress.telemetry.exposition import pieces
from tests.support.certs import NEXT_MONTH, CertificateAuthority
from tests.support.metrics import Sample, read_samples, sample_value
from tests.support.objects import FILES, built, ingress, ingress_class, secret, served, service
from tests.support.observed_proxy import HandProxy

PREFIX = "nginx_ingress_controller_"
CONTROLLER = {
    "controller_class": "txingress.dev/ingress",
    "controller_namespace": "ingress",
    "controller_pod": "ingress-1",
}


class ControllerFamiliesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hand = HandProxy()

    def publish(self, *items: KubeObject | tuple[KubeObject, ...]) -> None:
        self.hand.published.publish(built(*items, config=self.hand.configured.current), before=90)

    def text(self) -> str:
        proxy = self.hand.proxy
        return b"".join(pieces(controller_families(proxy, proxy.constants()))).decode()

    def value(self, name: str, /, **labels: str) -> float | None:
        return sample_value(self.text(), name, **labels)

    def samples(self, name: str) -> list[Sample]:
        """Sorted by host, if they have one."""
        found = [sample for sample in read_samples(self.text()) if sample.name == name]
        return sorted(found, key=lambda sample: sample.labels.get("host", ""))

    def test_before_the_first(self) -> None:
        """Before there is a Snapshot nothing is told of one."""
        self.assertEqual(self.value(f"{PREFIX}success"), 0)
        self.assertIsNone(self.value(f"{PREFIX}config_last_reload_successful_timestamp_seconds"))
        self.assertNotIn("txingress_snapshot", self.text())

    def test_constants(self) -> None:
        """What ingress-nginx labels with its controller is labelled with ours."""
        self.hand.leases = {"ingress-leader": 1}
        self.publish(ingress("a.example", {"/": "web:80"}), served("web"))
        for name in (
            "build_info",
            "config_hash",
            "config_last_reload_successful",
            "config_last_reload_successful_timestamp_seconds",
            "success",
            "errors",
            "leader_election_status",
            "orphan_ingress",
        ):
            for sample in self.samples(f"{PREFIX}{name}"):
                self.assertLessEqual(CONTROLLER.items(), sample.labels.items(), name)
            self.assertTrue(self.samples(f"{PREFIX}{name}"), name)

    def test_counters(self) -> None:
        """Builds are counters without a suffix, as ingress-nginx has its reloads."""
        self.publish()
        self.hand.published.failures = 3
        self.assertEqual(self.value(f"{PREFIX}success"), 1)
        self.assertEqual(self.value(f"{PREFIX}errors"), 3)
        self.assertIn(f"# TYPE {PREFIX}success counter\n", self.text())

    def test_builds(self) -> None:
        """How many builds there were, and how long they took."""
        self.hand.published.builds, self.hand.published.build_seconds = 4, 1.5
        self.assertEqual(self.value("txingress_builds_total"), 4)
        self.assertEqual(self.value("txingress_build_seconds_total"), 1.5)

    def test_build_info(self) -> None:
        """The version is a label."""
        (sample,) = self.samples(f"{PREFIX}build_info")
        self.assertEqual(sample.value, 1)
        self.assertEqual(sample.labels["release"], "1.2.3")

    def test_configuration(self) -> None:
        """The hash tells two configurations apart, and a mistake in the file is told."""
        before = self.value(f"{PREFIX}config_hash")
        self.assertEqual(self.value(f"{PREFIX}config_last_reload_successful"), 1)
        self.hand.configured.current = replace(FILES, ssl_redirect=False)
        self.hand.configured.has_mistakes = True
        self.assertNotEqual(self.value(f"{PREFIX}config_hash"), before)
        self.assertEqual(self.value(f"{PREFIX}config_last_reload_successful"), 0)

    def test_snapshot(self) -> None:
        """Generation, age and size of what is served."""
        self.publish(
            ingress("a.example", {"/": "web:80"}),
            ingress("*.b.example", {"/": "web:80"}, name="wildcard"),
            ingress("", {"/": "web:80"}, name="any"),
            served("web"),
        )
        self.assertEqual(self.value("txingress_snapshot_generation"), 1)
        self.assertEqual(self.value("txingress_snapshot_age_seconds"), 90)
        self.assertEqual(self.value("txingress_snapshot_hosts"), 3)
        self.assertEqual(self.value("txingress_snapshot_upstreams"), 1)
        timestamp = f"{PREFIX}config_last_reload_successful_timestamp_seconds"
        assert self.hand.published.published_at is not None
        self.assertEqual(self.value(timestamp), self.hand.published.published_at.timestamp())

    def test_foreign(self) -> None:
        """Ingresses of other classes are counted by class."""
        self.publish(
            ingress_class("twisted"),
            ingress("a.example", {"/": "web:80"}, class_name="nginx"),
            ingress("b.example", {"/": "web:80"}, name="b"),
        )
        found = {
            sample.labels["class"]: sample.value
            for sample in self.samples("txingress_foreign_ingresses")
        }
        self.assertEqual(found, {"nginx": 1, "(none)": 1})

    def test_problems(self) -> None:
        """Problems are counted by the kind of what they are about, and by their codes."""
        self.hand.problems = [
            Problem("bad", "Ingress", "default", "a", code=Code.RULE_TAKEN),
            Problem("bad", "Ingress", "default", "b", code=Code.RULE_TAKEN),
            Problem("bad", "Ingress", "default", "b", code=Code.HOST_TAKEN),
            Problem("bad", "Secret", "default", "c"),
            Problem("no YAML", origin=Origin("a.yaml")),
            Problem("the API server does not answer"),
        ]
        found = {
            (sample.labels["kind"], sample.labels["code"]): sample.value
            for sample in self.samples("txingress_problems")
        }
        self.assertEqual(
            found,
            {
                ("Ingress", "RUL001"): 2, ("Ingress", "RUL002"): 1,
                ("Secret", ""): 1, ("file", ""): 1, ("api", ""): 1,
            },
        )  # fmt: skip

    def test_cluster(self) -> None:
        """What only a cluster has: Leases, and how old our knowledge of it is."""
        self.hand.leases = {"one": 1, "other": 0}
        self.hand.api_ages = {"Service": 2.5}
        self.hand.api_relists = {"Service": 3}
        self.hand.api_watch_failures = {"Service": 4}
        self.assertEqual(self.value(f"{PREFIX}leader_election_status", name="one"), 1)
        self.assertEqual(self.value(f"{PREFIX}leader_election_status", name="other"), 0)
        self.assertEqual(self.value("txingress_api_age_seconds", kind="Service"), 2.5)
        self.assertEqual(self.value("txingress_api_relists_total", kind="Service"), 3)
        self.assertEqual(self.value("txingress_api_watch_failures_total", kind="Service"), 4)

    def test_certificates(self) -> None:
        """Each host's certificate is told with its end, its Secret and who signed it."""
        issued = CertificateAuthority("Some CA").issue("a.example", "*.a.example")
        self.publish(
            ingress("a.example", {"/": "web:80"}, tls={"pair": ["a.example", "*.a.example"]}),
            secret("pair", issued.chain_pem, issued.key_pem),
            served("web"),
        )
        expiry = self.samples(f"{PREFIX}ssl_expire_time_seconds")
        self.assertEqual(
            [sample.labels for sample in expiry],
            [
                {
                    "class": "txingress.dev/ingress",
                    "namespace": "ingress",
                    "host": host,
                    "secret_name": "pair",
                }
                for host in ("*.a.example", "a.example")
            ],
        )
        self.assertEqual({sample.value for sample in expiry}, {NEXT_MONTH.timestamp()})
        serial_number = str(issued.certificate.serial_number)
        self.assertEqual(
            [sample.labels for sample in self.samples(f"{PREFIX}ssl_certificate_info")],
            [
                {
                    "class": "txingress.dev/ingress",
                    "namespace": "default",
                    "host": host,
                    "secret_name": "pair",
                    "identifier": f"pair-{serial_number}",
                    "issuer_common_name": "Some CA",
                    "issuer_organization": "",
                    "serial_number": serial_number,
                    "public_key_algorithm": "ECDSA",
                }
                for host in ("*.a.example", "a.example")
            ],
        )

    def test_default_certificate(self) -> None:
        """The configured default is that of the host ``_``."""
        issued = CertificateAuthority().issue("fallback.example")
        self.hand.configured.current = replace(FILES, tls=TLS(default=("default", "pair")))
        self.publish(secret("pair", issued.chain_pem, issued.key_pem))
        (sample,) = self.samples(f"{PREFIX}ssl_expire_time_seconds")
        self.assertEqual(sample.labels["host"], "_")

    def test_checks(self) -> None:
        """Each Ingress has the number of its versions without a problem."""
        self.hand.ingress_checks += [(("default", "web"), 3), (("other", "api"), 1)]
        found = {
            (sample.labels["namespace"], sample.labels["ingress"]): sample.value
            for sample in self.samples(f"{PREFIX}check_success")
        }
        self.assertEqual(found, {("default", "web"): 3, ("other", "api"): 1})

    def test_orphans(self) -> None:
        """Each Ingress is told with what its Services lack."""
        self.publish(
            ingress("a.example", {"/": "web:80"}, name="whole"),
            ingress("b.example", {"/": "empty:80", "/x": "nowhere:80"}, name="orphan"),
            served("web"),
            service("empty"),
        )
        found = {
            (sample.labels["ingress"], sample.labels["type"]): sample.value
            for sample in self.samples(f"{PREFIX}orphan_ingress")
        }
        expected = {
            ("whole", "no-service"): 0,
            ("whole", "no-endpoint"): 0,
            ("orphan", "no-service"): 1,
            ("orphan", "no-endpoint"): 1,
        }
        self.assertEqual(found, expected)
