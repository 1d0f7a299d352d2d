"""
``txingress explain URL``: why a request gets its answer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ingress.admin.ports import port_rows
from ingress.command.explain_port import explained_port, find_port, port_of
from ingress.command.failure import FINE
from ingress.command.live import LiveProcess, add_live, live_process
from ingress.command.offline import load
from ingress.command.options import add_objects, cluster_of
from ingress.explain.as_json import as_json
from ingress.explain.as_text import as_text
from ingress.explain.asked import ask
from ingress.explain.explanation import explain, routes_of, with_hints
from ingress.explain.places import pointers
from ingress.policy.live_state import RuleIdentity
from ingress.problem import Problem
from ingress.routing.build import Built

EXAMPLES: Final = """examples:
  txingress explain --config ingress.yaml https://shop.example/cart
  txingress explain shop.example/cart -X POST -H 'Origin: https://a.example' -- k8s/
  txingress explain https://shop.example/cart --deployment txingress --namespace ingress
  txingress explain tcp://:5432 --config ingress.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "url", metavar="URL", help="the URL as a client would write it, or tcp://:PORT"
    )
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
    add_live(parser)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    port = port_of(arguments.url)
    with live_process(arguments) as process:
        if process is not None and port is not None:
            found = [
                str(each["message"]) for each in process.rows("problems") if _is_of(each, port)
            ]
            return _show_port(arguments, process.rows("ports"), port, found)
        if process is not None:
            return _run_live(arguments, process)
    if port is not None:
        offline = load(arguments.config, arguments.paths, cluster=cluster_of(arguments))
        rows = port_rows(offline.built.snapshot)
        told = [str(each) for each in offline.problems if _is_of({"field": each.field}, port)]
        return _show_port(arguments, rows, port, told)
    asked = ask(arguments.url, arguments.method, tuple(arguments.header), arguments.client)
    rules: dict[tuple[str, str, str], RuleIdentity] = {}

    def point_at_rules(built: Built) -> Iterable[Problem]:
        """Have the lines of the rules found that the explanation will name."""
        candidates = explain(built, asked, problems=()).candidates
        found = pointers(built, routes_of(candidates))
        rules.update((_field(pointer), rule) for rule, pointer in found.items())
        return found.values()

    offline = load(
        arguments.config, arguments.paths, cluster=cluster_of(arguments), remark=point_at_rules
    )
    explanation = explain(offline.built, asked, problems=offline.problems, seed=arguments.seed)
    places = {rules[_field(pointer)]: pointer.origin for pointer in offline.remarks}
    placed = replace(explanation, places={**explanation.places, **places})
    explanation = with_hints(offline.built, placed)
    if arguments.json:
        print(json.dumps(as_json(explanation), indent=2, ensure_ascii=False))
    else:
        print(as_text(explanation), end="")
    return FINE


def _show_port(
    arguments: argparse.Namespace,
    rows: Iterable[Mapping[str, Any]],
    port: tuple[str, int],
    problems: Iterable[str],
) -> int:
    row = find_port(rows, *port)
    if arguments.json:
        value = {"port": row, "problems": list(problems)}
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        for line in explained_port(row, *port, problems):
            print(line)
    return FINE


def _is_of(problem: Mapping[str, Any], port: tuple[str, int]) -> bool:
    """Whether a Problem is that of an entry for this port."""
    protocol, number = port
    field = str(problem["field"])
    names = ("data[", f"listen.{protocol.lower()}[")
    return field.startswith(names) and field.endswith((f"[{number}]", f":{number}]"))


def _field(pointer: Problem) -> tuple[str, str, str]:
    return (pointer.namespace, pointer.name, pointer.field)


def _run_live(arguments: argparse.Namespace, process: LiveProcess) -> int:
    """Ask a running process, which knows the state of endpoints and what became of requests."""
    query = [("url", arguments.url), ("method", arguments.method), ("client", arguments.client)]
    query += [("header", field) for field in arguments.header]
    value = process.read("explain", query)
    if arguments.json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return FINE
    print(value["text"], end="")
    for line in _live_lines(value["live"]):
        print(line)
    return FINE


def _live_lines(live: Mapping[str, Any]) -> Iterator[str]:
    label = "now"
    for endpoint in live["endpoints"]:
        state = f"{endpoint['state']}, {endpoint['inFlight']} in flight"
        yield f"{label:<14}{endpoint['address']}: {state}"
        label = ""
    for limit in live["limits"]:
        used = f"{limit['used']:g} of {limit['most']} used by this client"
        yield f"{label:<14}limit {limit['limit']}: {used}"
        label = ""
    label = "lately"
    for row in live["exchanges"][:_LATELY]:
        what = f"{row['method']} {row['path']} -> {row['status']} {row['outcome']}"
        yield f"{label:<14}{row['at']} {what} ({row['seconds']:.3f} s)"
        label = ""
    if len(live["exchanges"]) > _LATELY:
        yield f"{label:<14}and {len(live['exchanges']) - _LATELY} more"


_LATELY: Final = 10
"""Exchanges that are shown."""
