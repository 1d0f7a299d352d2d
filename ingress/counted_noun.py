"""
A number of things, in words.
"""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """
    :param noun: in the singular; its plural ends in ``s``, or in ``es`` behind another s.
    :return: such as ``1 line`` and ``2,000 lines``.
    """
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"
