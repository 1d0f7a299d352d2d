"""
The setting for the names of a client's fields that are passed on to endpoints.

CGI, FastCGI and PHP give a program its fields as variables, and most of them replace every
character except letters and digits with ``_``: `X.Real.IP`, `X_Real_IP` and `X-Real-IP` become
the same variable. A client could use this to replace our value with its own.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config import FieldNameSetting

PLAIN: Final = 0
"""A name of letters, digits and ``-``, like every registered name."""

UNDERSCORES: Final = 1
"""A name that also has ``_``."""

ODD: Final = 2
"""A name with any other character that a token can have."""

_PLAIN: Final = re.compile(rb"[0-9A-Za-z-]+")
_UNDERSCORES: Final = re.compile(rb"[0-9A-Za-z_-]+")

_ALWAYS_REMOVED: Final = b"x-forwarded-for"

_PASSING: Final = {"plain": PLAIN, "underscores": UNDERSCORES, "any": ODD}


def name_kind(name: bytes) -> int:
    """Return the kind of a name: `PLAIN`, `UNDERSCORES` or `ODD`, in this order."""
    if _PLAIN.fullmatch(name) is not None:
        return PLAIN
    return UNDERSCORES if _UNDERSCORES.fullmatch(name) is not None else ODD


class FieldNames:
    """The setting in force, and the number of fields that were dropped."""

    __slots__ = ("address_field", "dropped", "key", "passing")

    def __init__(self) -> None:
        self.passing = PLAIN
        """The kind of names up to which fields are passed on."""

        self.address_field = b""
        """
        The field in which trusted proxies name the client, in lower case, where that is not one
        of those that are always removed; nobody else's reaches endpoints.
        """

        self.key = b""
        """Stands for `address_field` at the beginning of the keys of caches."""

        self.dropped = 0
        """Fields of requests that were dropped because of their names."""

    def __repr__(self) -> str:
        return f"<FieldNames passing={self.passing} dropped={self.dropped}>"

    def apply(self, setting: FieldNameSetting, address_field: bytes = _ALWAYS_REMOVED) -> None:
        """
        Apply the setting of the configuration to all later requests.

        :param address_field: the field in which trusted proxies name the client.
        """
        self.passing = _PASSING[setting]
        self.address_field = b"" if address_field == _ALWAYS_REMOVED else address_field
        self.key = b"%b " % self.address_field if self.address_field else b""
