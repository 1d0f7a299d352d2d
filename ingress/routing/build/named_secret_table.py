"""
The Secrets that annotations name, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, NamedTuple, TypeVar, cast

from ingress.config import Config
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey, ObjectName, Secret
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.secret_content import SecretFault
from ingress.routing.build.change import Index
from ingress.routing.build.missing_secret import why_missing
from ingress.routing.build.rule_table import Move, moved_users
from ingress.steps import Steps

Content = TypeVar("Content")

Reader = Callable[[Secret], Any]
"""Makes the content of a Secret for one use of it."""


class _Fault(NamedTuple):
    """The message of a `SecretFault`, which can be compared."""

    message: str


@dataclass(frozen=True, slots=True)
class NamedSecretTable:
    """The content of the Secrets in use, after a build."""

    users: Index[ObjectName, ObjectKey] = field(default_factory=dict)
    """The objects that name a Secret, by the name of the Secret."""

    secrets: Mapping[ObjectName, Mapping[Reader, object]] = field(default_factory=dict, repr=False)
    """The contents by name and reader, with entries also for Secrets that do not exist."""


class NamedSecretUpdate:
    """
    A NamedSecretTable while it is updated.

    :param secrets: all current Secrets.
    """

    def __init__(
        self, table: NamedSecretTable, secrets: Mapping[ObjectName, Secret], config: Config
    ) -> None:
        self._config = config
        self._table = table
        self._secrets = secrets
        self._read = dict(table.secrets)

    def __repr__(self) -> str:
        return f"<NamedSecretUpdate of {len(self._read)} Secrets>"

    def refresh(self, names: Iterable[ObjectName]) -> Steps[set[ObjectKey]]:
        """
        Read again those of `names` that are in use.

        :return: the objects to read again, because the content of one of their Secrets
            changed.
        """
        users: set[ObjectKey] = set()
        for name in names:
            before = self._read.pop(name, None)
            if before is None:
                continue
            for reader, content in before.items():
                if self._content(name, reader) != content:
                    users.update(self._table.users.get(name, ()))
                yield
        return users

    def secret_of(self, name: ObjectName, read: Callable[[Secret], Content], /) -> Content:
        """As `ingress.policy.secret_content.SecretOf`."""
        content = self._content(name, read)
        if isinstance(content, _Fault):
            raise SecretFault(content.message)
        return cast(Content, content)

    def backend_secret_of(self, name: ObjectName) -> BackendSecret:
        """Return the content of a Secret for TLS towards endpoints."""
        # cryptography takes long to import, and few manifests have such Secrets.
        from ingress.routing.build.backend_secret import read_backend_secret

        try:
            return self.secret_of(name, read_backend_secret)
        except SecretFault as fault:
            return BackendSecret(fault=str(fault))

    def _content(self, name: ObjectName, reader: Reader) -> object:
        """Return the content of a Secret, which is read now if it was not in use before."""
        contents = self._read.get(name, {})
        if reader not in contents:
            self._read[name] = contents = {**contents, reader: self._read_now(name, reader)}
        return contents[reader]

    def _read_now(self, name: ObjectName, reader: Reader) -> object:
        secret = self._secrets.get(name)
        if secret is None:
            return _Fault(why_missing(name, self._config))
        try:
            return cast(object, reader(secret))
        except SecretFault as fault:
            return _Fault(str(fault))

    def finish(self, moves: Iterable[Move]) -> Steps[NamedSecretTable]:
        """Return the table after the moves, without Secrets that are no longer used."""
        users, _ = yield from moved_users(
            self._table.users, moves, lambda rules: rules.named_secrets
        )
        secrets = {name: self._read[name] for name in users}
        return NamedSecretTable(users, secrets)
