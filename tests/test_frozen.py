"""
Tests for `ingress.frozen`: whatever can be seen of a class is as `dataclasses` makes it.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, replace
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ingress import frozen
from ingress.problem import Origin, Problem


def make(decorate: Any) -> Any:
    """A class with fields of each kind."""

    @decorate(frozen=True, slots=True)
    class Item:
        """An item."""

        kind: ClassVar[str] = "item"

        name: str
        count: int = 3
        tags: list[str] = field(default_factory=list)
        size: int = field(default=1, kw_only=True)
        hidden: str = field(default="secret", repr=False, compare=False)
        cache: dict[str, int] = field(init=False, repr=False, compare=False, hash=False)
        fixed: int = field(default=7, init=False)
        made: list[int] = field(default_factory=list, init=False)

        def __post_init__(self) -> None:
            if self.count < 0:
                raise ValueError("count")
            object.__setattr__(self, "cache", {})

    return Item


class FrozenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.classes = make(dataclasses.dataclass), make(frozen.dataclass)

    def each(self, use: Any) -> None:
        """Both classes give the same, or fail in the same way."""
        results = []
        for cls in self.classes:
            try:
                results.append(use(cls))
            except Exception as error:
                results.append((type(error), str(error).replace("make.<locals>.", "")))
        self.assertEqual(*results)

    def test_init(self) -> None:
        """Arguments and defaults are the same, and so are errors."""
        for arguments, named in (
            (("a",), {}),
            (("a", 4, ["x"], "other"), {"size": 2}),
            ((), {"name": "a", "hidden": "b"}),
            ((), {}),
            (("a", 1, [], "b", 5), {}),
            (("a", -1), {}),
            (("a",), {"cache": {}}),
            (("a",), {"unknown": 1}),
        ):
            self.each(
                lambda cls, arguments=arguments, named=named: [
                    (each.name, getattr(item, each.name))
                    for item in [cls(*arguments, **named)]
                    for each in dataclasses.fields(item)
                ]
            )

    def test_values(self) -> None:
        """Comparison, hashes and texts follow the fields; defaults are not shared."""
        self.each(lambda cls: repr(cls("a")).rpartition(".")[2])
        for other in (("a",), ("b",), ("a", 4)):
            self.each(lambda cls, other=other: cls("a") == cls(*other))
        self.each(lambda cls: cls("a") == cls("a", hidden="other"))
        self.each(lambda cls: cls("a") == ("a", 3, []))
        self.each(lambda cls: hash(cls("a")))  # A list has none.
        self.each(lambda cls: cls("a").tags is cls("a").tags)
        self.assertEqual(hash(Origin("a", 1)), hash(Origin("a", 1)))

    def test_frozen(self) -> None:
        """Nothing is set or deleted, and there is no place for anything else."""
        for change in (
            lambda item: setattr(item, "name", "b"),
            lambda item: delattr(item, "name"),
        ):
            self.each(lambda cls, change=change: change(cls("a")))
        self.assertRaises(FrozenInstanceError, setattr, self.classes[1]("a"), "other", "b")
        self.assertRaises(FrozenInstanceError, setattr, Problem("a"), "message", "b")
        self.assertFalse(hasattr(Problem("a"), "__dict__"))

    def test_subclass(self) -> None:
        """A subclass of ours may have attributes of its own, and one with fields is frozen."""
        ours: Any = self.classes[1]

        class Sub(ours):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__("sub")
                self.own = 1

        item = Sub()
        self.assertEqual((item.name, item.own), ("sub", 1))
        self.assertRaises(FrozenInstanceError, setattr, item, "name", "b")
        for cls in self.classes:
            for decorate in (dataclasses.dataclass, frozen.dataclass):

                @decorate(frozen=True, slots=True)
                class Wider(cls):  # type: ignore[misc, valid-type]
                    wide: int = 1

                wider = Wider("w", wide=2)
                self.assertEqual((wider.name, wider.wide), ("w", 2))
                self.assertRaises(FrozenInstanceError, setattr, wider, "wide", 1)
                self.assertNotEqual(wider, cls("w"))

    def test_own_methods(self) -> None:
        """Methods that a class has itself stay."""

        @frozen.dataclass(frozen=True, slots=True)
        class Own:
            """With its own."""

            name: str

            def __eq__(self, other: object) -> bool:
                return True

            def __repr__(self) -> str:
                return "own"

        self.assertEqual((repr(Own("a")), Own("a") == 1), ("own", True))
        self.assertEqual(hash(Own("a")), hash(Own("a")))

    def test_tools(self) -> None:
        """`replace`, `fields`, matching, copies and pickles work."""
        self.each(lambda cls: dataclasses.asdict(replace(cls("a", made_up := 1), count=made_up)))
        self.each(lambda cls: [each.name for each in dataclasses.fields(cls)])
        self.each(lambda cls: cls.__match_args__)
        problem = Problem("m", origin=Origin("f", 3))
        self.assertEqual(pickle.loads(pickle.dumps(problem)), problem)
        self.assertEqual(copy.deepcopy(problem), problem)
        self.assertEqual(pickle.loads(pickle.dumps(problem)).origin.line, 3)

    def test_empty(self) -> None:
        """A class without fields has instances, which are equal."""

        @frozen.dataclass(frozen=True, slots=True)
        class Empty:
            """Nothing."""

        self.assertEqual(Empty(), Empty())
        self.assertEqual(hash(Empty()), hash(Empty()))
        self.assertEqual(repr(Empty()).rpartition(".")[2], "Empty()")

    def test_other_options(self) -> None:
        """What is not frozen or has no slots is as `dataclasses` makes it."""

        @frozen.dataclass
        class Open:
            """Can be changed."""

            name: str

        item = Open("a")
        item.name = "b"
        self.assertEqual(item, Open("b"))
