"""
Tests for `ingress.kube.remains`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress
from ingress.kube.remains import is_remains, remains_of
from ingress.problem import Origin

ORIGIN = Origin("a.yaml", 7)


def raw_ingress(*rules: object, **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "annotations": {"a": "b"}} | metadata,
        "spec": {"rules": rules and [*rules]},
    }


def raw_rule(*paths: object, host: object = "a.example") -> dict[str, object]:
    return {"host": host, "http": {"paths": [*paths]}}


def remains(raw: object) -> Ingress:
    found = remains_of(raw, ORIGIN)
    assert found is not None
    return found


def spelled(raw: object) -> list[tuple[str, list[str] | None]]:
    """Each host, with its paths; None for all of them."""
    return [
        (rule.host, [f"{it.path_type} {it.path}" for it in rule.http.paths] if rule.http else None)
        for rule in remains(raw).spec.rules
    ]


class RemainsTests(SynchronousTestCase):
    """Whatever is wrong with an Ingress, what it guards is found."""

    def test_not_guarding(self) -> None:
        """Without annotations nothing remains, whatever the shape."""
        shapes: list[Any] = [None, "x", [], {}, {"metadata": {"annotations": {}}}, {"metadata": []}]
        for raw in shapes:
            with self.subTest(raw=raw):
                self.assertIs(remains_of(raw, ORIGIN), None)

    def test_marked(self) -> None:
        """Remains can be distinguished from an Ingress that is served."""
        found = remains(raw_ingress())
        self.assertTrue(is_remains(found))
        self.assertFalse(is_remains(Ingress(metadata=found.metadata, spec=found.spec)))
        self.assertFalse(is_remains(None))

    def test_annotations(self) -> None:
        """An annotation counts by its name, whatever its value and the blanks around it."""
        found = remains(raw_ingress(annotations={" a ": "x", "b": 5, "c": None, "d": ["x"]}))
        self.assertEqual(found.metadata.annotations, {"a": "x", "b": "", "c": "", "d": ""})

    def test_metadata(self) -> None:
        """Name, namespace and age are kept where they can be read; each has a name."""
        created = "2026-01-31T12:00:00Z"
        found = remains(raw_ingress(namespace="shop", creationTimestamp=created))
        self.assertEqual(found.key, ("shop", "web"))
        self.assertEqual(found.metadata.creation_timestamp, datetime(2026, 1, 31, 12, tzinfo=UTC))
        found = remains(raw_ingress(name=5, namespace=[], creationTimestamp="never"))
        self.assertEqual(found.key, ("default", "a.yaml, line 7"))
        self.assertIs(found.metadata.creation_timestamp, None)

    def test_paths(self) -> None:
        """Paths are kept, whatever is wrong with their backends."""
        exact = {"path": "/a", "pathType": "Exact"}
        rest = {"pathType": "ImplementationSpecific", "backend": "nonsense"}
        raw = raw_ingress(raw_rule(exact, rest))
        self.assertEqual(spelled(raw), [("a.example", ["Exact /a", "ImplementationSpecific "])])

    def test_unreadable_paths(self) -> None:
        """A rule that has a path that cannot be read is for all of its host."""
        good = {"path": "/a", "pathType": "Exact"}
        for bad in (
            None,
            "x",
            {"path": "/a"},
            {"path": "/a", "pathType": "Regex"},
            {"path": "/a", "pathType": []},
            {"path": "a", "pathType": "Prefix"},
            {"path": "/a//b", "pathType": "Prefix"},
            {"path": 5, "pathType": "Prefix"},
            {"pathType": "Exact"},
        ):
            with self.subTest(bad=bad):
                self.assertEqual(spelled(raw_ingress(raw_rule(good, bad))), [("a.example", None)])
        rules: list[dict[str, Any]] = [
            {},
            {"http": None},
            {"http": {"paths": good}},
            {"http": {"paths": []}},
        ]
        for rule in rules:
            with self.subTest(rule=rule):
                self.assertEqual(spelled(raw_ingress({"host": "a"} | rule)), [("a", None)])

    def test_hosts(self) -> None:
        """A host is the one that is meant, and others are read where one cannot be."""
        for written, meant in (
            (None, ""),
            ("*", ""),
            ("*.A.example", "*.a.example"),
            (" a.example. ", "a.example"),
            ("a.example.:80", "a.example"),
            ("a:b", "a:b"),
        ):
            with self.subTest(written=written):
                raw = raw_ingress("x", None, raw_rule(host=5), raw_rule(host=written))
                self.assertEqual(spelled(raw), [(meant, None)])

    def test_one_rule(self) -> None:
        """A rule that is in no list is read too."""
        raw = raw_ingress()
        raw["spec"]["rules"] = raw_rule({"path": "/a", "pathType": "Exact"})
        self.assertEqual(spelled(raw), [("a.example", ["Exact /a"])])

    def test_default_backend(self) -> None:
        """A default backend is one, by its old name too."""
        for name in ("defaultBackend", "backend"):
            raw = raw_ingress()
            raw["spec"][name] = {"service": "nonsense"}
            self.assertIsNot(remains(raw).spec.default_backend, None)
        self.assertIs(remains(raw_ingress()).spec.default_backend, None)
