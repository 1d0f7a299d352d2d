"""
Makes the exchange of a request that a client has sent.
"""

from __future__ import annotations

from ingress.exchange.client import Client
from ingress.exchange.exchange import Exchange
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.response_writer import ResponseWriter
from ingress.field_edits import EXPLAIN
from ingress.message import Request


def new_exchange(
    resources: ExchangeResources, writer: ResponseWriter, client: Client, request: Request
) -> Exchange:
    """
    :param writer: writes the response to the client.
    :param client: the client of the connection that the request came over.
    :param request: the head of the request.
    """
    explaining = resources.explaining
    if explaining is not None:
        token = request.field(EXPLAIN)
        if token is not None:
            explained = explaining.writer(writer, token, resources.snapshot)
            if explained is not None:
                exchange = Exchange(resources, explained, client, request)
                explained.record = exchange.get_record()
                return exchange
    return Exchange(resources, writer, client, request)
