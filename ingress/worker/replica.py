"""
The Snapshot in a worker, put together from the messages of the control plane.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import fields

from ingress.config import Config
from ingress.routing.snapshot import Snapshot
from ingress.worker.piece import Assembly, Piece


class Replica:
    """Follows the Snapshot of the control plane, message by message."""

    def __init__(self) -> None:
        self._snapshot = Snapshot(Config())
        self._assembly: Assembly | None = None

    def __repr__(self) -> str:
        state = "changing" if self._assembly is not None else "whole"
        return f"<Replica of {len(self._snapshot.hosts)} hosts, {state}>"

    def take(self, message: bytes) -> None:
        """
        Take one message of a `Difference`.

        Only the control plane can write to the socket that the message came over.
        """
        pieces: Sequence[Piece] = pickle.loads(message)  # noqa: S301
        if self._assembly is None:
            snapshot = self._snapshot
            self._assembly = Assembly(
                {one.name: getattr(snapshot, one.name) for one in fields(snapshot) if one.init}
            )
        for piece in pieces:
            piece.apply(self._assembly)

    def finish(self) -> tuple[Snapshot, list[object]]:
        """
        Complete the Snapshot after the last message of a `Difference`.

        :return: the new Snapshot, which shares unchanged objects with the one before;
            and the objects that were replaced.
        """
        assembly, self._assembly = self._assembly, None
        if assembly is None:
            return self._snapshot, []
        self._snapshot = Snapshot(**assembly.fields)
        return self._snapshot, assembly.replaced
