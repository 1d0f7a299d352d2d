"""Tests of `ingress.policy.ssl_passthrough`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.policy.annotation import PREFIX, AnnotationFault, Annotations
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.scope import HostScope, ReadContext
from ingress.policy.ssl_passthrough import NAME, SSLPassthrough
from ingress.problem_code import Code
from ingress.testing import policy_context, read_annotations, verdict_of


def faults_beside(name: str) -> list[AnnotationFault]:
    """What is told of another annotation."""
    prefix = "" if "/" in name else PREFIX
    annotations = Annotations({f"{PREFIX}{NAME}": "true", f"{prefix}{name}": "a secret"})
    context = ReadContext(Config(), "default", lambda secret: BackendSecret())
    assert SSLPassthrough.read(annotations, context) == SSLPassthrough()
    return annotations.faults


class ReadTests(SynchronousTestCase):
    def test_off(self) -> None:
        """Nobody gets it who does not ask for it, or whose value is no boolean."""
        for value, count in (("", 0), ("false", 0), ("yes\r\nX: 1", 1), ("x" * 102400, 1)):
            reading = read_annotations(SSLPassthrough, {"ssl-passthrough": value})
            self.assertEqual((reading.feature, len(reading.faults)), (None, count))

    def test_alone(self) -> None:
        """What is about connections, or about http, is no fault beside it."""
        for name in ("whitelist-source-range", "limit-connections", "ssl-redirect", "server-alias"):
            self.assertEqual(faults_beside(name), [])

    def test_told(self) -> None:
        """Whatever needs to see requests is told; with what decides access, as an error."""
        for name, code in (
            ("auth-url", Code.PASSTHROUGH_UNGUARDED),
            ("auth-tls-secret", Code.PASSTHROUGH_UNGUARDED),
            ("limit-rps", Code.PASSTHROUGH_UNGUARDED),
            ("satisfy", Code.PASSTHROUGH_UNGUARDED),
            ("configuration-snippet", Code.PASSTHROUGH_UNGUARDED),
            ("txingress.dev/jwt-secret", Code.PASSTHROUGH_UNGUARDED),
            ("txingress.dev/policies", Code.PASSTHROUGH_UNGUARDED),
            ("rewrite-target", Code.PASSTHROUGH_DIFFERS),
            ("limit-rate", Code.PASSTHROUGH_DIFFERS),
            ("backend-protocol", Code.PASSTHROUGH_DIFFERS),
        ):
            (fault,) = faults_beside(name)
            self.assertEqual(fault.code, code, name)
            self.assertEqual(fault.value, "" if code is Code.PASSTHROUGH_UNGUARDED else "a secret")


class PolicyTests(SynchronousTestCase):
    def test_access(self) -> None:
        """Requests over TLS that ended here get 421; those over http pass."""
        policy = SSLPassthrough()
        answer = verdict_of(policy.access(policy_context(is_secure=True)))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 421)
        self.assertIsNone(verdict_of(policy.access(policy_context())))

    def test_owner(self) -> None:
        """It holds on hosts with a name whose oldest object is of the same namespace."""
        policy = SSLPassthrough()
        for host, owner, is_lost in (
            ("a.example", "default", False),
            ("*.a.example", "default", False),
            ("a.example", "other", True),
            ("", "default", True),
        ):
            scope = HostScope(host, "default", (owner, "first"))
            self.assertEqual(bool(policy.loss_on(scope)), is_lost)
        self.assertTrue(policy.guards)

    def test_shown(self) -> None:
        """It says what it is, in words and as JSON."""
        self.assertEqual(SSLPassthrough().shown(), {"sslPassthrough": True})
        self.assertIn("421", SSLPassthrough().explain())
