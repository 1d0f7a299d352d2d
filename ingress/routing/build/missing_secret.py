"""
The fault of a missing Secret, with the place where it was looked for.

Which rights are missing is a Problem of the API server; authors of Ingresses see only this fault.
"""

from __future__ import annotations

from typing import Final

from ingress.config import Config
from ingress.kube.objects import ObjectName
from ingress.problem import shown

MAX_PATH: Final = 400
"""Characters of a path that a fault shows."""


def why_missing(name: ObjectName, config: Config) -> str:
    """The fault of a missing Secret, to be put after its name."""
    if config.cluster is not None:
        return "does not exist, or this proxy may not read it"
    if config.tls.secrets is None:
        return "does not exist"
    folder = shown(str(config.tls.secrets.joinpath(*name)), MAX_PATH)
    return f"does not exist: neither the manifests nor a folder {folder} have it"
