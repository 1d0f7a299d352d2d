"""
``txingress config --defaults``: the documented defaults of the configuration.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ingress.command.failure import FINE, CannotRun
from ingress.installation import find_documented_configuration

EXAMPLES: Final = "example:\n  txingress config --defaults > ingress.yaml\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "--defaults", action="store_true", help="print each key with its default (the only form)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    file = Path(find_documented_configuration())
    try:
        print(file.read_text(), end="")
    except OSError as error:
        raise CannotRun(f"{file}: {error.strerror}; it is a part of the wheel") from None
    return FINE
