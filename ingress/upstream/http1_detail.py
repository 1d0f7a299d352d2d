"""
Sentences for the client and the log that say why a response is missing or incomplete.
"""

from __future__ import annotations

from ingress.http1.body import BodyDecoder
from ingress.upstream.http1_state import UpstreamState


def ending(state: UpstreamState, begun: bytes, body: BodyDecoder | None, *, is_end: bool) -> str:
    """
    Describe how a connection ended.

    :param state: the state of the connection at its end.
    :param begun: the beginning of an incomplete head; empty if none has begun.
    :param body: the body of the response; None if its head is missing or incomplete.
    :param is_end: whether the endpoint closed the connection in an orderly way.
    :return: at which point of the response it ended.
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
    Describe which wait took too long.

    :param state: the state of the connection.
    :param body: as for `ending`.
    :param is_stalled: whether the endpoint has left its receive buffer full.
    :return: the step that took too long.
    """
    if is_stalled:
        return "The endpoint took too long to read."
    if state is UpstreamState.TUNNELLING:
        return "The tunnel was idle for too long."
    what = "respond" if body is None else "continue its response"
    return f"The endpoint took too long to {what}."
