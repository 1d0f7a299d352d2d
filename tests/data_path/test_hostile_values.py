"""Tests of hostile values, in every annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import OWN_PREFIX, PREFIX
from ingress.policy.chosen import POLICIES_ANNOTATION
from ingress.policy.known_annotations import FORMER_NAMES, NAMES
from ingress.policy.registry import REGISTRY
from tests.support.objects import built, ingress, served
from tests.support.process import CHECKOUT
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
    "-1",
    "9" * 40,
)
ENDINGS: Final = ("\r\nX-Evil: 1", "\0", '"; X-Evil', "$http_x_evil", "/%0d%0aX-Evil:%201", "\n")
"""Behind a value that is valid."""

CASES: Final = (CHECKOUT / "tests/fixtures/routing", CHECKOUT / "examples/ingress-nginx")


def companions() -> dict[str, dict[str, str]]:
    """
    For each annotation all those of an Ingress that has it, in the golden cases or the examples:
    most annotations have an effect only with others of their family.
    """
    found: dict[str, dict[str, str]] = {}
    for folder in CASES:
        for file in sorted(folder.glob("*/*.yaml")):
            if file.name == "requests.yaml":
                continue
            for document in yaml.safe_load_all(file.read_text()):
                if document is None or document.get("kind") != "Ingress":
                    continue
                annotations = {
                    name.removeprefix(PREFIX): value
                    for name, value in (document["metadata"].get("annotations") or {}).items()
                    if name.startswith((PREFIX, OWN_PREFIX)) and isinstance(value, str)
                }
                if file.stem != "every-annotation":
                    found.update((name, annotations) for name in annotations if name not in found)
    return found


GET: Final = b"GET / HTTP/1.1\r\nHost: %b\r\nOrigin: https://x.example\r\nX-Http-X: X-Evil\r\n\r\n"


class HostileValueTests(SynchronousTestCase):
    def check(self, name: str, value: str, others: Mapping[str, str]) -> None:
        values = {**others, name: value}
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
        families = companions()
        for name in sorted(REGISTRY.known_annotations | NAMES):
            others = families.get(name, {})
            written = others.get(name, "")
            for value in (*VALUES, *(written + ending for ending in ENDINGS)):
                with self.subTest(name=name, value=value[:40]):
                    self.check(name, value, others)

    def test_cases(self) -> None:
        """Each annotation that a feature reads is in a golden case or in an example."""
        read = REGISTRY.known_annotations - FORMER_NAMES - {POLICIES_ANNOTATION}
        self.assertEqual(read - companions().keys(), set())
