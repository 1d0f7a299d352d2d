"""
Why a response is missing or incomplete, in words for the client and the log.
"""

from __future__ import annotations

from ingress.http1.body import BodyDecoder
from ingress.upstream.http1_state import UpstreamState


def ending(state: UpstreamState, begun: bytes, body: BodyDecoder | None, *, is_end: bool) -> str:
    """
    :param begun: what came of a head that is incomplete.
    :param body: the body of the response; None if its head is missing or incomplete.
    :param is_end: whether the endpoint closed the connection in an orderly way.
    :return: when the connection ended.
    """
    what = (
        "The endpoint closed the connection" if is_end else "The connection to the endpoint broke"
    )
    if state is UpstreamState.TUNNELLING:
        return f"{what} within the tunnel."
    if body is not None:
        return f"{what} within the body of its response."
    return f"{what} within the head of its response." if begun else f"{what} before its response."


def delay(state: UpstreamState, body: BodyDecoder | None, *, is_stalled: bool) -> str:
    """
    :param body: as for `ending`.
    :param is_stalled: whether the endpoint has left its receive buffer full.
    :return: what took too long.
    """
    if is_stalled:
        return "The endpoint took too long to read."
    if state is UpstreamState.TUNNELLING:
        return "The tunnel was idle for too long."
    what = "respond" if body is None else "continue its response"
    return f"The endpoint took too long to {what}."
