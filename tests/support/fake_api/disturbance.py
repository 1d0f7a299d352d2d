"""
What goes wrong, because a test wants it to.
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
    An answer that requests get instead of theirs.

    :ivar code: of the answer; 0 for none at all, ever.
    :ivar times: how often; None for always.
    :ivar verb: of the requests; all if empty, and so with `resource` (a plural).
    :ivar is_plain: as a text, which is how the real server sheds load, not as a ``Status``.
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
    :ivar faults: those to come; the first that concerns a request is its answer.
    :ivar are_watches_silent: nothing comes on any watch, and they never end; one that has
        held something back stays so for ever, as over a connection that is dead.
    :ivar cuts: how many events will end in the middle, and their connections with them.
    :ivar piece: events are sent in pieces of this many bytes; None for whole.
    """

    faults: list[Fault] = field(default_factory=list)
    are_watches_silent: bool = False
    cuts: int = 0
    piece: int | None = None

    def take_fault(self, info: RequestInfo) -> Fault | None:
        """The fault that this request runs into."""
        for fault in self.faults:
            if fault.concerns(info):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.faults.remove(fault)
                return fault
        return None

    def take_cut(self) -> bool:
        """Whether the event that is about to be sent ends in the middle."""
        if not self.cuts:
            return False
        self.cuts -= 1
        return True
