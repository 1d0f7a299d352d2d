"""
Sizes as nginx writes them: ``8192``, ``8k``, ``1m``, ``2g``.
"""

from __future__ import annotations

import re

BYTE_SIZE = re.compile(r"[0-9]{1,12}[kKmMgG]?")
"""A size; more digits would be a mistake."""

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def byte_size(text: str) -> int:
    """
    :param text: a text that `BYTE_SIZE` matches.
    :return: the size in bytes.
    """
    unit = _UNITS.get(text[-1].lower())
    return int(text) if unit is None else int(text[:-1]) * unit
