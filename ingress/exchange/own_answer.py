"""
Answers of the proxy's own, in the place of endpoints.
"""

from __future__ import annotations

from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.encoded_fields import FieldLines
from ingress.errors import BodyTooLarge, Outcome, PeerError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.grpc_answer import as_grpc, is_grpc_type
from ingress.exchange.response_writer import ResponseWriter
from ingress.message import Request
from ingress.policy.blocked_clients import BlockedClients
from ingress.telemetry.record import ExchangeRecord

TOO_LARGE: Final = Answer.from_error(BodyTooLarge("The body is larger than this path accepts."))
NO_ROUTE: Final = Answer(404, Outcome.NO_ROUTE, "No rule matches this host and path.")
NO_SERVICE: Final = Answer(404, Outcome.NO_ROUTE, "The rule names no Service.")


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
    size: int = 0,
    head_timeout: float = 0.0,
    media_type: bytes = b"",
) -> None:
    """
    Refuse input that is no request, for which there is no exchange, and record the refusal.

    :param writer: writes the answer to the client.
    :param client: the client of the connection.
    :param error: the reason.
    :param first_line: the beginning of the input, for the log.
    :param size: the size of the input in bytes; 0 if it is not known.
    :param head_timeout: seconds that a head may take; needed for those that took too long.
    :param media_type: of the body that a request in HTTP/2 would have; empty if it is not known.
    """
    answer = Answer.from_error(error)
    if is_grpc_type(media_type):
        answer = as_grpc(answer)
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
