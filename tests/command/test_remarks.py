"""
Tests for `ingress.command.remarks`.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.remarks import remarks_of
from ingress.kube.objects import Secret, ServicePort
from ingress.problem_code import Code
from ingress.routing.build import Built
from tests.support.objects import (
    FILES,
    built,
    endpoint_slice,
    ingress,
    ingress_class,
    metadata,
    service,
)

PATHS = {"/": "web:80"}


def fields(result: Built, code: Code) -> list[str]:
    """:return: the fields of the remarks with this code."""
    return [each.field.rpartition("/")[2] for each in remarks_of(result) if each.code is code]


class RemarkTests(SynchronousTestCase):
    def test_differences(self) -> None:
        """Annotations that differ are told, in words without markup; the others are not."""
        result = built(
            ingress(
                "a.example",
                PATHS,
                annotations={"upstream-vhost": "b.example", "proxy-body-size": "8m"},
            )
        )
        (remark,) = remarks_of(result)
        self.assertEqual(remark.code, Code.ANNOTATION_DIFFERS)
        self.assertTrue(remark.field.endswith("upstream-vhost]"))
        self.assertNotIn("`", remark.message)

    def test_once(self) -> None:
        """An annotation that has a Problem already is not told a second time."""
        wrong = ingress("a.example", PATHS, annotations={"load-balance": "nonsense"})
        self.assertEqual(list(remarks_of(built(wrong))), [])

    def test_classes(self) -> None:
        """Each class that is not served is told once, with the number of its Ingresses."""
        ours = ingress_class("ours")
        others = [
            ingress("a.example", PATHS, name=f"i{number}", class_name="internal")
            for number in range(3)
        ]
        old = ingress("b.example", PATHS, name="old", class_annotation="legacy")
        remarks = list(remarks_of(built(ours, others, old)))
        self.assertEqual({each.code for each in remarks}, {Code.OTHER_CLASS})
        texts = {each.name: each.message for each in remarks}
        self.assertEqual(set(texts), {"i0", "old"})
        self.assertIn('3 Ingresses have class "internal"', texts["i0"])
        self.assertIn('this Ingress has class "legacy"', texts["old"])
        self.assertIn('"ours"', texts["old"])

    def test_passwords(self) -> None:
        """Passwords over plain http are told once, and not where http is redirected."""
        users = Secret(
            metadata=metadata("users"), data={"auth": b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}
        )
        basic = {"auth-type": "basic", "auth-secret": "users"}
        paths = {"/": "web:80", "/b": "web:80"}
        open_ = built(users, ingress("a.example", paths, annotations=basic))
        self.assertEqual(fields(open_, Code.PASSWORDS_IN_THE_CLEAR), ["auth-type]"])
        for more in ({"force-ssl-redirect": "true"}, {}):
            closed = built(
                users,
                ingress(
                    "a.example",
                    paths,
                    annotations=basic | more,
                    tls={} if more else {"certificate": ["a.example"]},
                ),
            )
            self.assertEqual(fields(closed, Code.PASSWORDS_IN_THE_CLEAR), [])

    def test_ports(self) -> None:
        """A Service port that decides is told, unless the annotation does."""
        for app_protocol, written, told in (
            ("kubernetes.io/h2c", {}, "HTTP/2"),
            ("kubernetes.io/wss", {}, "over TLS"),
            ("kubernetes.io/ws", {}, ""),
            ("kubernetes.io/h2c", {"backend-protocol": "HTTP"}, ""),
        ):
            port = ServicePort(port=80, app_protocol=app_protocol)
            paths = {"/": "web:80", "/b": "web:80"}
            result = built(
                ingress("a.example", paths, annotations=written),
                service("web", port),
                endpoint_slice("web", "10.0.0.1"),
            )
            code = Code.PORT_DECIDES_PROTOCOL
            found = [each.message for each in remarks_of(result) if each.code is code]
            self.assertEqual(len(found), bool(told), app_protocol)
            self.assertIn(told, "".join(found))

    def test_everybody(self) -> None:
        """Trust in everybody is told, and trust in a network is not."""
        for network, is_told in (("0.0.0.0/0", True), ("::/0", True), ("192.0.2.0/24", False)):
            config = replace(FILES, trusted_proxies=(ip_network(network),))
            found = fields(built(config=config), Code.EVERYBODY_TRUSTED)
            self.assertEqual(found, ["trusted-proxies"] if is_told else [])
