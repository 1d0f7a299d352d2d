"""
Tests for `ingress.kube.every_fault`.
"""

from __future__ import annotations

from copy import deepcopy

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.every_fault import every_fault
from ingress.kube.fault import spell_field
from ingress.kube.objects import ConfigMap, EndpointSlice, Ingress, KubeObject, Service


class EveryFaultTests(SynchronousTestCase):
    """All faults of an object are found at once."""

    def faults(self, raw: dict[str, object], type_: type[KubeObject]) -> dict[str, str]:
        """The messages, by field; the object stays as it is."""
        before = deepcopy(raw)
        found = {spell_field(fault.path): fault.message for fault in every_fault(raw, type_)}
        self.assertEqual(raw, before)
        return found

    def test_shapes(self) -> None:
        """Faults of the shape, and of values beside them, of an Ingress."""
        backend = {"service": {"name": "web", "port": {"number": "80"}}}
        raw: dict[str, object] = {
            "metadata": {"name": "Web", "annotations": {"a": 5, "b": True}},
            "spec": {
                "tls": "none",
                "rules": [
                    {"host": 5, "http": {"paths": [{"path": "/", "pathType": "Prefx"}]}},
                    {"host": "B", "http": {"paths": [{"path": "b", "backend": backend}]}},
                ],
            },
        }
        found = self.faults(raw, Ingress)
        self.assertEqual(
            sorted(found),
            [
                "metadata.annotations[a]",
                "metadata.annotations[b]",
                "metadata.name",
                "spec.rules[0].host",
                "spec.rules[0].http.paths[0].backend",
                "spec.rules[0].http.paths[0].pathType",
                "spec.rules[1].host",
                "spec.rules[1].http.paths[0].backend.service.port.number",
                "spec.rules[1].http.paths[0].path",
                "spec.rules[1].http.paths[0].pathType",
                "spec.tls",
            ],
        )
        self.assertEqual(found["spec.tls"], "must be a list")

    def test_nothing_made_up(self) -> None:
        """What follows from the mending alone is no fault."""
        self.assertEqual(
            self.faults({"metadata": {"name": "web"}, "spec": {"rules": 5}}, Ingress),
            {"spec.rules": "must be a list"},
        )
        self.assertEqual(self.faults({"metadata": 5}, ConfigMap), {"metadata": "must be a mapping"})

    def test_missing(self) -> None:
        """Missing fields are found together, in lists as well."""
        raw: dict[str, object] = {"metadata": {}, "endpoints": [{}, {"addresses": [5]}]}
        self.assertEqual(
            set(self.faults(raw, EndpointSlice)),
            {
                "metadata.name",
                "addressType",
                "endpoints[0].addresses",
                "endpoints[1].addresses[0]",
            },
        )

    def test_bounded(self) -> None:
        """An object with very many faults comes to an end."""
        ports = [{"port": "x"} for _ in range(200)]
        raw: dict[str, object] = {"metadata": {"name": "web"}, "spec": {"ports": ports}}
        self.assertEqual(len(self.faults(raw, Service)), 50)
