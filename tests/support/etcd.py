"""
What tests ask of etcd, by its gateway for JSON: ``python -m tests.support.etcd URL`` compacts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from tests.support.process import PATIENCE


def compact(url: str) -> int:
    """
    Have it forget all revisions but the last one.

    :return: the last one.
    """
    # Any key does: each answer has the revision.
    found = _ask(f"{url}/v3/kv/range", {"key": "AA=="})
    revision = int(found["header"]["revision"])
    _ask(f"{url}/v3/kv/compaction", {"revision": str(revision), "physical": True})
    return revision


def _ask(url: str, body: Mapping[str, object]) -> Any:
    sent = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(sent, timeout=PATIENCE) as answer:
        return json.load(answer)


if __name__ == "__main__":
    print(compact(sys.argv[1]))
