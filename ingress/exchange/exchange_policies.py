"""
The policies of one exchange, phase by phase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome, RequestError
from ingress.exchange.call import Call
from ingress.exchange.canary_choice import choose_canary
from ingress.exchange.early_body import EarlyBody
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.fields import without_body
from ingress.exchange.message_edits import UNCHANGED, apply_edits
from ingress.exchange.own_answer import NO_ROUTE
from ingress.exchange.passage import Passage
from ingress.exchange.policy_run import Done, PolicyRun
from ingress.field_edits import FieldEdits
from ingress.http1.body import Trailers
from ingress.message import Request, Response, UpstreamRequest
from ingress.policy.context import PolicyContext
from ingress.routing.match import find_captures, find_route
from ingress.routing.path import canonical_path
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.routing.upstream_target import check_path, path_readings, upstream_target
from ingress.telemetry.record import ExchangeRecord

MAX_SEARCHES: Final = 10
"""How often one request may have another path, as in nginx."""

_TOO_OFTEN: Final = Answer(
    500, Outcome.INTERNAL_ERROR, "The path of the request is rewritten without end."
)


class ExchangePolicies(Passage):
    """
    The context of a route's policies, and their decisions so far.

    :param passage: what gates have decided already.

    :ivar snapshot: the Snapshot that the exchange is served from.
    :ivar route: the rule of the request; a policy may have had another one found.
    :ivar request: the request, with the target that a policy has had a rule found for.
    :ivar upstream: the Upstream to ask; None for the route's.
    :ivar diversion: the Upstream to ask although there is a response, or an answer of the proxy's
        own, which it replaces.
    :ivar has_waited: whether a policy did not decide at once.
    """

    def __init__(
        self,
        resources: ExchangeResources,
        snapshot: Snapshot,
        route: Route,
        request: Request,
        passage: Passage,
        record: ExchangeRecord,
    ) -> None:
        super().__init__(passage.client, resources.policy_states.limiter)
        self.snapshot = snapshot
        self.route = route
        self.request = request
        self.upstream: UpstreamKey | None = None
        self.diversion: UpstreamKey | None = None
        self.has_waited = False
        self._resources = resources
        self._request_id = record.request_id
        self._searches = 0
        """How many times another path had its rule found."""

        self._run = PolicyRun(resources.policy_faults, resources.policy_journal)
        self.asked, self.counted = passage.asked, passage.counted
        self._run.request_edits = passage.request_edits
        self._run.response_edits = passage.response_edits
        self._run.success_edits = passage.success_edits
        self._done: Done | None = None
        """Takes the answer of the phase under way. Not kept longer, or it would be a cycle."""

        self._replaced: Answer | None = None
        """The answer of the proxy's own that policies may replace."""

        self._is_decided = False
        """Whether the response is decided: policies do not see the one that a diversion brings."""

        self._early_body: EarlyBody | None = EarlyBody()
        """The body so far, until there is a call."""

        self._ends: list[Callable[[], None]] = []
        """What policies want to be called at the end, those of all rules that were found."""

        self._context = self._make_context()

    def __repr__(self) -> str:
        return f"<ExchangePolicies of {self.route.ingress} {self._run}>"

    def _make_context(self) -> PolicyContext:
        resources, route, request = self._resources, self.route, self.request
        calls, target = resources.calls, request.target
        readings: tuple[bytes, ...] = ()
        if route.paths is not None:
            target = upstream_target(request, route.paths)
            readings = path_readings(target, route.paths)
        return PolicyContext(
            request,
            self.client,
            route,
            find_captures(route, request.path),
            now=resources.now,
            wall_clock=calls.wall_clock,
            random=calls.random,
            states=resources.policy_states,
            faults=resources.policy_faults,
            request_id=self._request_id,
            asker=resources.asker,
            snapshot=self.snapshot,
            ends=self._ends,
            target=target,
            readings=readings,
        )

    @property
    def is_waiting(self) -> bool:
        """Whether a policy has yet to decide."""
        return self._run.is_waiting

    @property
    def has_review(self) -> bool:
        """Whether policies want to see an endpoint's response."""
        return bool(self.route.response_policies) and not self._is_decided

    @property
    def has_replacement(self) -> bool:
        """Whether policies want to see an answer of the proxy's own."""
        return bool(self.route.error_policies) and not self._is_decided

    def admit(self, done: Done) -> None:
        """
        Run the phases access and request.

        :param done: takes the answer to the client; None if the request may pass.
        """
        context, run, policies = self._context, self._run, self.route.access_policies
        self._done = done
        run.ask(
            policies[self.asked :] if self.asked else policies,
            lambda policy: policy.access(context.after(run.request_edits)),
            self._accessed,
        )
        self.has_waited = run.is_waiting

    def _accessed(self, answer: Answer | None) -> None:
        context, policies = self._context, self.route.request_policies
        if self._run.finds_rule_again:
            self._search(self._run.target or b"/")
        elif answer is not None or not policies:
            self._admitted(answer)
        else:
            self._run.ask(policies, lambda policy: policy.request(context), self._admitted)

    def _search(self, target: bytes) -> None:
        """Find the rule of another target, and ask its policies."""
        self._searches += 1
        self.asked = 0
        answer = None
        if self._searches > MAX_SEARCHES:
            answer = _TOO_OFTEN
        else:
            try:
                route = self._find(target)
            except RequestError as error:
                answer = Answer.from_error(error)
            else:
                answer = NO_ROUTE if route is None else None
                self.route = route or self.route
        self._run = PolicyRun(self._resources.policy_faults, self._resources.policy_journal)
        done = self._done
        if answer is not None or done is None:
            self._finish(answer)
        else:
            trace, self._context = self._context.trace, self._make_context()
            self._context.trace = trace
            self.admit(done)

    def _find(self, target: bytes) -> Route | None:
        """
        :raises RequestError: for a path that is none, or that endpoints may read in another way.
        """
        before, snapshot = self.request, self.snapshot
        path = canonical_path(target.partition(b"?")[0])
        request = before.aimed_at(target, path, before.authority, before.host)
        request.length = before.length
        self.request = request
        route = find_route(snapshot, request.host, path, request)
        if route is not None and route.canaries is not None:
            route = choose_canary(route, snapshot, request, self._resources.calls.random)
        if route is not None and route.paths is not None:
            check_path(snapshot, request, route, route.paths)
        return route

    def move(self, record: ExchangeRecord) -> Request:
        """
        Count the exchange for the rule that has been found last.

        :return: its request.
        """
        before, record.route = record.route, self.route
        if before is not None:
            self._resources.shares.move(before, self.route)
        return self.request

    def request_without_body(self) -> Request:
        """:return: the request as a server gets it that is asked in the endpoint's place."""
        return without_body(self.request)

    def route_edits(self) -> FieldEdits:
        """:return: the changes of the route to responses, for the client's scheme."""
        resources, is_secure = self._resources, self.client.is_secure
        edits = resources.https_edits if is_secure else resources.http_edits
        return self.route.edits_for(edits, is_secure=is_secure)

    def _admitted(self, answer: Answer | None) -> None:
        if self._run.finds_rule_again:
            self._search(self._run.target or b"/")
            return
        self.upstream = self._run.upstream
        self.response_edits = self._run.response_edits
        self.success_edits = self._run.success_edits
        self._finish(answer)

    def change(self, head: UpstreamRequest) -> None:
        """Change the head of a request as the phases access and request have decided."""
        run = self._run
        if run.target is not None:
            head.target = run.target
        edits = run.request_edits
        if edits is not UNCHANGED:
            apply_edits(head, edits)

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
            self.route.response_policies,
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
            self.route.error_policies, lambda policy: policy.error(context, answer), self._decided
        )

    def keep_body(self, data: bytes) -> None:
        """Keep some of the request's body while there is no call."""
        if self._early_body is not None:
            self._early_body.pieces.append(data)

    def keep_end(self, trailers: Trailers) -> None:
        """Keep the end of the body."""
        if self._early_body is not None:
            self._early_body.trailers = trailers

    def send_early_body(self, call: Call) -> None:
        """Send the call what has come of the body, unless an earlier call has got it."""
        early, self._early_body = self._early_body, None
        if early is not None:
            early.send_to(call)

    def cancel(self) -> None:
        """Wait for no further decision."""
        self._run.cancel()
        self._done = None

    def ended(self, record: ExchangeRecord) -> None:
        """Tell the policies that asked for it that the exchange is over; note its span."""
        Passage.ended(self, record)
        record.trace = self._context.trace
        ends = self._ends
        while ends:
            try:
                ends.pop()()
            except Exception:
                # The exchange has yet to be recorded, and its client to be answered.
                self._resources.policy_faults.failed("ends", Failure())

    def _decided(self, answer: Answer | None) -> None:
        """The response, or the answer of the proxy's own, has been decided on."""
        run = self._run
        self._is_decided = True
        self.response_edits = self.response_edits.then(run.response_edits)
        self.success_edits = self.success_edits.then(run.success_edits)
        self.diversion = run.upstream
        self._finish(self._replaced if answer is None else answer)

    def _finish(self, answer: Answer | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(answer)
