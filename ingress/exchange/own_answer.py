"""
Answers of the proxy's own, in the place of endpoints.
"""

from __future__ import annotations

from typing import Final

from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.encoded_fields import FieldLines
from ingress.errors import BodyTooLarge, Outcome, PeerError, RequestError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.response_writer import ResponseWriter
from ingress.message import Request
from ingress.policy.blocked_clients import BlockedClients
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.routing.upstream_target import check_path
from ingress.telemetry.record import ExchangeRecord

TOO_LARGE: Final = Answer.from_error(BodyTooLarge("The body is larger than this path accepts."))
NO_ROUTE: Final = Answer(404, Outcome.NO_ROUTE, "No rule matches this host and path.")
NO_SERVICE: Final = Answer(404, Outcome.NO_ROUTE, "The rule names no Service.")


def early_refusal(
    resources: ExchangeResources,
    snapshot: Snapshot,
    request: Request,
    route: Route,
    client: BelievedClient,
    peer: bytes,
) -> Answer | None:
    """
    Check a request whose route asks for more than an endpoint, or that comes while the process is
    crowded.

    :param peer: the address at the other end of the connection.
    :return: the refusal of a request that exceeds a share, whose path endpoints may read in
        another way than the rules do, or that a gate refuses; None if the request may go on.
    """
    if resources.shares.is_active:
        beyond = resources.shares.refusal(peer, client, route)
        if beyond is not None:
            return beyond
    if route.paths is not None:
        try:
            check_path(snapshot, request, route, route.paths)
        except RequestError as error:
            return Answer.from_error(error)
    return _gate_refusal(resources, route, client) if resources.asks_gates(route) else None


def _gate_refusal(
    resources: ExchangeResources, route: Route, client: BelievedClient
) -> Answer | None:
    limiter, now = resources.policy_states.limiter, resources.now()
    for gate in route.gates:
        try:
            answer: Answer | None = gate.refusal(client.address, limiter, now)
        except BaseException:
            return resources.policy_faults.failed(gate.label, Failure())
        if answer is not None:
            return answer
    return None


def no_route(config: Config, request: Request, client: BelievedClient) -> Answer:
    """:return: the answer to a request that meets no rule, which has no policies."""
    blocked = BlockedClients.of(config)
    refusal = None if blocked is None else blocked.refusal(client.address, request)
    return NO_ROUTE if refusal is None else refusal


def refuse_client(
    resources: ExchangeResources,
    writer: ResponseWriter,
    client: Client,
    error: PeerError,
    first_line: bytes,
    size: int,
    head_timeout: float,
) -> None:
    """
    Refuse input that is no request, for which there is no exchange, and record the refusal.

    :param writer: writes the answer to the client.
    :param client: the client of the connection.
    :param error: the reason.
    :param first_line: the beginning of the input, for the log.
    :param size: the size of the input in bytes.
    :param head_timeout: seconds that a head may take.
    """
    answer = Answer.from_error(error)
    identity = resources.make_request_id()
    edits = resources.https_edits if client.is_secure else resources.http_edits
    answer, fields, body = resources.written(answer, None, identity, edits)
    record = ExchangeRecord(client.address, resources.now())
    if isinstance(error, RequestTimeout):
        # The client has used all the time that a head may take.
        record.duration = head_timeout
    record.request_id, record.line = identity, first_line
    record.request_size = size
    record.status, record.body_size = answer.status, len(body)
    record.outcome, record.detail = answer.outcome, answer.detail
    resources.record(record)
    write_answer(writer, answer, fields, len(body), body)


def write_answer(
    writer: ResponseWriter, answer: Answer, fields: FieldLines, length: int, body: bytes
) -> None:
    """
    Write a whole answer.

    :param length: of the body in bytes, also where none is sent.
    :param body: empty in the answer to a HEAD.
    """
    if answer.is_repeatable and writer.refuse_unprocessed():
        return
    writer.send_head(answer.status, answer.phrase, fields, length)
    if body:
        writer.send_body(body)
    writer.end([])
