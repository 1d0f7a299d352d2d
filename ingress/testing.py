"""
Helpers for testing policies in plain values, with trial or any other runner.

A policy is called with a context and gives a decision::

    verdict = verdict_of(MyPolicy(limit=3).request(policy_context(b"GET", b"/basket")))
    self.assertEqual(verdict, None)

`verdict_of` checks that the proxy can serve what was decided. A policy that waits gives a Deferred
or a coroutine; `deferred_of` makes a Deferred of either::

    answer = self.successResultOf(deferred_of(MyPolicy().access(policy_context())))

The options of a policy of one's own are read as they are in a configuration::

    configured = configure(MyPolicy, {"limit": 3})
    self.assertEqual(configured.policy, MyPolicy(limit=3))
    self.assertEqual(configured.mistakes, [])

Annotations are read into a feature, which adapts to a rule::

    reading = read_annotations(MyPolicy, {"my-limit": "3"})
    self.assertEqual(reading.feature, MyPolicy(limit=3))
    self.assertEqual(reading.faults, {})
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from inspect import iscoroutine
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ingress.believed_client import BelievedClient
from ingress.client_session import ClientSession
from ingress.config import Config
from ingress.config.section import Mistakes, Section
from ingress.document import load_documents
from ingress.endpoint import UpstreamKey
from ingress.message import Request, Response
from ingress.policy.annotation import OWN_PREFIX, PREFIX, Annotations, Closing
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.context import Captures, PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.feature import RouteFeature
from ingress.policy.guard import check_verdict
from ingress.policy.live_state import PolicyStates, RuleIdentity
from ingress.policy.options import make_policy
from ingress.policy.policy import Policy
from ingress.policy.policy_faults import PolicyFaults
from ingress.policy.registry import Entry
from ingress.policy.scope import BackendSecretOf, ReadContext, RuleScope
from ingress.policy.secret_content import Content, SecretData, SecretFault
from ingress.policy.subrequest import Asker, NoAsker

RULE = RuleIdentity("default", "web", "a.example", "/", "Prefix")
"""The rule that a request has met where a test does not say otherwise."""


HERE: Final = Path(".")
NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})
NO_SECRETS: Final[Mapping[tuple[str, str], Mapping[str, bytes]]] = MappingProxyType({})
NO_CONFIG_MAPS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = MappingProxyType({})


class _Rule:
    """A rule of which a policy sees its identity alone."""

    def __init__(self, identity: RuleIdentity) -> None:
        self.identity = identity


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
    session: ClientSession | None = None,
    request_id: bytes = b"0123456789abcdef0123456789abcdef",
    rule: RuleIdentity = RULE,
    captures: Captures = (),
    now: Callable[[], float] = lambda: 0.0,
    wall_clock: Callable[[], float] = lambda: 1_800_000_000.0,
    random: Random | None = None,
    states: PolicyStates | None = None,
    reactor: Any = None,
    asker: Asker | None = None,
    sent_target: bytes | None = None,
) -> PolicyContext:
    """
    Make what a policy sees of a request.

    :param target: the raw target.
    :param path: the canonical path; the target's own where none is given.
    :param host: the Host field.
    :param fields: ``(name, value)``, without Host.
    :param body_length: in bytes; None for a body whose length only its end tells.
    :param address: of the client, as it is believed.
    :param session: the TLS handshake, if that has asked the client for a certificate.
    :param states: where live state is kept; give the same object to contexts that share it.
    :param reactor: a reactor for policies that wait; a `Clock` if none is given.
    :param sent_target: the target that the endpoint gets; `target` if none is given.
    :param asker: takes the requests of the policy's own; without one they fail.
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
    client = BelievedClient(
        address, host, b"", is_secure=is_secure, is_trusted=is_trusted, session=session
    )
    return PolicyContext(
        request,
        client,
        _Rule(rule),
        captures,
        now=now,
        wall_clock=wall_clock,
        random=random or Random(0),  # noqa: S311 (a test must be repeatable)
        states=states if states is not None else PolicyStates(),
        faults=PolicyFaults(reactor if reactor is not None else Clock()),
        request_id=request_id,
        asker=asker if asker is not None else NoAsker(),
        target=sent_target,
    )


def endpoint_response(
    status: int = 200, fields: Sequence[tuple[bytes, bytes]] = (), body_length: int | None = 0
) -> Response:
    """Make the head of an endpoint's response, for the phase response."""
    named = [(name.lower(), name, value) for name, value in fields]
    return Response(status, HTTPStatus(status).phrase.encode(), named, body_length)


def deferred_of(decision: Decision) -> Deferred[Verdict]:
    """
    :return: a Deferred that fires with the verdict, whatever form the decision has; it fails with
        TypeError or ValueError if the proxy could not serve it.
    """
    if iscoroutine(decision):
        deferred: Deferred[Any] = Deferred.fromCoroutine(decision)
    else:
        deferred = maybeDeferred(lambda: decision)
    return cast("Deferred[Verdict]", deferred.addCallback(check_verdict))


def verdict_of(decision: Decision) -> Verdict:
    """
    :param decision: of a policy that does not wait, or no more.
    :raises AssertionError: if it still waits.
    :raises TypeError, ValueError: if the proxy could not serve it; anything that the policy raises.
    """
    results: list[Any] = []
    deferred_of(decision).addBoth(results.append)
    if not results:
        raise AssertionError("the policy has not decided yet")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return cast(Verdict, results[0])


class Configured(NamedTuple):
    """The policy that a class makes of its options."""

    policy: Policy | None
    """None if there is a mistake."""

    mistakes: list[str]
    """``KEY: VALUE: MESSAGE``, as in the log."""


def configure(
    kind: type[Policy], options: Mapping[str, object] = NO_OPTIONS, folder: Path = HERE
) -> Configured:
    """
    Make a policy as the key ``policies`` of a configuration does.

    :param options: the options of the class, with ``-`` for ``_``.
    :param folder: the folder of the configuration, where relative paths start.
    """
    mistakes = Mistakes("policies")
    (document,) = load_documents(json.dumps(dict(options)))
    assert isinstance(document.value, dict)
    with Section(document, mistakes, (), document.value) as section:
        policy = make_policy(kind, section, folder)
    found = mistakes.in_order()
    messages = [": ".join(filter(None, (each.key, each.value, each.message))) for each in found]
    return Configured(None if messages else policy, messages)


class Reading(NamedTuple):
    """What the annotations of one object came to."""

    feature: RouteFeature | None
    faults: dict[str, str]
    """Messages by annotation, without the prefix of ingress-nginx."""

    closing: Closing | None
    """What is closed because of the faults."""


_DEFAULTS: Final = Config()


class _Secret(NamedTuple):
    """A Secret of which a feature sees the data alone."""

    data: Mapping[str, bytes]


class _Secrets:
    """The Secrets of a test."""

    def __init__(self, by_name: Mapping[tuple[str, str], Mapping[str, bytes]]) -> None:
        self._by_name = by_name

    def secret_of(self, name: tuple[str, str], read: Callable[[SecretData], Content], /) -> Content:
        """SecretOf."""
        data = self._by_name.get(name)
        if data is None:
            raise SecretFault("does not exist")
        return read(_Secret(data))


def read_annotations(
    entry: Entry,
    annotations: Mapping[str, str],
    *,
    config: Config = _DEFAULTS,
    namespace: str = "default",
    backend_secret_of: BackendSecretOf = lambda name: BackendSecret(fault="does not exist"),
    secrets: Mapping[tuple[str, str], Mapping[str, bytes]] = NO_SECRETS,
    config_maps: Mapping[tuple[str, str], Mapping[str, str]] = NO_CONFIG_MAPS,
) -> Reading:
    """
    Let a feature read annotations, as it does while a Snapshot is built.

    :param entry: a class of features, or another entry of a registry.
    :param annotations: by name, without the prefix of ingress-nginx.
    :param secrets: what Secrets hold, by namespace and name.
    :param config_maps: the data of each ConfigMap, by namespace and name.
    :raises AssertionError: if two faults are of one annotation.
    """
    written = Annotations(
        {
            name if name.startswith(OWN_PREFIX) else PREFIX + name: value
            for name, value in annotations.items()
        }
    )
    context = ReadContext(
        config,
        namespace,
        backend_secret_of,
        _Secrets(secrets).secret_of,
        config_maps.get,
    )
    feature = entry.read(written, context)
    written.fault_unknown(entry.annotations)
    faults = {fault.name.removeprefix(PREFIX): fault.message for fault in written.faults}
    assert len(faults) == len(written.faults), written.faults
    return Reading(feature, faults, written.closing)


def rule_scope(
    path: str = "/",
    *,
    host: str = "a.example",
    service: str = "web",
    port: str = "80",
    namespace: str = "default",
    path_type: str = "Prefix",
    https_hosts: frozenset[bytes] | None = frozenset(),
) -> RuleScope:
    """Make a rule for a feature to adapt to; its Ingress is ``web``."""
    upstream = UpstreamKey(namespace, service, port)
    return RuleScope(namespace, "web", host, path, path_type, upstream, https_hosts)
