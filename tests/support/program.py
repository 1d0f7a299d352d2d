"""
Programs of the examples and of the documentation, run as a reader would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE, IngressProcess


def environment(*folders: Path) -> dict[str, str]:
    """The environment in which modules of these folders can be imported, beside the checkout's."""
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, (CHECKOUT, *folders)))}


def run_trial(name: str, folder: Path) -> str:
    """
    Run the tests of a module or package in a folder.

    :return: its output.
    """
    done = subprocess.run(
        [sys.executable, "-m", "twisted.trial", name],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


def replace_text(file: Path, replacements: Mapping[str, str]) -> None:
    """
    Replace parts of a file, such as ports that may be taken.

    :raises AssertionError: if the file does not have one of them.
    """
    text = file.read_text()
    for old, new in replacements.items():
        assert old in text, f"{file} has no {old!r}"
        text = text.replace(old, new)
    file.write_text(text)


def serve_configuration(config: Path, beside: Path, *folders: Path) -> IngressProcess:
    """
    Serve a configuration as it is; its http listener accepts.

    :param beside: a folder for what the process needs beside.
    :param folders: folders to import from.
    """
    process = IngressProcess(beside)
    process.config = config
    process.environment = environment(*folders)
    process.spawn()
    process.wait_for_line(r"listen\.http on ")
    return process
