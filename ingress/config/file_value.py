"""
Conversions of values of the configuration that name files, as `ingress.config.value` has them.

Relative paths start at the folder of the configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

from ingress.config.section import Accept, NotAccepted
from ingress.error_pages import ErrorPages, PagesRefused, read_pages
from ingress.listen_address import AddressRefused, expand_home, parse_listen_address


def path(folder: Path) -> Accept[Path]:
    """A path; relative paths start at `folder`, and ``~`` is a home folder."""

    def accept(value: object) -> Path:
        if isinstance(value, str) and value and "\0" not in value:
            return folder / expand_home(value)
        raise NotAccepted("a path")

    return accept


STDOUT = "stdout"


def log_file(folder: Path) -> Accept[Path | None]:
    """
    Accept the path of a file that can be written or created; None for ``stdout``. A file
    of that name is ``./stdout``.
    """
    accept_path = path(folder)

    def accept(value: object) -> Path | None:
        if value == STDOUT:
            return None
        try:
            found = accept_path(value)
        except NotAccepted:
            raise NotAccepted(f"a path, or {STDOUT}") from None
        _check_writable(found)
        return found

    return accept


def _check_writable(file: Path) -> None:
    folder = file.parent
    if os.path.exists(file):
        if os.path.isdir(file) or file.is_socket():
            raise NotAccepted(f"a file that can be written; {file} is not a file")
        if not os.access(file, os.W_OK):
            raise NotAccepted(f"a writable file; {file} is not writable")
    elif not os.path.isdir(folder):
        raise NotAccepted(f"a file in an existing folder; there is no folder {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise NotAccepted(f"a file in a writable folder; {folder} is not writable")


def existing_path(folder: Path) -> Accept[Path]:
    """Accept the path of a file or folder that exists and can be read."""
    accept_path = path(folder)

    def accept(value: object) -> Path:
        found = accept_path(value)
        if not os.path.exists(found):
            raise NotAccepted(f"an existing file or folder; {found} does not exist")
        if not os.access(found, os.R_OK):
            raise NotAccepted(f"a readable file or folder; {found} is not readable")
        return found

    return accept


def error_pages(folder: Path) -> Accept[ErrorPages]:
    """Accept the path of a folder of error pages, which is read."""
    accept_path = path(folder)

    def accept(value: object) -> ErrorPages:
        try:
            return read_pages(accept_path(value))
        except PagesRefused as error:
            raise NotAccepted(str(error)) from None

    return accept


def listen_address(folder: Path) -> Accept[str]:
    """The description of an address to listen on; a port may be a number."""

    def accept(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise NotAccepted("an address such as 127.0.0.1:8080 or tcp:8080; null for none")
        try:
            parse_listen_address(value, folder)
        except AddressRefused as error:
            raise NotAccepted(str(error)) from None
        return value

    return accept
