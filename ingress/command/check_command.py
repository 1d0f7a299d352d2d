"""
``txingress check``: all that is wrong, or will behave differently, with a code each.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from typing import Final

from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.finding_formats import FORMATS
from ingress.command.findings import Finding, findings_of
from ingress.command.offline import Offline, load
from ingress.command.options import add_format, add_objects, cluster_of
from ingress.command.remarks import remarks_of
from ingress.problem_code import Code, Severity

EXAMPLES: Final = """examples:
  txingress check k8s/
  helm template shop | txingress check -
  txingress check k8s/ --format github --fail-on error
"""
_WORST_FIRST: Final = tuple(Severity)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, *FORMATS)
    parser.add_argument(
        "--fail-on",
        default="error,differs,ignored",
        metavar="SEVERITIES",
        help="those that make the exit status 1, with commas between them; none of error, "
        "differs, ignored and note is also accepted",
    )
    parser.add_argument(
        "--show",
        default=",".join(Severity),
        metavar="SEVERITIES",
        help="those that are listed (all of them); the summary and the exit status know all",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    offline = load(
        arguments.config, arguments.paths, cluster=cluster_of(arguments), remark=remarks_of
    )
    shown = _severities(arguments.show)
    found = findings_of(offline)
    findings = [finding for finding in found if finding.severity in shown]
    for line in FORMATS[arguments.format](findings, summary(found, offline)):
        print(line)
    failing = _severities(arguments.fail_on)
    return FOUND if any(finding.severity in failing for finding in found) else FINE


def _severities(text: str) -> frozenset[Severity]:
    """
    :param text: severities with commas between them, or ``none``.
    :raises CannotRun: if one does not exist.
    """
    if text == "none":
        return frozenset()
    try:
        return frozenset(map(Severity, text.split(",")))
    except ValueError:
        accepted = ", ".join(Severity)
        raise CannotRun(f"{text}: {accepted} are accepted, with commas, or none") from None


def summary(findings: Iterable[Finding], offline: Offline) -> dict[str, int]:
    """:return: the number of Ingresses by the worst that is found of them."""
    worst: dict[str, int] = {}
    for finding in findings:
        if finding.kind == "Ingress" and finding.code != Code.OTHER_CLASS:
            rank = _WORST_FIRST.index(finding.severity)
            worst[finding.object] = min(rank, worst.get(finding.object, rank))
    served = {f"Ingress {'/'.join(name)}" for name in offline.built.served}
    counts = Counter(_WORST_FIRST[rank] for rank in worst.values())
    total = len(served | worst.keys())
    changed = counts[Severity.ERROR] + counts[Severity.DIFFERS] + counts[Severity.IGNORED]
    return {
        "ingresses": total,
        "same": total - changed,
        "differ": counts[Severity.DIFFERS],
        "ignored": counts[Severity.IGNORED],
        "error": counts[Severity.ERROR],
    }
