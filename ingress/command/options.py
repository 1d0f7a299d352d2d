"""
Options that several subcommands have.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingress.command.failure import CannotRun
from ingress.command.main import BEHIND
from ingress.config import Cluster


def add_objects(parser: argparse.ArgumentParser, *, behind: bool = False) -> None:
    """
    Add the options that say what is read.

    :param behind: whether the files stand behind other arguments.
    """
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration: what it serves, as it serves it"
    )
    text = "files and folders of manifests in place of the configuration's; - is standard input"
    if behind:
        text += "; they stand behind --"
        parser.set_defaults(**{BEHIND: True})
    parser.add_argument("paths", metavar="PATH", nargs="*", help=text)
    add_cluster(parser)


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a cluster."""
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="read the objects of a cluster in place of files"
    )
    parser.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    parser.add_argument(
        "--in-cluster", action="store_true", help="the same, by the service account of this pod"
    )


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    """:param formats: the names of formats, the default first."""
    parser.add_argument("--format", choices=formats, default=formats[0], help="the form of output")


def as_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """:return: columns that are as wide as they have to be; with a line end at the end."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = ""
    for line in lines:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        text += "  ".join(cells).rstrip() + "\n"
    return text


def print_rows(rows: Sequence[Mapping[str, Any]], form: str, heads: Sequence[str]) -> None:
    """
    Print rows as a table or as JSON.

    :param rows: by column; the names of JSON.
    :param heads: the columns of the table.
    """
    if form == "json":
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    table = [[_cell(row.get(head.lower())) for head in heads] for row in rows]
    print(as_table([head.upper() for head in heads], table), end="")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def cluster_of(arguments: argparse.Namespace) -> Cluster | None:
    """
    :param arguments: with the options of `add_cluster`.
    :return: the cluster that they name; None for none.
    :raises CannotRun: if they contradict each other.
    """
    kubeconfig, context = arguments.kubeconfig, arguments.context
    if arguments.in_cluster and (kubeconfig or context):
        raise CannotRun("--in-cluster uses the service account of the pod, and no kubeconfig")
    if context and not kubeconfig:
        raise CannotRun("--context is one of --kubeconfig FILE")
    if kubeconfig:
        return Cluster(kubeconfig=Path(kubeconfig).expanduser(), context=context)
    return Cluster() if arguments.in_cluster else None
