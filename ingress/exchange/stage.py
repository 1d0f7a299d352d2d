"""
The seam of what a response passes through between its call and its exchange.

::

    Call ──► Stage ──► Stage ──► Exchange
         ◄──       ◄──       ◄──   hold, release

A stage receives the response from what is before it, its source, and passes it on. It may keep
some of it for a while; then it holds its source, so that what it keeps stays little.
"""

from __future__ import annotations

from mypy_extensions import trait

from ingress.exchange.call_receiver import CallReceiver


@trait
class Flow:
    """Something that a response comes from, and that can be held."""

    def hold(self) -> None:
        """Pass on no more for now; what is under way already may still come."""

    def release(self) -> None:
        """Pass on more again after `hold`."""


class Stage(CallReceiver, Flow):
    """A stage. After `call_ended`, `call_failed` or `cancel` it passes on nothing any more."""

    def cancel(self) -> None:
        """Drop what is kept, because the call is given up."""
        raise NotImplementedError
