"""
What features are for objects that have none of the annotations which these look at.

Of the features of a registry an Ingress asks for a few, and reading the others took most of the
time of a build. So each is read once without annotations for a configuration, by a reader that
notes what it looks at. What it looked at says when that result holds: an object that has none of
these annotations either makes it take the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from ingress.config import Config
from ingress.policy.annotation import AnnotationFault, Annotations, Closing, Extent, Subject
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext
from ingress.problem_code import Code


class Absent(NamedTuple):
    """What a feature is without certain annotations."""

    names: frozenset[str]
    """Those that it looks at, without the prefix."""

    feature: RouteFeature | None


class _Depends(BaseException):
    """
    The result depends on more than some annotations. No feature can take it for a mistake of its
    own: it is no Exception.
    """


class _NoAnnotations(Annotations):
    """Has none, and notes which ones are asked for."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        self.asked.add(name)
        return False

    def text(self, name: str, pattern: object = None, accepted: str = "") -> str:
        """Annotations."""
        self.asked.add(name)
        return ""

    def __iter__(self) -> Iterator[str]:
        raise _Depends

    def __bool__(self) -> bool:
        raise _Depends

    def fault(
        self,
        name: str,
        message: str,
        *,
        is_shown: bool = True,
        code: Code = Code.ANNOTATION_VALUE,
    ) -> None:
        """Annotations: each object has faults of its own."""
        raise _Depends

    def close(
        self,
        name: str,
        message: str,
        *,
        extent: Extent = Extent.RULES,
        subject: Subject = Subject.ACCESS,
        is_shown: bool = False,
    ) -> None:
        """Annotations."""
        raise _Depends

    @property
    def faults(self) -> list[AnnotationFault]:
        """Annotations: what others have found."""
        raise _Depends

    @faults.setter
    def faults(self, value: object) -> None: ...

    @property
    def closing(self) -> Closing | None:
        """Annotations."""
        raise _Depends

    @closing.setter
    def closing(self, value: object) -> None: ...


class _ConfigAlone:
    """A `ReadContext` of no object in particular."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __getattr__(self, name: str) -> NoReturn:
        raise _Depends


def absent(
    read: Callable[[Annotations, ReadContext], RouteFeature | None], config: Config
) -> Absent | None:
    """
    :param read: that of an entry of a registry.
    :return: what it gives without annotations; None if that depends on more than those that it
        looks at, and on the configuration.
    """
    annotations = _NoAnnotations()
    context: Any = _ConfigAlone(config)
    try:
        feature = read(annotations, context)
    except _Depends:
        return None
    return Absent(frozenset(annotations.asked), feature)


class _Entry(Protocol):
    def read(self, annotations: Annotations, context: ReadContext, /) -> RouteFeature | None: ...


E = TypeVar("E", bound=_Entry)


class Prepared(Generic[E]):
    """
    The entries of a registry under one configuration.

    :param entries: by key, in order.
    """

    def __init__(self, entries: Mapping[str, E], config: Config) -> None:
        self.config = config
        self._entries = [(key, each, absent(each.read, config)) for key, each in entries.items()]
        self._always: list[int] = []
        """The numbers of those that are something for every object."""

        self._looking: dict[str, list[int]] = {}
        """By the name of an annotation, the numbers of those that look at it."""

        for number, (_, _, without) in enumerate(self._entries):
            if without is None or without.feature is not None:
                self._always.append(number)
            for name in without.names if without is not None else ():
                self._looking.setdefault(name, []).append(number)

    def __repr__(self) -> str:
        return f"<Prepared {len(self._entries)} entries, {len(self._always)} for every object>"

    def concerned(self, names: Iterable[str]) -> Iterator[tuple[str, E, Absent | None]]:
        """
        :param names: those of the annotations of an object.
        :return: the entries, in order, that may be something for it; each with its key, and with
            what it is without annotations.
        """
        found = set(self._always)
        for name in names:
            found.update(self._looking.get(name, ()))
        return map(self._entries.__getitem__, sorted(found))
