"""
``txingress explain URL``: why a request gets its answer.
"""

from __future__ import annotations

import argparse
import json
from typing import Final

from ingress.command.failure import FINE
from ingress.command.offline import load
from ingress.command.options import add_objects, cluster_of
from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text
from ingress.explain.asked import ask
from ingress.explain.explanation import explain

EXAMPLES: Final = """examples:
  txingress explain --config ingress.yaml https://shop.example/cart
  txingress explain shop.example/cart -X POST -H 'Origin: https://a.example' -- k8s/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("url", metavar="URL", help="the URL as a client would write it")
    parser.add_argument("-X", "--method", default="GET", help="the method; GET without it")
    parser.add_argument(
        "-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a field"
    )
    parser.add_argument(
        "--client", default="127.0.0.1", metavar="ADDRESS", help="the address of the client"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is left to chance")
    parser.add_argument("--json", action="store_true", help="the same as data")
    add_objects(parser, behind=True)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    asked = ask(arguments.url, arguments.method, tuple(arguments.header), arguments.client)
    offline = load(arguments.config, arguments.paths, cluster=cluster_of(arguments))
    explanation = explain(offline.built, asked, problems=offline.problems, seed=arguments.seed)
    if arguments.json:
        print(json.dumps(as_json(explanation), indent=2, ensure_ascii=False))
    else:
        print(as_text(explanation), end="")
    return FINE
