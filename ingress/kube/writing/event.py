"""
An Event of ``events.k8s.io/v1`` about an Ingress, which ``kubectl describe`` shows.
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
"""Bytes of a note that the API server takes."""

MAX_INSTANCE: Final = 128
"""Characters of a reporting instance that it takes."""

MAX_NAME: Final = 230
"""Characters of an Ingress's name that become part of its Event's, of 253 in all."""

TIME_TO_LIVE: Final = timedelta(hours=1)
"""For which the API server keeps an Event after the last write to it, by default."""

MAX_HOSTS: Final = 10
"""Hosts that a note names."""

_REASONS: Final = (
    (re.compile(r"metadata\.annotations"), "InvalidAnnotation"),
    (re.compile(r"spec\.tls"), "TLSProblem"),
    (re.compile(r"spec\.(.*\.backend|defaultBackend)"), "BackendProblem"),
    (re.compile(r"spec\.rules"), "RuleProblem"),
)
"""The word for machines, by the field that a Problem is about."""


class Event(NamedTuple):
    """What is to be said about one Ingress; those that are equal are the same Event."""

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
        A name that this Event alone has.

        The same from each replica, so that the next leader goes on counting where
        the last one ended. What is said once about an Ingress is one Event, whatever
        the words are.
        """
        said = self.note if self.is_warning else ""
        text = "\0".join((self.uid, self.reason, said))
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{self.regarding[1][:MAX_NAME].rstrip('-.')}.{digest}"


def problem_event(problem: Problem, uid: str) -> Event:
    """
    :param problem: of an Ingress.
    :param uid: of that Ingress.
    """
    reason = next((each for field, each in _REASONS if field.match(problem.field)), "Problem")
    parts = (problem.field, problem.value, problem.message)
    note = ": ".join(part for part in parts if part)
    return Event((problem.namespace, problem.name), uid, reason, _bounded(note), is_warning=True)


def served_event(ingress: Ingress) -> Event:
    """That an Ingress is served."""
    hosts = list(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host))
    shown = ", ".join(hosts[:MAX_HOSTS])
    if len(hosts) > MAX_HOSTS:
        shown += f" and {len(hosts) - MAX_HOSTS} more"
    note = f"Its rules are served for {shown or 'all hosts'}"
    return Event(ingress.key, ingress.metadata.uid, "Served", _bounded(note), is_warning=False)


def event_body(event: Event, instance: str, now: str) -> dict[str, Any]:
    """
    :param instance: this replica.
    :return: what is sent to create it.
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
    What is sent to say it once more.

    :param count: how often it has been said by now; None to leave that as it is.
    """
    counted = {} if count is None else {"count": count}
    return {"series": {**counted, "lastObservedTime": now}}


def event_path(namespace: str, name: str = "") -> str:
    """The path of an Event; without a name, of those of a namespace."""
    path = f"/apis/{API}/namespaces/{namespace}/events"
    return f"{path}/{name}" if name else path


def _bounded(note: str) -> str:
    encoded = printable(note).encode("utf-8", "replace")
    if len(encoded) <= MAX_NOTE:
        return encoded.decode()
    return encoded[: MAX_NOTE - len("…".encode())].decode("utf-8", "ignore") + "…"
