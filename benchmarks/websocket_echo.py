"""
An echo server for WebSockets, on wsproto: ``python -m benchmarks.websocket_echo``.

Prints its port. Text is checked to be UTF-8, pings are answered, and compression is
agreed on where it is asked for, so that a test suite finds a whole implementation.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError


def answer_to(event: Event) -> Event | None:
    """What an echo says to an event."""
    if isinstance(event, Request):
        return AcceptConnection(extensions=[PerMessageDeflate()] if event.extensions else [])
    if isinstance(event, CloseConnection | Ping):
        return event.response()
    if isinstance(event, TextMessage | BytesMessage):
        return type(event)(
            event.data,
            frame_finished=event.frame_finished,
            message_finished=event.message_finished,
        )
    return None


def serve(connection: socket.socket) -> None:
    """Until the connection ends."""
    websocket = WSConnection(ConnectionType.SERVER)
    while True:
        data = connection.recv(65536)
        try:
            websocket.receive_data(data or None)
            for event in websocket.events():
                answer = answer_to(event)
                if answer is not None:
                    connection.sendall(websocket.send(answer))
                if isinstance(event, CloseConnection):
                    return
        except RemoteProtocolError as error:
            if error.event_hint is not None:
                connection.sendall(websocket.send(error.event_hint))
            return
        if not data:
            return


def serve_and_close(connection: socket.socket) -> None:
    """The write side first, so that the last thing sent is read (RFC 6455 section 7.1.1)."""
    with suppress(OSError, LocalProtocolError), connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(connection)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2)
        while connection.recv(65536):
            pass


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve_and_close, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
