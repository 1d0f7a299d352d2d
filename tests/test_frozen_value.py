"""Tests of `ingress.frozen_value`."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.frozen_value import reduced


@dataclass(frozen=True)
class Base:
    first: int = 1
    twice: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "twice", self.first * 2)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)


@dataclass(frozen=True, kw_only=True)
class Derived(Base):
    second: str
    other: Base | None = None


class ReducedTests(SynchronousTestCase):
    def test_same(self) -> None:
        """What is unpickled is equal, of the same class, and has what follows from its fields."""
        shared = Base(7)
        sent = [Derived(second="two", first=3, other=shared), shared]
        copies = pickle.loads(pickle.dumps(sent))
        self.assertEqual(copies, sent)
        self.assertIs(type(copies[0]), Derived)
        self.assertEqual((copies[0].twice, copies[1].twice), (6, 14))

    def test_shared(self) -> None:
        """Two that share a value share it as before."""
        shared = Base(7)
        copies = pickle.loads(pickle.dumps([Derived(second="", other=shared), shared]))
        self.assertIs(copies[0].other, copies[1])
