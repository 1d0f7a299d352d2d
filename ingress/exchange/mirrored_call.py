"""
A call whose request is copied for another server while it goes on.

The copy sees what the call sees, and the call never sees the copy: nothing that becomes of it
reaches the call or its receiver.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from mypy_extensions import mypyc_attr
from twisted.logger import Logger

from ingress.believed_client import BelievedClient
from ingress.endpoint import Upstream
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.call_resources import CallResources
from ingress.http1.body import Trailers
from ingress.message import UpstreamRequest
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot


@mypyc_attr(allow_interpreted_subclasses=True)
class RequestCopy:
    """A copy of a request. This base class ignores everything: it is no copy at all."""

    def start(self) -> None:
        """Send the head. What follows comes by the methods below."""

    def send_body(self, data: bytes) -> None:
        """Send some of the body; never empty."""

    def end_body(self, trailers: Trailers) -> None:
        """End the body."""

    def request_ended(self) -> None:
        """No more of the request will come, whether its body is whole or not."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Mirrors:
    """
    Makes the copies of requests. This base class makes none.

    :ivar results: the number of copies that are over, by what became of them.
    """

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def copy(
        self, snapshot: Snapshot, route: Route, head: UpstreamRequest, client: BelievedClient
    ) -> RequestCopy:
        """
        :param route: a Route with a mirror.
        :param head: the head of the request, as its endpoint gets it.
        :return: a copy that is not sent yet.
        """
        return _NO_COPY


_NO_COPY: Final = RequestCopy()


class MirroredCall(Call):
    """
    A call with a copy.

    :param copy: the copy; it is sent when the call starts.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        resources: CallResources,
        upstream: Upstream,
        route: Route,
        head: UpstreamRequest,
        client: BelievedClient,
        receiver: CallReceiver,
        snapshot: Snapshot,
        mirrors: Mirrors,
    ) -> None:
        super().__init__(resources, upstream, route, head, client, receiver, snapshot.config)
        try:
            self._copy = mirrors.copy(snapshot, route, head, client)
        except Exception:
            self._give_up()

    def start(self) -> None:
        copy = self._copy
        # First, because nobody waits for the copy. The call may be over when this returns.
        super().start()
        try:
            copy.start()
        except Exception:
            self._give_up()

    def send_body(self, data: bytes) -> None:
        super().send_body(data)
        try:
            self._copy.send_body(data)
        except Exception:
            self._give_up()

    def end_body(self, trailers: Trailers) -> None:
        super().end_body(trailers)
        try:
            self._copy.end_body(trailers)
        except Exception:
            self._give_up()

    def _end(self, succeeded: bool | None) -> CallReceiver:
        copy, self._copy = self._copy, _NO_COPY
        try:
            copy.request_ended()
        except Exception:
            self._give_up()
        return super()._end(succeeded)

    def _give_up(self) -> None:
        """A mistake of ours in a copy is no reason to fail the request itself."""
        self._copy = _NO_COPY
        self.log.failure("A copy of a request could not be sent")
