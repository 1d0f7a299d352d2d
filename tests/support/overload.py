"""
An endpoint that answers so many requests at once and lets others queue, and more load than that.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from time import perf_counter

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class QueueingEndpoint:
    """
    Answers each request after its time, in the order in which they come.

    :param capacity: requests that it works on at once.
    :param seconds: that each of them takes.
    :ivar in_progress: requests that it works on, or that wait.
    :ivar most: the highest number of these since `forget`.
    """

    def __init__(self, capacity: int, seconds: float) -> None:
        self.in_progress = self.most = 0
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Semaphore(capacity)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.in_progress += 1
                self.most = max(self.most, self.in_progress)
                try:
                    async with self._room:
                        await asyncio.sleep(self._seconds)
                finally:
                    self.in_progress -= 1
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def forget(self) -> None:
        self.most = 0

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Load:
    """
    Clients that each ask again when they have been answered, and after a pause when refused.

    :param port: of the proxy.
    :param host: of the rule.
    :ivar statuses: how many answers had each status.
    :ivar times: of the answers with 200, in seconds.
    :ivar refusal: the last answer with another status, head and body.
    """

    PAUSE = 0.1
    """Seconds; less than Retry-After says."""

    def __init__(self, port: int, host: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.refusal = b""
        self._port = port
        self._request = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode()

    def run(self, clients: int, is_enough: Callable[[Load], bool]) -> None:
        """
        :param clients: how many there are.
        :param is_enough: says whether to stop; each client has its last answer first.
        """
        asyncio.run(self._run(clients, is_enough))

    async def _run(self, clients: int, is_enough: Callable[[Load], bool]) -> None:
        await asyncio.gather(*(self._client(is_enough) for _ in range(clients)))

    async def _client(self, is_enough: Callable[[Load], bool]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while not is_enough(self):
                began = perf_counter()
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                status = int(head[9:12])
                self.statuses[status] += 1
                if status == 200:
                    self.times.append(perf_counter() - began)
                else:
                    self.refusal = head + body
                    await asyncio.sleep(self.PAUSE)
        finally:
            writer.close()
