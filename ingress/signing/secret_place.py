"""
The Secret that a certificate is kept in.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec

from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.objects import OWNER_LABEL, Metadata, ObjectName, Secret
from ingress.routing.build.certificate import (
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    PairError,
    read_pair,
)
from ingress.routing.snapshot import ServerCertificate

TYPE: Final = "kubernetes.io/tls"
OWNER: Final = "txingress"
SIGNER_ANNOTATION: Final = "txingress.dev/certificate-signer"
"""Who has signed the certificate in a Secret that we have made."""


class NotOurs(IngressError):
    """The Secret was made by somebody else."""


class SecretPlace:
    """
    A Secret as it was when it was read.

    :param name: its namespace and name.
    :param document: the object as JSON values; None if there is none.
    """

    def __init__(self, name: ObjectName, document: dict[str, Any] | None) -> None:
        self.name = name
        self._document = document

    def __repr__(self) -> str:
        state = "missing" if self._document is None else "ours" if self.is_ours else "of others"
        return f"<SecretPlace {'/'.join(self.name)}, {state}>"

    def __str__(self) -> str:
        return f"Secret {'/'.join(self.name)}"

    @property
    def exists(self) -> bool:
        """Whether there is such a Secret."""
        return self._document is not None

    @property
    def is_ours(self) -> bool:
        """Whether we have made it."""
        metadata = (self._document or {}).get("metadata") or {}
        return (metadata.get("labels") or {}).get(OWNER_LABEL) == OWNER

    @property
    def pair(self) -> ServerCertificate | None:
        """The pair that is in it; None if there is none that can be used."""
        written = (self._document or {}).get("data") or {}
        try:
            data = {key: b64decode(value, validate=True) for key, value in written.items()}
            return read_pair(Secret(metadata=Metadata(name=self.name[1]), data=data))
        except (PairError, binascii.Error, TypeError):
            return None

    async def write(self, client: APIClient, chain_pem: bytes, key_pem: bytes, signer: str) -> None:
        """
        Create or replace it, if it is still as it was when it was read.

        :raises APIError: if the API server refuses; 409 if somebody was faster.
        :raises NotOurs: if it is of another type, which can never be changed.
        """
        namespace, name = self.name
        before = self._document or {}
        if before and before.get("type") != TYPE:
            raise NotOurs(
                f"Secret {namespace}/{name} has the type {before.get('type')}, which cannot be "
                f"changed to {TYPE}: remove it first"
            )
        old = before.get("metadata") or {}
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": {**(old.get("labels") or {}), OWNER_LABEL: OWNER},
            "annotations": {**(old.get("annotations") or {}), SIGNER_ANNOTATION: signer},
        }
        if "ownerReferences" in old:
            metadata["ownerReferences"] = old["ownerReferences"]
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": TYPE,
            "data": {
                CERTIFICATE_KEY: b64encode(chain_pem).decode(),
                PRIVATE_KEY_KEY: b64encode(key_pem).decode(),
            },
        }
        path = f"/api/v1/namespaces/{namespace}/secrets"
        if not before:
            await client.send("POST", path, document)
            return
        metadata["resourceVersion"] = old.get("resourceVersion", "")
        await client.send("PUT", f"{path}/{name}", document)


async def read_place(client: APIClient, name: ObjectName) -> SecretPlace:
    """
    :param name: namespace and name.
    :raises APIError: if it may not be read.
    :raises APIUnreachable: if there is no answer.
    """
    path = f"/api/v1/namespaces/{name[0]}/secrets/{name[1]}"
    try:
        document: dict[str, Any] = msgspec.json.decode(await client.get(path))
    except APIError as error:
        if error.code != 404:
            raise
        return SecretPlace(name, None)
    return SecretPlace(name, document)
