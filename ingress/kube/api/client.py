"""
Requests to one API server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.web.http_headers import Headers

from ingress.kube.api.body import Collector, receive_body
from ingress.kube.api.connection import Connections
from ingress.kube.api.connection_fault import described_faults
from ingress.kube.api.credentials import Credentials, Identity
from ingress.kube.api.errors import APIError, APIUnreachable, api_error
from ingress.kube.api.event_splitter import EventSplitter
from ingress.kube.api.retry_after import parse_retry_after
from ingress.kube.api.server import Server
from ingress.kube.api.tls import UnusableTLS
from ingress.problem import printable

T = TypeVar("T")

ANSWER_TIMEOUT = 65.0
"""Seconds for an answer, or the head of a watch's: the API server gives up after 60 itself."""

WATCH_TIMEOUT = 3600.0
"""Seconds after which the API server ends a watch that names no time, at the latest."""

WATCH_GRACE = 30.0
"""Seconds that a watch may take longer than the server has said."""

MAX_BODY_SIZE = 64 << 20
"""Bytes of an answer: a page of a list, whose size is the caller's choice."""

MAX_ERROR_SIZE = 1 << 20
"""Bytes of an answer that is an error."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

USER_AGENT = "txingress"
NO_QUERY: Mapping[str, str] = MappingProxyType({})


class APIClient:
    """
    Requests to one API server.

    All methods raise APIError if the server answers with an error, and APIUnreachable if there
    is no complete answer. Cancelling closes the connection.

    :param clock: for timeouts.
    :param server: the server to ask.
    :param credentials: ours.
    :param connections: to the server.
    :param namespace: our own.
    :param wall_clock: in seconds since 1970.
    """

    def __init__(
        self,
        clock: Any,
        server: Server,
        credentials: Credentials,
        connections: Connections,
        *,
        namespace: str = "default",
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self.namespace = namespace
        self._clock = clock
        self._credentials = credentials
        self._connections = connections
        self._wall_clock = wall_clock
        self._running: set[Deferred[Any]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<APIClient of {self.server.url}: {len(self._running)} requests>"

    async def get(self, path: str, query: Mapping[str, str] = NO_QUERY) -> bytes:
        """
        Read an object or a list.

        :param path: of the API: ``/api/v1/services``.
        :return: the body as the server sent it, not yet parsed.
        """
        return await self._bounded(
            ANSWER_TIMEOUT, "answer", self._exchange("GET", path, query, None)
        )

    async def send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        query: Mapping[str, str] = NO_QUERY,
        content_type: str = JSON,
    ) -> bytes:
        """
        Send a change.

        :param body: is encoded as JSON; None for no body.
        :param content_type: that of a patch is `MERGE_PATCH`.
        :return: the body as the server sent it.
        """
        content = None if body is None else (msgspec.json.encode(body), content_type)
        return await self._bounded(
            ANSWER_TIMEOUT, "answer", self._exchange(method, path, query, content)
        )

    async def watch(
        self,
        path: str,
        query: Mapping[str, str],
        receive: Callable[[bytes], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Follow changes until the server ends the watch, as it does after ``timeoutSeconds``.

        :param query: ``watch=1`` is part of it.
        :param receive: gets each event, a JSON document. An exception of it ends the watch, and
            is raised here.
        :param opened: called when the server has accepted the watch.
        :raises APIUnreachable: also if the watch ends in another way, or not at all.
        """
        longest = float(query.get("timeoutSeconds", WATCH_TIMEOUT)) + WATCH_GRACE
        stream = self._stream(path, query, receive, opened)
        await self._bounded(longest, "end of the watch", stream)

    async def close(self) -> None:
        """Close all connections; requests under way raise APIUnreachable."""
        self._is_closed = True
        for running in tuple(self._running):
            running.cancel()
        await self._connections.close()

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        content: tuple[bytes, str] | None,
    ) -> bytes:
        response = await self._ask(method, path, query, content)
        collector = Collector(MAX_BODY_SIZE)
        await receive_body(response, collector.add)
        _check_type(response)
        return collector.whole()

    async def _stream(
        self,
        path: str,
        query: Mapping[str, str],
        receive: Callable[[bytes], None],
        opened: Callable[[], None],
    ) -> None:
        response = await self._bounded(
            ANSWER_TIMEOUT, "answer", self._ask("GET", path, query, None)
        )
        _check_type(response)
        opened()
        splitter = EventSplitter()

        def split(data: bytes) -> None:
            for event in splitter.feed(data):
                receive(event)

        await receive_body(response, split)
        if splitter.is_inside_event:
            raise APIUnreachable("the watch ended in the middle of an event")

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        content: tuple[bytes, str] | None,
    ) -> Any:
        """
        :return: the response, with a status of success; its body is not read yet.
        """
        # The host is not used: all connections go to our server. treq accepts no IPv6 address.
        url = "https://api-server" + quote(self.server.base_path + path, safe="/:@!$&'()*+,;=~")
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            return await self._ask_once(method, url, content)
        except APIError as error:
            if error.code != 401:
                raise
        # `_ask_once` has rejected the credentials, so this attempt uses new ones.
        return await self._ask_once(method, url, content)

    async def _ask_once(self, method: str, url: str, content: tuple[bytes, str] | None) -> Any:
        identity = await self._credentials.identity()
        headers = Headers(
            {"Host": [self.server.authority], "Accept": [JSON], "User-Agent": [USER_AGENT]}
        )
        if identity.authorization:
            headers.addRawHeader(b"Authorization", identity.authorization)
        if content is not None:
            headers.addRawHeader("Content-Type", content[1])
        http = await self._http(identity)
        response = await http.request(
            method,
            url,
            headers=headers,
            data=content[0] if content is not None else None,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        if 200 <= response.code < 300:
            return response
        error = await self._read_error(response)
        if error.code == 401:
            self._credentials.reject(identity)
            self._connections.drop_idle()
        raise error

    async def _http(self, identity: Identity) -> HTTPClient:
        try:
            return await self._connections.client(identity.certificate)
        except UnusableTLS:
            # Certificate and key may not match while they are being replaced.
            self._credentials.reject(identity)
            raise

    async def _read_error(self, response: Any) -> APIError:
        collector = Collector(MAX_ERROR_SIZE)
        await receive_body(response, collector.add)
        retry_after = parse_retry_after(response.headers, self._wall_clock)
        return api_error(response.code, collector.whole(), retry_after)

    async def _bounded(self, seconds: float, what: str, work: Coroutine[Any, Any, T]) -> T:
        """
        :param what: names the awaited thing in the message.
        :raises APIUnreachable: if it takes longer, or the connection fails.
        """
        if self._is_closed:
            work.close()
            raise APIUnreachable("the client is closed")
        running: Deferred[T] = Deferred.fromCoroutine(self._described(work))
        self._running.add(running)
        running.addTimeout(seconds, self._clock)
        try:
            return await running
        except TimeoutError:
            raise APIUnreachable(f"{self.server.url}: no {what} within {seconds:g} s") from None
        except CancelledError:
            if self._is_closed:
                raise APIUnreachable("the client is closed") from None
            raise
        finally:
            self._running.discard(running)

    async def _described(self, work: Coroutine[Any, Any, T]) -> T:
        with described_faults(self.server.url):
            return await work


def _check_type(response: Any) -> None:
    """:raises APIUnreachable: if the answer is not JSON, and so not the API's."""
    found = (response.headers.getRawHeaders("Content-Type") or [""])[-1]
    if response.length != 0 and found.partition(";")[0].strip().lower() != JSON:
        raise APIUnreachable(f"the answer is {printable(found[:80]) or 'of no type'}, not {JSON}")
