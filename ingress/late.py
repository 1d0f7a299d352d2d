"""
What is imported when it is used first: names of Twisted in modules that commands import as well.

``txingress check`` of some files has to answer at once. It imports what reads and builds, policies
included, and Twisted alone would take as long to import as all of that together. A policy waits for
a Deferred, or logs, only when it serves. So modules that commands import, and that need Twisted for
serving alone, have it from here:

    from ingress import late

    waiting: late.Deferred[bool] = late.Deferred()

Annotations are never evaluated, so that types may stand there. Where nothing but types is needed,
an import under ``TYPE_CHECKING`` does as well. A test keeps Twisted out of ``check``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred as Deferred
    from twisted.internet.defer import fail as fail
    from twisted.internet.defer import succeed as succeed
    from twisted.python.failure import Failure as Failure

_MODULES: Final = {
    "Deferred": "twisted.internet.defer",
    "fail": "twisted.internet.defer",
    "succeed": "twisted.internet.defer",
    "Failure": "twisted.python.failure",
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use; from then on it is an attribute like any other."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


class LateLogger:
    """
    A `twisted.logger.Logger` that is made when the first line is logged.

    :param namespace: names the source of its lines: the module, and the class if it is one's.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def __repr__(self) -> str:
        return f"<LateLogger {self._namespace}>"

    def __getattr__(self, name: str) -> Any:
        """Logger: its methods."""
        from twisted.logger import Logger

        method = getattr(Logger(self._namespace), name)
        setattr(self, name, method)
        return method
