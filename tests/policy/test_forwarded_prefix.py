"""Tests of what endpoints are told of a rewrite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.field_edits import NO_EDITS
from ingress.policy.decision import Proceed
from ingress.policy.forwarded_prefix import ForwardedPrefix
from ingress.policy.policy import Phase
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of


def forwarded_prefix(prefix: str) -> ForwardedPrefix:
    annotations = {"rewrite-target": "/$2", "x-forwarded-prefix": prefix}
    reading = read_annotations(ForwardedPrefix, annotations)
    assert reading.faults == {}, reading.faults
    assert isinstance(reading.feature, ForwardedPrefix)
    return reading.feature


class ForwardedPrefixTests(SynchronousTestCase):
    def test_constant(self) -> None:
        """One prefix for all requests is an edit of the route, and decides nothing."""
        policy = forwarded_prefix("/something")
        self.assertEqual(policy.request_edits.replace, ((b"X-Forwarded-Prefix", b"/something"),))
        self.assertEqual(policy.phases, frozenset())

    def test_captures(self) -> None:
        """Groups of the path are inserted for each request."""
        policy = forwarded_prefix("/app/$1")
        self.assertEqual((policy.request_edits, policy.phases), (NO_EDITS, {Phase.REQUEST}))
        found = verdict_of(policy.request(policy_context(captures=(b"v1%0D%0AX: y",))))
        assert isinstance(found, Proceed)
        self.assertEqual(
            found.request_edits.replace, ((b"X-Forwarded-Prefix", b"/app/v1%0D%0AX: y"),)
        )

    def test_empty(self) -> None:
        """A prefix of which nothing is left is not sent, not even by a trusted proxy."""
        found = verdict_of(forwarded_prefix("$1").request(policy_context()))
        assert isinstance(found, Proceed)
        self.assertEqual(found.request_edits.remove, {b"x-forwarded-prefix"})

    def test_same_path(self) -> None:
        """A path that is not rewritten gets no field."""
        policy = forwarded_prefix("/a")
        self.assertIsNone(policy.at(rule_scope(path="/$2")))
        self.assertIs(policy.at(rule_scope(path="/a")), policy)

    def test_without_rewrite(self) -> None:
        """Without a target it is a fault; one that is none is reported elsewhere."""
        reading = read_annotations(ForwardedPrefix, {"x-forwarded-prefix": "/a"})
        self.assertIsNone(reading.feature)
        self.assertIn("only together with rewrite-target", reading.faults["x-forwarded-prefix"])
        annotations = {"x-forwarded-prefix": "/a", "rewrite-target": "/ b"}
        self.assertEqual(read_annotations(ForwardedPrefix, annotations).faults, {})

    def test_characters(self) -> None:
        """Other characters are a fault, and the field is not sent."""
        for value in ("/a\r\nX-Other: b", "/$uri", '/"', "/" + "a" * 100 * 1024):
            annotations = {"rewrite-target": "/", "x-forwarded-prefix": value}
            reading = read_annotations(ForwardedPrefix, annotations)
            self.assertIsNone(reading.feature, value)
            self.assertIn("the field is not sent", reading.faults["x-forwarded-prefix"])
