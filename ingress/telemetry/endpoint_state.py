"""
How an endpoint fares, in all processes together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingress.endpoint import Endpoint


class EndpointState(NamedTuple):
    in_flight: int = 0
    """Requests that it was asked and has not answered yet."""

    ejections: int = 0
    """How many processes leave it out, or try it, because it failed again and again."""


EndpointStates = Mapping[Endpoint, EndpointState]
"""Of those that are asked at the moment, or left out; of all others there is nothing to tell."""


def together(states: Iterable[EndpointStates]) -> EndpointStates:
    """:param states: of a process each."""
    total: dict[Endpoint, EndpointState] = {}
    for of_one in states:
        for endpoint, state in of_one.items():
            before = total.get(endpoint, _NOTHING)
            total[endpoint] = EndpointState(
                before.in_flight + state.in_flight, before.ejections + state.ejections
            )
    return total


_NOTHING = EndpointState()
