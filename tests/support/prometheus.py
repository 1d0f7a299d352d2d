"""
The real Prometheus, and its ``promtool``: the system's, or that of ``make prometheus``.
"""

from __future__ import annotations

import os
import shutil

from twisted.trial.unittest import SkipTest

from tests.support.process import CHECKOUT

UNPACKED = CHECKOUT / "build" / "prometheus" / "usr" / "bin"


def find_program(name: str) -> str:
    """
    :param name: ``prometheus`` or ``promtool``.
    :raises SkipTest: if it is not here.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}{UNPACKED}")
    if found is None:
        raise SkipTest(f"there is no {name} here: make prometheus unpacks Debian's package")
    return found
