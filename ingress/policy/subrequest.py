"""
The seam between policies and the requests that they send themselves: to an authentication server,
or a server that gets copies.

A policy makes a `Subrequest` and calls `PolicyContext.ask`. `ingress.exchange.subrequests` sends
it (docs/adr/0043-subrequests.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ingress import late
from ingress.endpoint import UpstreamKey
from ingress.errors import IngressError, Outcome
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.message import Fields
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.live_state import RuleIdentity
from ingress.policy.trace_context import TraceContext
from ingress.policy.variables import RequestSource


class Subrequest(NamedTuple):
    """
    A request without body that a policy sends for the request of a client.

    It has the client's fields as far as an endpoint would get them, without those of its body. Of
    the forwarded fields it has X-Real-IP and X-Forwarded-For only.
    """

    upstream: UpstreamKey | None
    """
    One of the policy's `upstreams`; None to have the rules for `authority` here answer, with
    their policies. Their answer is also wanted if the host of the Upstream leads to this proxy.
    """

    method: bytes
    target: bytes
    """A path with its query."""

    authority: bytes
    """The Host field; empty for the client's."""

    edits: FieldEdits = NO_EDITS
    """Changes to the client's fields."""

    tls: BackendTLS | None = None
    """None in the clear."""

    is_secure: bool = False
    """Whether the URL is https, for rules here that answer."""

    purpose: str = ""
    """Requests in flight are bounded for each Ingress and purpose: the name of the policy."""

    is_for_client: bool = True
    """
    Whether it has the client's fields and address. A request of the proxy's own, for all clients,
    has none of them, and its response has the body.
    """


class Subresponse(NamedTuple):
    """The response to a `Subrequest`, which was whole."""

    status: int
    fields: Fields
    body: bytes = b""
    """Empty for a request for a client."""

    def values(self, name: bytes) -> list[bytes]:
        """:return: the value of each field of this name, which is in lower case."""
        return [value for key, _, value in self.fields if key == name]


class SubrequestFailed(IngressError):
    """
    There was no whole response.

    :param outcome: what went wrong, as for an exchange.
    :param detail: one sentence, without anything that a peer sent.
    """

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class Asking(RequestSource, Protocol):
    """The request of a client that a policy asks for: a `PolicyContext`."""

    @property
    def rule(self) -> RuleIdentity:
        """The rule that the request has met."""

    @property
    def trace(self) -> TraceContext | None:
        """The span of the request, if it has one."""


class Asker(Protocol):
    """Sends the requests of policies."""

    def ask(
        self, asking: Asking, snapshot: Any, subrequest: Subrequest
    ) -> late.Deferred[Subresponse]:
        """
        :param asking: the request that the policy decides on.
        :param snapshot: the Snapshot that this request is served from.
        :return: fires when the response is whole, or fails with `SubrequestFailed`. Cancelling it
            ends the request.
        """


class NoAsker:
    """The `Asker` of a context outside of an exchange."""

    def ask(
        self, asking: Asking, snapshot: Any, subrequest: Subrequest
    ) -> late.Deferred[Subresponse]:
        """Asker: every request fails."""
        return late.fail(SubrequestFailed(Outcome.NO_ENDPOINT, "There is nobody to ask here."))
