"""
Failures that a test asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.fake_api.request_info import RequestInfo
from tests.support.fake_api.status import StatusError

REASONS = {
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "etcdserver: request timed out"),
    503: ("ServiceUnavailable", "apiserver not ready"),
    504: ("Timeout", "Timeout: request did not complete within the allotted duration"),
}


@dataclass
class Fault:
    """
    A failure in place of the answer to a request.

    :ivar code: the status code; 0 for no answer, ever.
    :ivar times: how often the fault occurs; None for always.
    :ivar verb: the verb of the requests; empty for all verbs, like `resource` (a plural).
    :ivar is_plain: whether the answer is plain text, with which the real server sheds load,
        and not a ``Status``.
    """

    code: int
    times: int | None = 1
    verb: str = ""
    resource: str = ""
    retry_after: int | None = None
    is_plain: bool = False

    def concerns(self, info: RequestInfo) -> bool:
        return self.verb in ("", info.verb) and self.resource in ("", info.resource)

    def to_error(self) -> StatusError:
        reason, message = REASONS.get(self.code, ("", f"the server answers {self.code}"))
        details = None if self.retry_after is None else {"retryAfterSeconds": self.retry_after}
        return StatusError(self.code, reason, message, details, self.retry_after)


@dataclass
class Disturbances:
    """
    :ivar faults: the pending faults; the first that matches a request becomes its answer.
    :ivar are_watches_silent: whether watches send nothing and never end; a watch that has
        held back an event stays silent for ever, like a dead connection.
    :ivar cuts: how many events will be cut in the middle, together with their connections.
    :ivar piece: the size in bytes of the pieces in which events are sent; None for whole events.
    """

    faults: list[Fault] = field(default_factory=list)
    are_watches_silent: bool = False
    cuts: int = 0
    piece: int | None = None

    def take_fault(self, info: RequestInfo) -> Fault | None:
        """Take the fault for this request, if any."""
        for fault in self.faults:
            if fault.concerns(info):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.faults.remove(fault)
                return fault
        return None

    def take_cut(self) -> bool:
        """Return whether the next event is cut in the middle."""
        if not self.cuts:
            return False
        self.cuts -= 1
        return True
