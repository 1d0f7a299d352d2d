"""
Findings: the Problems of manifests as people and programs read them before they are served.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ingress.command.awaited_secrets import awaited_secret
from ingress.command.offline import Offline, place_of
from ingress.problem import Problem
from ingress.problem_code import KINDS, Code, Severity


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or will behave differently."""

    code: str
    severity: Severity
    title: str
    file: str
    line: int
    kind: str
    object: str
    """The kind with namespace and name; empty for a file."""

    field: str
    value: str
    message: str

    @classmethod
    def of(cls, problem: Problem) -> Finding:
        """Make the finding of a Problem."""
        code = problem.code or Code.OBJECT_INVALID
        kind = KINDS[code]
        name = "/".join(filter(None, (problem.namespace, problem.name)))
        return cls(
            str(code),
            kind.severity,
            kind.title,
            problem.origin.file,
            problem.origin.line,
            problem.kind,
            f"{problem.kind} {name}".strip(),
            problem.field,
            problem.value,
            problem.message,
        )

    @property
    def text(self) -> str:
        """What is wrong, with the field and its value."""
        return ": ".join(filter(None, (self.field, self.value, self.message)))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        begin = f"{place}: " if place else ""
        subject = f"{self.object}: " if self.object else ""
        return f"{begin}{self.code} {self.severity} {subject}{self.text}"

    def as_json(self) -> dict[str, Any]:
        """:return: values for JSON; file and line are None for objects of a cluster."""
        return {
            "file": self.file or None,
            "line": self.line or None,
            "code": self.code,
            "severity": str(self.severity),
            "object": self.object or None,
            "field": self.field or None,
            "value": self.value or None,
            "message": self.message,
        }


def findings_of(offline: Offline) -> list[Finding]:
    """:return: Problems and remarks, in the order of files and lines."""
    found = sorted((*offline.problems, *offline.remarks), key=place_of)
    return [_as_of_files(Finding.of(problem), problem, offline) for problem in found]


def _as_of_files(finding: Finding, problem: Problem, offline: Offline) -> Finding:
    """
    Lower the severity of what is usual in files: pods, and so endpoints, are known to a cluster
    alone, and so are Secrets that cert-manager makes. A Service that is not among the files at all
    may well be a mistake. Names outside of the cluster are not resolved here.
    """
    awaited = awaited_secret(problem, offline)
    if awaited:
        return replace(finding, severity=Severity.NOTE, message=awaited)
    if problem.code is not Code.SERVICE_WITHOUT_ENDPOINTS:
        return finding
    namespace, _, name = problem.value.strip('"').partition(":")[0].rpartition("/")
    key = (namespace or problem.namespace, name)
    service = offline.built.memo.objects.services.get(key)
    if service is None:
        return finding
    is_known = offline.config.cluster is not None and service.spec.type != "ExternalName"
    return finding if is_known else replace(finding, severity=Severity.NOTE)
