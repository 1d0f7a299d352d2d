"""
Tests for `ingress.signing.procedure`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ingress.kube.api.errors import APIError
from ingress.signing.key_pair import UnfitCertificate
from ingress.signing.procedure import Obtained, Wish, obtain
from ingress.signing.signing_request import SigningFailed
from tests.signing.case import API, KIND, SIGNER, SigningCase
from tests.support.certs import YESTERDAY, rsa_key
from tests.support.fake_api import Rule, User
from tests.support.fake_api.api import TOKEN

HOSTS = ("a.example", "*.b.example")
RIGHTS = ("create", "get", "watch")


class ObtainTests(SigningCase):
    def ask(self, **wish: object) -> Deferred[Obtained]:
        self.told: list[str] = []
        wanted = Wish(HOSTS, SIGNER)._replace(**wish)  # type: ignore[arg-type]
        return self.begin(
            obtain(self.client, self.clock, wanted, lambda: datetime.now(UTC), self.told.append)
        )

    def test_signed(self) -> None:
        """A request is approved and signed, and the people who wait are told how."""
        for is_rsa in (False, True):
            waiting = self.ask(is_rsa=is_rsa, duration=3600)
            (request,) = self.requests
            name = request["metadata"]["name"]
            self.assertEqual(request["spec"]["signerName"], SIGNER)
            self.assertEqual(request["spec"]["expirationSeconds"], 3600)
            self.assertIn(f"kubectl certificate approve {name}", self.told[0])
            self.end("Approved")
            self.assertNoResult(waiting)
            self.assertIn("approved", self.told[1])
            self.sign()
            obtained = self.successResultOf(waiting)
            self.assertEqual(set(obtained.certificate.names), set(HOSTS))
            self.assertIn(b"PRIVATE KEY", obtained.key_pem)
            self.assertEqual(len(self.told), 2)
            self.api.delete(API, KIND, name)

    def test_named(self) -> None:
        """A request says what it is for, as far as that is known, and names so many hosts."""
        self.ask()
        self.ask(secret=("default", "web-tls"), hosts=[f"{n}.example" for n in range(1000)])
        one, many = (each["metadata"] for each in self.requests)
        self.assertEqual(one["annotations"], {"txingress.dev/hosts": ",".join(HOSTS)})
        self.assertEqual(one["labels"], {"app.kubernetes.io/managed-by": "txingress"})
        self.assertEqual(many["annotations"]["txingress.dev/secret"], "default/web-tls")
        self.assertTrue(many["annotations"]["txingress.dev/hosts"].endswith(",99.example,..."))

    def test_approves(self) -> None:
        """It approves its own request if that is wished."""
        waiting = self.ask(approves=True)
        (request,) = self.requests
        (condition,) = request["status"]["conditions"]
        self.assertEqual(condition["type"], "Approved")
        self.assertIn("a.example", condition["message"])
        self.sign()
        self.successResultOf(waiting)

    def test_refused(self) -> None:
        """A request that is denied or has failed ends with the reason, and is left."""
        for condition in ("Denied", "Failed"):
            waiting = self.ask()
            self.end(condition, "NotYours\n")
            self.assertIn(f"{condition.lower()} (NotYours\\n)", self.failed(waiting, SigningFailed))
            (request,) = self.requests
            self.api.delete(API, KIND, request["metadata"]["name"])

    def test_unfit(self) -> None:
        """A certificate of another key, for other hosts or of another time is not used."""
        changes: tuple[tuple[dict[str, Any], str], ...] = (
            ({"key": rsa_key()}, "cannot be used"),
            ({"names": ("a.example",)}, "is not for *.b.example"),
            ({"not_after": YESTERDAY + timedelta(hours=1)}, "which is not now"),
        )
        for change, part in changes:
            waiting = self.ask()
            self.sign(partial(self.authority.sign, **change))
            self.assertIn(part, self.failed(waiting, UnfitCertificate))
            (request,) = self.requests
            self.api.delete(API, KIND, request["metadata"]["name"])

    def test_garbage(self) -> None:
        """A certificate that is none is not used."""
        waiting = self.ask()
        self.sign(lambda pem: b"nonsense")
        self.assertIn("cannot be used", self.failed(waiting, UnfitCertificate))

    def test_timeout(self) -> None:
        """A request that nobody answers is removed in the end, since its key is gone."""
        waiting = self.ask(timeout=5.0)
        self.turn(4)
        self.assertNoResult(waiting)
        self.turn(2)
        self.assertIn("was not approved within 5 s; it has been removed", self.failed(waiting))
        self.assertEqual(self.requests, [])

    def test_cancelled(self) -> None:
        """A request whose certificate is not wanted any more is removed, or left without a right."""
        for is_allowed in (True, False):
            waiting = self.ask()
            if not is_allowed:
                rule = Rule(RIGHTS, ("certificates.k8s.io",), ("certificatesigningrequests",))
                self.api.grant(User("limited"), rule, token=TOKEN)
            waiting.cancel()
            self.failed(waiting, CancelledError)
            self.turn()
            self.assertEqual(len(self.requests), 0 if is_allowed else 1)

    def test_timeout_without_right(self) -> None:
        """A request that may not be removed is left, and its owner told."""
        rule = Rule(RIGHTS, ("certificates.k8s.io",), ("certificatesigningrequests",))
        self.api.grant(User("limited"), rule, token=TOKEN)
        waiting = self.ask(timeout=5.0)
        self.turn(6)
        self.assertIn("it is still there (403", self.failed(waiting, SigningFailed))
        self.assertEqual(len(self.requests), 1)

    def test_gone(self) -> None:
        """A request that somebody removes will never be signed."""
        waiting = self.ask()
        (request,) = self.requests
        self.api.delete(API, KIND, request["metadata"]["name"])
        self.turn(2)
        self.assertIn("is gone", self.failed(waiting, SigningFailed))

    def test_without_right(self) -> None:
        """A missing right is told at once."""
        self.api.grant(User("limited"), token=TOKEN)
        self.assertIn("403", self.failed(self.ask(), APIError))

    def test_disturbed(self) -> None:
        """A lost watch, and a server that restarts, only take time."""
        waiting = self.ask()
        self.api.drop_watches()
        self.turn(2)
        self.api.end_watches()
        self.turn(2)
        self.sign()
        self.successResultOf(waiting)

    def test_patient(self) -> None:
        """While nothing changes, the server is asked about once a minute."""
        waiting = self.ask()
        before = len(self.api.requests)
        self.turn(180)
        self.assertLess(len(self.api.requests) - before, 12)
        waiting.addErrback(lambda _: None).cancel()
