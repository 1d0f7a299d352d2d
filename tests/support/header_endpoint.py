"""
An endpoint whose connections begin with a header of the PROXY protocol.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping

from ingress.proxy_protocol import Header, read_header
from tests.support.endpoints import RawEndpoint, read_head


class HeaderEndpoint:
    """
    Answers each request with the header that its connection began with, as JSON: ``version``,
    ``source``, ``port``, and ``number`` of the connection; ``source`` is null in a header without
    addresses.

    :param tls: what the header is followed by; None for plain text.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.headers: list[Header] = []
        self._server = RawEndpoint(self._serve)
        self.port = self._server.port

    def stop(self) -> None:
        self._server.stop()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        while (found := read_header(data)) is None:
            byte = connection.recv(1)
            if not byte:
                return
            data += byte
        self.headers.append(found)
        number = len(self.headers)
        version = "v1" if data.startswith(b"PROXY") else "v2"
        addresses = found.addresses
        told = {
            "version": version,
            "source": None if addresses is None else str(addresses.source),
            "port": None if addresses is None else addresses.destination_port,
            "number": number,
        }
        if self._tls is not None:
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._answer(secured, told)
        else:
            self._answer(connection, told)

    def _answer(self, connection: socket.socket, told: Mapping[str, object]) -> None:
        body = json.dumps(dict(told)).encode()
        while True:
            try:
                read_head(connection)
            except ConnectionError:
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
