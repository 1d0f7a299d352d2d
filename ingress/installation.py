"""
What runs here: which version, and whether its data path is compiled.

An installed proxy has extensions in place of the modules that every request comes by, where
they could be built; setup.py has the list. Either all of them are or none is.
"""

from __future__ import annotations

from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES

from ingress.exchange import exchange


def find_version() -> str:
    """That of the installed distribution; ``not installed`` in a checkout."""
    try:
        return metadata.version("txingress")
    except metadata.PackageNotFoundError:
        return "not installed"


def is_compiled(file: str = exchange.__file__) -> bool:
    """:param file: where a module of the data path was loaded from."""
    return file.endswith(tuple(EXTENSION_SUFFIXES))


def describe() -> str:
    """In a line, for the log and ``--version``."""
    kind = "compiled" if is_compiled() else "interpreted"
    return f"txingress {find_version()}, data path {kind}"
