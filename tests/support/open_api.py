"""
The OpenAPI document of the admin listener, and what it says of answers.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "admin-api.openapi.yaml"

JSON = "application/json"


@cache
def open_api() -> Any:
    """The document."""
    return yaml.safe_load(DOCUMENT.read_text())


def json_paths() -> list[str]:
    """The paths that have JSON."""
    paths = open_api()["paths"].items()
    return [path for path, item in paths if JSON in item["get"]["responses"]["200"]["content"]]


def parameters_of(path: str) -> set[str]:
    """The names of the parameters that a path has."""
    components = open_api()["components"]["parameters"]
    written = open_api()["paths"][path]["get"].get("parameters", [])
    return {
        components[each["$ref"].rpartition("/")[2]]["name"] if "$ref" in each else each["name"]
        for each in written
    }


def mistakes_in(value: object, path: str, media_type: str = JSON) -> list[str]:
    """
    :param value: a value that the path has answered with.
    :return: a line for each place where it is not what the document says.
    """
    content = open_api()["paths"][path]["get"]["responses"]["200"]["content"]
    schema = {**content[media_type]["schema"], "components": open_api()["components"]}
    return [
        f"{path}: {error.json_path}: {error.message[:500]}"
        for error in Draft202012Validator(schema).iter_errors(value)
    ]
