"""
Users and the hashes of their passwords, as the Secrets of ``auth-secret`` have them.

A line that cannot be used lets nobody in, and harms no other line. Its fault names the line, and
nothing of what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ingress.policy.password_hash import kind_of
from ingress.policy.secret_content import SecretData, SecretFault

FILE_KEY: Final = "auth"
"""The key of a Secret whose value is a file of htpasswd."""

MAX_FAULTS: Final = 10
"""The faulty lines that are named; a Secret may have thousands."""

_NO_HASH: Final = "has no hash of an accepted kind"


class Passwords:
    """
    The hashes of passwords by user; never shown, compared by a digest.

    :param hashes: hashes that `ingress.policy.password_hash.kind_of` knows.
    """

    __slots__ = ("_by_user", "_digest", "_hashes")

    def __init__(self, hashes: Mapping[bytes, bytes]) -> None:
        self._by_user = dict(hashes)
        self._hashes = tuple(self._by_user.values())
        # No user and no hash has a line feed, and no user a colon.
        lines = b"\n".join([b"%b:%b" % pair for pair in self._by_user.items()])
        self._digest = sha256(lines).digest()

    def __repr__(self) -> str:
        return f"<Passwords of {len(self)} users>"

    def __len__(self) -> int:
        return len(self._by_user)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passwords) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Passwords, (self._by_user,)

    def of(self, user: bytes) -> bytes | None:
        """:return: the hash of a user; None if there is no such user."""
        return self._by_user.get(user)

    def decoy(self, number: int) -> bytes | None:
        """
        :param number: any number from 0.
        :return: some hash, the same one for the same number; None if there is none.
        """
        return self._hashes[number % len(self._hashes)] if self._hashes else None


class PasswordFile(NamedTuple):
    """What was read of a Secret."""

    passwords: Passwords
    faults: tuple[str, ...] = ()
    """What is wrong with it: ends of sentences that begin with the name of the Secret."""


def read_password_file(secret: SecretData) -> PasswordFile:
    """
    Read a Secret of ``auth-secret-type: auth-file``: a file of htpasswd under the key `FILE_KEY`.

    :raises SecretFault: if it has no such key.
    """
    if FILE_KEY not in secret.data:
        raise SecretFault(f"has no key {FILE_KEY}")
    return _read(_lines(secret.data[FILE_KEY]))


def read_password_map(secret: SecretData) -> PasswordFile:
    """Read a Secret of ``auth-secret-type: auth-map``: its keys are users, its values hashes."""
    return _read(
        (f"key {number} of {len(secret.data)}", key.encode("utf-8"), secret.data[key].strip())
        for number, key in enumerate(sorted(secret.data), 1)
    )


def _lines(data: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield the name of each line for faults, its user and its hash, which a comment may follow."""
    for number, line in enumerate(data.split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if line.strip() and not line.startswith(b"#"):
            user, _, rest = line.partition(b":")
            yield f"line {number}", user, rest.partition(b":")[0].rstrip()


def _read(entries: Iterable[tuple[str, bytes, bytes]]) -> PasswordFile:
    """The first entry of a user counts, as in nginx, even if it is faulty."""
    hashes: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    faults: list[str] = []
    for name, user, stored in entries:
        if user in seen:
            faults.append(f"{name} has a user of an earlier line, which counts")
        elif not user or kind_of(stored) is None:
            faults.append(f"{name} {_NO_HASH if user else 'has no user'}")
        else:
            hashes[user] = stored
        seen.add(user)
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [f"{len(faults) - MAX_FAULTS} more lines have faults"]
    if not hashes:
        faults.append("has no user that could be let in")
    return PasswordFile(Passwords(hashes), tuple(faults))
