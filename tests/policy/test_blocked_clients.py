"""
Tests for `ingress.policy.blocked_clients`.
"""

from __future__ import annotations

import pickle
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import BlockRules, NginxSettings
from ingress.policy.blocked_clients import BlockedClients
from ingress.testing import policy_context, read_annotations, verdict_of

RULES = BlockRules(("10.0.0.0/8",), ("~*curl", "Evil"), ("~^https?://spam\\.example/",))


def read(rules: BlockRules) -> BlockedClients | None:
    config = Config(nginx=NginxSettings(block=rules))
    reading = read_annotations(BlockedClients, {}, config=config)
    assert reading.feature is None or isinstance(reading.feature, BlockedClients)
    return reading.feature


class BlockedClientsTests(SynchronousTestCase):
    """The ConfigMap blocks clients."""

    def status(self, address: bytes = b"192.0.2.1", **fields: bytes) -> int | None:
        """The status that a client gets; None if it may pass."""
        policy = read(RULES)
        assert policy is not None
        pairs = [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
        answer = verdict_of(policy.access(policy_context(address=address, fields=pairs)))
        return answer.status if isinstance(answer, Answer) else None

    def test_nothing(self) -> None:
        """Without keys there is no policy."""
        self.assertIsNone(read(BlockRules()))

    def test_addresses(self) -> None:
        """Addresses are blocked, and no others; the client of a UNIX socket has none."""
        self.assertEqual(self.status(b"10.1.2.3"), 403)
        self.assertIsNone(self.status(b"11.1.2.3"))
        self.assertIsNone(self.status(b"2001:db8::1"))
        self.assertIsNone(self.status(b""))

    def test_user_agents(self) -> None:
        """Values and patterns are blocked."""
        self.assertEqual(self.status(user_agent=b"CURL/8"), 403)
        self.assertEqual(self.status(user_agent=b"evil"), 403)
        self.assertIsNone(self.status(user_agent=b"evil 2"))

    def test_referers(self) -> None:
        """The referer has a list of its own."""
        self.assertEqual(self.status(referer=b"http://spam.example/x"), 403)
        self.assertIsNone(self.status(referer=b"curl"))

    def test_no_field(self) -> None:
        """A field that is not there is an empty value, which may be blocked."""
        policy = read(BlockRules(user_agents=("~^$",)))
        assert policy is not None
        self.assertIsInstance(verdict_of(policy.access(policy_context())), Answer)

    def test_too_long(self) -> None:
        """A value too long to be searched is blocked."""
        policy = read(BlockRules(user_agents=("~(a{1,20}){1,30}x",)))
        assert policy is not None
        context = policy_context(fields=[(b"User-Agent", b"a" * 60_000)])
        self.assertIsInstance(verdict_of(policy.access(context)), Answer)

    def test_shown(self) -> None:
        """What is blocked is not shown."""
        policy = read(replace(RULES, user_agents=("hunter2",)))
        assert policy is not None
        self.assertNotIn("hunter2", f"{policy.shown()} {policy.explain()}")
        self.assertEqual(pickle.loads(pickle.dumps(policy)), policy)
