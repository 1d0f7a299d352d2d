"""
The policies of one exchange, phase by phase.
"""

from __future__ import annotations

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import EncodedFields
from ingress.endpoint import UpstreamKey
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.fields import edit_own_fields
from ingress.exchange.policy_run import Done, PolicyRun
from ingress.field_edits import NO_EDITS
from ingress.message import Request, Response, UpstreamRequest
from ingress.policy.context import PolicyContext
from ingress.routing.match import find_captures
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot


class ExchangePolicies:
    """
    The context of a route's policies, and their decisions so far.

    :ivar snapshot: the Snapshot that the exchange is served from.
    :ivar client: what is believed of the client.
    :ivar upstream: the Upstream to ask; None for the route's.
    :ivar diversion: the Upstream to ask although there is a response, or an answer of the proxy's
        own, which it replaces.
    :ivar response_edits: changes to the head of the response, in addition to the route's.
    :ivar has_waited: whether a policy did not decide at once.
    """

    def __init__(
        self,
        resources: ExchangeResources,
        snapshot: Snapshot,
        route: Route,
        request: Request,
        client: BelievedClient,
        request_id: bytes,
    ) -> None:
        self.snapshot = snapshot
        self.client = client
        self.upstream: UpstreamKey | None = None
        self.diversion: UpstreamKey | None = None
        self.response_edits = NO_EDITS
        self.has_waited = False
        self._resources = resources
        self._route = route
        self._run = PolicyRun(resources.policy_faults, resources.policy_journal)
        self._done: Done | None = None
        """Takes the answer of the phase under way. Not kept longer, or it would be a cycle."""

        self._replaced: Answer | None = None
        """The answer of the proxy's own that policies may replace."""

        self._is_decided = False
        """Whether the response is decided: policies do not see the one that a diversion brings."""

        calls = resources.calls
        self._context = PolicyContext(
            request,
            client,
            route,
            find_captures(route, request.path),
            now=resources.now,
            wall_clock=calls.wall_clock,
            random=calls.random,
            states=resources.policy_states,
            faults=resources.policy_faults,
            request_id=request_id,
            asker=resources.asker,
            snapshot=snapshot,
        )

    def __repr__(self) -> str:
        return f"<ExchangePolicies of {self._route.ingress} {self._run}>"

    @property
    def is_waiting(self) -> bool:
        """Whether a policy has yet to decide."""
        return self._run.is_waiting

    @property
    def has_review(self) -> bool:
        """Whether policies want to see an endpoint's response."""
        return bool(self._route.response_policies) and not self._is_decided

    @property
    def has_replacement(self) -> bool:
        """Whether policies want to see an answer of the proxy's own."""
        return bool(self._route.error_policies) and not self._is_decided

    def admit(self, done: Done) -> None:
        """
        Run the phases access and request.

        :param done: takes the answer to the client; None if the request may pass.
        """
        context, run = self._context, self._run
        self._done = done
        run.ask(self._route.access_policies, lambda policy: policy.access(context), self._accessed)
        self.has_waited = run.is_waiting

    def _accessed(self, answer: Answer | None) -> None:
        context, policies = self._context, self._route.request_policies
        if answer is not None or not policies:
            self._admitted(answer)
        else:
            self._run.ask(policies, lambda policy: policy.request(context), self._admitted)

    def _admitted(self, answer: Answer | None) -> None:
        self.upstream = self._run.upstream
        self.response_edits = self._run.response_edits
        self._finish(answer)

    def change(self, head: UpstreamRequest) -> None:
        """Change the head of a request as the phases access and request have decided."""
        run = self._run
        if run.target is not None:
            head.target = run.target
        edits = run.request_edits
        if edits:
            head.fields = EncodedFields(edits.apply_to_request(head.fields))
            edit_own_fields(head, edits)

    def review(self, response: Response, done: Done) -> None:
        """
        Run the phase response.

        :param done: takes an answer in place of the response; None if the response goes to the
            client, or if a `diversion` replaces it.
        """
        context = self._context
        run = self._run = PolicyRun(self._resources.policy_faults, self._resources.policy_journal)
        self._done = done
        run.ask(
            self._route.response_policies,
            lambda policy: policy.response(context, response),
            self._decided,
        )
        self.has_waited = self.has_waited or run.is_waiting

    def replace(self, answer: Answer, done: Done) -> None:
        """
        Run the phase error.

        :param answer: the proxy's own answer.
        :param done: takes the answer for the client, unless a `diversion` replaces it.
        """
        context = self._context
        run = self._run = PolicyRun(self._resources.policy_faults, self._resources.policy_journal)
        self._done = done
        self._replaced = answer
        run.ask(
            self._route.error_policies, lambda policy: policy.error(context, answer), self._decided
        )

    def cancel(self) -> None:
        """Wait for no further decision."""
        self._run.cancel()
        self._done = None

    def ended(self) -> None:
        """Tell the policies that asked for it that the exchange is over."""
        ends = self._context.ends
        while ends:
            ends.pop()()

    def _decided(self, answer: Answer | None) -> None:
        """The response, or the answer of the proxy's own, has been decided on."""
        run = self._run
        self._is_decided = True
        self.response_edits = self.response_edits.then(run.response_edits)
        self.diversion = run.upstream
        self._finish(self._replaced if answer is None else answer)

    def _finish(self, answer: Answer | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(answer)
