"""
The fault of a Secret that does not exist, with the place where it was looked for.
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
    if config.cluster is not None or config.tls.secrets is None:
        return "does not exist"
    folder = shown(str(config.tls.secrets.joinpath(*name)), MAX_PATH)
    return f"does not exist: neither the manifests nor a folder {folder} have it"
