"""
The difference between two Snapshots, in messages that a worker takes in milliseconds.

Objects that are the same in both are skipped, as in a build (ADR 2): a change of one
Ingress among 10,000 is one message.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import islice
from typing import Any, Final

from ingress.endpoint import Upstream
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.worker.piece import (
    Children,
    Conditionals,
    Endpoints,
    Gone,
    Host,
    Node,
    Partials,
    Patterns,
    Piece,
    Service,
    Value,
)

MAX_WEIGHT: Final = 200.0
"""The weight of a message: some 2 ms of the worker's time."""

_ROUTES_AT_ONCE: Final = 50
_LIGHT_AT_ONCE: Final = 1000
"""Children, endpoints or names in one piece; each weighs a tenth of a route."""

_FIELDS: Final = tuple(one.name for one in fields(Snapshot) if one.init)

_CONDITIONS: Final = tuple(
    one.name
    for one in fields(Upstream)
    if one.init and one.name not in ("key", "endpoints", "lingering")
)
"""The fields of an Upstream that are true or false."""


class Difference:
    """
    The messages from one Snapshot to another, shared by all workers that need them.

    Each is made when the first worker is ready for it.

    :param before: the Snapshot that the worker has; None if it has none.
    """

    def __init__(self, before: Snapshot | None, after: Snapshot) -> None:
        self.before = before
        self.after = after
        self._made: list[bytes] = []
        self._steps = _messages(before, after)

    def __repr__(self) -> str:
        return (
            f"<Difference {'from scratch, ' if self.before is None else ''}{len(self._made)} made>"
        )

    def message(self, index: int) -> bytes | None:
        """
        :param index: counted from 0, one after the other.
        :return: None after the last message.
        """
        if index == len(self._made):
            made = next(self._steps, None)
            if made is None:
                return None
            self._made.append(made)
        return self._made[index] if index < len(self._made) else None


def _messages(before: Snapshot | None, after: Snapshot) -> Iterator[bytes]:
    pieces: list[Piece] = []
    weight = 0.0
    for piece in find_pieces(before, after):
        pieces.append(piece)
        weight += _weight(piece)
        if weight >= MAX_WEIGHT:
            yield pickle.dumps(pieces, pickle.HIGHEST_PROTOCOL)
            pieces, weight = [], 0.0
    if pieces:
        yield pickle.dumps(pieces, pickle.HIGHEST_PROTOCOL)


def _weight(piece: Piece) -> float:
    """The weight of a piece; about 1 for a Route."""
    if isinstance(piece, Partials | Conditionals | Patterns):
        return float(len(piece.routes))
    if isinstance(piece, Node):
        return 0.3 + (piece.exact is not None) + (piece.prefix is not None)
    if isinstance(piece, Children | Endpoints | Gone):
        return 0.1 + len(piece[-1]) * 0.1
    return 1.0


def find_pieces(before: Snapshot | None, after: Snapshot) -> Iterator[Piece]:
    """
    :param before: None if there is none.
    :return: the pieces that make `after` of `before`, in this order.
    """
    for name in _FIELDS:
        new = getattr(after, name)
        old = None if before is None else getattr(before, name)
        if new is old:
            continue
        if isinstance(new, Mapping):
            yield from _entry_pieces(name, old or {}, new)
        else:
            yield from _value_pieces(name, None, new)


def _entry_pieces(
    name: str, old: Mapping[Any, object], new: Mapping[Any, object]
) -> Iterator[Piece]:
    for key, value in new.items():
        if old.get(key) is not value:
            yield from _value_pieces(name, key, value)
    if old:
        gone = (key for key in old if key not in new)
        while keys := tuple(islice(gone, _LIGHT_AT_ONCE)):
            yield Gone(name, keys)


def _value_pieces(name: str, key: Any, value: object) -> Iterator[Piece]:
    if isinstance(value, VirtualHost):
        yield from _tree_pieces(value.root)
        ordered = iter(value.patterns)
        while listed := tuple(islice(ordered, _ROUTES_AT_ONCE)):
            yield Patterns(listed)
        yield Host(
            name,
            key,
            value.name,
            value.default,
            value.has_conditions,
            value.client_trust,
            value.passthrough,
        )
    elif isinstance(value, Upstream):
        endpoints = iter((*value.endpoints, *value.lingering))
        while some := tuple(
            (one.host, one.port, one.name, one.proxy_protocol)
            for one in islice(endpoints, _LIGHT_AT_ONCE)
        ):
            yield Endpoints(some)
        conditions = {each: True for each in _CONDITIONS if getattr(value, each)}
        key = value.key
        # A plain tuple, of which pickle makes less.
        service = (key.namespace, key.service, key.port, key.is_by_service, key.is_udp)
        yield Service(name, service, len(value.lingering), conditions)
    else:
        yield Value(name, key, value)


def _tree_pieces(root: ReverseProxyResource) -> Iterator[Piece]:
    nodes = [root]
    for node in nodes:
        nodes.extend(node.children.values())
    last = len(nodes) - 1
    # Backwards, so that children come before their parents and have lower numbers.
    index_of = {id(node): last - index for index, node in enumerate(nodes)}
    for node in reversed(nodes):
        children = iter(node.children.items())
        while some := tuple(
            (key, index_of[id(one)]) for key, one in islice(children, _LIGHT_AT_ONCE)
        ):
            yield Children(some)
        for length, routes in node.partials:
            pairs = iter(routes.items())
            while chunk := tuple(islice(pairs, _ROUTES_AT_ONCE)):
                yield Partials(length, chunk)
        conditional = iter(node.conditional)
        while chunk := tuple(islice(conditional, _ROUTES_AT_ONCE)):
            yield Conditionals(chunk)
        yield Node(node.exact, node.prefix)
