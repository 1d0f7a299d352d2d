"""
The part of a policy that decides at once.

Policies are interpreted, and a run through them needs a context (`ingress.policy.policy`). Most of
what they decide needs neither, so those that often decide have a gate: compiled, and asked by the
exchange itself. Whatever a gate cannot decide, its policy does.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.limiter import Limiter

UNDECIDED: Final = object()
"""The policy has to be asked."""

COUNTED: Final = object()
"""The request passes, and `Gate.ended` is to be called once it is over."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Gate:
    """
    Decides in the place of a policy, in the phase access.

    A gate is pickled with its policy, by a ``__reduce__`` with what it was made from, since mypyc
    gives it none. It keeps nothing of a request.
    """

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        """
        :param request: the head of the request.
        :param client: the client, as far as it is believed.
        :param route: stands for the rule, as in `PolicyContext.route`.
        :param limiter: the live state of limits.
        :param now: in seconds on the clock of the process.
        :return: an `Answer`; a `Proceed` with edits and nothing else; None to go on; `COUNTED`, or
            `UNDECIDED`.
        """
        return UNDECIDED

    def ended(self, client: BelievedClient, limiter: Limiter) -> None:
        """A request is over that was `COUNTED`."""
