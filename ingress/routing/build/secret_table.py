"""
The Secrets that tls entries name, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

from ingress.config import Config
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey, ObjectName, Secret
from ingress.problem import shown
from ingress.routing.build.change import Index
from ingress.routing.build.missing_secret import why_missing
from ingress.routing.build.rule_table import Move, moved_users
from ingress.routing.build.secret_pair import SecretPair, lapse, next_change
from ingress.routing.build.secret_reading import read_secret
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps


@dataclass(frozen=True, slots=True)
class SecretTable:
    """The pairs of the Secrets in use, after a build."""

    users: Index[ObjectName, ObjectKey] = field(default_factory=dict)
    """The objects that name a Secret, by the name of the Secret."""

    pairs: Mapping[ObjectName, SecretPair] = field(default_factory=dict)
    """The pair of each Secret in use; Secrets that do not exist are left out."""

    missing: Mapping[ObjectName, str] = field(default_factory=dict)
    """Why there is no pair of a Secret in use."""

    lapses: Mapping[ObjectName, str] = field(default_factory=dict)
    """Messages about certificates that are expired or not valid yet, by Secret."""

    checked_at: datetime | None = None
    next_change: datetime | None = None
    """The first time at which `lapses` may change although no object does."""

    def certificate_of(self, secret: ObjectName) -> ServerCertificate | None:
        pair = self.pairs.get(secret)
        return pair.certificate if pair is not None else None

    def fault_of(self, secret: ObjectName) -> str:
        """Return the fault of a Secret; empty if it has none."""
        pair = self.pairs.get(secret)
        named = f"Secret {shown('/'.join(secret))}"
        if pair is None:
            return f"{named} {self.missing.get(secret, 'does not exist')}"
        if pair.fault:
            served = "; the last good one is served" if pair.certificate is not None else ""
            return f"{named} has no usable certificate: {pair.fault}{served}"
        return self.lapses.get(secret, "")


class SecretUpdate:
    """
    A SecretTable while it is updated.

    :param secrets: all current Secrets.
    :param config: names the Secret of the default certificate, which is always in use.
    """

    def __init__(
        self,
        table: SecretTable,
        secrets: Mapping[ObjectName, Secret],
        config: Config,
    ) -> None:
        self._table = table
        self._secrets = secrets
        self._config = config
        self._default = config.tls.default
        self._pairs = dict(table.pairs)
        self._missing = dict(table.missing)
        self.changed: set[ObjectName] = set()
        """The Secrets in use whose pair or fault changed."""

        self.lapsed: set[ObjectName] = set()
        """The Secrets whose certificate has since begun or ended; it is served nevertheless."""

    def __repr__(self) -> str:
        return f"<SecretUpdate of {len(self._pairs)} pairs, {len(self.changed)} changed>"

    def refresh(self, names: Iterable[ObjectName]) -> Steps[None]:
        """Read again those of `names` that are in use."""
        for name in names:
            if name in self._pairs or name in self._table.users or name == self._default:
                self._read(name)
                yield

    def certificate_of(self, name: ObjectName) -> ServerCertificate | None:
        """Return the certificate of a Secret, which is read now if it was not in use before."""
        if name not in self._pairs:
            self._read(name)
        pair = self._pairs.get(name)
        return pair.certificate if pair is not None else None

    def finish(self, moves: Iterable[Move], now: datetime) -> Steps[SecretTable]:
        """
        :param now: decides which certificates are expired, or not valid yet.
        """
        table = self._table
        users, touched = yield from moved_users(table.users, moves, lambda rules: rules.secrets)
        if table.checked_at is None:
            touched |= self._pairs.keys()
        if self._default is not None:
            touched.add(self._default)
        for name in touched:
            is_used = name in users or name == self._default
            if not is_used:
                self._pairs.pop(name, None)
                self._missing.pop(name, None)
            elif name not in self._pairs:
                self._read(name)
                yield
        if table.checked_at is None or not _is_current(table, now):
            lapses, following = yield from self._lapses(self._pairs, {}, None, now)
            self.lapsed.update(
                name
                for name in lapses.keys() | table.lapses.keys()
                if lapses.get(name) != table.lapses.get(name)
            )
        else:
            kept = {name: text for name, text in table.lapses.items() if name in self._pairs}
            lapses, following = yield from self._lapses(self.changed, kept, table.next_change, now)
        return SecretTable(users, self._pairs, self._missing, lapses, now, following)

    def _read(self, name: ObjectName) -> None:
        before = self._pairs.get(name)
        secret = self._secrets.get(name)
        if secret is None:
            self._pairs.pop(name, None)
            self._missing[name] = why_missing(name, self._config)
        else:
            self._pairs[name] = read_secret(secret, before)
            self._missing.pop(name, None)
        after = self._pairs.get(name)
        if _given(before) != _given(after):
            self.changed.add(name)

    def _lapses(
        self,
        names: Iterable[ObjectName],
        lapses: dict[ObjectName, str],
        following: datetime | None,
        now: datetime,
    ) -> Steps[tuple[dict[ObjectName, str], datetime | None]]:
        for count, name in enumerate(names):
            lapses.pop(name, None)
            pair = self._pairs.get(name)
            if pair is not None and pair.certificate is not None:
                text = lapse(pair.certificate, now)
                if text:
                    lapses[name] = text
                at = next_change(pair.certificate, now)
                if at is not None and (following is None or at < following):
                    following = at
            if count % STRIDE == STRIDE - 1:
                yield
        return lapses, following


def _is_current(table: SecretTable, now: datetime) -> bool:
    """Return whether no certificate has begun or ended between the last build and `now`."""
    assert table.checked_at is not None
    is_before_change = table.next_change is None or now < table.next_change
    return table.checked_at <= now and is_before_change


def _given(pair: SecretPair | None) -> tuple[str, str] | None:
    """Return the parts of a pair that others depend on."""
    if pair is None:
        return None
    return (pair.certificate.fingerprint if pair.certificate is not None else "", pair.fault)
