"""
Recorded exchanges with a real API server (tests/fixtures/kubernetes-api).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "fixtures" / "kubernetes-api"


@dataclass(frozen=True)
class Exchange:
    """
    :ivar fields: the header fields of the request.
    :ivar sent: the JSON body of the request.
    :ivar status: the status of the response.
    :ivar answer: the whole body of the response.
    """

    method: str
    path: str
    fields: dict[str, str]
    sent: Any
    status: int
    answer: bytes


@cache
def exchanges(file: str) -> dict[str, Exchange]:
    """
    :param file: the name of the file without ``.jsonl``.
    :return: its exchanges by name.
    """
    lines = FOLDER.joinpath(f"{file}.jsonl").read_text().splitlines()
    return {each["name"]: _exchange(**each) for each in map(json.loads, lines)}


def exchange(file: str, name: str) -> Exchange:
    """Read one exchange of a file."""
    return exchanges(file)[name]


def _exchange(name: str, request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    body = response.get("body")
    if body is None:
        body = "".join(part["chunk"] for part in response["chunks"])
    status = int(response["status_line"].split()[1])
    asked = (request["method"], request["path"], request["headers"], request["body"])
    return Exchange(*asked, status, body.encode())
