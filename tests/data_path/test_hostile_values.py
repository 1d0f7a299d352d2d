"""Tests of hostile values, in every annotation that the registry knows."""

from __future__ import annotations

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import OWN_PREFIX
from ingress.policy.registry import REGISTRY
from tests.support.objects import built, ingress, served
from tests.support.wire import OK, Wire

VALUES: Final = (
    "x\r\nX-Evil: 1",
    "/x\r\nX-Evil: 1\r\n\r\n",
    "https://x.example/\r\nX-Evil: 1",
    "/x\nX-Evil: 1",
    "\rX-Evil: 1",
    "\0X-Evil: 1",
    '"X-Evil"; more_set_headers "X-Evil: 1";',
    "$http_x_evil",
    "${request_uri}",
    "\ud800X-Evil",
    "\xe4X-Evil",
    "/" + "X-Evil" * 17 * 1024,
    "(X+-Evil)+" * 100,
    "X-Evil," * 10_000,
)
COMPANIONS: Final = {"enable-cors": "true", "affinity": "cookie"}
"""The other annotations of their families have an effect only with these."""

GET: Final = b"GET / HTTP/1.1\r\nHost: %b\r\nOrigin: https://x.example\r\nX-Http-X: X-Evil\r\n\r\n"


class HostileValueTests(SynchronousTestCase):
    def check(self, name: str, value: str) -> None:
        values = {**COMPANIONS, name: value}
        wire = Wire()
        result = built(
            ingress("a.example", {"/": "web:80"}, name="hostile", annotations=values),
            ingress("b.example", {"/": "web:80"}, name="neighbour"),
            served("web"),
        )
        wire.plane.publish(result.snapshot)
        for host in (b"a.example", b"b.example"):
            client = wire.connect()
            client.send(GET % host)
            received = b""
            wire.network.settle()
            if wire.dials:
                endpoint = wire.accept()
                received = endpoint.read()
                endpoint.send(OK)
                endpoint.close()
            answer = client.receive()
            heads = [b"\r\n".join(b"%b: %b" % pair for pair in answer.fields), received]
            for head in heads:
                self.assertNotIn(b"\nX-Evil", head)
                self.assertLess(len(head), 16 * 1024)
                self.assertNotIn(b"\0", head)
            if host == b"b.example":
                self.assertEqual(answer.status, 200)

    def test_all(self) -> None:
        """No value of any annotation ends a field, grows a head, or reaches a neighbour."""
        for name in sorted(REGISTRY.known_annotations):
            if name.startswith(OWN_PREFIX):
                continue
            for value in VALUES:
                with self.subTest(name=name, value=value[:40]):
                    self.check(name, value)
