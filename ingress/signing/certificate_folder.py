"""
The folder that a certificate is kept in.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.kube.objects import Metadata, Secret
from ingress.kube.pem_folder import read_pem
from ingress.routing.build.certificate import (
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    PairError,
    read_pair,
)
from ingress.routing.snapshot import ServerCertificate

_MARK: Final = "tls.signer"
"""A file with the signer's name: the sign that the others are ours."""


class FolderFault(IngressError):
    """The folder cannot be written."""


class CertificateFolder:
    """
    A folder with ``tls.crt`` and ``tls.key``, as ``tls.secrets`` of the configuration reads it.

    :param path: it is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"<CertificateFolder {self}>"

    def __str__(self) -> str:
        return str(self._path)

    @property
    def exists(self) -> bool:
        """Whether one of the two files is there."""
        return any((self._path / name).exists() for name in (CERTIFICATE_KEY, PRIVATE_KEY_KEY))

    @property
    def is_ours(self) -> bool:
        """Whether we have made them."""
        return (self._path / _MARK).exists()

    @property
    def pair(self) -> ServerCertificate | None:
        """The pair that is in it; None if there is none that can be used."""
        try:
            names = (CERTIFICATE_KEY, PRIVATE_KEY_KEY)
            data = {name: read_pem(f"{self._path / name}") for name in names}
            return read_pair(Secret(metadata=Metadata(name=""), data=data))
        except (PairError, OSError):
            return None

    async def write(self, client: APIClient, chain_pem: bytes, key_pem: bytes, signer: str) -> None:
        """
        Write the pair. Each file is whole at any moment, and only its owner can read the key.

        :raises FolderFault: if it cannot be written; what was there is as it was, or complete.
        """
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._replace(_MARK, f"{signer}\n".encode(), 0o644)
            self._replace(PRIVATE_KEY_KEY, key_pem, 0o600)
            self._replace(CERTIFICATE_KEY, chain_pem, 0o644)
        except OSError as error:
            raise FolderFault(f"{self._path}: {error.strerror}") from None

    def _replace(self, name: str, content: bytes, mode: int) -> None:
        # The file is made with the mode 0600, and gets others before it has its name.
        number, made = tempfile.mkstemp(prefix=f".{name}-", dir=self._path)
        try:
            with open(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(made, mode)
            os.replace(made, self._path / name)
        except BaseException:
            os.unlink(made)
            raise
