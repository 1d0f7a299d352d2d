"""Tests of `policies.token_file`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.decision import Verdict
from ingress.policy.live_state import PolicyStates
from ingress.testing import configure, deferred_of, policy_context
from policies.token_file import PASS, UNAUTHORIZED, TokenFile


class ThreadPool:
    """Runs functions at once."""

    def callInThreadWithCallback(self, done: Any, function: Any, *arguments: Any) -> None:
        try:
            done(True, function(*arguments))
        except OSError as error:
            done(False, error)


class Reactor:
    """As much of a reactor as the policy needs."""

    def getThreadPool(self) -> ThreadPool:
        return ThreadPool()

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        function(*arguments)


class TokenFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())
        self.file.write_text("alpha\n\nbeta\n")
        self.policy = TokenFile(self.file, refresh=5)
        self.states = PolicyStates()
        self.time = 0.0

    def ask(self, *values: bytes) -> Verdict:
        context = policy_context(
            fields=[(b"Authorization", value) for value in values],
            states=self.states,
            reactor=Reactor(),
            now=lambda: self.time,
        )
        return self.successResultOf(deferred_of(self.policy.access(context)))

    def test_known(self) -> None:
        """A token of the file passes, and the endpoint does not get it."""
        for value in (b"Bearer alpha", b"bearer beta"):
            self.assertIs(self.ask(value), PASS)

    def test_unknown(self) -> None:
        """Any other token, any other scheme, and none are 401."""
        for value in (b"Bearer gamma", b"Bearer ", b"Basic alpha", b"alpha"):
            self.assertIs(self.ask(value), UNAUTHORIZED)
        self.assertIs(self.ask(), UNAUTHORIZED)

    def test_changed(self) -> None:
        """A change of the file applies once it is read again."""
        self.ask()
        self.file.write_text("gamma\n")
        self.assertIs(self.ask(b"Bearer gamma"), UNAUTHORIZED)
        self.time = 5.0
        self.assertIs(self.ask(b"Bearer gamma"), PASS)
        self.assertIs(self.ask(b"Bearer alpha"), UNAUTHORIZED)

    def test_gone(self) -> None:
        """A file that cannot be read closes the path until it can."""
        self.ask()
        self.file.unlink()
        self.time = 5.0
        for _ in range(2):
            context = policy_context(states=self.states, reactor=Reactor(), now=lambda: self.time)
            self.failureResultOf(deferred_of(self.policy.access(context)), OSError)
        self.file.write_text("alpha\n")
        self.assertIs(self.ask(b"Bearer alpha"), PASS)

    def test_options(self) -> None:
        """A file that is missing, and a time of 0, are mistakes of the configuration."""
        options = {"file": str(self.file.absolute()), "refresh": 5}
        self.assertEqual(configure(TokenFile, options).mistakes, [])
        for wrong in ({"file": "missing"}, {"refresh": 0}):
            self.assertEqual(len(configure(TokenFile, {**options, **wrong}).mistakes), 1)
