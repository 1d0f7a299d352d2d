"""
The Secrets for TLS towards endpoints, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingress.config import Config
from ingress.kube.objects import ObjectKey, ObjectName, Secret
from ingress.policy.backend_secret import BackendSecret
from ingress.routing.build.backend_secret import read_backend_secret
from ingress.routing.build.change import Index
from ingress.routing.build.missing_secret import why_missing
from ingress.routing.build.rule_table import Move, moved_users
from ingress.steps import Steps


@dataclass(frozen=True, slots=True)
class BackendSecretTable:
    """The content of the Secrets in use, after a build."""

    users: Index[ObjectName, ObjectKey] = field(default_factory=dict)
    """The objects that name a Secret, by the name of the Secret."""

    secrets: Mapping[ObjectName, BackendSecret] = field(default_factory=dict)
    """The content by name, with an entry also for Secrets that do not exist."""


class BackendSecretUpdate:
    """
    A BackendSecretTable while it is updated.

    :param secrets: all current Secrets.
    """

    def __init__(
        self, table: BackendSecretTable, secrets: Mapping[ObjectName, Secret], config: Config
    ) -> None:
        self._config = config
        self._table = table
        self._secrets = secrets
        self._read = dict(table.secrets)

    def __repr__(self) -> str:
        return f"<BackendSecretUpdate of {len(self._read)} Secrets>"

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
            if self.secret_of(name) != before:
                users.update(self._table.users.get(name, ()))
            yield
        return users

    def secret_of(self, name: ObjectName) -> BackendSecret:
        """Return the content of a Secret, which is read now if it was not in use before."""
        found = self._read.get(name)
        if found is None:
            secret = self._secrets.get(name)
            if secret is None:
                found = BackendSecret(fault=why_missing(name, self._config))
            else:
                found = read_backend_secret(secret)
            self._read[name] = found
        return found

    def finish(self, moves: Iterable[Move]) -> Steps[BackendSecretTable]:
        """Return the table after the moves, without Secrets that are no longer used."""
        users, _ = yield from moved_users(
            self._table.users, moves, lambda rules: rules.backend_secrets
        )
        secrets = {name: self._read[name] for name in users}
        return BackendSecretTable(users, secrets)
