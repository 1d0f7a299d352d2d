"""
The treatment of paths that endpoints may read in another way than the rules do.

Source of the rules: docs/compatibility.md, section 5, "Characters".
"""

from __future__ import annotations

from typing import Final

from ingress.config import PathSetting
from ingress.frozen import dataclass


@dataclass(frozen=True, slots=True)
class PathHandling:
    """The treatment of dot segments, runs of slashes, ``%2F``, ``%5C`` and ``;``."""

    sends_canonical: bool = False
    """Whether a path with dot segments or runs of slashes goes upstream in its canonical form."""

    refuses_others: bool = False
    """Whether such a path is refused."""

    is_guarded: bool = False
    """Whether a path is refused that can be read as one with other access rules."""


_SETTINGS: Final = {
    "as-written": PathHandling(),
    "canonical": PathHandling(sends_canonical=True),
    "strict": PathHandling(refuses_others=True),
}
_GUARDED: Final = {
    "auto": PathHandling(sends_canonical=True, is_guarded=True),
    "as-written": PathHandling(is_guarded=True),
    "canonical": PathHandling(sends_canonical=True, is_guarded=True),
    "strict": PathHandling(refuses_others=True, is_guarded=True),
}


def path_handling(setting: PathSetting, *, is_guarded: bool) -> PathHandling | None:
    """
    :param setting: ``paths`` of the configuration.
    :param is_guarded: whether some rule of the host decides who gets access.
    :return: the treatment of all paths of the host; None if each goes upstream as it is written.
    """
    if is_guarded:
        return _GUARDED[setting]
    handling = _SETTINGS.get(setting)
    return None if handling == PathHandling() else handling
