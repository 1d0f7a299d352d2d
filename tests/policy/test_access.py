"""Tests of access rules that cannot be honoured."""

from __future__ import annotations

from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.access import AccessRefusal, Refusal, read_refusal
from ingress.policy.annotation import PREFIX, Annotations
from ingress.testing import policy_context


def refusal(*names: str, snippets: Literal["refuse", "ignore"] = "refuse") -> Refusal:
    return read_refusal(Annotations({PREFIX + name: "off" for name in names}), snippets)


class ReadRefusalTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """Every annotation that decides access closes paths, those that come later, too."""
        for name in (
            "auth-type",
            "auth-url",
            "auth-something-new",
            "whitelist-source-range",
            "allowlist-source-range",
            "denylist-source-range",
            "satisfy",
            "enable-global-auth",
        ):
            with self.subTest(name=name):
                self.assertIs(refusal(name), Refusal.PATHS)
                self.assertIs(refusal(name, snippets="ignore"), Refusal.PATHS)

    def test_hosts(self) -> None:
        """Client certificates close hosts, whatever else there is and in whatever order."""
        self.assertIs(refusal("auth-tls-secret"), Refusal.HOSTS)
        self.assertIs(refusal("auth-tls-secret", "auth-url", "server-snippet"), Refusal.HOSTS)
        self.assertIs(refusal("auth-url", "server-snippet", "auth-tls-secret"), Refusal.HOSTS)

    def test_snippets(self) -> None:
        """A snippet closes paths unless the configuration ignores snippets."""
        for name in ("server-snippet", "configuration-snippet", "modsecurity-snippet"):
            self.assertIs(refusal(name), Refusal.PATHS)
            self.assertIs(refusal(name, snippets="ignore"), Refusal.NONE)
        self.assertIs(refusal("auth-snippet", snippets="ignore"), Refusal.PATHS)

    def test_nothing(self) -> None:
        """Other annotations close nothing, and are left to others to report."""
        annotations = Annotations({f"{PREFIX}rewrite-target": "/", "example.com/auth-url": "x"})
        self.assertIs(read_refusal(annotations, "refuse"), Refusal.NONE)
        self.assertEqual(annotations.faults, [])

    def test_fault(self) -> None:
        """Each one is reported, without its value, also where it is ignored."""
        for snippets in ("refuse", "ignore"):
            annotations = Annotations(
                {f"{PREFIX}auth-url": "http://user:secret@a", f"{PREFIX}server-snippet": "secret"}
            )
            read_refusal(annotations, snippets)
            self.assertEqual([fault.value for fault in annotations.faults], ["", ""])
            annotations.fault_unread()
            self.assertEqual(len(annotations.faults), 2)


class AccessRefusalTests(SynchronousTestCase):
    def test_answer(self) -> None:
        """No request passes, over https neither, not even a certificate challenge."""
        path = b"/.well-known/acme-challenge/x"
        for is_secure in (True, False):
            answer = AccessRefusal().access(policy_context(target=path, is_secure=is_secure))
            assert isinstance(answer, Answer)
            self.assertEqual((answer.status, answer.outcome), (503, Outcome.ACCESS_REFUSED))
