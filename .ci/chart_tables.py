"""
Make what the chart and its page have in common with other places: the table of flags that the chart
reads, of that of the process, and those of the values that do nothing, of the report of a move.
"""

import json
import re
from collections.abc import Iterator

import yaml

from ingress.migration.flag_table import FLAGS
from ingress.migration.unused_values import UNUSED

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


_UNUSED_HEAD = """\
# Values of ingress-nginx's chart that do nothing here, with what follows. values.schema.json
# accepts them, and the notes of a release have a line for each that is set, unless it is
# `harmless`: what is done anyway. docs/helm.md has the same as a table. Made by `make docs`.
"""


def unused_file() -> str:
    """:return: the text of unused.yaml."""
    table = {
        name: {
            **({} if each.harmless is None else {"harmless": each.harmless}),
            "reason": each.reason,
        }
        for name, each in UNUSED.items()
    }
    return _UNUSED_HEAD + yaml.safe_dump(table, sort_keys=False, width=1000)


def unused_values() -> Iterator[str]:
    """Make the table of docs/helm.md: a row for each value without effect."""
    yield "| value | what follows |"
    yield "| --- | --- |"
    for name, each in UNUSED.items():
        without = "" if each.harmless is None else f", unless it is `{json.dumps(each.harmless)}`"
        yield f"| `{name}` | {each.reason}{without} |"
