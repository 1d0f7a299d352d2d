"""
What the proxy answers itself, in the place of endpoints, and what is told of it.
"""

from __future__ import annotations

from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import FieldLines
from ingress.errors import BodyTooLarge, Outcome, PeerError, RequestError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.data_plane import DataPlane
from ingress.exchange.headers import answer_fields
from ingress.http1.decoder import RequestDecoder
from ingress.message import Request
from ingress.policy.context import PolicyContext
from ingress.routing.route import Route
from ingress.routing.upstream_target import check_path
from ingress.telemetry.record import ExchangeRecord

TOO_LARGE: Final = Answer.from_error(BodyTooLarge("The body is larger than this path accepts."))
NO_ENDPOINT: Final = Answer(503, Outcome.NO_ENDPOINT, "The Service has no endpoint.")
UNRESOLVED: Final = Answer(502, Outcome.DIAL_FAILED, "The name of the endpoint has no address.")
UNREACHABLE: Final = Answer(504, Outcome.DIAL_FAILED, "The endpoint cannot be reached.")
NO_CONNECTION: Final = Answer(
    502, Outcome.DIAL_FAILED, "No connection to the endpoint can be made."
)

_NO_ROUTE: Final = Answer(404, Outcome.NO_ROUTE, "No rule matches this host and path.")
_NO_SERVICE: Final = Answer(404, Outcome.NO_ROUTE, "The rule names no Service.")


def own_answer(
    plane: DataPlane, route: Route | None, request: Request, client: BelievedClient
) -> Answer | None:
    """
    :param route: the rule that the request has met.
    :param client: who sent it, as far as that is believed.
    :return: what the proxy answers itself; None where an endpoint is to be asked.
    """
    if route is None:
        return _NO_ROUTE
    if route.paths is not None and plane.snapshot is not None:
        try:
            check_path(plane.snapshot, request, route, route.paths)
        except RequestError as error:
            return Answer.from_error(error)
    if route.access_policies:
        context = PolicyContext(
            request,
            client,
            route.identity,
            (),
            now=plane.deadlines.now,
            wall_clock=plane.wall_clock,
            random=plane.random,
            states=plane.policy_states,
        )
        for policy in route.access_policies:
            answer = policy.access(context)
            if answer is not None:
                assert isinstance(answer, Answer)
                return answer
    if request.body_length and is_too_large(route, request.body_length):
        return TOO_LARGE
    return _NO_SERVICE if route.upstream is None else None


def is_too_large(route: Route, length: int) -> bool:
    """
    :param length: of a request's body, as far as it is known; in bytes.
    """
    limit = route.proxy.body_size
    return limit is not None and length > limit


def refuse_client(
    plane: DataPlane, client: Client, error: PeerError, decoder: RequestDecoder
) -> tuple[Answer, FieldLines, bytes]:
    """
    Refuse what is no request that an exchange could be made of, and record that.

    :param decoder: has what came.
    :return: the answer, its fields and its body.
    """
    answer = Answer.from_error(error)
    identity = plane.make_request_id()
    fields, body = answer_fields(answer, None, identity, plane.hsts if client.is_secure else b"")
    record = ExchangeRecord(client.address, plane.deadlines.now())
    if isinstance(error, RequestTimeout):
        # A head took all the time that there is for one.
        record.duration = plane.limits.head_timeout
    record.request_id, record.line = identity, decoder.first_line()
    record.request_size = len(decoder.waiting)
    record.status, record.body_size = answer.status, len(body)
    record.outcome, record.detail = answer.outcome, answer.detail
    plane.record(record)
    return answer, fields, body
