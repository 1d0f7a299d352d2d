"""Tests of the policy of closed paths."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.refusal import Refusal
from ingress.policy.scope import HostScope
from ingress.testing import policy_context

OWN = HostScope("a.example", "shop", ("shop", "oldest"))
FOREIGN = HostScope("a.example", "shop", ("bank", "oldest"))


class RefusalTests(SynchronousTestCase):
    def test_answer(self) -> None:
        """No request passes, over https neither, not even a certificate challenge."""
        path = b"/.well-known/acme-challenge/x"
        for subject in Subject:
            for is_secure in (True, False):
                context = policy_context(target=path, is_secure=is_secure)
                answer = Refusal(subject).access(context)
                assert isinstance(answer, Answer)
                self.assertEqual((answer.status, answer.outcome), (503, Outcome.ACCESS_REFUSED))

    def test_host_wide(self) -> None:
        """It holds for other rules of its namespace only where it closes more than its own."""
        self.assertFalse(Refusal(extent=Extent.RULES).is_host_wide)
        self.assertTrue(Refusal(extent=Extent.OWNED_HOSTS).is_host_wide)
        self.assertTrue(Refusal(extent=Extent.HOSTS).is_host_wide)

    def test_foreign_host(self) -> None:
        """Client certificates are up to the namespace that had the host first."""
        self.assertEqual(Refusal(extent=Extent.OWNED_HOSTS).loss_on(OWN), "")
        self.assertIn("bank/oldest", Refusal(extent=Extent.OWNED_HOSTS).loss_on(FOREIGN))
        self.assertEqual(Refusal(extent=Extent.HOSTS).loss_on(FOREIGN), "")

    def test_guards(self) -> None:
        """Access that cannot be decided stays closed on an object with a fault."""
        self.assertTrue(Refusal(Subject.ACCESS).guards)
        self.assertFalse(Refusal(Subject.ENCRYPTION).guards)


class CloseTests(SynchronousTestCase):
    def test_largest(self) -> None:
        """Of several closings the largest extent counts, and access goes before encryption."""
        annotations = Annotations({PREFIX + name: "x" for name in "abc"})
        annotations.close("a", "is bad", subject=Subject.ENCRYPTION)
        self.assertEqual(annotations.closing, Closing(Extent.RULES, Subject.ENCRYPTION))
        annotations.close("b", "is bad", extent=Extent.HOSTS)
        annotations.close("c", "is bad", subject=Subject.ENCRYPTION)
        self.assertEqual(annotations.closing, Closing(Extent.HOSTS, Subject.ACCESS))

    def test_consequence(self) -> None:
        """The fault says what follows, and hides the value unless it may be shown."""
        annotations = Annotations({PREFIX + name: "x" for name in "ab"})
        annotations.close("a", "is bad")
        annotations.close("b", "is bad", is_shown=True)
        self.assertEqual(
            [(fault.value, fault.message) for fault in annotations.faults],
            [("", "is bad; the paths answer 503"), ("x", "is bad; the paths answer 503")],
        )
