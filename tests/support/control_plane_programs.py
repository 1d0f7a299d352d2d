"""
The programs of a Kubernetes control plane, as people who test controllers have them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from twisted.trial.unittest import SkipTest

SWITCH = "TXINGRESS_TEST_CLUSTER"
"""The variable of the environment that has the tests run which start a control plane."""

ASSETS = "KUBEBUILDER_ASSETS"
"""The variable that names the folder of the programs, as ``setup-envtest use -p env`` sets it."""

_USUAL = Path("/usr/local/kubebuilder/bin")
"""Where they are without it, for envtest as well."""

_HOWEVER = "setup-envtest has it (CONTRIBUTING.md)"


def find_program(name: str, how: str = _HOWEVER) -> str:
    """
    Find a program in the folder of ``KUBEBUILDER_ASSETS``, in its usual place, or on the path.

    :param how: where people get it, for those who lack it.
    :raises SkipTest: if it is nowhere.
    """
    folders = [os.environ.get(ASSETS, ""), str(_USUAL), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(filter(None, folders)))
    if found is None:
        raise SkipTest(f"there is no {name} here: {how}")
    return found


def why_not() -> str:
    """:return: why no control plane is started here; empty if one can be."""
    if not os.environ.get(SWITCH):
        return f"{SWITCH} is not set; make real-cluster does that"
    try:
        for name in ("etcd", "kube-apiserver"):
            find_program(name)
    except SkipTest as error:
        return str(error)
    return ""
