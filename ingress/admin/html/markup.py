"""
HTML as values: text is escaped when it becomes part of an element, and nowhere else.

What the page shows was written by authors of manifests and by clients. No text can end
an element or an attribute, and no name of an attribute exists that would run a script,
so that the Content-Security-Policy is a second line of defence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias
from urllib.parse import urlencode

from ingress.problem import printable


class Markup(str):
    """HTML that may be sent as it is."""

    __slots__ = ()


Child: TypeAlias = "Markup | str | int | Iterable[Child] | None"
"""What an element may contain; None is nothing, and a `str` that is no Markup is escaped."""

_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VALUE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;"}
)
_VOID: Final = frozenset({"br", "input", "link", "meta"})
_LINKS: Final = frozenset({"action", "href", "src"})
_RAW: Final = frozenset({"script", "style"})
"""Elements whose content is no HTML: they may only be empty."""


def text(value: str) -> Markup:
    """:return: the text, with control characters and those that steer direction made visible."""
    return Markup(printable(value).translate(_TEXT))


def join(*children: Child) -> Markup:
    """:return: what the children become, one after the other."""
    return Markup("".join(map(_child, children)))


def tag(element: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """
    Make an element.

    :param element: its name.
    :param attributes: ``class_`` stands for ``class``, and ``data_name`` for ``data-name``. None
        and False leave an attribute out, True makes it one without a value.
    :raises ValueError: for what could run a script or load something from elsewhere.
    """
    opened = f"<{element}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    if element in _VOID:
        return Markup(opened)
    if element in _RAW and children:
        raise ValueError(f"{element} has no content of its own here")
    return Markup(f"{opened}{''.join(map(_child, children))}</{element}>")


def link(path: str, **query: str | int | None) -> str:
    """
    :param path: of our own, such as ``/routes``.
    :param query: None and the empty text leave a parameter out.
    :return: a reference to a page of this listener.
    """
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given, errors='replace')}" if given else path


def _child(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return text(child)
    if child is None:
        return ""
    if isinstance(child, int):
        return str(child)
    return "".join(map(_child, child))


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if name == "style" or name.startswith("on"):
        raise ValueError(f"{name}: scripts and styles are files")
    if value is True:
        return f" {name}"
    written = str(value)
    if name in _LINKS and (not written.startswith(("/", "?", "#")) or written.startswith("//")):
        raise ValueError(f"{name}: only pages of this listener are linked")
    return f' {name}="{printable(written).translate(_VALUE)}"'


HOLE: Final = Markup("<!---->")
"""The place in an element for content that is made in pieces; no text can contain it."""


def filled(around: Markup, pieces: Iterable[Markup]) -> Iterator[Markup]:
    """
    :param around: with one `HOLE`.
    :return: the same with the pieces in the place of the hole.
    """
    before, _, after = around.partition(HOLE)
    yield Markup(before)
    yield from pieces
    yield Markup(after)
