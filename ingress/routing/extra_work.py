"""
What exchanges of a rule have to do beside asking an endpoint.
"""

from __future__ import annotations

from typing import Any

from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS, FieldEdits, ResponseEdits
from ingress.message import Request
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.gate import Gate
from ingress.routing.path_handling import PathHandling


class CanaryWork:
    """
    A canary of a rule, as the choice between them reads it.

    :param route: its Route.
    :param upstream: its Service port.
    :param share: its part of the requests that nothing else decides on, from 0 to 1.
    :param canary: its settings, if a header or a cookie may ask for it; else None.
    :param affinity: the sessions with its endpoints; None if there are none.
    """

    __slots__ = ("affinity", "canary", "route", "share", "upstream")

    def __init__(
        self,
        route: object,
        upstream: UpstreamKey,
        share: float,
        canary: Canary | None,
        affinity: CookieAffinity | None,
    ) -> None:
        self.route = route
        self.upstream = upstream
        self.share = share
        self.canary = canary
        self.affinity = affinity

    def __repr__(self) -> str:
        return f"<CanaryWork {self.upstream}>"

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.route, self.upstream, self.share, self.canary, self.affinity)
        return CanaryWork, arguments


class ExtraWork:
    """
    The extra work of the exchanges of a Route that is not plain. It repeats what the Route says, as
    an exchange reads it: compiled, since each attribute of a Route costs a look-up.

    :param request_edits: changes to every request.
    :param response_edits: changes to every response; None for those of the Snapshot.
    :param gates: those of the policies that decide in the phase access, as far as each one has a
        gate; none if a policy decides in another phase, and needs a context anyway.
    :param are_gates_all: whether every policy that decides has a gate.
    :param paths: the treatment of unusual paths.
    :param has_phases: whether a policy decides anything.
    :param canaries: what gets some of the requests, in the order in which it is asked.
    :param changes_head: whether endpoints get another path, or another Connection.
    :param is_mirrored: whether a server gets copies of requests.
    :param shapes: whether responses pass through stages.
    """

    __slots__ = (
        "_http_edits",
        "_https_edits",
        "are_gates_all",
        "canaries",
        "changes_head",
        "gates",
        "has_phases",
        "is_guarded",
        "is_mirrored",
        "paths",
        "request_edits",
        "response_edits",
        "sends_canonical",
        "shapes",
    )

    def __init__(
        self,
        request_edits: FieldEdits = NO_EDITS,
        response_edits: ResponseEdits | None = None,
        gates: tuple[Gate, ...] = (),
        are_gates_all: bool = False,
        paths: PathHandling | None = None,
        has_phases: bool = False,
        canaries: tuple[CanaryWork, ...] = (),
        changes_head: bool = False,
        is_mirrored: bool = False,
        shapes: bool = False,
    ) -> None:
        self.request_edits = request_edits
        self.response_edits = response_edits
        self._http_edits = None if response_edits is None else response_edits.http
        self._https_edits = None if response_edits is None else response_edits.https
        self.gates = gates
        self.are_gates_all = are_gates_all
        self.paths = paths
        self.is_guarded = paths is not None and paths.is_guarded
        self.sends_canonical = paths is not None and paths.sends_canonical
        self.has_phases = has_phases
        self.canaries = canaries
        self.changes_head = changes_head
        self.is_mirrored = is_mirrored
        self.shapes = shapes

    def __repr__(self) -> str:
        return f"<ExtraWork phases={self.has_phases} gates={len(self.gates)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return ExtraWork, (
            self.request_edits,
            self.response_edits,
            self.gates,
            self.are_gates_all,
            self.paths,
            self.has_phases,
            self.canaries,
            self.changes_head,
            self.is_mirrored,
            self.shapes,
        )

    def edits_for(self, otherwise: FieldEdits, is_secure: bool) -> FieldEdits:
        """As `Route.edits_for`."""
        edits = self._https_edits if is_secure else self._http_edits
        return otherwise if edits is None else edits

    def changes(self, request: Request) -> bool:
        """Whether the route may change the target of a request, or its Connection."""
        return self.changes_head or (self.sends_canonical and request.target != request.path)
