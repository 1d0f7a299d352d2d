"""
The present Problems, one row each: for ``/problems``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from ingress.admin.page import Query
from ingress.admin.paging import PAGING, Window, filtered, page_steps
from ingress.admin.snapshot_json import moment_text
from ingress.problem import Origin, Problem
from ingress.problem_code import KINDS, Code, Severity
from ingress.problem_log import Found
from ingress.steps import Steps

PARAMETERS = PAGING | {"code", "severity"}


def problem_row(problem: Problem, found: Found | None = None) -> dict[str, Any]:
    """
    :param found: what is known of it beside what it says.
    :return: the row of a Problem, as plain values; those of ``txingress check``, and the time.
    """
    code = problem.code or Code.OBJECT_INVALID
    name = "/".join(filter(None, (problem.namespace, problem.name)))
    origin: Origin = problem.origin if found is None else found.origin
    since: datetime | None = None if found is None else found.since
    return {
        "file": origin.file or None,
        "line": origin.line or None,
        "code": str(code),
        "severity": str(KINDS[code].severity),
        "object": f"{problem.kind} {name}".strip() or None,
        "field": problem.field or None,
        "value": problem.value or None,
        "message": problem.message,
        "since": moment_text(since),
    }


def problem_steps(
    problems: Iterable[Problem], found: Callable[[Problem], Found | None], query: Query
) -> Steps[dict[str, Any]]:
    """
    Make the page of Problems that a query asks for, the newest first.

    :param query: with `PARAMETERS`.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    severity = query.choice("severity", "", *map(str, Severity))
    code = query.choice("code", "", *map(str, Code))

    def fits(problem: Problem) -> bool:
        kind = problem.code or Code.OBJECT_INVALID
        return (
            (not code or kind == code)
            and (not severity or KINDS[kind].severity == severity)
            and window.contains(str(problem))
        )

    # They are in the order in which they were found.
    newest_first = reversed(list(problems))
    items = filtered(newest_first, fits)
    return page_steps("problems", window, items, lambda each: problem_row(each, found(each)))
