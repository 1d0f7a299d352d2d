"""
Make what the chart and its page have in common with other places: the table of flags that the chart
reads, of that of the process, and the table of its page of the values that do nothing.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from ingress.migration.flag_table import FLAGS

UNUSED = Path(__file__).resolve().parents[1] / "etc" / "chart" / "unused.yaml"

_LINK = re.compile(r" \(\[[^]]*\]\([^)]*\)\)")
"""A link to a page of the documentation, which a terminal does not show."""


def flag_table() -> str:
    """:return: the text of flags.yaml."""
    table = {
        name: {
            "kind": flag.kind.name.lower(),
            "default": flag.default,
            "verdict": flag.verdict.value,
            "effect": _LINK.sub("", flag.effect),
        }
        for name, flag in sorted(FLAGS.items())
    }
    head = "# The flags of ingress-nginx 1.15: what extraArgs may have. Made by `make docs`.\n"
    return head + yaml.safe_dump(table, sort_keys=False, width=1000)


def unused_values() -> Iterator[str]:
    """Make the table of docs/helm.md: a row for each value without effect."""
    yield "| value | what follows |"
    yield "| --- | --- |"
    for name, known in yaml.safe_load(UNUSED.read_text()).items():
        without = f", unless it is `{json.dumps(known['harmless'])}`" if "harmless" in known else ""
        yield f"| `{name}` | {known['reason']}{without} |"
