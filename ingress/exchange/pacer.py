"""
The stage that gives a response its pace: so many bytes a second, and no more.

The rule is nginx's: a response may have passed ``after + rate * (seconds + 1)`` bytes of its body.
A client that reads slowly keeps what it was allowed meanwhile, and gets it when it catches up.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.stage import Flow, Stage
from ingress.http1.body import Trailers
from ingress.policy.response_pace import ResponsePace

TICK: Final = 0.25
"""Seconds between two pieces of a response: a slow client sees progress, and timers stay few."""

HEAD_START: Final = 1.0
"""Seconds' worth of bytes that pass at once, as in nginx."""


class Pacer(Stage):
    """
    Slows one response down. It keeps no more than what its source had read before it was held.

    :param source: what the response comes from.
    :param receiver: what it goes to.
    :param pace: how fast.
    :param clock: measures it.
    """

    def __init__(
        self, source: Flow, receiver: CallReceiver, pace: ResponsePace, clock: IReactorTime
    ) -> None:
        super().__init__(source, receiver)
        self._rate = float(pace.rate)
        self._clock = clock
        self._allowance_at_start = pace.after + pace.rate * HEAD_START
        self._began_at = float(clock.seconds())
        self._passed = 0
        self._kept = b""
        """What has come and may not pass yet."""

        self._trailers: Trailers | None = None
        """The trailers of a response that has come to its end; None before."""

    def __repr__(self) -> str:
        return f"<Pacer passed={self._passed} kept={len(self._kept)}>"

    # CallReceiver.

    def call_body(self, data: bytes) -> None:
        if self._kept:
            self._kept += data
            return
        allowed = self._allowed()
        if len(data) <= allowed:
            self._passed += len(data)
            self._receiver.call_body(data)
            return
        self._kept = data
        self._hold_source()
        self._pass_on()

    def call_flush(self) -> None:
        self._receiver.call_flush()

    def call_ended(self, trailers: Trailers) -> None:
        self._trailers = trailers
        if not self._kept:
            self._end().call_ended(trailers)

    # Stage.

    def hold(self) -> None:
        self._is_held = True
        self._stop_timer()
        self._hold_source()

    def release(self) -> None:
        self._is_held = False
        if self._kept:
            self._pass_on()
        else:
            self._release_source()

    # The pace.

    def _allowed(self) -> int:
        elapsed = self._clock.seconds() - self._began_at
        return max(0, int(self._allowance_at_start + self._rate * elapsed) - self._passed)

    def _pass_on(self) -> None:
        """Pass on what may pass now, and wait for the rest."""
        self._timer = None
        allowed = self._allowed()
        data, self._kept = self._kept[:allowed], self._kept[allowed:]
        if data:
            self._passed += len(data)
            self._receiver.call_body(data)
            self._receiver.call_flush()
        # The receiver may have been told meanwhile that the client is gone, or is slow.
        if self._source is None:
            return
        if self._kept:
            if not self._is_held:
                self._timer = self._clock.callLater(TICK, self._pass_on)
        elif self._trailers is not None:
            self._end().call_ended(self._trailers)
        elif self._is_source_held and not self._is_held:
            self._release_source()

    def _end(self) -> CallReceiver:
        self._kept = b""
        return super()._end()
