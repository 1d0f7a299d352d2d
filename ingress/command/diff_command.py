"""
``txingress diff``: what changes for whom between two sets of manifests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Final

from ingress.command.bounded_input import STANDARD_INPUT
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.offline import Offline, load, load_change
from ingress.command.options import add_cluster, add_format, cluster_of
from ingress.explain.differences import Difference, find_differences

EXAMPLES: Final = """examples:
  txingress diff released/ k8s/
  helm template shop | txingress diff k8s/ - --format markdown
  txingress diff --config ingress.yaml old/ new/ --fail-on access
  txingress diff --kubeconfig ~/.kube/config k8s/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("--config", metavar="FILE", help="the configuration, but for its objects")
    parser.add_argument(
        "paths",
        metavar="OLD NEW",
        nargs="+",
        help="files or folders of manifests, or - for standard input; with a cluster, the one that "
        "is applied to it",
    )
    add_cluster(parser)
    add_format(parser, "text", "json", "markdown")
    parser.add_argument(
        "--fail-on",
        choices=("any", "access", "none"),
        default="any",
        help="what makes the exit status 1: any difference, or only those that may open access",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    old, new = _load_both(arguments)
    found = find_differences(old.built, new.built)
    write = {"text": _as_text, "json": _as_json, "markdown": _as_markdown}[arguments.format]
    for line in write(found):
        print(line)
    failing = {
        "any": bool(found),
        "access": any(difference.opens for difference in found),
        "none": False,
    }
    return FOUND if failing[arguments.fail_on] else FINE


def _load_both(arguments: argparse.Namespace) -> tuple[Offline, Offline]:
    """
    :raises CannotRun: if the arguments name no two sets, or one cannot be read.
    """
    paths, cluster = arguments.paths, cluster_of(arguments)
    if cluster is not None:
        if len(paths) != 1:
            raise CannotRun("beside a cluster, name the one file or folder that is applied to it")
        return load_change(arguments.config, paths[0], cluster)
    if len(paths) != 2:
        raise CannotRun("name two files or folders, the old and the new")
    if paths[0] == paths[1] == STANDARD_INPUT:
        raise CannotRun("standard input can be only one of the two")
    old, new = (load(arguments.config, [path]) for path in paths)
    return old, new


def _summary(found: Sequence[Difference]) -> str:
    if not found:
        return "Nothing changes for clients."
    opened = sum(difference.opens for difference in found)
    return f"Differences: {len(found)}, of which {opened} may open access."


def _as_text(found: Sequence[Difference]) -> Iterator[str]:
    for difference in found:
        mark = "! " if difference.opens else "  "
        first, *others = difference.changes
        yield f"{mark}{difference.subject}: {first}"
        for change in others:
            yield f"      {change}"
    yield _summary(found)


def _as_json(found: Sequence[Difference]) -> Iterator[str]:
    content = {
        "differences": [difference.as_json() for difference in found],
        "opens": any(difference.opens for difference in found),
    }
    yield json.dumps(content, indent=2, ensure_ascii=False)


def _as_markdown(found: Sequence[Difference]) -> Iterator[str]:
    """A table for a comment on a pull request."""
    yield f"**{_summary(found)}**"
    if found:
        yield ""
        yield "| what | change |"
        yield "| --- | --- |"
    for difference in found:
        mark = "⚠ access: " if difference.opens else ""
        changes = "<br>".join(map(_cell, difference.changes))
        yield f"| {mark}{_cell(difference.subject)} | {changes} |"


def _cell(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return escaped.replace("](", "]\\(")  # No value makes a link or shows an image.
