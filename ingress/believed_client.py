"""
The client of one request, as far as the proxy believes what it is told.
"""

from __future__ import annotations

from ingress.client_session import ClientSession


class BelievedClient:
    """
    The client of a request, as described by the connection and, if the peer is trusted, by the
    request's forwarded fields.

    Requests of a connection that say the same share one of these, so it must not be changed. Only
    what is made of it alone may be kept in `memo` and `admitted`.

    :ivar address: the client's IP address; empty for a Unix socket.
    :ivar is_secure: whether the client came over TLS, here or in front of a trusted proxy.
    :ivar is_trusted: whether the peer is a trusted proxy, whose fields are passed on.
    :ivar authority: the Host field that goes upstream, unless an edit replaces it.
    :ivar forwarded: the forwarded fields that the endpoint gets, a line each, as HTTP/1.1
        writes them.
    :ivar admitted: stands for the source ranges that have let the address pass last.
    :ivar memo: what the gate of limits that was asked last has made of the address.
    :ivar port: its port; 0 if it is not known, because a trusted proxy has named the client.
    :ivar session: the TLS handshake of the connection, if that has asked for a certificate.
    """

    __slots__ = (
        "address",
        "admitted",
        "authority",
        "forwarded",
        "is_secure",
        "is_trusted",
        "memo",
        "port",
        "session",
    )

    def __init__(
        self,
        address: bytes,
        authority: bytes,
        forwarded: bytes,
        *,
        is_secure: bool,
        is_trusted: bool,
        session: ClientSession | None = None,
        port: int = 0,
    ) -> None:
        self.address = address
        self.authority = authority
        self.forwarded = forwarded
        self.is_secure = is_secure
        self.is_trusted = is_trusted
        self.session = session
        self.port = port
        self.memo: object = None
        self.admitted: object = None

    @property
    def host(self) -> bytes:
        """`authority` in lower case, without port and trailing dot: the host of redirects."""
        name, colon, port = self.authority.rpartition(b":")
        if not colon or (port and not port.isdigit()) or (b":" in name and name[-1:] != b"]"):
            name = self.authority
        return name.lower().removesuffix(b".")

    def __repr__(self) -> str:
        scheme = "https" if self.is_secure else "http"
        return f"<BelievedClient {self.address!r} {scheme} trusted={self.is_trusted}>"
