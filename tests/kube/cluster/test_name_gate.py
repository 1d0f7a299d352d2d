"""
Tests for `ingress.kube.cluster.name_gate`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.name_gate import MAX_HELD, NameGate
from tests.kube.cluster.test_mirror import RecordingSink
from tests.support.objects import endpoint_slice, service


class HandNames:
    """Resolves a name when the test says so."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asked: dict[str, Deferred[None]] = {}

    def is_known(self, name: str) -> bool:
        return name in self.known

    def resolve_ahead(self, name: str) -> Deferred[None]:
        self.asked[name] = Deferred()
        return self.asked[name]

    def answer(self, name: str) -> None:
        self.known.add(name)
        self.asked.pop(name).callback(None)


class NameGateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.names = HandNames()
        self.sink = RecordingSink()
        self.gate = NameGate(self.names, self.sink)
        self.gate.has_loaded = True

    def external(self, host: str, name: str = "web") -> None:
        self.gate.put(service(name, kind="ExternalName", external=host))

    def test_held(self) -> None:
        """A Service that leads to a new name waits for it."""
        self.external("A.example")
        self.assertEqual(self.sink.names, [])
        self.names.answer("a.example")
        self.assertEqual(self.sink.names, ["web"])

    def test_known(self) -> None:
        """An object whose host name is known, or that has none, does not wait."""
        self.names.known.add("a.example")
        self.external("a.example")
        self.gate.put(service("plain"))
        self.gate.put(endpoint_slice("plain", "10.0.0.1"))
        self.assertEqual(self.sink.names, ["plain", "plain-1", "web"])

    def test_slice(self) -> None:
        """A slice of names waits for all of them."""
        self.gate.put(endpoint_slice("web", "a.example", "b.example", family="FQDN"))
        self.names.answer("a.example")
        self.assertEqual(self.sink.names, [])
        self.names.answer("b.example")
        self.assertEqual(self.sink.names, ["web-1"])

    def test_replaced(self) -> None:
        """An object that was replaced or deleted while it waited is not passed on."""
        self.external("a.example")
        self.external("b.example")
        self.names.answer("b.example")
        before = dict(self.sink.objects)
        self.names.answer("a.example")
        self.assertEqual(self.sink.objects, before)
        self.external("c.example")
        self.gate.delete(("Service", "default", "web"))
        self.names.answer("c.example")
        self.assertEqual(self.sink.names, [])

    def test_loading(self) -> None:
        """While everything is read for the first time nothing waits."""
        self.gate.has_loaded = False
        self.external("a.example")
        self.assertEqual((self.sink.names, self.names.asked), (["web"], {}))

    def test_many(self) -> None:
        """Of very many some do not wait."""
        for number in range(MAX_HELD + 1):
            self.external(f"a{number}.example", f"s{number}")
        self.assertEqual(self.sink.names, [f"s{MAX_HELD}"])

    def test_stopped(self) -> None:
        """Once it has stopped nothing comes."""
        self.external("a.example")
        self.gate.stop()
        self.names.answer("a.example")
        self.assertEqual(self.sink.names, [])
