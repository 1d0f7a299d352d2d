"""
Tests for `ingress.kube.cluster.referenced`; those of `test_source` see it at work.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.referenced import ReferencedObjects
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.resource import SECRETS
from ingress.kube.slices import Slices
from tests.kube.cluster.test_mirror import RecordingSink
from tests.support.hand_api import HandAPI
from tests.support.turn_clock import TurnClock


class ContactTests(SynchronousTestCase):
    def test_refused_list(self) -> None:
        """A list that is refused is no contact, not even before others are read one by one."""
        clock, api = TurnClock(), HandAPI()
        access = Access(api, clock, Random(1), Slices(clock, lambda: None))
        secrets = ReferencedObjects(access, SECRETS, (), RecordingSink(), ProblemBook(clock))
        secrets.want(("default", "a"))
        secrets.read()
        self.assertEqual([str(contact.target) for contact in secrets.contacts], ["secrets"])
        api.only().refuse(403)
        self.assertEqual(list(secrets.contacts), [])
        clock.pump([0, 0])
        (contact,) = secrets.contacts
        self.assertEqual(contact.target.name, "a")
        secrets.stop()
