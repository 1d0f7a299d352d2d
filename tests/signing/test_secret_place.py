"""
Tests for `ingress.signing.secret_place`.
"""

from __future__ import annotations

from typing import Any

from ingress.kube.api.errors import APIError
from ingress.signing.secret_place import NotOurs, SecretPlace, read_place
from tests.signing.case import SIGNER, SigningCase
from tests.support.fake_api import Rule, User
from tests.support.fake_api.api import TOKEN
from tests.support.manifest import opaque_manifest, secret_manifest

NAME = ("default", "web-tls")


class SecretPlaceTests(SigningCase):
    def read(self) -> SecretPlace:
        return self.successResultOf(self.begin(read_place(self.client, NAME)))

    def write(self, place: SecretPlace) -> Any:
        issued = self.authority.issue("a.example")
        return self.begin(place.write(self.client, issued.chain_pem, issued.key_pem, SIGNER))

    def test_new(self) -> None:
        """A Secret that is not there is made, and is ours then, with its pair."""
        place = self.read()
        self.assertFalse(place.exists)
        self.assertIsNone(place.pair)
        self.successResultOf(self.write(place))
        place = self.read()
        self.assertTrue(place.is_ours)
        assert place.pair is not None
        self.assertEqual(place.pair.names, ("a.example",))
        stored = self.api.get("v1", "Secret", NAME[1])
        assert stored is not None
        self.assertEqual(stored["type"], "kubernetes.io/tls")
        annotations = stored["metadata"]["annotations"]
        self.assertEqual(annotations["txingress.dev/certificate-signer"], SIGNER)

    def test_replaced(self) -> None:
        """One of ours is replaced; labels and annotations of others stay."""
        self.successResultOf(self.write(self.read()))
        stored = self.api.get("v1", "Secret", NAME[1])
        assert stored is not None
        stored["metadata"]["labels"]["team"] = "shop"
        self.api.put({"apiVersion": "v1", "kind": "Secret", **stored})
        before = stored["data"]["tls.key"]
        self.successResultOf(self.write(self.read()))
        stored = self.api.get("v1", "Secret", NAME[1])
        assert stored is not None
        self.assertEqual(stored["metadata"]["labels"]["team"], "shop")
        self.assertNotEqual(stored["data"]["tls.key"], before)

    def test_of_others(self) -> None:
        """A pair that somebody else has put there is not ours."""
        self.api.put(secret_manifest(NAME[1], self.authority.issue("a.example")))
        place = self.read()
        self.assertTrue(place.exists)
        self.assertFalse(place.is_ours)
        self.assertIsNotNone(place.pair)

    def test_other_type(self) -> None:
        """A Secret of another type cannot be replaced; nobody could change its type."""
        self.api.put(opaque_manifest(NAME[1], password="secret"))
        place = self.read()
        self.assertIsNone(place.pair)
        self.assertIn("remove it first", self.failed(self.write(place), NotOurs))

    def test_race(self) -> None:
        """Whoever was faster is not overwritten."""
        for make in (self.read, self.read):
            place = make()
            self.successResultOf(self.write(make()))
            self.assertIn("409", self.failed(self.write(place), APIError))

    def test_rights(self) -> None:
        """A Secret that may not be read is not taken for one that is missing."""
        self.api.grant(User("limited"), Rule(("create",), ("",), ("secrets",)), token=TOKEN)
        self.assertIn("403", self.failed(self.begin(read_place(self.client, NAME)), APIError))
