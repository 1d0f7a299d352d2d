"""
Lists and watches without end: one kind, in one namespace or all, or one object by its name.

::

    ┌──────────► list, page by page ──────────┐
    │ 410: the history is lost                ▼
    └────────────────────────────────────── watch ◄─┐
                                               └────┘ the server's timeout: at once
                                                      broken, 429, 5xx: after a while

No answer of the server and no fault of ours ends the loop, and known objects stay until the
server says otherwise. The semantics are those of client-go's Reflector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.kube.api.errors import AnswerTooLarge, APIError, APIUnreachable
from ingress.kube.api.refusals import is_refusal
from ingress.kube.cluster.backoff import Backoff
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.follower import Follower
from ingress.kube.cluster.liveness import Liveness
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.resource import PAGE_LIMIT
from ingress.kube.cluster.wire import (
    ADDED,
    DELETED,
    MODIFIED,
    BadAnswer,
    decode_event,
    decode_head,
    decode_page,
)
from ingress.kube.slices import Slices, Stopped

PAGE_SIZE: Final = 1024 * 1024
"""
The size in bytes that the number of objects per page aims at. Finding the objects of a page
blocks the reactor for a millisecond per MiB.
"""

MIN_TIMEOUT: Final = 300
MAX_TIMEOUT: Final = 600
"""Seconds after which the server shall end a watch; random, so that not all end at once."""

SHORTEST_WATCH: Final = 1.0
"""
Seconds. A watch that ends earlier without an event has failed; after one with events, the next
watch waits for this long.
"""

LASTING: Final = 60.0
"""
Seconds. If the history is lost twice within this time, the next list is delayed: nothing costs
the server more than lists.
"""

MAX_REFUSED: Final = 600.0
"""
Seconds after which a refused list of objects that the proxy can do without is tried again, at
most: the right may be missing on purpose, and each refusal is a line of the cluster's audit log.
"""

_CHANGES: Final = frozenset((ADDED, MODIFIED, DELETED))


class Client(Protocol):
    """The part of an `APIClient` that a Reflector uses."""

    async def get(self, path: str, query: Mapping[str, str] = ...) -> bytes:
        """The body of the answer."""

    async def watch(
        self,
        path: str,
        query: Mapping[str, str],
        receive: Callable[[bytes], None],
        opened: Callable[[], None] = ...,
    ) -> None:
        """Pass on each event until the server ends the watch in order."""


@dataclass(frozen=True, slots=True)
class Access:
    """One API server, and what all its readers share."""

    client: Client
    clock: IReactorTime
    random: Random
    slices: Slices
    liveness: Liveness = field(default_factory=Liveness)


class Reflector(Follower):
    """
    Keeps a Mirror in step with the server.

    :param contact: records the state of the connection; its target is what is listed.
    """

    log = Logger()

    def __init__(self, access: Access, mirror: Mirror, contact: Contact) -> None:
        self.contact = contact
        self._access = access
        self._mirror = mirror
        self._target = contact.target
        self._backoff = Backoff(access.random)
        self._refusals = self._backoff
        if self._target.resource.is_optional:
            self._refusals = Backoff(access.random, longest=MAX_REFUSED)
        self._losses = Backoff(access.random)
        self._lost_at = float("-inf")
        self._limit = contact.target.resource.first_page
        self._version = ""
        self._has_news = False
        self._watching: Deferred[None] | None = None
        self._is_renewed = False

    def __repr__(self) -> str:
        state = "running" if self.is_running else "stopped"
        return f"<Reflector of {self._target}, {state}, at {self._version or 'no version'}>"

    @property
    def followed(self) -> str:
        """Follower."""
        return str(self._target)

    def renew_watch(self, since: float) -> None:
        """
        Give up a watch on which nothing has come since a time, and begin another one there.

        A server that was gone without a word may have taken the watch with it, although its
        connection is still open.
        """
        if self._watching is not None and self.contact.heard_at <= since:
            self._is_renewed = True
            self._watching.cancel()

    def relist(self) -> None:
        """List now, in place of what is under way."""
        self.stop()
        self.start()

    async def _run(self) -> None:
        """Follower."""
        while True:
            try:
                await self._list_until_whole()
                await self._watch_until_lost()
            except (CancelledError, Stopped):
                raise
            except Exception as error:
                self.log.failure("{target} is listed anew after a fault", target=self._target)
                # The error's text may contain part of a Secret.
                fault = f"a fault of ours while reading the answer: {type(error).__name__}"
                await self._wait_after(APIUnreachable(fault))

    # The list.

    async def _list_until_whole(self) -> None:
        while True:
            try:
                await self._list()
                return
            except AnswerTooLarge as error:
                self._limit = max(1, self._limit // 8)
                await self._wait_after(error)
            except (APIError, APIUnreachable) as error:
                # Among them 410: the server no longer has the state of which we read pages.
                await self._wait_after(error)

    async def _list(self) -> None:
        """:raises APIError, APIUnreachable: if the list has to begin anew."""
        self._access.slices.begin_cycle()
        self._mirror.begin_list()
        token = ""
        while True:
            query = self._target.query | {"limit": str(self._limit)}
            if token:
                query["continue"] = token
            text = await self._access.client.get(self._target.path, query)
            page = decode_page(text)
            self.contact.heard()
            items = page.items or ()
            await self._access.slices.run(self._mirror.take_page(items))
            self._adapt_limit(len(text), len(items))
            token = page.token
            if not token:
                break
        await self._access.slices.run(self._mirror.end_list())
        self._access.slices.end_cycle()
        self._version = page.version
        self._has_news = False
        self.contact.listed()

    def _adapt_limit(self, size: int, count: int) -> None:
        if count and size:
            self._limit = max(1, min(PAGE_LIMIT, PAGE_SIZE * count // size))

    # The watch.

    async def _watch_until_lost(self) -> None:
        """:return: when only a new list can show what has changed meanwhile."""
        while True:
            try:
                await self._watch()
            except (APIError, APIUnreachable) as error:
                self.contact.watch_failures += 1
                if _is_history_lost(error):
                    await self._wait_after_loss(error)
                    return
                await self._wait_after(error, "watch")
                if self.contact.lacks_right:
                    # With the right to list alone, lists give what they can.
                    return

    async def _wait_after_loss(self, error: APIError | APIUnreachable) -> None:
        """Do not wait the first time; then longer and longer while lists do not help."""
        now = self._access.clock.seconds()
        if now - self._lost_at >= LASTING:
            self._losses.reset()
        self._lost_at = now
        is_first = self._losses.failures == 0
        delay = self._losses.next_delay(_retry_after(error))
        if not is_first or not self._has_news:
            self.contact.failed(error, "watch")
            await deferLater(self._access.clock, delay)

    async def _watch(self) -> None:
        """Watch until the server ends the watch in order."""
        began_at, version = self._access.clock.seconds(), self._version
        timeout = self._access.random.randint(MIN_TIMEOUT, MAX_TIMEOUT)
        query = self._target.query | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(timeout),
        }
        await self._follow(query)
        if self._access.clock.seconds() - began_at < SHORTEST_WATCH:
            if self._version == version:
                raise APIUnreachable("the server ends each watch at once")
            await deferLater(self._access.clock, SHORTEST_WATCH)
        self._all_is_well()

    async def _follow(self, query: Mapping[str, str]) -> None:
        self._is_renewed = False
        watching = self._access.client.watch(self._target.path, query, self._receive, self._opened)
        self._watching = Deferred.fromCoroutine(watching)
        try:
            await self._watching
        except CancelledError:
            if not self._is_renewed:
                raise
            raise APIUnreachable("the watch was silent while the server was gone") from None
        finally:
            self._watching = None

    def _opened(self) -> None:
        """The server has accepted the watch."""
        self.contact.heard(by_watch=True)

    def _receive(self, text: bytes) -> None:
        """:raises APIError, BadAnswer: if the event ends the watch."""
        event = decode_event(text)
        head = decode_head(event.object)
        if head is None or (event.type in _CHANGES and not head.metadata.name):
            raise BadAnswer("the watch sends an object without a name")
        if event.type in _CHANGES:
            self._mirror.take_event(event.type, event.object, head)
        self._version = head.version or self._version
        self._all_is_well()

    def _all_is_well(self) -> None:
        self._has_news = True
        self._backoff.reset()
        self._refusals.reset()
        self.contact.heard(by_watch=True)

    async def _wait_after(self, error: APIError | APIUnreachable, verb: str = "list") -> None:
        self.contact.failed(error, verb)
        backoff = self._refusals if is_refusal(error) else self._backoff
        await deferLater(self._access.clock, backoff.next_delay(_retry_after(error)))


def _retry_after(error: APIError | APIUnreachable) -> float | None:
    return error.retry_after if isinstance(error, APIError) else None


def _is_history_lost(error: Exception) -> bool:
    """
    Whether the watch cannot go on from where it was: the server has forgotten that version
    (410), does not accept the request any more, or sends events that are malformed or too large.
    """
    if isinstance(error, APIError):
        return 400 <= error.code < 500 and error.code not in (401, 403, 429)
    return isinstance(error, BadAnswer | AnswerTooLarge)
