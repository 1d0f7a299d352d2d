"""
A CertificateSigningRequest from its creation to the certificate.

Source of the rules: ``certificates.k8s.io/v1``, and exchanges with a real API server
(tests/fixtures/kubernetes-api/certificate-signing-request.jsonl).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ingress.errors import IngressError
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.problem import printable

PATH: Final = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
USAGES: Final = ("digital signature", "key encipherment", "server auth")

MIN_DURATION: Final = 600
"""Seconds: the least that the API server accepts for ``expirationSeconds``."""

_PAUSE: Final = 1.0
"""Seconds between two looks, at least: a server that ends each watch at once is not hurried."""

_WATCH: Final = 60
"""Seconds of a watch. What it missed, if anything, is seen by the look that follows it."""

_NAME_PREFIX: Final = "txingress-"


class SigningFailed(IngressError):
    """There is no certificate, and there will be none for this request."""


class Order(NamedTuple):
    """What is asked of a signer."""

    request_pem: bytes
    signer: str
    """The signer's name, such as ``example.com/ingress``."""

    duration: int | None = None
    """The wanted validity in seconds; None leaves it to the signer."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    """What the request is for, for whoever decides about it; shown by ``kubectl describe csr``."""


class Condition(msgspec.Struct):
    """A condition of the request."""

    type: str = ""
    status: str = "True"
    reason: str = ""
    message: str = ""


class _Metadata(msgspec.Struct):
    name: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Status(msgspec.Struct):
    certificate: bytes = b""
    conditions: list[Condition] = []


class SigningRequest(msgspec.Struct):
    """The parts of the object that are used."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def name(self) -> str:
        """The name that the API server has given it."""
        return self.metadata.name

    @property
    def is_approved(self) -> bool:
        """Whether somebody has approved it."""
        return any(each.type == "Approved" for each in self._holding)

    @property
    def end(self) -> str:
        """Why no certificate will come; empty if one may."""
        for each in self._holding:
            if each.type in ("Denied", "Failed"):
                why = ": ".join(filter(None, (each.reason, each.message)))
                return printable(f"{each.type.lower()} ({why})" if why else each.type.lower())
        return ""

    @property
    def _holding(self) -> Iterator[Condition]:
        return (each for each in self.status.conditions if each.status == "True")


async def create(client: APIClient, order: Order) -> SigningRequest:
    """
    Ask for a certificate.

    :raises APIError: if the API server refuses.
    :raises APIUnreachable: if there is no answer.
    """
    spec: dict[str, Any] = {
        "request": b64encode(order.request_pem).decode(),
        "signerName": order.signer,
        "usages": list(USAGES),
    }
    if order.duration is not None:
        spec["expirationSeconds"] = order.duration
    metadata: dict[str, Any] = {"generateName": _NAME_PREFIX}
    if order.labels:
        metadata["labels"] = dict(order.labels)
    if order.annotations:
        metadata["annotations"] = dict(order.annotations)
    document = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": metadata,
        "spec": spec,
    }
    return _read(await client.send("POST", PATH, document))


async def approve(client: APIClient, name: str, message: str) -> None:
    """
    Approve a request, as ``kubectl certificate approve`` does.

    :param message: for people who look at it later.
    """
    document: dict[str, Any] = msgspec.json.decode(await client.get(f"{PATH}/{name}"))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "TxingressApprove",
        "message": message,
        "lastUpdateTime": now,
    }
    status = document.setdefault("status", {})
    status["conditions"] = [*status.get("conditions", ()), condition]
    await client.send("PUT", f"{PATH}/{name}/approval", document)


async def remove(client: APIClient, name: str) -> None:
    """
    Remove a request.

    :raises APIError: if we may not.
    """
    await client.send("DELETE", f"{PATH}/{name}", None)


async def wait(
    client: APIClient, clock: Any, name: str, looked: Callable[[SigningRequest], None]
) -> bytes:
    """
    Wait for the certificate, however long that takes; cancelling ends it.

    :param name: of the request.
    :param looked: is called with each state of it.
    :return: the certificate with its chain, as PEM.
    :raises SigningFailed: if the request is denied, has failed or is gone.
    :raises APIError: if it may not be read.
    """
    while True:
        begun = clock.seconds()
        try:
            request = _read(await client.get(f"{PATH}/{name}"))
            looked(request)
            if request.end:
                raise SigningFailed(f"CertificateSigningRequest {name} was {request.end}")
            if request.status.certificate:
                return request.status.certificate
            await _until_it_changes(client, request)
        except APIUnreachable:
            pass  # It is asked again.
        except APIError as error:
            if error.code == 404:
                raise SigningFailed(
                    f"CertificateSigningRequest {name} is gone: somebody has removed it, or it "
                    "was too old"
                ) from None
            if error.code < 500 and error.code != 429:
                raise
        rest = begun + _PAUSE - clock.seconds()
        if rest > 0:
            await deferLater(clock, rest)


async def _until_it_changes(client: APIClient, request: SigningRequest) -> None:
    """Watch it from the state that was read; a server that does not let us is asked again."""
    changed: Deferred[None] = Deferred()

    def receive(event: bytes) -> None:
        if not changed.called:
            changed.callback(None)

    query = {
        "watch": "1",
        "fieldSelector": f"metadata.name={request.name}",
        "resourceVersion": request.metadata.resource_version,
        "timeoutSeconds": str(_WATCH),
    }
    watching = Deferred.fromCoroutine(client.watch(PATH, query, receive))

    def ended(result: object) -> None:
        if not changed.called:
            changed.callback(None)

    watching.addBoth(ended)
    try:
        await changed
    finally:
        watching.cancel()


def _read(text: bytes) -> SigningRequest:
    """
    :raises APIUnreachable: if it is no such object.
    """
    try:
        return msgspec.json.decode(text, type=SigningRequest)
    except msgspec.MsgspecError as error:
        raise APIUnreachable(f"the answer is no CertificateSigningRequest: {error}") from None
