"""
Helpers for testing policies in plain values.

A policy is called with a context and gives a decision::

    decision = MyPolicy(limit=3).request(policy_context(b"GET", b"/basket"))
    self.assertEqual(decision, None)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.context import Captures, PolicyContext
from ingress.policy.live_state import PolicyStates, RuleIdentity

RULE = RuleIdentity("default", "web", "a.example", "/", "Prefix")
"""The rule that a request has met where a test does not say otherwise."""


def policy_context(
    method: bytes = b"GET",
    target: bytes = b"/",
    *,
    path: bytes | None = None,
    host: bytes = b"a.example",
    fields: Sequence[tuple[bytes, bytes]] = (),
    body_length: int | None = 0,
    address: bytes = b"192.0.2.1",
    is_secure: bool = False,
    is_trusted: bool = False,
    rule: RuleIdentity = RULE,
    captures: Captures = (),
    now: Callable[[], float] = lambda: 0.0,
    wall_clock: Callable[[], float] = lambda: 1_800_000_000.0,
    random: Random | None = None,
    states: PolicyStates | None = None,
) -> PolicyContext:
    """
    Make what a policy sees of a request.

    :param target: the raw target.
    :param path: the canonical path; the target's own where none is given.
    :param host: the Host field.
    :param fields: ``(name, value)``, without Host.
    :param body_length: in bytes; None for a body whose length only its end tells.
    :param address: of the client, as it is believed.
    :param states: where live state is kept; give the same object to contexts that share it.
    """
    request = Request(
        method,
        target,
        target.partition(b"?")[0] if path is None else path,
        host,
        host.partition(b":")[0].lower(),
        [(name.lower(), name, value) for name, value in fields],
        body_length,
    )
    client = BelievedClient(address, host, b"", is_secure=is_secure, is_trusted=is_trusted)
    return PolicyContext(
        request,
        client,
        rule,
        captures,
        now=now,
        wall_clock=wall_clock,
        random=random or Random(0),  # noqa: S311 (a test must be repeatable)
        states=states if states is not None else PolicyStates(),
    )
