"""
The shares of clients in the connections, and the connections that give way.

A share is a part of all connections. It applies only while most of them are in use: then a client
that has its share gets no more, unless it is the only client. When all are in use, the client that
holds most gives way for one that holds less.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

CROWDED: Final = 0.75
"""The part of all connections that are in use when shares begin to apply."""


class Held(NamedTuple):
    """An open connection."""

    client: str
    is_idle: bool
    """Whether no request is in flight: the next one, or the rest of its head, is to come."""


def is_crowded(count: int, limit: int) -> bool:
    """Return whether most of all connections are in use."""
    return count >= limit * CROWDED


def may_take(own: int, count: int, limit: int, share: float) -> bool:
    """
    Return whether a client may take another connection.

    :param own: the number of its connections.
    :param count: the number of all connections in use.
    :param limit: the number of allowed connections.
    :param share: the part of `limit` that a client may have, from 0 to 1.
    """
    return own < limit * share or own == count or not is_crowded(count, limit)


def who_gives_way(held: Sequence[Held], limit: int, share: float, most: int) -> list[int]:
    """
    Choose connections to close: those of the client that holds most, again and again.

    Idle connections of a client give way first. Those with requests in flight are cut only if the
    client has more than its share. A client keeps at least one connection.

    :param held: the connections in the order in which they were opened, without exempt ones.
    :param limit: the number of allowed connections.
    :param share: the part of `limit` that a client may have, from 0 to 1.
    :param most: the number of connections to choose at most.
    :return: indexes in `held`, in the order in which they are to give way.
    """
    counts = Counter(one.client for one in held)
    idle: dict[str, list[int]] = {}
    busy: dict[str, list[int]] = {}
    for index in range(len(held) - 1, -1, -1):
        one = held[index]
        if counts[one.client] > 1:
            (idle if one.is_idle else busy).setdefault(one.client, []).append(index)
    heap = [(-count, client) for client, count in counts.items() if count > 1]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < most:
        count, client = heap[0]
        if idle.get(client):
            chosen.append(idle[client].pop())
        elif -count > limit * share and busy.get(client):
            chosen.append(busy[client].pop())
        else:
            heapq.heappop(heap)
            continue
        if count < -2:
            heapq.heapreplace(heap, (count + 1, client))
        else:
            heapq.heappop(heap)
    return chosen
