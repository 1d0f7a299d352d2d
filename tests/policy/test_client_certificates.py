"""Tests of the certificates of clients: who is let in, with what the handshake has established."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.client_session import ClientSession, ClientTrust
from ingress.config import Config, Listen
from ingress.config.nginx_settings import AnnotationSafety, NginxSettings
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.client_certificates import ClientCertificates
from ingress.policy.decision import Proceed
from ingress.policy.scope import HostScope, RuleScope
from ingress.testing import Reading, policy_context, read_annotations, verdict_of
from tests.support.certs import CertificateAuthority

CLOSED = Closing(Extent.OWNED_HOSTS, Subject.ACCESS)
CA = CertificateAuthority("Clients")
TRUST = ClientTrust(CA.root_pem)
OTHER = ClientTrust(CertificateAuthority("Other").root_pem)
ALICE = CA.issue("alice").certificate
CRL = CA.revoke()
SECRETS = {
    ("default", "trust"): {"ca.crt": CA.root_pem},
    ("default", "revoking"): {"ca.crt": CA.root_pem, "ca.crl": CRL + CRL},
    ("default", "other-key"): {"ca.pem": CA.root_pem},
    ("default", "empty"): {"ca.crt": b""},
    ("default", "garbage"): {"ca.crt": b"hunter2"},
    ("default", "bad-list"): {"ca.crt": CA.root_pem, "ca.crl": b"hunter2"},
    ("default", "cut-list"): {"ca.crt": CA.root_pem, "ca.crl": CRL[:-60]},
    ("default", "broken-list"): {"ca.crt": CA.root_pem, "ca.crl": CRL.replace(b"M", b"?")},
    ("other", "trust"): {"ca.crt": CA.root_pem},
}
NO_AUTHORITY = {20: "unable to get local issuer certificate", 21: "unable to verify"}
EXPIRED = {10: "certificate has expired"}


def read(secret: str | None = "default/trust", **others: str) -> Reading:
    """:param others: further annotations, without ``auth-tls-`` and with ``_`` for ``-``."""
    values = {f"auth-tls-{name.replace('_', '-')}": value for name, value in others.items()}
    if secret is not None:
        values["auth-tls-secret"] = secret
    return read_annotations(ClientCertificates, values, secrets=SECRETS)


def policy(**others: str) -> ClientCertificates:
    reading = read(**others)
    assert isinstance(reading.feature, ClientCertificates), reading
    return reading.feature


def session(
    trust: ClientTrust = TRUST,
    *,
    has_certificate: bool = True,
    faults: Mapping[int, str] | None = None,
) -> ClientSession:
    return ClientSession(trust, ALICE if has_certificate else None, dict(faults or {}))


class ReadTests(SynchronousTestCase):
    def test_settings(self) -> None:
        """Each annotation is a setting; without the others the Secret is enough."""
        self.assertEqual(read(), Reading(ClientCertificates(TRUST, ("default", "trust")), {}, None))
        found = policy(
            verify_client="optional",
            verify_depth="3",
            error_page="https://a.example/x?y=z",
            match_cn="CN=a.*",
            pass_certificate_to_upstream="true",
        )
        self.assertEqual(found.trust, replace(TRUST, depth=3))
        self.assertEqual((found.mode, found.error_page), ("optional", "https://a.example/x?y=z"))
        self.assertTrue(found.passes_certificate)
        self.assertEqual(read("default/revoking").closing, None)
        reading = read("default/revoking").feature
        assert isinstance(reading, ClientCertificates)
        self.assertEqual(reading.trust.crl_pem, CRL + CRL)

    def test_nothing(self) -> None:
        """Without annotations nothing is asked for."""
        self.assertEqual(read(None), Reading(None, {}, None))

    def test_defaults(self) -> None:
        """A value that decides nothing, or whose default is safe, is reported and replaced."""
        for annotation, value in (
            ("verify_client", "maybe"),
            ("verify_client", "opt"),
            ("verify_depth", "0"),
            ("verify_depth", "-1"),
            ("verify_depth", "101"),
            ("verify_depth", "x"),
            ("error_page", "javascript:x"),
            ("error_page", "https://a.example/\r\nX-Evil: 1"),
            ("error_page", "/page"),
            ("pass_certificate_to_upstream", "maybe"),
        ):
            reading = read(**{annotation: value})
            self.assertEqual((reading.feature, reading.closing), (policy(), None), value)
            self.assertEqual(list(reading.faults), [f"auth-tls-{annotation.replace('_', '-')}"])

    def test_closed(self) -> None:
        """What cannot be honoured closes the host."""
        for reading, name, message in (
            (read(None, verify_client="on"), "verify-client", "auth-tls-secret names no Secret"),
            (read(None, verify_client="off"), "verify-client", "auth-tls-secret names no Secret"),
            (read(None, error_page="https://a.example"), "error-page", "names no Secret"),
            (read(""), "secret", "NAMESPACE/NAME"),
            (read("trust"), "secret", "NAMESPACE/NAME"),
            (read("default/"), "secret", "NAMESPACE/NAME"),
            (read("default/trust\n/x"), "secret", "NAMESPACE/NAME"),
            (read("default/" + "x" * 100_000), "secret", "NAMESPACE/NAME"),
            (read("other/trust"), "secret", "own namespace"),
            (read("default/missing"), "secret", "default/missing does not exist"),
            (read("default/other-key"), "secret", "has no ca.crt"),
            (read("default/empty"), "secret", "has no ca.crt"),
            (read("default/garbage"), "secret", "its ca.crt has no PEM certificates"),
            (read("default/bad-list"), "secret", "its ca.crl has no PEM lists"),
            (read("default/cut-list"), "secret", "its ca.crl has no PEM lists"),
            (read("default/broken-list"), "secret", "its ca.crl has no PEM lists"),
            (read(match_cn="alice"), "match-cn", "CN= and a regular expression"),
            (read(match_cn=""), "match-cn", "CN= and a regular expression"),
            (read(match_cn="CN=("), "match-cn", ""),
            (read(match_cn="CN=(?=a)a"), "match-cn", "looks ahead"),
            (read(match_cn="CN=" + "a" * 10_000), "match-cn", "octets"),
        ):
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), reading)
            self.assertIn(message, reading.faults[f"auth-tls-{name}"])
            self.assertNotIn("hunter2", str(reading))

    def test_other_namespace(self) -> None:
        """The ConfigMap may let Ingresses name Secrets of other namespaces."""
        safety = AnnotationSafety(allow_cross_namespace=True)
        reading = read_annotations(
            ClientCertificates,
            {"auth-tls-secret": "other/trust"},
            secrets=SECRETS,
            config=Config(nginx=NginxSettings(annotations=safety)),
        )
        assert isinstance(reading.feature, ClientCertificates)
        self.assertEqual(reading.closing, None)

    def test_no_listener(self) -> None:
        """Where nobody listens for https, that is told."""
        reading = read_annotations(
            ClientCertificates,
            {"auth-tls-secret": "default/trust"},
            secrets=SECRETS,
            config=Config(listen=Listen(https=())),
        )
        self.assertEqual((reading.feature, reading.closing), (policy(), None))
        self.assertIn("without `listen.https`", reading.faults["auth-tls-secret"])

    def test_references(self) -> None:
        """The Secret is watched."""
        for written, expected in (("a/b", [("Secret", "a", "b")]), ("b", []), ("", [])):
            annotations = Annotations({f"{PREFIX}auth-tls-secret": written})
            self.assertEqual(list(ClientCertificates.references(annotations, "a")), expected)

    def test_host(self) -> None:
        """It holds for hosts whose oldest Ingress is of its namespace, and asks in handshakes."""
        found = policy()
        self.assertTrue(found.is_host_wide and found.guards)
        self.assertEqual(found.client_trust, TRUST)
        self.assertEqual(found.loss_on(HostScope("a.example", "default", ("default", "x"))), "")
        loss = found.loss_on(HostScope("a.example", "default", ("bank", "shop")))
        self.assertIn("Ingress bank/shop, of another namespace", loss)
        off = policy(verify_client="off")
        self.assertEqual((off.client_trust, off.guards), (None, False))

    def test_shown(self) -> None:
        """The settings are shown, without certificates, and survive pickling."""
        found = policy(match_cn="CN=a.*", error_page="https://a.example")
        self.assertEqual(
            found.shown(),
            {
                "clientCertificates": {
                    "secret": "default/trust",
                    "verify": "on",
                    "depth": 1,
                    "hasRevocations": False,
                    "passesCertificate": False,
                    "errorPage": "https://a.example",
                    "commonName": "a.*",
                }
            },
        )
        self.assertEqual(pickle.loads(pickle.dumps(found)), found)
        for mode in ("on", "off", "optional", "optional_no_ca"):
            self.assertRegex(policy(verify_client=mode).explain(), r"\AClients .*\.\Z")
        self.assertNotIn("BEGIN", repr(found))


SESSIONS: dict[str, ClientSession | None] = {
    "none": None,
    "other, none shown": session(OTHER, has_certificate=False),
    "other, shown": session(OTHER),
    "none shown": session(has_certificate=False),
    "good": session(),
    "of nobody": session(faults=NO_AUTHORITY),
    "expired": session(faults=EXPIRED),
    "both": session(faults={**NO_AUTHORITY, **EXPIRED}),
}
OPEN = {
    "on": {"good": "SUCCESS"},
    "optional": {"good": "SUCCESS", "none shown": "NONE"},
    "optional_no_ca": {
        "good": "SUCCESS",
        "none shown": "NONE",
        "of nobody": "FAILED:unable to get local issuer certificate",
    },
    "off": dict.fromkeys(SESSIONS, "NONE"),
}
"""The cells in which a request is let in, and what the endpoint learns of the verification."""

MISDIRECTED = {
    "on": {"other, shown"},
    "optional": {"none", "other, none shown", "other, shown"},
    "optional_no_ca": {"none", "other, none shown", "other, shown"},
}


class AccessTests(SynchronousTestCase):
    def test_matrix(self) -> None:
        """Every cell is closed but those that are open, whatever the method, path and version."""
        methods = (b"GET", b"HEAD", b"POST", b"OPTIONS", b"PROPFIND")
        paths = (b"/", b"/.well-known/acme-challenge/x", b"/%2e%2e/x", b"*")
        for mode, name, method, path in product(OPEN, SESSIONS, methods, paths):
            asked = policy(verify_client=mode)
            context = policy_context(method, path, is_secure=True, session=SESSIONS[name])
            verdict = verdict_of(asked.access(context))
            expected = OPEN[mode].get(name)
            if expected is not None:
                assert isinstance(verdict, Proceed), (mode, name)
                fields = dict(verdict.request_edits.replace)
                self.assertEqual(fields[b"ssl-client-verify"], expected.encode())
                continue
            assert isinstance(verdict, Answer), (mode, name)
            status = 421 if name in MISDIRECTED[mode] else 400
            self.assertEqual(verdict.status, status, (mode, name))

    def test_http2(self) -> None:
        """Clients that share a connection of HTTP/2 are told to make one of their own."""
        for name, session in SESSIONS.items():
            context = policy_context(is_secure=True, session=session)
            context.request.is_http_2 = True
            verdict = verdict_of(policy().access(context))
            status = verdict.status if isinstance(verdict, Answer) else 200
            elsewhere = {"none": 421, "other, none shown": 421, "other, shown": 421}
            self.assertEqual(status, {**elsewhere, "good": 200}.get(name, 400), name)

    def test_in_the_clear(self) -> None:
        """Over http nobody is let in, whatever a connection has."""
        for mode, name in product(("on", "optional", "optional_no_ca"), SESSIONS):
            context = policy_context(session=SESSIONS[name])
            verdict = verdict_of(policy(verify_client=mode).access(context))
            assert isinstance(verdict, Answer)
            self.assertEqual(verdict.status, 403)

    def test_challenge(self) -> None:
        """
        A certificate authority, which has no certificate to show, is let in over http, by rules
        for its challenges alone; what the client says of a certificate goes to no endpoint.
        """
        folder = "/.well-known/acme-challenge"
        for rule_path, path, is_in in (
            (f"{folder}/token", f"{folder}/token", True),
            (folder, f"{folder}/token", True),
            (f"{folder}/", f"{folder}/token", True),
            ("/", f"{folder}/token", False),
            ("/.well-known", f"{folder}/token", False),
            (f"{folder}s/token", f"{folder}s/token", False),
            (f"{folder}/token|/.*", "/admin", False),
        ):
            asked = policy().at(RuleScope("default", "web", "a.example", rule_path, "Exact", None))
            self.assertEqual(asked.client_trust, TRUST)
            verdict = verdict_of(asked.access(policy_context(path=path.encode())))
            self.assertEqual(isinstance(verdict, Proceed), is_in, rule_path)
            if isinstance(verdict, Proceed):
                sent = [(b"ssl-client-verify", b"SUCCESS"), (b"ssl-client-cert", b"x")]
                left = verdict.request_edits.apply_to_request(sent)
                self.assertEqual(list(left), [(b"ssl-client-verify", b"NONE")])
            secure = policy_context(path=path.encode(), is_secure=True)
            verdict = verdict_of(asked.access(secure))
            assert isinstance(verdict, Answer)
            self.assertEqual(verdict.status, 400, "over https it has to show one")

    def test_behind_proxy(self) -> None:
        """A proxy that says that the client came over https has shown no certificate for it."""
        context = policy_context(is_secure=True, is_trusted=True)
        verdict = verdict_of(policy().access(context))
        assert isinstance(verdict, Answer)
        self.assertEqual(verdict.status, 400)

    def test_reason(self) -> None:
        """The answer, and with it the log, says what is wrong with a certificate."""
        context = policy_context(is_secure=True, session=SESSIONS["expired"])
        verdict = verdict_of(policy().access(context))
        assert isinstance(verdict, Answer)
        self.assertIn("not accepted: certificate has expired", verdict.detail)

    def test_error_page(self) -> None:
        """The page takes the place of 400, and of nothing else."""
        asked = policy(error_page="https://a.example/page", match_cn="CN=bob")
        for name, status in (
            ("none", 302),
            ("none shown", 302),
            ("expired", 302),
            ("other, shown", 421),
            ("good", 403),
        ):
            context = policy_context(is_secure=True, session=SESSIONS[name])
            verdict = verdict_of(asked.access(context))
            assert isinstance(verdict, Answer)
            self.assertEqual(verdict.status, status, name)
            if status == 302:
                self.assertEqual(verdict.fields, ((b"Location", b"https://a.example/page"),))

    def test_common_name(self) -> None:
        """The whole common name matches, all of them if there are several; none never does."""
        for pattern, is_in in (
            ("alice", True),
            ("al.*", True),
            ("(bob|alice)", True),
            ("alic", False),
            ("lice", False),
            ("ALICE", False),
            ("", False),
        ):
            asked = policy(match_cn=f"CN={pattern}", verify_client="optional")
            for name in ("good", "none shown"):
                context = policy_context(is_secure=True, session=SESSIONS[name])
                verdict = verdict_of(asked.access(context))
                is_let_in = is_in and name == "good"
                self.assertEqual(isinstance(verdict, Proceed), is_let_in, (pattern, name))
                if isinstance(verdict, Answer):
                    self.assertEqual(verdict.status, 403)

    def test_fields(self) -> None:
        """The endpoint gets the names, the certificate if it is wanted, and nothing of the client's."""
        for passes in (False, True):
            asked = policy(pass_certificate_to_upstream=str(passes))
            kept = session()
            context = policy_context(is_secure=True, session=kept)
            verdict = verdict_of(asked.access(context))
            assert isinstance(verdict, Proceed)
            fields = dict(verdict.request_edits.replace)
            self.assertEqual(fields[b"ssl-client-subject-dn"], b"CN=alice")
            self.assertEqual(fields[b"ssl-client-issuer-dn"], b"CN=Clients")
            self.assertEqual(b"ssl-client-cert" in fields, passes)
            forged = [(b"SSL_Client_Cert", b"x"), (b"ssl-client-verify", b"SUCCESS"), (b"A", b"b")]
            sent = verdict.request_edits.apply_to_request(forged)
            self.assertNotIn((b"SSL_Client_Cert", b"x"), sent)
            self.assertEqual(sent.count((b"ssl-client-verify", b"SUCCESS")), 1)
            # They are made once for a connection.
            self.assertIs(verdict_of(asked.access(context)), verdict)
        nobody = policy_context(is_secure=True, session=session(has_certificate=False))
        verdict = verdict_of(policy(verify_client="optional").access(nobody))
        assert isinstance(verdict, Proceed)
        self.assertEqual(verdict.request_edits.replace, ((b"ssl-client-verify", b"NONE"),))
