"""
From hosts to a key and a certificate, or to the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.objects import OWNER_LABEL, ObjectName
from ingress.policy.annotation import OWN_PREFIX
from ingress.problem import printable
from ingress.routing.snapshot import ServerCertificate
from ingress.signing import signing_request
from ingress.signing.key_pair import check_certificate, make_key, make_request
from ingress.signing.secret_place import OWNER
from ingress.signing.signing_request import Order, SigningFailed, SigningRequest

_MOST_HOSTS: Final = 100
"""Hosts that an annotation names; the request itself has all of them."""


class Wish(NamedTuple):
    """The certificate that somebody wants."""

    hosts: Sequence[str]
    """At least one, in lower case; wildcards as ``*.example.com``."""

    signer: str
    duration: int | None = None
    """Seconds of validity; None leaves it to the signer."""

    is_rsa: bool = False
    approves: bool = False
    """Whether the request is approved by us, too: that needs a right of its own."""

    timeout: float = 600.0
    """Seconds to wait for the certificate."""

    secret: ObjectName | None = None
    """Namespace and name of the Secret that it is for; None for a folder."""

    ingress: ObjectName | None = None
    """Namespace and name of the Ingress that asks for it; None for a person."""


class Obtained(NamedTuple):
    """A certificate that fits."""

    chain_pem: bytes
    key_pem: bytes
    certificate: ServerCertificate


Tell = Callable[[str], None]
"""Receives a sentence at each step, for people who wait."""


async def obtain(
    client: APIClient, clock: Any, wish: Wish, now: Callable[[], datetime], tell: Tell
) -> Obtained:
    """
    Make a key, have it signed, and check the result. The key leaves this process nowhere.

    A request that is denied or fails is left for people to look at. One that nobody has answered
    in time, or that is cancelled, is removed: its key is gone, so that approving it would be in
    vain.

    :param clock: for timeouts.
    :param now: gives the time with a zone.
    :raises SigningFailed: if there is no certificate.
    :raises UnfitCertificate: if there is one that cannot be used.
    :raises APIError: if we lack a right.
    :raises APIUnreachable: if the API server does not answer at the beginning.
    """
    key_pem = make_key(is_rsa=wish.is_rsa)
    request_pem = make_request(key_pem, wish.hosts)
    order = Order(request_pem, wish.signer, wish.duration, labels_of(wish), annotations_of(wish))
    name = (await signing_request.create(client, order)).name
    if wish.approves:
        tell(f"Approving CertificateSigningRequest {name}")
        hosts = ", ".join(wish.hosts)
        await signing_request.approve(client, name, f"txingress certificate for {hosts}")
    else:
        tell(
            f"CertificateSigningRequest {name} waits for approval; to give it: "
            f"kubectl certificate approve {name}"
        )
    chain_pem = await _waited(client, clock, wish, name, tell)
    return Obtained(chain_pem, key_pem, check_certificate(chain_pem, key_pem, wish.hosts, now()))


def labels_of(wish: Wish) -> dict[str, str]:
    """:return: what requests can be selected by; a label has no room for names of any length."""
    labels = {OWNER_LABEL: OWNER}
    if wish.ingress is not None:
        labels[f"{OWN_PREFIX}namespace"] = wish.ingress[0]
    return labels


def annotations_of(wish: Wish) -> dict[str, str]:
    """:return: whom and what a request is for, as far as that is known."""
    hosts = [*wish.hosts[:_MOST_HOSTS], *(["..."] if len(wish.hosts) > _MOST_HOSTS else [])]
    found = {"hosts": ",".join(hosts)}
    for key, name in (("ingress", wish.ingress), ("secret", wish.secret)):
        if name is not None:
            found[key] = "/".join(name)
    return {f"{OWN_PREFIX}{key}": value for key, value in found.items()}


async def _waited(client: APIClient, clock: Any, wish: Wish, name: str, tell: Tell) -> bytes:
    told: set[str] = set()

    def look(request: SigningRequest) -> None:
        if request.is_approved and not told:
            told.add(name)
            tell(f"It is approved, and waits for its signer {printable(wish.signer)}")

    waiting = Deferred.fromCoroutine(signing_request.wait(client, clock, name, look))
    try:
        return await waiting.addTimeout(wish.timeout, clock)
    except CancelledError:
        # Who has cancelled this waits for nothing.
        Deferred.fromCoroutine(_withdraw(client, name))
        raise
    except TimeoutError:
        missing = "was approved, but not signed" if told else "was not approved"
        try:
            await signing_request.remove(client, name)
            left = "it has been removed, because its key is gone"
        except (APIError, APIUnreachable) as error:
            left = f"it is still there ({error}), but its key is gone, so remove it"
        raise SigningFailed(
            f"CertificateSigningRequest {name} {missing} within {wish.timeout:.0f} s; {left}"
        ) from None


async def _withdraw(client: APIClient, name: str) -> None:
    # The API server removes after a day what we cannot.
    with suppress(APIError, APIUnreachable):
        await signing_request.remove(client, name)
