"""
Reads the certificate of a Secret, once for as long as the content of the Secret is the same.
"""

from __future__ import annotations

from ingress.kube.objects import Secret
from ingress.routing.build.secret_pair import (
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    PairError,
    SecretPair,
)


def read_secret(secret: Secret, previous: SecretPair | None) -> SecretPair:
    """
    :param previous: the previous pair of the Secret of this name, if any.
    :return: its pair; if the Secret turned bad, the last good one with a fault.
    """
    if previous is not None:
        if previous.secret is secret:
            return previous
        if _has_same_pair(previous.secret, secret):
            return SecretPair(secret, previous.certificate, previous.fault)
    # cryptography takes long to import, and not all manifests have Secrets.
    from ingress.routing.build.certificate import read_pair

    try:
        return SecretPair(secret, read_pair(secret))
    except PairError as error:
        last_good = previous.certificate if previous is not None else None
        return SecretPair(secret, last_good, str(error))


def _has_same_pair(one: Secret, other: Secret) -> bool:
    return all(
        one.data.get(key) == other.data.get(key) for key in (CERTIFICATE_KEY, PRIVATE_KEY_KEY)
    )
