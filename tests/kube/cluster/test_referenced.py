"""
Tests for `ingress.kube.cluster.referenced`; those of `test_source` see it at work.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.refusals import PASSING_REFUSAL
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.referenced import ReferencedObjects
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.resource import SECRETS
from ingress.kube.slices import Slices
from tests.kube.cluster.test_mirror import RecordingSink
from tests.kube.cluster.test_source import KINDS, READ, SourceTestCase
from tests.kube.cluster.test_source import SECRETS as ALL
from tests.support.cluster_scene import CONFIG, ClusterScene, secret, web
from tests.support.fake_api import Fault, Rule
from tests.support.hand_api import HandAPI
from tests.support.log_lines import LogLines
from tests.support.turn_clock import TurnClock

NAMED = Rule(READ, ("",), ("secrets",), names=("a", "b"))
GET = Rule(("get",), ("",), ("secrets",))
WITHIN = 10.0
"""Seconds within which a change is known again."""


class ContactTests(SynchronousTestCase):
    def test_refused_list(self) -> None:
        """A list that is refused is no contact once its objects are read by their names."""
        clock, api = TurnClock(), HandAPI()
        access = Access(api, clock, Random(1), Slices(clock, lambda: None))
        secrets = ReferencedObjects(access, SECRETS, (), RecordingSink(), ProblemBook(clock))
        secrets.want(("default", "a"))
        secrets.read()
        self.assertEqual([str(contact.target) for contact in secrets.contacts], ["secrets"])
        api.only().refuse(403)
        clock.pump([0, 0])
        (contact,) = secrets.contacts
        self.assertEqual(contact.target.name, "a")
        secrets.stop()


class PassingRefusalTests(SourceTestCase):
    def scene_with(self, right: Rule) -> ClusterScene:
        """One that serves the Secret ``a``, read by this right, and has logged what it had to."""
        self.lines = LogLines(self, "ingress.kube.cluster.scope_list.ScopeList")
        scene = self.make(CONFIG, *KINDS, right)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.turn(PASSING_REFUSAL + 10)
        self.successResultOf(scene.started)
        self.lines.take()
        return scene

    def value(self, scene: ClusterScene) -> str:
        """The known content of the Secret."""
        return b64encode(scene.store.view().secrets["default", "a"].data["tls.crt"]).decode()

    def assert_changes_are_known(self, scene: ClusterScene) -> None:
        """A change during and one after a restart are known soon, and nothing is said."""
        for loading in (0.5, 2.0, 4.0):
            scene.api.restart(loading)
            scene.put(secret("a", "eQ=="))
            scene.turn(loading + WITHIN)
            self.assertEqual(self.value(scene), "eQ==")
            scene.put(secret("a", "eA=="))
            scene.turn(1)
            self.assertEqual(self.value(scene), "eA==")
        self.assertEqual((scene.told, self.lines.take()), ([], []))

    def test_listed(self) -> None:
        """With the right to list, the list is watched again, and nothing is read by its name."""
        scene = self.scene_with(ALL)
        self.assert_changes_are_known(scene)
        self.assertEqual(set(scene.asked("secrets")), {"list /", "watch /"})
        self.assertEqual(scene.source.contacts.relists["Ingress"], 0)

    def test_named(self) -> None:
        """With the right to list and watch some by their names, these are watched again."""
        scene = self.scene_with(NAMED)
        self.assert_changes_are_known(scene)

    def test_got(self) -> None:
        """With the right to get them alone, they are read again."""
        scene = self.scene_with(GET)
        scene.api.restart(2.0)
        scene.put(secret("a", "eQ=="))
        scene.turn(80)
        self.assertEqual(self.value(scene), "eQ==")
        self.assertEqual((scene.told, self.lines.take()), ([], []))

    def test_start(self) -> None:
        """A start beside that of the server ends with everything read, by lists."""
        for right in (ALL, NAMED):
            scene = self.make(CONFIG, *KINDS, right)
            scene.put(web("a", "a"), secret("a"))
            scene.api.restart(2.0)
            scene.start()
            scene.turn(WITHIN)
            self.successResultOf(scene.started)
            self.assertEqual((scene.names("secrets"), scene.told), (["default/a"], []))
            scene.put(secret("a", "eQ=="))
            scene.turn(1)
            self.assertEqual(self.value(scene), "eQ==")

    def test_secrets_alone(self) -> None:
        """A start during which only Secrets are refused ends with their list, too."""
        scene = self.make(CONFIG, *KINDS)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        self.assertNoResult(scene.started)
        scene.grant(*KINDS, ALL)
        scene.turn(WITHIN)
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        self.assertIn("watch /", scene.asked("secrets"))

    def test_first_watch(self) -> None:
        """A watch that is refused once after the first list is begun again, by no other way."""
        scene = self.make(CONFIG, *KINDS, ALL)
        scene.put(web("a", "a"), secret("a"))
        scene.api.fail(Fault(403, 1, "watch", "secrets"))
        scene.start()
        scene.turn(WITHIN)
        self.successResultOf(scene.started)
        self.assertEqual(set(scene.asked("secrets")), {"list /", "watch /"})

    def test_new(self) -> None:
        """An Ingress that comes meanwhile is served with its Secret."""
        scene = self.scene_with(ALL)
        scene.api.restart(3.0)
        scene.put(web("b", "b"), secret("b"))
        scene.turn(3 + WITHIN)
        self.assertEqual(scene.names("secrets"), ["default/a", "default/b"])
        self.assertIn("default/b", scene.names("ingresses"))


class LastingRefusalTests(SourceTestCase):
    def test_asked_less(self) -> None:
        """A list that stays refused is asked for less and less."""
        scene = self.make(CONFIG, *KINDS, NAMED)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.turn(3600)
        count = scene.asked("secrets", "list").count("list /")
        self.assertTrue(10 < count < 25, count)

    def test_deleted_meanwhile(self) -> None:
        """A Secret that goes while the right to list it does is gone."""
        scene = self.make(CONFIG, *KINDS, ALL)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.turn()
        scene.grant(*KINDS, NAMED)
        scene.api.drop_watches()
        scene.api.delete("v1", "Secret", "a")
        scene.turn(20)
        self.assertEqual(scene.names("secrets"), [])

    def test_kept(self) -> None:
        """Without any right any more, the last good Secret stays, with a Problem."""
        scene = self.make(CONFIG, *KINDS, ALL)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.grant(*KINDS)
        scene.api.drop_watches()
        scene.turn(120)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        self.assertIn("may not read Secret default/a", scene.problems[0])

    def test_listed_not_watched(self) -> None:
        """Secrets that may be listed by their names, and not watched, are read every minute."""
        scene = self.make(CONFIG, *KINDS, replace(NAMED, verbs=("list",)))
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.turn(300)
        count = len(scene.asked("secrets", "watch"))
        scene.put(secret("a", "eQ=="))
        scene.turn(70)
        self.assertEqual(scene.store.view().secrets["default", "a"].data["tls.crt"], b"y")
        self.assertLessEqual(len(scene.asked("secrets", "watch")) - count, 1)

    def test_message(self) -> None:
        """The message names the right that is missing: to watch, where lists are answered."""
        scene = self.make(CONFIG, *KINDS[:2], replace(KINDS[2], verbs=("list",)), KINDS[3])
        scene.start()
        scene.turn(30)
        [problem] = scene.problems
        self.assertIn("may not watch services: grant watch of services (", problem)
