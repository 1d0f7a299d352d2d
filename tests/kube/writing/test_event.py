"""
Tests for `ingress.kube.writing.event`.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.names import is_dns_subdomain
from ingress.kube.objects import IngressRule
from ingress.kube.writing.event import (
    MAX_HOSTS,
    MAX_INSTANCE,
    MAX_NOTE,
    Event,
    event_body,
    event_path,
    problem_event,
    series_body,
    served_event,
)
from ingress.problem import Problem
from tests.support.objects import ingress
from tests.support.recorded import exchange

PORT = Problem("no such port", "Ingress", "shop", "web", "spec.rules[0]", '"http"')


class ProblemTests(SynchronousTestCase):
    """A Problem becomes a warning."""

    def test_note(self) -> None:
        """The note says what is wrong, and where; the object need not be named."""
        event = problem_event(PORT, "u")
        self.assertEqual(event.note, 'spec.rules[0]: "http": no such port')
        self.assertEqual((event.regarding, event.uid), (("shop", "web"), "u"))
        self.assertTrue(event.is_warning)
        self.assertEqual(problem_event(Problem("bad", "Ingress", "a", "b"), "u").note, "bad")

    def test_bounded(self) -> None:
        """A note is one line of as many bytes as the server takes, and always text."""
        for message in (
            "é" * MAX_NOTE,
            "x" * (MAX_NOTE + 1),
            "a\nb" * MAX_NOTE,
            "\ud800" * MAX_NOTE,
        ):
            note = problem_event(replace(PORT, message=message), "u").note
            self.assertLessEqual(len(note.encode()), MAX_NOTE)
            self.assertGreater(len(note.encode()), MAX_NOTE - 10)
            self.assertTrue(note.isprintable())
            self.assertTrue(note.endswith("…"))

    def test_reason(self) -> None:
        """The reason is one word, by the field that is at fault."""
        for field, expected in (
            ("metadata.annotations[nginx.ingress.kubernetes.io/x]", "InvalidAnnotation"),
            ("spec.tls[0]", "TLSProblem"),
            ("spec.rules[0].http.paths[0].backend.service", "BackendProblem"),
            ("spec.defaultBackend", "BackendProblem"),
            ("spec.rules[0].host", "RuleProblem"),
            ("", "Problem"),
        ):
            self.assertEqual(problem_event(replace(PORT, field=field), "u").reason, expected)


class ServedTests(SynchronousTestCase):
    """Served is a Normal Event."""

    def note(self, *hosts: str) -> str:
        item = ingress("a.example", {"/": "web:80"})
        rules = tuple(IngressRule(host=host) for host in hosts)
        return served_event(
            msgspec.structs.replace(item, spec=msgspec.structs.replace(item.spec, rules=rules))
        ).note

    def test_hosts(self) -> None:
        """The hosts are named, each once, and not too many."""
        self.assertEqual(
            self.note("a.example", "b.example", "a.example"),
            "Its rules are served for a.example, b.example",
        )
        self.assertEqual(self.note(), "Its rules are served for all hosts")
        many = self.note(*(f"h{number}.example" for number in range(MAX_HOSTS + 7)))
        self.assertTrue(many.endswith("h9.example and 7 more"), many)

    def test_event(self) -> None:
        """It is Normal, and about the Ingress."""
        event = served_event(ingress("a.example", {"/": "web:80"}, name="shop/web"))
        self.assertEqual((event.regarding, event.reason), (("shop", "web"), "Served"))
        self.assertEqual(event_body(event, "pod", "now")["type"], "Normal")


class NameTests(SynchronousTestCase):
    """Each Event has a name of its own, the same from every replica."""

    def test_same(self) -> None:
        """Equal statements have equal names."""
        self.assertEqual(problem_event(PORT, "u").name, problem_event(replace(PORT), "u").name)

    def test_others(self) -> None:
        """Another Ingress, also one of the same name, and another fault are others."""
        events = (
            problem_event(PORT, "u"),
            problem_event(PORT, "v"),
            problem_event(replace(PORT, name="api"), "u"),
            problem_event(replace(PORT, message="x"), "u"),
            problem_event(replace(PORT, field="spec.tls"), "u"),
        )
        self.assertEqual(len({event.name for event in events}), len(events))

    def test_served(self) -> None:
        """Served is one Event, whatever the hosts are."""
        names = {served_event(ingress(host, {"/": "web:80"})).name for host in ("a.b", "c.d")}
        self.assertEqual(len(names), 1)

    def test_valid(self) -> None:
        """The server takes every name."""
        for name in ("web", "a.b-c", "x" * 253, f"{'x' * 229}.{'y' * 23}", f"{'x' * 228}.-y"):
            self.assertTrue(
                is_dns_subdomain(problem_event(replace(PORT, name=name), "u").name), name
            )


class BodyTests(SynchronousTestCase):
    """Requests are those that a real API server took."""

    def test_create(self) -> None:
        """An Event is created with these fields, and the uid that kubectl looks for."""
        recorded = exchange("more", "create event")
        event = Event(
            ("default", "kubia"),
            "u",
            "MissingSecret",
            "TLS secret default/none does not exist",
            is_warning=True,
        )
        body = event_body(event, "ingress-0", "2026-11-23T01:00:00.000000Z")
        self.assertEqual(body["regarding"].pop("uid"), "u")
        body["metadata"]["name"] = "rec-series"
        body["reportingController"] = "example.com/twisted-ingress"
        self.assertEqual(body, recorded.sent)
        self.assertEqual(event_path("default"), recorded.path)

    def test_instance(self) -> None:
        """The name of the instance is as long as the server takes."""
        body = event_body(problem_event(PORT, "u"), "x" * 253, "now")
        self.assertEqual(len(body["reportingInstance"]), MAX_INSTANCE)

    def test_series(self) -> None:
        """It is counted with this one."""
        recorded = exchange("more", "the event again, as a series")
        self.assertEqual(series_body(2, "2026-11-23T01:05:00.000000Z"), recorded.sent)
        self.assertEqual(event_path("default", "rec-series"), recorded.path)
        self.assertEqual(series_body(None, "now"), {"series": {"lastObservedTime": "now"}})
