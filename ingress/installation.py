"""
The installation: its version, whether its data path is compiled, and its documentation.

An installed proxy has extensions in place of the modules on the path of every request, if
they could be built; setup.py has the list. Either all of them are compiled or none is.
"""

from __future__ import annotations

from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from ingress.exchange import exchange


def find_version() -> str:
    """The version of the installed distribution; ``not installed`` in a checkout."""
    try:
        return metadata.version("txingress")
    except metadata.PackageNotFoundError:
        return "not installed"


def is_compiled(file: str = exchange.__file__) -> bool:
    """
    Whether the data path is compiled.

    :param file: the file that a module of the data path was loaded from.
    """
    return file.endswith(tuple(EXTENSION_SUFFIXES))


def describe() -> str:
    """Describe the installation in one line, for the log and ``--version``."""
    kind = "compiled" if is_compiled() else "interpreted"
    return f"txingress {find_version()}, data path {kind}"


_DOCUMENTED_CONFIGURATION = "ingress.yaml"


def find_documented_configuration() -> str:
    """The path of the file that documents every key of the configuration."""
    in_checkout = Path(__file__).parent.parent / "etc" / _DOCUMENTED_CONFIGURATION
    if in_checkout.exists():
        return str(in_checkout)
    try:
        files = metadata.files("txingress") or ()
    except metadata.PackageNotFoundError:
        files = ()
    found = (file.locate() for file in files if file.name == _DOCUMENTED_CONFIGURATION)
    return next((str(Path(path).resolve()) for path in found), "etc/ingress.yaml")
