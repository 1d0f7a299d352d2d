"""
The command ``txingress``, called within the process of the tests.
"""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from ingress.command.main import main


def run(*arguments: str) -> tuple[int, str, str]:
    """:return: status, output, remarks."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(arguments)
    return status, out.getvalue(), err.getvalue()
