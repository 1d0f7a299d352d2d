"""
Make the table of flags that the chart reads, etc/chart/flags.yaml, of that of the process.
"""

import re

import yaml

from ingress.migration.flag_table import FLAGS

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
