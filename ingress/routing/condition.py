"""
Conditions beyond host and path that a request must meet for a route to be its route.
"""

from __future__ import annotations

from ingress.frozen import dataclass
from ingress.message import Request


class Condition:
    """A condition on a request; conditions are frozen, and pickled for workers."""

    __slots__ = ()

    def holds(self, request: Request) -> bool:
        """:return: whether the request meets it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FieldCondition(Condition):
    """The request has a field of this name and exactly this value."""

    name: bytes
    """The name in lower case."""

    value: bytes

    def holds(self, request: Request) -> bool:
        """Condition: one of several fields of the name is enough."""
        return any(name == self.name and value == self.value for name, _, value in request.fields)
