"""
The way of an exchange past the policies of its route, as far as gates decide on it.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import FieldLines
from ingress.errors import RequestError
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.message_edits import UNCHANGED, apply_edits, edited_fields
from ingress.exchange.policy_run import added
from ingress.field_edits import FieldEdits
from ingress.message import Request, Response, UpstreamRequest
from ingress.policy.decision import SUCCESSES, Proceed
from ingress.policy.gate import COUNTED, UNDECIDED, Gate
from ingress.policy.limiter import Limiter
from ingress.routing.extra_work import ExtraWork
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.routing.upstream_target import check_path
from ingress.telemetry.record import ExchangeRecord


class Passage:
    """
    What has been decided about an exchange: changes to its heads, and what is over with it.

    :ivar client: what is believed of the client.
    :ivar answer: the answer of a gate; None if the exchange goes on.
    :ivar asked: how many of the policies that decide in the phase access have been asked.
    :ivar is_open: whether all of them have let the exchange pass.
    :ivar request_edits: changes to the head of the request.
    :ivar response_edits: changes to the head of the response, in addition to the route's.
    :ivar success_edits: the same for some statuses (`Proceed.success_edits`).
    :ivar counted: the gates that are to be told when the exchange is over.
    """

    def __init__(self, client: BelievedClient, limiter: Limiter) -> None:
        self.client = client
        self.answer: Answer | None = None
        self.asked = 0
        self.is_open = False
        self.request_edits = UNCHANGED
        self.response_edits = UNCHANGED
        self.success_edits = UNCHANGED
        self.counted: list[Gate] | None = None
        self._limiter = limiter

    def __repr__(self) -> str:
        return f"<Passage asked={self.asked} {self.answer}>"

    def take(self, gate: Gate, decision: object) -> None:
        """
        Take the decision of a gate.

        :raises TypeError: for what is none.
        """
        if decision is COUNTED:
            if self.counted is None:
                self.counted = []
            self.counted.append(gate)
        elif isinstance(decision, Proceed):
            self.request_edits = added(self.request_edits, decision.request_edits)
            self.response_edits = added(self.response_edits, decision.response_edits)
            self.success_edits = added(self.success_edits, decision.success_edits)
        elif isinstance(decision, Answer):
            self.answer = decision
        else:
            raise TypeError(f"a gate has decided {decision!r}")

    def change(self, head: UpstreamRequest) -> None:
        """Change the head of a request as has been decided."""
        if self.request_edits is not UNCHANGED:
            apply_edits(head, self.request_edits)

    def edits_for(self, status: int) -> FieldEdits:
        """:return: the changes to the head of a response of this status."""
        if self.success_edits is not UNCHANGED and status in SUCCESSES:
            return self.response_edits.then(self.success_edits)
        return self.response_edits

    def edited(self, fields: FieldLines, response: Response) -> FieldLines:
        """:return: the fields of a response, with the changes."""
        edits = self.edits_for(response.status)
        return fields if edits is UNCHANGED else edited_fields(response, fields, edits)

    def ended(self, record: ExchangeRecord) -> None:
        """Tell the gates that asked for it that the exchange is over."""
        counted, self.counted = self.counted, None
        if counted is not None:
            for gate in counted:
                gate.ended(self.client, self._limiter)


def find_passage(
    resources: ExchangeResources,
    snapshot: Snapshot,
    request: Request,
    route: Route,
    client: BelievedClient,
    connected: Client,
    record: ExchangeRecord,
) -> Passage | None:
    """
    Check a request whose route asks for more than an endpoint, or that comes while the process is
    crowded, and ask the gates of the route, up to the first that answers or cannot decide.

    :param client: what is believed of the client.
    :param connected: who is at the other end of the connection.
    :param record: that of the exchange.
    :return: None if the request passes, and nothing is to be added. The answer of the passage is a
        gate's, or the refusal of a request that exceeds a share, or whose path endpoints may read
        in another way than the rules do.
    """
    work, answer = route.work, None
    if resources.shares.is_active:
        answer = resources.shares.refusal(connected.address, client, route)
    if answer is None and work is not None and work.paths is not None:
        try:
            check_path(snapshot, request, route, work.paths)
        except RequestError as error:
            answer = Answer.from_error(error)
    limiter = resources.policy_states.limiter
    if answer is not None:
        passage = Passage(client, limiter)
        passage.answer = answer
        return passage
    if work is None or not work.has_phases:
        return None
    if not work.gates or resources.policy_journal is not None:
        # A journal wants to see the phases.
        return Passage(client, limiter)
    return _ask_gates(resources, work, request, route, client, record.began_at)


def _ask_gates(
    resources: ExchangeResources,
    work: ExtraWork,
    request: Request,
    route: Route,
    client: BelievedClient,
    now: float,
) -> Passage | None:
    limiter = resources.policy_states.limiter
    passage: Passage | None = None
    asked = 0
    for gate in work.gates:
        try:
            decision = gate.decide(request, client, route, limiter, now)
            if decision is UNDECIDED:
                break
            if decision is not None:
                if passage is None:
                    passage = Passage(client, limiter)
                passage.take(gate, decision)
        except BaseException:
            # Not even sys.exit() in a gate leaves a request without an answer.
            passage = passage or Passage(client, limiter)
            label = route.access_policies[asked].label
            passage.answer = resources.policy_faults.failed(label, Failure())
        asked += 1
        if passage is not None and passage.answer is not None:
            return passage
    is_open = work.are_gates_all and asked == len(work.gates)
    if passage is None and not is_open:
        passage = Passage(client, limiter)
    if passage is not None:
        passage.asked, passage.is_open = asked, is_open
    return passage
