"""
The stages that the response of a rule passes through on its way to the client.
"""

from __future__ import annotations

from ingress.content_coding import Coder, make_coder
from ingress.encoded_fields import FieldLines
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.compressor import Compressor
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.pacer import Pacer
from ingress.exchange.stage import Flow, Stage
from ingress.message import Response
from ingress.policy.compression import Coding
from ingress.telemetry.record import ExchangeRecord


class Shaped:
    """
    A response that passes through stages.

    :ivar fields: of its head, as the client gets them.
    :ivar body_length: as in `ResponseWriter.send_head`.
    :ivar receiver: receives the rest of the response from its call.
    """

    __slots__ = ("body_length", "fields", "receiver")

    def __init__(self, fields: FieldLines, body_length: int | None, receiver: CallReceiver) -> None:
        self.fields = fields
        self.body_length = body_length
        self.receiver = receiver

    def __repr__(self) -> str:
        return f"<Shaped for {self.receiver}>"


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
    stages: list[Stage] = []
    if route is None or length == 0:
        return Shaped(fields, length, receiver)
    clock = resources.calls.deadlines.clock
    source: Flow = call
    compressor: Compressor | None = None
    if route.compression is not None and record.request is not None:
        offer = route.compression.offer(record.request, response.status, fields, length)
        if offer is not None:
            fields = offer.fields
            coder = _coder(offer.coding, length, resources)
            if coder is not None:
                fields, length = offer.encoded_fields, None
                budget = resources.compression_memory
                compressor = Compressor(call, receiver, coder, clock, budget)
                stages.append(compressor)
                source = compressor
    if route.pace is not None:
        pacer = Pacer(source, receiver, route.pace, clock)
        stages.append(pacer)
        if compressor is not None:
            compressor.send_to(pacer)
    if not stages:
        return Shaped(fields, length, receiver)
    call.pass_through(stages)
    return Shaped(fields, length, stages[0])


def _coder(coding: Coding | None, length: int | None, resources: ExchangeResources) -> Coder | None:
    """:return: None where the response is not to be compressed, or where memory is short."""
    if coding is None:
        return None
    coder = make_coder(coding.name, coding.level, length)
    return coder if resources.compression_memory.has_room(coder.memory) else None
