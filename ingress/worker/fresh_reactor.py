"""
A reactor for a process that was forked from one that has a reactor already.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.main import installReactor

_NAME = "twisted.internet.reactor"

_inherited: list[object] = []
"""Kept alive: their destruction would close descriptors that have new owners by now."""


def replace_reactor() -> Any:
    """
    Install a new reactor of the same class; the inherited one must never have run.

    Modules that imported the reactor before keep the old one: none of ours does.

    :return: the new one.
    """
    inherited: Any = sys.modules.pop(_NAME)
    _inherited.append(inherited)
    reactor = type(inherited)()
    installReactor(reactor)
    return reactor
