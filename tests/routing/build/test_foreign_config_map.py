"""
Tests for `ingress.routing.build.foreign_config_map`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, FilesSource
from ingress.kube.objects import ConfigMap, Metadata
from ingress.routing.build import build
from ingress.routing.build.foreign_config_map import MAX_KEYS
from tests.support.objects import ingress, objects

NOW = datetime(2026, 11, 30, tzinfo=UTC)
CONFIG = Config(source=FilesSource(paths=(Path("manifests"),)))


def config_map(name: str, *keys: str, labels: Mapping[str, str] | None = None) -> ConfigMap:
    return ConfigMap(
        metadata=Metadata(name=name, namespace="nginx", labels=dict(labels or {})),
        data=dict.fromkeys(keys, "1"),
    )


def problems(*items: ConfigMap) -> dict[str, str]:
    """The messages by object and field."""
    found = build(objects(*items), CONFIG, now=NOW).all_problems()
    return {f"{each.name} {each.field}": each.message for each in found}


class ConfigMapTests(SynchronousTestCase):
    """ConfigMaps of ingress-nginx are Problems, key by key."""

    def test_keys(self) -> None:
        """Each key is one, with what follows from it."""
        found = problems(
            config_map(
                "ingress-nginx-controller", "use-gzip", "whitelist-source-range", "server-snippet"
            )
        )
        self.assertEqual(
            found,
            {
                "ingress-nginx-controller data[use-gzip]": "has no effect: `config-map` of"
                " the configuration does not name this ConfigMap",
                "ingress-nginx-controller data[whitelist-source-range]": "has no effect:"
                " `config-map` of the configuration does not name this ConfigMap, and access stays"
                " open",
                "ingress-nginx-controller data[server-snippet]": "has no effect: snippets are not"
                " interpreted",
            },
        )

    def test_streams(self) -> None:
        """The ports of tcp-services and udp-services are not open unless a key names them."""
        found = problems(config_map("tcp-services", "9000"), config_map("udp-services", "53"))
        text = "of the configuration does not name this ConfigMap, so that its ports are not open"
        self.assertEqual(
            found,
            {
                "tcp-services data[9000]": f"has no effect: `tcp-services` {text}",
                "udp-services data[53]": f"has no effect: `udp-services` {text}",
            },
        )

    def test_label(self) -> None:
        """The label of its chart tells them as well; other ConfigMaps are no Problem."""
        labels = {"app.kubernetes.io/name": "ingress-nginx"}
        self.assertEqual(len(problems(config_map("custom", "use-gzip", labels=labels))), 1)
        self.assertEqual(problems(config_map("custom", "use-gzip")), {})

    def test_bounded(self) -> None:
        """Very many keys are counted."""
        keys = [f"k{number}" for number in range(MAX_KEYS + 5)]
        found = problems(config_map("tcp-services", *keys))
        self.assertEqual(len(found), MAX_KEYS + 1)
        self.assertEqual(found["tcp-services data"], "5 more keys have no effect")

    def test_changes(self) -> None:
        """A build that continues follows the changes, and keeps the tuple of what is the same."""
        key = ("ConfigMap", "nginx", "tcp-services")
        tcp = config_map("tcp-services", "9000")
        first = build(objects(tcp), CONFIG, now=NOW)
        second = build(objects(tcp, ingress("a", {"/": "b:80"})), CONFIG, first, now=NOW)
        self.assertIs(second.problems[key], first.problems[key])
        changed = config_map("tcp-services", "9001")
        third = build(objects(changed), CONFIG, second, now=NOW)
        self.assertEqual([each.field for each in third.problems[key]], ["data[9001]"])
        self.assertNotIn(key, build(objects(), CONFIG, third, now=NOW).problems)
