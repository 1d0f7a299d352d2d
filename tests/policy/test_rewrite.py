"""Tests of other paths for endpoints than for clients; tests/routing/test_upstream_target.py has more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.rewrite import Rewrite, RewriteElsewhere
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of


def rewrite(target: str) -> Rewrite:
    """:return: what the annotation asks for, without faults."""
    reading = read_annotations(Rewrite, {"rewrite-target": target})
    assert reading.faults == {}, reading.faults
    assert isinstance(reading.feature, Rewrite)
    return reading.feature


class RewriteTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """Without a target there is no rewrite."""
        for values in ({}, {"rewrite-target": " "}, {"x-forwarded-prefix": "/a"}):
            self.assertIsNone(read_annotations(Rewrite, values).feature)

    def test_characters(self) -> None:
        """Other characters, other variables and endless texts are faults; nothing is rewritten."""
        for value in (
            "/a b", "/a?b=$1", "/$0", "/$", "/$uri", "/${1}", "/a\r\nX: y", '/"', "/a;b", "/\0",
            "/" + "a" * 100 * 1024,
        ):  # fmt: skip
            reading = read_annotations(Rewrite, {"rewrite-target": value})
            self.assertIsNone(reading.feature, value)
            self.assertIn("the path as the client sent it", reading.faults["rewrite-target"])

    def test_same_path(self) -> None:
        """A target that is the path changes nothing there, and is no fault."""
        policy = rewrite("/app")
        self.assertIsNone(policy.at(rule_scope(path="/app")))
        self.assertFalse(policy.makes_patterns("/app"))
        self.assertIs(policy.at(rule_scope(path="/app/")), policy)
        self.assertTrue(policy.makes_patterns("/app/"))

    def test_shown(self) -> None:
        """People see the target as it is written."""
        self.assertEqual(rewrite("/$2").shown(), {"rewriteTarget": "/$2"})
        self.assertIn("/$2, where $1 to $9 are the groups", rewrite("/$2").explain())
        self.assertEqual(rewrite("/a").explain(), "Endpoints get the path /a.")


class RewriteElsewhereTests(SynchronousTestCase):
    def test_redirect(self) -> None:
        """A URL redirects with captures and query, and rewrites nothing."""
        annotations = {"rewrite-target": "https://b.example/$1"}
        self.assertIsNone(read_annotations(Rewrite, annotations).feature)
        policy = read_annotations(RewriteElsewhere, annotations).feature
        assert isinstance(policy, RewriteElsewhere)
        self.assertTrue(policy.makes_patterns("/a"))
        context = policy_context(target=b"/a/x?c=d", captures=(b"x%0D%0A",))
        answer = verdict_of(policy.request(context))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.fields, ((b"Location", b"https://b.example/x%0D%0A?c=d"),))

    def test_path(self) -> None:
        """A path redirects nobody."""
        self.assertIsNone(read_annotations(RewriteElsewhere, {"rewrite-target": "/a"}).feature)

    def test_characters(self) -> None:
        """A URL with other characters is a fault, and redirects nobody."""
        reading = read_annotations(RewriteElsewhere, {"rewrite-target": "https://b.example/?a"})
        self.assertIsNone(reading.feature)
        self.assertIn("requests are not redirected", reading.faults["rewrite-target"])
