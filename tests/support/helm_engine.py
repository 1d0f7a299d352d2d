"""
Helm's engine in a process of its own, because the runtime of Go that comes with it takes signals and
starts threads: it answers a line of JSON, such as the values and the release, with one line.

    python -m tests.support.helm_engine CHART
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python


def answer(chart: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """:return: the texts by template, or the complaint about the values."""
    if "lint" in asked:
        return {"made": helm_python.lint(asked["lint"])}
    if "set" in asked:
        return {"made": helm_python.parse_set_string(asked["set"])}
    try:
        made = chart.render(asked["values"], name=asked["name"], namespace=asked["namespace"])
    except helm_python.HelmError as error:
        return {"refused": str(error)}
    return {"made": made}


def main() -> None:
    chart = helm_python.Chart.load(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(answer(chart, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
