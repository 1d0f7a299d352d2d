"""
Credentials that are given as values or in files.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingress.kube.api.credentials import ClientCertificate, Identity, NoCredentials
from ingress.kube.api.fresh_files import FreshFiles, RunInThread, UnreadableFile

_TOKEN = re.compile(rb"[!-~]+")


@dataclass(frozen=True, slots=True)
class Material:
    """
    The parts of an `Identity`: each a path of a file, or the content itself.
    """

    token: Path | bytes | None = field(default=None, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password, in place of a token."""

    chain: Path | bytes | None = field(default=None, repr=False)
    key: Path | bytes | None = field(default=None, repr=False)
    """The key of the chain; given exactly if the chain is."""


class FileCredentials:
    """
    Credentials made of `material`, whose files are read again periodically.

    :param clock: for the age of what was read.
    :param run_in_thread: runs the reading.
    """

    def __init__(self, clock: Any, run_in_thread: RunInThread, material: Material) -> None:
        self._material = material
        parts = (material.token, material.chain, material.key)
        self._paths = tuple(part for part in parts if isinstance(part, Path))
        self._files = FreshFiles(clock, run_in_thread, self._paths)

    def __repr__(self) -> str:
        return f"<FileCredentials: {len(self._paths)} files>"

    async def identity(self) -> Identity:
        """
        :raises NoCredentials: if a file cannot be read, or has no token.
        """
        contents: tuple[bytes, ...] = ()
        if self._paths:
            try:
                contents = await self._files.contents()
            except UnreadableFile as error:
                raise NoCredentials(str(error)) from error
        return make_identity(self._material, dict(zip(self._paths, contents, strict=True)))

    def reject(self, identity: Identity) -> None:
        """Read the files before they are used again."""
        self._files.expire()


def make_identity(material: Material, contents: dict[Path, bytes]) -> Identity:
    """
    :param contents: the contents of the files.
    :raises NoCredentials: if a token is needed and missing.
    """

    def content(part: Path | bytes) -> bytes:
        return contents[part] if isinstance(part, Path) else part

    authorization, certificate = b"", None
    if material.token is not None:
        where = str(material.token) if isinstance(material.token, Path) else "the token"
        authorization = bearer(content(material.token), where)
    elif material.login is not None:
        authorization = b"Basic " + b64encode(":".join(material.login).encode())
    if material.chain is not None and material.key is not None:
        certificate = ClientCertificate(content(material.chain), content(material.key))
    return Identity(authorization, certificate)


def bearer(token: bytes, where: str) -> bytes:
    """
    The value of the Authorization field for a token (RFC 6750 section 2.1).

    :param where: names the source in messages.
    :raises NoCredentials: if the token is empty, or has characters that a field cannot have.
    """
    token = token.strip()
    if not token:
        raise NoCredentials(f"{where} is empty; a token is needed")
    if not _TOKEN.fullmatch(token):
        raise NoCredentials(f"{where} has no valid token: it has spaces or other characters")
    return b"Bearer " + token
