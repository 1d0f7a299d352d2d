"""
Tests for `ingress.kube.writing.answer`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.objects import KubeStruct
from ingress.kube.writing.answer import decode_answer, read_listed
from tests.support.scripted_api import ScriptedAPI


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
        for answer in (
            b"",
            b"<html>",
            b"[]",
            b"7",
            b'{"nodeName": 7}',
            b'{"nodeName": "\xff"}',
            b"[" * 9999,
        ):
            with self.assertRaises(APIUnreachable) as caught:
                decode_answer(answer, Thing)
            self.assertIn("the answer cannot be read as Thing", str(caught.exception))


class ListedTests(SynchronousTestCase):
    """One object is read as a list of those that have its name."""

    def setUp(self) -> None:
        self.api = ScriptedAPI()
        reading = read_listed(self.api, "/api/v1/things", "a", Thing)
        self.result = Deferred.fromCoroutine(reading)
        self.asked = self.api.take("GET", "/api/v1/things")

    def test_found(self) -> None:
        """It is the one of the list."""
        self.assertEqual(self.asked.query, {"fieldSelector": "metadata.name=a"})
        self.asked.answer({"items": [{"nodeName": "n", "kind": None}]})
        self.assertEqual(self.successResultOf(self.result), Thing(node_name="n"))

    def test_none(self) -> None:
        """An object that does not exist is an empty list."""
        self.asked.answer({"items": None})
        self.assertIsNone(self.successResultOf(self.result))

    def test_nonsense(self) -> None:
        """An object that is something else is no answer."""
        self.asked.answer({"items": [{"nodeName": 7}]})
        self.failureResultOf(self.result, APIUnreachable)
