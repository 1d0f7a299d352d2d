"""
Tests for `ingress.kube.writing.answer`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.objects import KubeStruct
from ingress.kube.writing.answer import decode_answer


class Thing(KubeStruct, frozen=True, kw_only=True):
    node_name: str = ""


class DecodeTests(SynchronousTestCase):
    """An answer becomes what it should be."""

    def test_decoded(self) -> None:
        """Fields are those of the API; others do not matter, and null means absent."""
        self.assertEqual(decode_answer(b'{"nodeName": "a", "x": [1]}', Thing), Thing(node_name="a"))
        self.assertEqual(decode_answer(b'{"nodeName": null}', Thing), Thing())

    def test_nonsense(self) -> None:
        """Anything else is no answer."""
        for answer in (b"", b"<html>", b"[]", b"7", b'{"nodeName": 7}', b'{"nodeName": "\xff"}'):
            with self.assertRaises(APIUnreachable) as caught:
                decode_answer(answer, Thing)
            self.assertIn("the answer is no Thing", str(caught.exception))
