"""
Tests for `ingress.kube.ingress_status`.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.ingress_status import (
    IngressRecord,
    IngressStatuses,
    KnownStatus,
    LoadBalancerIngress,
    PortStatus,
    status_of,
)
from ingress.kube.objects import ObjectName
from tests.support.recorded import exchange


def record(**fields: object) -> IngressRecord:
    """
    :param fields: of the metadata, and the ``status``.
    """
    status = fields.pop("status", {"loadBalancer": {}})
    raw = {
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7", **fields},
        "spec": {"rules": []},
        "status": status,
    }
    return msgspec.json.decode(msgspec.json.encode(raw), type=IngressRecord)


def balancer(*addresses: dict[str, object]) -> dict[str, object]:
    return {"loadBalancer": {"ingress": list(addresses)}}


class RecordTests(SynchronousTestCase):
    """The addresses, and who wrote them, are read from an Ingress as the API has it."""

    def test_addresses(self) -> None:
        """Each has an IP or a host name, and perhaps ports."""
        ports = [{"port": 80, "protocol": "TCP"}, {"port": 443, "protocol": "TCP", "error": "x.y"}]
        found = status_of(
            record(status=balancer({"ip": "192.0.2.1", "ports": ports}, {"hostname": "a.example"}))
        )
        expected = (
            LoadBalancerIngress(
                ip="192.0.2.1",
                ports=(
                    PortStatus(port=80, protocol="TCP"),
                    PortStatus(port=443, protocol="TCP", error="x.y"),
                ),
            ),
            LoadBalancerIngress(hostname="a.example"),
        )
        self.assertEqual(found, KnownStatus(expected, "", "7"))

    def test_none(self) -> None:
        """Absent, empty and null fields mean that there is no address."""
        statuses: tuple[object, ...] = (
            None,
            {},
            {"loadBalancer": None},
            {"loadBalancer": {}},
            {"loadBalancer": {"ingress": None}},
            balancer(),
        )
        for status in statuses:
            self.assertEqual(status_of(record(status=status)).addresses, (), status)

    def test_manager(self) -> None:
        """The one writer of the status counts, and no writer of anything else."""
        spec = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}
        ours = {"manager": "ours", "operation": "Update", "subresource": "status"}
        other = {"manager": "other", "operation": "Update", "subresource": "status"}
        for entries, expected in (
            (None, ""),
            ([spec], ""),
            ([spec, ours], "ours"),
            ([ours, {**ours, "operation": "Apply"}], "ours"),
            ([ours, other], ""),
        ):
            self.assertEqual(status_of(record(managedFields=entries)).manager, expected)


class TableTests(SynchronousTestCase):
    """The table has the statuses of now, and tells which of them changed."""

    def setUp(self) -> None:
        self.statuses = IngressStatuses()
        self.told: list[ObjectName] = []
        self.unsubscribe = self.statuses.subscribe(self.told.append)

    def changes(self) -> int:
        """How many changes were told since the last call."""
        self.assertLessEqual({*self.told}, {("shop", "web")})
        count = len(self.told)
        self.told.clear()
        return count

    def test_come_and_go(self) -> None:
        """An Ingress is known from when it is put in until it is removed."""
        self.assertIsNone(self.statuses.get(("shop", "web")))
        self.statuses.put(record())
        self.assertEqual(self.statuses.get(("shop", "web")), KnownStatus((), "", "7"))
        self.assertEqual(list(self.statuses), [("shop", "web")])
        self.assertEqual(self.changes(), 1)
        self.statuses.lost(("shop", "web"))
        self.assertIsNone(self.statuses.get(("shop", "web")))
        self.assertEqual(self.changes(), 1)
        self.statuses.lost(("shop", "web"))
        self.assertEqual(self.changes(), 0)

    def test_text(self) -> None:
        """A text that is not an Ingress has no status."""
        self.statuses.saw(exchange("ingress-writes", "create ingress").answer)
        self.assertEqual(self.statuses.get(("default", "rec")), KnownStatus((), "", "433"))
        patched = exchange("ingress-writes", "patch ingress status (merge patch)")
        self.statuses.saw(msgspec.Raw(patched.answer))
        known = self.statuses.get(("default", "rec"))
        assert known is not None
        self.assertEqual((known.manager, known.resource_version), ("recorder", "461"))
        self.assertEqual([address.ip for address in known.addresses], ["192.0.2.10"])
        for text in (b"", b"[]", b'{"metadata": {}}', b'{"metadata": {"name": "\xff"}}'):
            self.statuses.saw(text)
        self.assertEqual(list(self.statuses), [("default", "rec")])

    def test_changed(self) -> None:
        """Other addresses and another writer are told; another version alone is only kept."""
        self.statuses.put(record())
        self.changes()
        self.statuses.put(record(resourceVersion="8"))
        self.assertEqual(self.changes(), 0)
        self.assertEqual(self.statuses.get(("shop", "web")), KnownStatus((), "", "8"))
        status = balancer({"ip": "192.0.2.1"})
        self.statuses.put(record(status=status))
        self.assertEqual(self.changes(), 1)
        writer = {"manager": "ours", "subresource": "status"}
        self.statuses.put(record(status=status, managedFields=[writer]))
        self.assertEqual(self.changes(), 1)

    def test_unsubscribe(self) -> None:
        """Who unsubscribes, once or twice, is told no more."""
        self.unsubscribe()
        self.unsubscribe()
        self.statuses.put(record())
        self.assertEqual(self.told, [])
