"""
What ``helm`` does in a cluster, by Helm's own library, in a process of its own: it may be in another
network, and the runtime of Go that comes with the library takes signals and starts threads.

    python -m tests.support.helm_release KUBECONFIG NAMESPACE ACTION VALUES
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.support.chart import CHART, Values
from tests.support.process import CHECKOUT, ENVIRONMENT

NAME = "txingress"
"""Of the release."""


class Helm:
    """
    :param kubeconfig: the file of a user that may do everything.
    :param namespace: of the release; it exists.
    :param prefix: a command that runs it, for example in another network namespace.
    """

    def __init__(self, kubeconfig: Path, namespace: str, prefix: Sequence[str] = ()) -> None:
        if find_spec("helm_python") is None:
            raise SkipTest("Helm's library is not here: PyPI has it as helm-python-sdk")
        module = (sys.executable, "-m", "tests.support.helm_release")
        self._command = (*prefix, *module, str(kubeconfig), namespace)

    def run(self, action: str, values: Values | None = None) -> Any:
        """
        :param action: ``install``, ``upgrade``, ``rollback``, ``uninstall`` or ``history``.
        :return: what Helm says of the release.
        :raises AssertionError: if it fails, with its words.
        """
        done = subprocess.run(
            [*self._command, action, json.dumps(values or {})],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"helm {action}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


def main(kubeconfig: str, namespace: str, action: str, values: str) -> None:
    """Do one thing, and print what comes of it as JSON."""
    import helm_python

    given = json.loads(values)
    with helm_python.Config(kubeconfig_path=kubeconfig, namespace=namespace) as config:
        made: Any
        match action:
            case "install":
                made = config.install(str(CHART), NAME, given, namespace=namespace)
            case "upgrade":
                made = config.upgrade(str(CHART), NAME, given, namespace=namespace)
            case "rollback":
                config.rollback(NAME)
                made = config.status(NAME)
            case "uninstall":
                made = config.uninstall(NAME)
            case _:
                made = config.history(NAME)
    print(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
