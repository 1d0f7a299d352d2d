"""
Events of ``events.k8s.io/v1`` about Ingresses, which ``kubectl describe`` shows.
"""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from ingress.kube.objects import Ingress, ObjectName
from ingress.problem import Problem, printable

API: Final = "events.k8s.io/v1"

REPORTING_CONTROLLER: Final = "txingress.dev/ingress"

MAX_NOTE: Final = 1024
"""Bytes that the API server accepts for a note."""

MAX_INSTANCE: Final = 128
"""Characters that it accepts for a reporting instance."""

MAX_NAME: Final = 230
"""Characters of an Ingress's name in the name of its Event, which may have 253."""

TIME_TO_LIVE: Final = timedelta(hours=1)
"""How long the API server keeps an Event after the last write, by default."""

MAX_HOSTS: Final = 10
"""Hosts that a note lists."""

_REASONS: Final = (
    (re.compile(r"metadata\.annotations"), "InvalidAnnotation"),
    (re.compile(r"spec\.tls"), "TLSProblem"),
    (re.compile(r"spec\.(.*\.backend|defaultBackend)"), "BackendProblem"),
    (re.compile(r"spec\.rules"), "RuleProblem"),
)
"""The reason of an Event, by the field that its Problem is about."""


class Event(NamedTuple):
    """One statement about one Ingress; equal values are the same Event."""

    regarding: ObjectName
    uid: str
    reason: str
    """One word, for machines."""

    note: str
    """For people; never a secret."""

    is_warning: bool

    @property
    def name(self) -> str:
        """
        The name of the Event's object, unique to this statement.

        Every replica computes the same name, so a new leader continues the count of the last
        one. For a Normal Event the note does not count: it is written once for each Ingress.
        """
        said = self.note if self.is_warning else ""
        text = "\0".join((self.uid, self.reason, said))
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{self.regarding[1][:MAX_NAME].rstrip('-.')}.{digest}"


class Notice(NamedTuple):
    """Something that has happened to an Ingress, and is not a Problem of it."""

    ingress: ObjectName
    reason: str
    """One word, for machines."""

    note: str
    """For people; never a secret."""

    is_warning: bool


def notice_event(notice: Notice, uid: str) -> Event:
    """
    :param uid: of the Ingress.
    """
    note = _bounded(notice.note)
    return Event(notice.ingress, uid, notice.reason, note, is_warning=notice.is_warning)


def problem_event(problem: Problem, uid: str) -> Event:
    """
    :param problem: of an Ingress.
    :param uid: of that Ingress.
    """
    reason = next((each for field, each in _REASONS if field.match(problem.field)), "Problem")
    parts = (problem.code, problem.field, problem.value, problem.message)
    note = ": ".join(part for part in parts if part)
    return Event((problem.namespace, problem.name), uid, reason, _bounded(note), is_warning=True)


def served_event(ingress: Ingress) -> Event:
    """The Event that says that an Ingress is served."""
    hosts = list(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host))
    shown = ", ".join(hosts[:MAX_HOSTS])
    if len(hosts) > MAX_HOSTS:
        shown += f" and {len(hosts) - MAX_HOSTS} more"
    note = f"Its rules are served for {shown or 'all hosts'}"
    return Event(ingress.key, ingress.metadata.uid, "Served", _bounded(note), is_warning=False)


def event_body(event: Event, instance: str, now: str) -> dict[str, Any]:
    """
    :param instance: the name of this replica.
    :return: the body of the request that creates it.
    """
    namespace, name = event.regarding
    return {
        "apiVersion": API,
        "kind": "Event",
        "metadata": {"name": event.name, "namespace": namespace},
        "eventTime": now,
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": instance[:MAX_INSTANCE],
        "action": "Sync",
        "reason": event.reason,
        "type": "Warning" if event.is_warning else "Normal",
        "note": event.note,
        "regarding": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "namespace": namespace,
            "name": name,
            "uid": event.uid,
        },
    }


def series_body(count: int | None, now: str) -> dict[str, Any]:
    """
    The body of the request that repeats an Event.

    :param count: the new count; None leaves it as it is.
    """
    counted = {} if count is None else {"count": count}
    return {"series": {**counted, "lastObservedTime": now}}


def event_path(namespace: str, name: str = "") -> str:
    """The path of an Event; without a name, that of all Events of a namespace."""
    path = f"/apis/{API}/namespaces/{namespace}/events"
    return f"{path}/{name}" if name else path


def _bounded(note: str) -> str:
    encoded = printable(note).encode("utf-8", "replace")
    if len(encoded) <= MAX_NOTE:
        return encoded.decode()
    return encoded[: MAX_NOTE - len("…".encode())].decode("utf-8", "ignore") + "…"
