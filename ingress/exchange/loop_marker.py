"""
Marking of forwarded requests, so that those that keep coming back can be ended (RFC 8586).

Endpoints that are known to lead back to a listener of ours are refused (`ingress.own_addresses`).
A loop may still go through another replica, a load balancer or a foreign proxy. Every request
therefore carries a field that counts how often it has passed through this installation.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ingress.config import Config
from ingress.errors import LoopDetected
from ingress.message import Request

FIELD_NAME: Final = b"CDN-Loop"
FIELD_KEY: Final = FIELD_NAME.lower()

MAX_PASSES: Final = 4
"""
How often a request may pass through an installation. A gateway behind the proxy may call other
hosts of the proxy and pass all fields on, so that more than one pass is legitimate.
"""

_PREFIX: Final = b"txingress-"
_DIGITS: Final = 12


def make_token(config: Config, namespace: str) -> bytes:
    """
    Make the token of an installation, which is the same for all replicas and after a restart.

    It is derived from what replicas have in common: the Lease and the class's controller in a
    cluster, or else the path of the configuration. `Config.installation` takes precedence.

    :param namespace: our own namespace in a cluster, for a Lease whose namespace is not given.
    """
    if config.installation is not None:
        return _PREFIX + config.installation.encode("ascii")
    if config.cluster is not None:
        lease = config.cluster.lease
        parts = ["kubernetes", lease[0] or namespace, lease[1], config.ingress_class.controller]
    else:
        parts = ["files", str(config.path)]
    digest = sha256("\0".join(parts).encode("utf-8", "surrogateescape"))
    return _PREFIX + digest.hexdigest()[:_DIGITS].encode("ascii")


class LoopMarker:
    """
    Marks forwarded requests with the token of the installation.

    :param token: the token (`make_token`).
    """

    __slots__ = ("token",)

    def __init__(self, token: bytes = b"txingress") -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"<LoopMarker {self.token!r}>"

    def mark(self, request: Request) -> tuple[bytes, bytes]:
        """
        Make the CDN-Loop field for the endpoint: the request's own members, and one for this pass.

        :raises LoopDetected: if the request has passed through this installation too often.
        """
        values = [value for key, _, value in request.fields if key == FIELD_KEY and value]
        if not values:
            return FIELD_NAME, self.token
        written = b", ".join(values)
        if self._count(written) >= MAX_PASSES:
            raise LoopDetected(
                f"The request has passed through this proxy {MAX_PASSES} times:"
                " an endpoint leads back to it."
            )
        return FIELD_NAME, b"%b, %b" % (written, self.token)

    def _count(self, written: bytes) -> int:
        """
        Count our members. A comma in a quoted string separates, too: nobody else has a reason
        to write our token there.
        """
        names = [member.partition(b";")[0].strip(b" \t") for member in written.split(b",")]
        return names.count(self.token)
