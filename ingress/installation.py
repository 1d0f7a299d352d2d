"""
The version of this installation, and whether its data path is compiled.

If they could be built, an installed proxy has extensions in place of the modules on the path
of every request, which setup.py lists. Either all of them are compiled or none is.
"""

from __future__ import annotations

from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES

from ingress.exchange import exchange


def find_version() -> str:
    """Return the version of the installed distribution; ``not installed`` in a checkout."""
    try:
        return metadata.version("txingress")
    except metadata.PackageNotFoundError:
        return "not installed"


def is_compiled(file: str = exchange.__file__) -> bool:
    """:param file: the file from which a module of the data path was loaded."""
    return file.endswith(tuple(EXTENSION_SUFFIXES))


def describe() -> str:
    """Describe the installation in one line, for the log and ``--version``."""
    kind = "compiled" if is_compiled() else "interpreted"
    return f"txingress {find_version()}, data path {kind}"
