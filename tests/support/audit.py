"""
What was asked of an API server, from its audit log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
"""Have the API server log what accounts of services ask, and whether they may."""


@dataclass(frozen=True)
class Asked:
    """
    One request, in the words of roles.

    :ivar resource: with its subresource, as ``ingresses/status``; the path if there is none.
    :ivar namespace: empty for all of them, and for what has none.
    :ivar name: empty if no single object was asked for.
    """

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int

    @classmethod
    def read(cls, line: bytes) -> Asked:
        event: dict[str, Any] = json.loads(line)
        found = event.get("objectRef", {})
        resource = found.get("resource", event["requestURI"])
        if "subresource" in found:
            resource = f"{resource}/{found['subresource']}"
        return cls(
            user=event["user"]["username"],
            verb=event["verb"],
            group=found.get("apiGroup", ""),
            resource=resource,
            namespace=found.get("namespace", ""),
            name=found.get("name", ""),
            code=event.get("responseStatus", {}).get("code", 0),
        )


@dataclass(frozen=True)
class Right:
    """
    One verb of one resource that a role gives.

    :ivar namespace: empty for all of them.
    :ivar names: those that it is limited to; without any, all.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    names: tuple[str, ...] = ()

    def is_used_by(self, asked: Asked) -> bool:
        """Whether a request needed it."""
        return (
            (self.verb, self.group, self.resource) == (asked.verb, asked.group, asked.resource)
            and self.namespace in ("", asked.namespace)
            and (not self.names or asked.name in self.names)
        )


def rights_of(roles: Iterable[dict[str, Any]]) -> Iterator[Right]:
    """Each right of Roles and ClusterRoles."""
    for role in roles:
        for rule in role["rules"]:
            names = tuple(rule.get("resourceNames", ()))
            namespace = role["metadata"].get("namespace", "")
            for verb in rule["verbs"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        yield Right(verb, group, resource, namespace, names)


class AuditLog:
    """
    Requests to one API server, also of the times before it was restarted.

    :param file: to which the API server appends.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._loading: list[range] = []

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Disregard what is refused meanwhile: a server that starts has no roles yet."""
        begin = self._size
        yield
        self._loading.append(range(begin, self._size))

    @property
    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def asked(self, user: str) -> list[Asked]:
        """All requests of a user so far, in their order."""
        return [each for _, each in self._read(user)]

    def refused(self, user: str) -> list[Asked]:
        """Those to which it had no right."""
        return [
            each
            for place, each in self._read(user)
            if each.code in (401, 403) and not any(place in part for part in self._loading)
        ]

    def _read(self, user: str) -> Iterator[tuple[int, Asked]]:
        """Requests of a user, each with the place at which its line begins."""
        if not self._file.exists():
            return
        place = 0
        for line in self._file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                asked = Asked.read(line)
                if asked.user == user:
                    yield place, asked
            place += len(line)

    def unused(self, user: str, rights: Iterable[Right]) -> list[Right]:
        """The rights that none of its requests needed."""
        asked = set(self.asked(user))
        return [right for right in rights if not any(map(right.is_used_by, asked))]
