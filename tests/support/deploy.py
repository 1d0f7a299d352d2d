"""
The manifests of ``etc/deploy``, as they are applied.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubectl import find_kubectl
from tests.support.process import CHECKOUT, PATIENCE

Document = dict[str, Any]

DEPLOY = CHECKOUT / "etc" / "deploy"
REPLACE = CHECKOUT / "etc" / "replace-ingress-nginx"


@cache
def kustomize(folder: Path) -> list[Document]:
    """
    Build the objects that ``kubectl apply -k`` applies; cached, so they must not be changed.

    :raises SkipTest: if there is no kubectl.
    :raises AssertionError: if kubectl refuses it.
    """
    done = subprocess.run(
        [find_kubectl(), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def written(folder: Path) -> list[Document]:
    """Read the files that a kustomization lists, as they are written."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [each for name in listed for each in yaml.safe_load_all((folder / name).read_text())]


def only(documents: list[Document], kind: str) -> Document:
    """Return the only document of a kind."""
    [found] = [each for each in documents if each["kind"] == kind]
    return found
