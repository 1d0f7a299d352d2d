"""
Endpoints for the soak, all in one process: ``python -m benchmarks.soak_endpoint N``.

Prints the ports of N endpoints. Each answers ``.../small``, ``.../large`` and ``.../upload``
(with the length and the CRC-32 of what came), and echoes what comes through a
WebSocket's tunnel. A line ``down I`` on standard input ends endpoint I as the death of
its machine would: nobody listens, and every connection is reset; ``up I`` brings it
back on the same port.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import zlib

LARGE = bytes(range(256)) * 4096
"""1 MiB."""

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Endpoint:
    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._held: socket.socket | None = None
        """Bound and not listening: nobody else may have the port meanwhile."""

    async def up(self) -> None:
        if self._held is not None:
            self._held.close()
        server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=1 << 18, reuse_address=True
        )
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    def down(self) -> None:
        if self._server is not None:
            self._server.close()
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", self.port))
        for writer in self._writers:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await _answer(reader, writer):
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError):
            # It ended in the middle: no chunk has an empty size.
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; return whether there may be another."""
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    if b"\r\nupgrade: websocket\r\n" in lowered:
        writer.write(SWITCHING)
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        return False
    length, crc = await _read_body(reader, lowered)
    target = head.split(b" ", 2)[1]
    if target.endswith(b"/large"):
        body = LARGE
    elif target.endswith(b"/upload"):
        body = b"%d %d" % (length, crc)
    else:
        body = b"small"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    return True


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> tuple[int, int]:
    """:return: its length and its CRC-32."""
    if b"\r\ntransfer-encoding: chunked\r\n" not in head:
        _, found, value = head.partition(b"\r\ncontent-length: ")
        body = await reader.readexactly(int(value.split(b"\r")[0])) if found else b""
        return len(body), zlib.crc32(body)
    length = crc = 0
    while size := int(await reader.readline(), 16):
        data = await reader.readexactly(size)
        length, crc = length + size, zlib.crc32(data, crc)
        await reader.readline()
    await reader.readline()
    return length, crc


async def main(number: int) -> None:
    endpoints = [Endpoint() for _ in range(number)]
    for endpoint in endpoints:
        await endpoint.up()
    print(*(endpoint.port for endpoint in endpoints), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order, index = line.split()
        if order == "down":
            endpoints[int(index)].down()
        else:
            await endpoints[int(index)].up()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
