"""
The Snapshot in a worker: what the control plane published, put together again.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import fields

from ingress.config import Config
from ingress.routing.snapshot import Snapshot
from ingress.worker.piece import Assembly, Piece


class Replica:
    """Comes to be what the control plane has, message by message."""

    def __init__(self) -> None:
        self._snapshot = Snapshot(Config())
        self._assembly: Assembly | None = None

    def __repr__(self) -> str:
        state = "changing" if self._assembly is not None else "whole"
        return f"<Replica of {len(self._snapshot.hosts)} hosts, {state}>"

    def take(self, message: bytes) -> None:
        """
        Take one message of a `Difference`.

        Only the process that forked us can write to the socket that it came over.
        """
        pieces: Sequence[Piece] = pickle.loads(message)  # noqa: S301
        if self._assembly is None:
            snapshot = self._snapshot
            self._assembly = Assembly(
                {one.name: getattr(snapshot, one.name) for one in fields(snapshot)}
            )
        for piece in pieces:
            piece.apply(self._assembly)

    def finish(self) -> tuple[Snapshot, list[object]]:
        """
        The last message of a `Difference` has been taken.

        :return: the new Snapshot, in which all that was not told is the same object
            as before; and what is not in it any more.
        """
        assembly, self._assembly = self._assembly, None
        if assembly is None:
            return self._snapshot, []
        self._snapshot = Snapshot(**assembly.fields)
        return self._snapshot, assembly.replaced
