"""Tests of the page to sign in; `tests.policy.test_external_auth` has those of its redirect."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.sign_in import SignIn, SignInRefused, parse_sign_in
from ingress.policy.variables import VariableUnknown
from ingress.testing import policy_context, rule_scope


class SignInTests(SynchronousTestCase):
    def test_rule(self) -> None:
        """Variables of the rule get their values."""
        page = parse_sign_in("https://b.example/$namespace?rd=1").at(rule_scope())
        self.assertEqual(page.location(policy_context()), b"https://b.example/default?rd=1")
        plain = parse_sign_in("https://b.example/")
        self.assertIs(plain.at(rule_scope()), plain)

    def test_no_host(self) -> None:
        """A request without host (HTTP/1.0) gets the path that was asked for."""
        page = parse_sign_in("https://b.example/")
        context = policy_context(target=b"/x", host=b"")
        self.assertEqual(page.location(context), b"https://b.example/?rd=%2Fx")

    def test_pickled(self) -> None:
        """A page goes to workers as it is."""
        page = parse_sign_in("https://$host/?x=$request_uri")
        self.assertEqual(pickle.loads(pickle.dumps(page)), page)
        self.assertIsInstance(page, SignIn)

    def test_refused(self) -> None:
        """What is no URL of a page is refused, without its value."""
        for written in ("", "b.example", "https:///x", "https://b.example/\0", "//b", "/\\b"):
            error = self.assertRaises(SignInRefused, parse_sign_in, written)
            self.assertIn("is accepted", str(error))
        self.assertRaises(VariableUnknown, parse_sign_in, "https://b.example/$nonsense")
