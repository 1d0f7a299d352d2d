"""
Keeps endpoints away that lead back to this proxy, and reports the objects that name them.

Source of the rules: docs/compatibility.md, section 5 ("Endpoints").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from ingress.endpoint import Endpoint
from ingress.kube.objects import (
    Endpoints,
    EndpointSlice,
    KubeObject,
    ObjectKey,
    ObjectName,
    Objects,
    Service,
)
from ingress.own_addresses import OwnAddresses
from ingress.problem import Problem, shown
from ingress.problem_code import Code

CONFIGURATION: Final[ObjectKey] = ("", "", "")
"""The owner of endpoints that the configuration has."""

SLICE: Final = "EndpointSlice"
ENDPOINTS: Final = "Endpoints"
SERVICE: Final = "Service"

_FIELDS: Final = {SLICE: "endpoints", ENDPOINTS: "subsets", SERVICE: "spec.externalName"}
"""The field of each kind of object that names endpoints."""

CONSEQUENCE: Final = (
    "no request is sent there, because it would come back in a loop; other endpoints of the"
    " Service are served"
)
"""The end of the Problem of an object that names refused endpoints."""

MAX_NAMED: Final = 3
"""Endpoints of one object that a Problem names."""


class RefusedEndpoint(NamedTuple):
    """An endpoint that gets no requests because it is an address of ours."""

    owner: ObjectKey
    """The object that names it."""

    endpoint: Endpoint
    claim: str
    """What of ours it is (`OwnAddresses.claim`)."""

    def __str__(self) -> str:
        endpoint = self.endpoint
        if endpoint.name:
            return f"{shown(endpoint.name)} resolves to {endpoint}, {self.claim}"
        return f"{endpoint} is {self.claim}"


class EndpointScreen:
    """
    Tells the endpoints of one Upstream that may get requests from those that are ourselves.

    :ivar refused: the latter.
    """

    def __init__(self, own: OwnAddresses, *, is_udp: bool = False) -> None:
        self.refused: set[RefusedEndpoint] = set()
        self._own = own
        self._is_udp = is_udp

    def __repr__(self) -> str:
        return f"<EndpointScreen: {len(self.refused)} refused>"

    def admits(self, owner: ObjectKey, endpoint: Endpoint) -> bool:
        """
        Return whether the endpoint may get requests.

        :param owner: the object that names it.
        """
        claim = self._own.claim(endpoint.host, endpoint.port, is_udp=self._is_udp)
        if claim:
            self.refused.add(RefusedEndpoint(owner, endpoint, claim))
        return not claim

    @property
    def reason(self) -> str:
        """Why endpoints were refused; empty if none was."""
        return describe_refused(self.refused)


def describe_refused(refused: Collection[RefusedEndpoint]) -> str:
    """Name the first few refused endpoints, and what each of them is."""
    named = sorted(map(str, refused))
    more = len(named) - MAX_NAMED
    text = "; ".join(named[:MAX_NAMED])
    return f"{text}; and {more} more" if more > 0 else text


def refusal_problems(
    objects: Objects, key: ObjectKey, refused: Collection[RefusedEndpoint]
) -> Iterator[Problem]:
    """
    Yield the Problem of an object whose endpoints were refused, if there are any.

    :param refused: the refused endpoints of all objects of its Service.
    """
    item = find_object(objects, key)
    own = {each for each in refused if each.owner == key}
    if item is not None and own:
        kind, namespace, name = key
        message = f"{describe_refused(own)}; {CONSEQUENCE}"
        yield Problem(
            message,
            kind,
            namespace,
            name,
            _FIELDS[kind],
            origin=item.origin,
            code=Code.ENDPOINT_REFUSED,
        )


def find_object(objects: Objects, key: ObjectKey) -> EndpointSlice | Endpoints | Service | None:
    """Find an object of a kind that names endpoints."""
    kind, *name = key
    by_kind: dict[str, Mapping[ObjectName, EndpointSlice | Endpoints | Service]] = {
        SLICE: objects.endpoint_slices,
        ENDPOINTS: objects.endpoints,
        SERVICE: objects.services,
    }
    return by_kind[kind].get((name[0], name[1])) if kind in by_kind else None


def service_of(item: KubeObject) -> tuple[str, str]:
    """Return the name of the Service whose endpoints an object names."""
    return item.service if isinstance(item, EndpointSlice) else item.key
