"""
Tests for `ingress.signing.keeper`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from ingress.kube.cluster.reading import read_object
from ingress.kube.objects import Ingress, ObjectName, Secret
from ingress.kube.writing.event import Notice
from ingress.policy.certificate_signer import CERTIFICATE_SIGNER
from ingress.signing import keeper
from ingress.signing.keeper import (
    AT_ONCE_OF_ONE,
    FIRST_DELAY,
    LOOK_PERIOD,
    PACE,
    CertificateKeeper,
)
from tests.signing.case import API, KIND, SIGNER, SigningCase
from tests.support.deploy import DEPLOY, written
from tests.support.fake_api import Rule, User
from tests.support.fake_api.api import TOKEN
from tests.support.manifest import secret_manifest
from tests.support.objects import ingress


def web(name: str = "web", host: str = "a.example", secret: str = "web-tls") -> Ingress:
    return ingress(
        host,
        {"/": "web:80"},
        name=name,
        annotations={CERTIFICATE_SIGNER: SIGNER},
        tls={secret: [host]},
    )


class KeeperTests(SigningCase):
    def setUp(self) -> None:
        super().setUp()
        self.passed = timedelta()
        self.signers: tuple[str, ...] = (SIGNER,)
        self.notices: list[Notice] = []
        self.keeper = CertificateKeeper(
            self.client,
            self.known_secrets,
            lambda: self.signers,
            self.notices.append,
            clock=self.clock,
            now=lambda: datetime.now(UTC) + self.passed,
        )
        self.keeper.start()
        self.addCleanup(self.keeper.stop)

    def known_secrets(self) -> dict[ObjectName, Secret]:
        """What a reader of the cluster knows."""
        found = {}
        for (namespace, name), document in self.api.store.objects("secrets"):
            reading = read_object(json.dumps(document).encode(), ("Secret", namespace, name))
            assert isinstance(reading.item, Secret)
            found[reading.item.key] = reading.item
        return found

    def serve(self, *ingresses: Ingress) -> None:
        self.keeper.serve({each.key: each for each in ingresses})
        self.turn()

    @property
    def reasons(self) -> list[str]:
        """The reasons of the notices so far, without "Certificate"."""
        return [notice.reason.removeprefix("Certificate") for notice in self.notices]

    def forget_requests(self) -> None:
        for request in self.requests:
            self.api.delete(API, KIND, request["metadata"]["name"])

    def test_issued(self) -> None:
        """A Secret that does not exist is made, and its Ingress told at each step."""
        self.serve(web())
        self.sign()
        self.assertEqual(self.reasons, ["Requested", "Requested", "Issued"])
        self.assertIn("kubectl certificate approve", self.notices[0].note)
        (secret,) = self.known_secrets().values()
        self.assertEqual(secret.type, "kubernetes.io/tls")
        self.turn(2 * LOOK_PERIOD)
        self.assertEqual(len(self.requests), 1)

    def test_told(self) -> None:
        """A request names its Ingress, its Secret and their hosts, for whoever approves it."""
        long = "w" * 253
        self.serve(web(long))
        (request,) = self.requests
        metadata = request["metadata"]
        self.assertEqual(
            metadata["annotations"],
            {
                "txingress.dev/hosts": "a.example",
                "txingress.dev/ingress": f"default/{long}",
                "txingress.dev/secret": "default/web-tls",
            },
        )
        self.assertEqual(
            metadata["labels"],
            {
                "app.kubernetes.io/managed-by": "txingress",
                "txingress.dev/namespace": "default",
            },
        )

    def test_renewed(self) -> None:
        """It is renewed when a third of its time is left, and for other hosts at once."""
        self.serve(web())
        self.sign()
        (before,) = self.known_secrets().values()
        self.forget_requests()
        self.passed = timedelta(days=10)
        self.turn(2 * LOOK_PERIOD)
        self.assertEqual(self.requests, [])
        self.passed = timedelta(days=25)
        self.turn(2 * LOOK_PERIOD)
        self.sign()
        (after,) = self.known_secrets().values()
        self.assertNotEqual(before.data["tls.crt"], after.data["tls.crt"])
        self.forget_requests()
        self.passed = timedelta()
        self.serve(web(host="b.example"))
        self.assertEqual(len(self.requests), 1)

    def test_of_others(self) -> None:
        """A Secret that somebody else has made is never changed."""
        self.api.put(secret_manifest("web-tls", self.authority.issue("b.example")))
        self.serve(web())
        self.turn(2 * LOOK_PERIOD)
        self.assertEqual((self.requests, self.notices), ([], []))

    def test_refused(self) -> None:
        """What nobody may have is told once."""
        foreign = ingress(
            "a.example",
            {"/": "web:80"},
            annotations={CERTIFICATE_SIGNER: SIGNER},
            tls={"web-tls": ["b.example"]},
        )
        self.serve(foreign)
        self.serve(foreign)
        self.turn(2 * LOOK_PERIOD)
        self.assertEqual((self.requests, self.reasons), ([], ["Refused"]))
        self.assertTrue(self.notices[0].is_warning)

    def test_denied(self) -> None:
        """After a failure it is asked for again, later each time."""
        self.serve(web())
        for times in range(3):
            self.end("Denied", "Policy")
            self.assertEqual(self.reasons.count("Failed"), times + 1)
            self.forget_requests()
            self.turn(FIRST_DELAY * 2**times - 10)
            self.assertEqual(self.requests, [])
            self.turn(LOOK_PERIOD + 20)
            self.assertEqual(len(self.requests), 1)

    def test_rights(self) -> None:
        """A missing right is told, and is no reason to stop."""
        self.api.grant(User("limited"), Rule(("get",), ("",), ("secrets",)), token=TOKEN)
        self.serve(web())
        self.assertEqual(self.reasons, ["Failed"])
        self.assertIn("403", self.notices[0].note)

    def test_enough_rights(self) -> None:
        """The rights of etc/deploy/certificates are enough, also for a second certificate."""
        roles = [each for each in written(DEPLOY / "certificates") if each["kind"] == "ClusterRole"]
        rules = [Rule.parse(rule) for role in roles for rule in role["rules"]]
        self.api.grant(User("limited"), *rules, token=TOKEN)
        self.serve(web())
        self.sign()
        self.forget_requests()
        self.serve(web(host="b.example"))
        self.sign()
        self.assertEqual(self.reasons.count("Issued"), 2)
        self.assertNotIn("Failed", self.reasons)

    def test_signer_gone(self) -> None:
        """A signer that the configuration no longer lists is asked no more."""
        self.serve(web())
        self.signers = ()
        self.turn(LOOK_PERIOD + 1)
        self.assertEqual((self.requests, self.known_secrets()), ([], {}))

    def test_not_wanted_any_more(self) -> None:
        """An Ingress that is gone gets no Secret, and its request is removed."""
        self.serve(web())
        self.serve()
        self.assertEqual((self.requests, self.known_secrets()), ([], {}))
        self.assertEqual(self.reasons, ["Requested"])

    def test_stopped(self) -> None:
        """A process that leads no longer asks and writes no more; it may lead again."""
        self.serve(web())
        self.keeper.stop()
        self.turn()
        self.assertEqual((self.requests, self.known_secrets()), ([], {}))
        self.turn(2 * LOOK_PERIOD)
        self.assertEqual(self.requests, [])
        self.keeper.start()
        self.turn()
        self.assertEqual(len(self.requests), 1)

    def test_share(self) -> None:
        """A namespace with many wishes has some requests at a time, and leaves room for others."""
        many = [web(f"i{n}", f"h{n}.example", f"s{n}") for n in range(AT_ONCE_OF_ONE + 2)]
        self.serve(*many)
        self.assertEqual(len(self.requests), AT_ONCE_OF_ONE)
        for request in self.requests:
            self.end_one(request["metadata"]["name"])
        self.turn(3)
        self.assertEqual(len(self.requests), AT_ONCE_OF_ONE + 2)

    def test_pace(self) -> None:
        """Whoever changes an Ingress again and again gets some requests an hour, in the end."""
        self.patch(keeper, "BURST", 3)
        for number in range(3 + 5):
            self.serve(web(host=f"h{number}.example"))
            self.turn(1)
        self.assertEqual((self.requests, self.reasons), ([], ["Requested"] * 3))
        self.turn(PACE + LOOK_PERIOD)
        self.assertEqual((len(self.requests), self.reasons), (1, ["Requested"] * 4))

    def end_one(self, name: str) -> None:
        request = self.api.get(API, KIND, name)
        assert request is not None
        status = {"conditions": [{"type": "Denied", "status": "True"}]}
        self.api.put({**request, "apiVersion": API, "kind": KIND, "status": status})
        self.turn(1)
