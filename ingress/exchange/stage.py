"""
The seam of what a response passes through between its call and its exchange.

::

    Call ──► Stage ──► Stage ──► Exchange
         ◄──       ◄──       ◄──   hold, release

A stage receives the response from what is before it, its source, and passes it on. It may keep
some of it for a while; then it holds its source, so that what it keeps stays little.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import trait
from twisted.internet.interfaces import IDelayedCall

from ingress.answer import Answer
from ingress.exchange.call_receiver import CallReceiver

_NOBODY: Final = CallReceiver()


@trait
class Flow:
    """Something that a response comes from, and that can be held."""

    def hold(self) -> None:
        """Pass on no more for now; what is under way already may still come."""

    def release(self) -> None:
        """Pass on more again after `hold`."""


class Stage(CallReceiver, Flow):
    """
    A stage. After `call_ended`, `call_failed` or `cancel` it passes on nothing any more.

    :param source: what the response comes from.
    :param receiver: what it goes to.
    """

    def __init__(self, source: Flow, receiver: CallReceiver) -> None:
        self._source: Flow | None = source
        self._receiver = receiver
        self._is_source_held = False
        self._is_held = False
        """Whether the receiver wants no more for now."""

        self._timer: IDelayedCall | None = None

    def call_failed(self, answer: Answer) -> None:
        self._end().call_failed(answer)

    def cancel(self) -> None:
        """Drop what is kept, because the call is given up."""
        self._end()

    def _hold_source(self) -> None:
        if not self._is_source_held and self._source is not None:
            self._is_source_held = True
            self._source.hold()

    def _release_source(self) -> None:
        # Also where it was held before this stage was there, while policies decided.
        self._is_source_held = False
        if self._source is not None:
            self._source.release()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _end(self) -> CallReceiver:
        """
        Drop what is kept.

        :return: the receiver, which is let go, as the source is.
        """
        self._stop_timer()
        self._source = None
        receiver, self._receiver = self._receiver, _NOBODY
        return receiver
