"""
The stages that the response of a rule passes through on its way to the client.
"""

from __future__ import annotations

from typing import NamedTuple

from ingress.encoded_fields import FieldLines
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.pacer import Pacer
from ingress.exchange.stage import Flow, Stage
from ingress.message import Response
from ingress.telemetry.record import ExchangeRecord


class Shaped(NamedTuple):
    """A response that passes through stages."""

    fields: FieldLines
    """Of its head, as the client gets them."""

    body_length: int | None
    """As in `ResponseWriter.send_head`."""

    receiver: CallReceiver
    """Receives the rest of the response from its call."""


def shape_response(
    response: Response,
    fields: FieldLines,
    record: ExchangeRecord,
    call: Call,
    receiver: CallReceiver,
    resources: ExchangeResources,
) -> Shaped:
    """
    Put the stages that a rule asks for between a call and its receiver.

    :param response: the head of the response that the call has received.
    :param fields: its fields towards the client.
    :param record: has the request and its Route.
    """
    route, length = record.route, response.body_length
    if route is None:
        return Shaped(fields, length, receiver)
    source: Flow = call
    stages: list[Stage] = []
    if route.pace is not None and length != 0:
        clock = resources.calls.deadlines.clock
        stages.append(Pacer(source, receiver, route.pace, clock))
    if not stages:
        return Shaped(fields, length, receiver)
    call.pass_through(stages)
    return Shaped(fields, length, stages[0])
