"""Tests of tokens and keys: what is accepted, and everything that must not be."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.jwt_keys import KeySet, KeysRefused, read_keys
from ingress.policy.jwt_token import (
    LEEWAY,
    MAX_TOKEN,
    Claims,
    KeyUnknown,
    TokenRefused,
    verify_token,
)
from tests.support.tokens import AUDIENCE, ISSUER, NOW, Issuer, encoded, jwks


def verify(token: bytes, keys: KeySet, now: float = NOW) -> Claims:
    return verify_token(token, keys, issuer=ISSUER, audiences=(AUDIENCE, "other"), now=now)


class VerifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.issuer = Issuer("RS256", "a")
        self.keys = read_keys(jwks(self.issuer), may_be_secret=False)

    def refused(self, token: bytes, keys: KeySet | None = None, now: float = NOW) -> str:
        error = self.assertRaises(TokenRefused, verify, token, keys or self.keys, now)
        return str(error)

    def test_algorithms(self) -> None:
        """Each algorithm that is safe verifies tokens with keys of its kind."""
        for name in ("RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"):
            issuer = Issuer(name, "k")
            keys = read_keys(jwks(issuer), may_be_secret=name.startswith("HS"))
            self.assertEqual(verify(issuer.token(), keys)["sub"], "alice", name)
            self.refused(Issuer(name, "k", 1).token(), keys)

    def test_none(self) -> None:
        """There is no token without a signature, however its algorithm is spelled."""
        head, payload, signature = self.issuer.token().split(b".")
        for name in ("none", "None", "NONE", "nOnE", "", None, 0, ["none"], {"a": 1}):
            for kid in ({"kid": "a"}, {}):
                for signed in (b"", signature):
                    token = b".".join(
                        (encoded({"alg": name, "typ": "JWT", **kid}), payload, signed)
                    )
                    self.refused(token)
        self.refused(b".".join((encoded({"kid": "a"}), payload, b"")))
        self.refused(b".".join((head, payload, b"")))

    def test_confusion(self) -> None:
        """A public key is no shared secret, in none of its encodings."""
        public = self.issuer.key.public_key()
        _, payload, _ = self.issuer.token().split(b".")
        encodings = [
            public.public_bytes(form, kind)
            for form, kind in (
                (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
                (Encoding.PEM, PublicFormat.PKCS1),
            )
        ]
        for secret in (*encodings, json.dumps(self.issuer.jwk).encode(), b""):
            for kid in ({"kid": "a"}, {}):
                signed = encoded({"alg": "HS256", **kid}) + b"." + payload
                digest = hmac.new(secret, signed, hashlib.sha256).digest()
                self.refused(signed + b"." + encoded(digest))

    def test_other_algorithm(self) -> None:
        """The key decides on the algorithm, and a token of another one is not of this key."""
        other = Issuer("RS512", "a")
        other.key = self.issuer.key
        self.assertRaises(KeyUnknown, verify, other.token(), self.keys)

    def test_changed(self) -> None:
        """A token of which anything was changed is refused."""
        token = self.issuer.token()
        head, payload, signature = token.split(b".")
        changed = encoded({"iss": ISSUER, "aud": AUDIENCE, "sub": "bob", "exp": NOW + 300})
        self.refused(b".".join((head, changed, signature)))
        self.refused(b".".join((head, payload, signature[:-4])))
        self.refused(token + b".x")
        self.refused(payload)

    def test_time(self) -> None:
        """A token is valid until it expires, and not before it begins, give or take a minute."""
        token = self.issuer.token(exp=NOW + 300, nbf=NOW, iat=NOW)
        for moment in (NOW - LEEWAY, NOW, NOW + 300, NOW + 299 + LEEWAY):
            verify(token, self.keys, moment)
        self.assertIn("expired", self.refused(token, now=NOW + 300 + LEEWAY))
        self.assertIn("not valid yet", self.refused(token, now=NOW - LEEWAY - 1))
        self.assertIn("never expires", self.refused(self.issuer.token(exp=None)))
        values: tuple[Any, ...] = ("1900000000", True, float("inf"), 1e300, [1], {})
        for value in values:
            self.refused(self.issuer.token(exp=value))
            self.refused(self.issuer.token(nbf=value))

    def test_issuer_and_audience(self) -> None:
        """A token of another issuer, or for somebody else, is refused."""
        for audience in (AUDIENCE, "other", ["x", AUDIENCE]):
            verify(self.issuer.token(aud=audience), self.keys)
        bad: tuple[Any, ...] = (
            "x",
            ["x"],
            [],
            None,
            {AUDIENCE: 1},
            [[AUDIENCE]],
            f"{AUDIENCE} x",
            1,
        )
        for other in bad:
            self.assertIn("audience", self.refused(self.issuer.token(aud=other)))
        for issuer in (f"{ISSUER}/", "", None, [ISSUER], ISSUER.upper()):
            self.assertIn("issuer", self.refused(self.issuer.token(iss=issuer)))

    def test_kid(self) -> None:
        """A token names its key; one that names none has it only where there is no other."""
        both = read_keys(jwks(self.issuer, Issuer("RS256", "b", 1)), may_be_secret=False)
        verify(self.issuer.token(), both)
        unnamed = Issuer("RS256")
        self.assertRaises(KeyUnknown, verify, unnamed.token(), both)
        verify(unnamed.token(), self.keys)
        for kid in ("c", "../a", "a\0", ["a"], {"a": 1}, 1):
            token = self.issuer.token(headers={"kid": kid} if isinstance(kid, str) else None)
            if not isinstance(kid, str):
                _, payload, signature = token.split(b".")
                token = b".".join((encoded({"alg": "RS256", "kid": kid}), payload, signature))
            self.refused(token)

    def test_header_keys(self) -> None:
        """Keys that a token brings itself are not looked at."""
        stranger = Issuer("RS256", "a", 1)
        for headers in (
            {"jwk": stranger.jwk},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/x"},
            {"crit": ["exp"], "exp": 1},
        ):
            self.refused(stranger.token(headers=headers))

    def test_long(self) -> None:
        """A token that is too long is not even read."""
        self.assertIn("too long", self.refused(b"a" * (MAX_TOKEN + 1)))

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """Whatever is sent, it is refused, and nothing else is raised."""
        self.refused(data)
        self.refused(b".".join((encoded(data), encoded(data), data)))
        self.refused(b".".join((encoded({"alg": "RS256", "kid": "a"}), data, data)))


class ReadKeysTests(SynchronousTestCase):
    def test_some(self) -> None:
        """Keys that cannot be used are left out, and the others count."""
        good = Issuer("ES256", "good")
        weak = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key()))
        private = json.loads(RSAAlgorithm.to_jwk(Issuer("RS256").key))
        others: list[Any] = [
            {**good.jwk, "use": "enc", "kid": "1"},
            {**good.jwk, "alg": "none", "kid": "2"},
            {**good.jwk, "alg": "HS256", "kid": "3"},
            {**weak, "kid": "4"},
            {**private, "kid": "5"},
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "6"},
            {**Issuer("HS256").jwk, "kid": "7"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "8"},
            {"kty": "what", "kid": "9"},
            None,
            [],
            "x",
        ]
        data = json.dumps({"keys": [*others, good.jwk]}).encode()
        self.assertEqual(list(read_keys(data, may_be_secret=False).named), ["good"])
        self.assertEqual(list(read_keys(data, may_be_secret=True).named), ["7", "good"])

    def test_bad(self) -> None:
        """A set without any key that can be used is refused, and the reason quotes nothing of it."""
        for data in (
            b"",
            b"{}",
            b"[]",
            b'{"keys": 1}',
            b'{"keys": []}',
            b'{"keys": [{"kty": "oct", "k": "hunter2"}]}',
            b"[" * 100_000,
            b" " * 300_000,
            b"\xff",
            b"null",
        ):
            error = self.assertRaises(KeysRefused, read_keys, data, may_be_secret=False)
            self.assertNotIn("hunter2", str(error))

    def test_one(self) -> None:
        """One key alone is a set of one."""
        data = json.dumps(Issuer("EdDSA", "one").jwk).encode()
        self.assertEqual(
            repr(read_keys(data, may_be_secret=False)), "<KeySet of ['one'] and 0 more>"
        )
