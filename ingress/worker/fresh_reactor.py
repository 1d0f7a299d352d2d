"""
A reactor for a process that was forked from one that has a reactor already.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.main import installReactor

_NAME = "twisted.internet.reactor"

_inherited: list[object] = []
"""Kept, because their end would close descriptors that are ours by now."""


def replace_reactor() -> Any:
    """
    Install a new reactor of the same kind; the inherited one must never have run here.

    Who has imported it by then keeps the old one: nothing of ours does.

    :return: the new one.
    """
    inherited: Any = sys.modules.pop(_NAME)
    _inherited.append(inherited)
    reactor = type(inherited)()
    installReactor(reactor)
    return reactor
