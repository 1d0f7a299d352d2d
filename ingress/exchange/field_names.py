"""
Which names a client's fields may have on their way to endpoints.

CGI, FastCGI and PHP hand a program its fields as variables, and most of them write every
character but letters and digits as ``_``: `X.Real.IP`, `X_Real_IP` and `X-Real-IP` are one
variable to it. A client could so put its own value in the place of ours.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config import FieldNameSetting

PLAIN: Final = 0
"""A name of letters, digits and ``-``, as all registered names are."""

UNDERSCORES: Final = 1
"""The same with ``_``."""

ODD: Final = 2
"""A name with any other character that a token may have."""

_PLAIN: Final = re.compile(rb"[0-9A-Za-z-]+")
_UNDERSCORES: Final = re.compile(rb"[0-9A-Za-z_-]+")
_OTHER: Final = re.compile(rb"[^0-9A-Za-z]")

_PASSING: Final = {"plain": PLAIN, "underscores": UNDERSCORES, "any": ODD}


def name_kind(name: bytes) -> int:
    """:return: `PLAIN`, `UNDERSCORES` or `ODD`, in the order of what endpoints can take."""
    if _PLAIN.fullmatch(name) is not None:
        return PLAIN
    return UNDERSCORES if _UNDERSCORES.fullmatch(name) is not None else ODD


def plain_spelling(name: bytes) -> bytes:
    """The plain name that an endpoint may take `name` for."""
    return _OTHER.sub(b"-", name)


class FieldNames:
    """The setting in force in one process, and what it has kept from endpoints."""

    __slots__ = ("dropped", "passing")

    def __init__(self) -> None:
        self.passing = PLAIN
        """The last kind of names that pass."""

        self.dropped = 0
        """Fields of requests that did not reach an endpoint because of their names."""

    def __repr__(self) -> str:
        return f"<FieldNames passing={self.passing} dropped={self.dropped}>"

    def apply(self, setting: FieldNameSetting) -> None:
        """Do as the configuration says from now on."""
        self.passing = _PASSING[setting]
