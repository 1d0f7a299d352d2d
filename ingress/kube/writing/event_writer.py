"""
Writes Events: Warnings for the Problems of Ingresses, and that an Ingress is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from random import Random
from typing import Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.client import MERGE_PATCH, APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.objects import Ingress, KubeStruct, ObjectName
from ingress.kube.writing.answer import decode_answer
from ingress.kube.writing.event import (
    TIME_TO_LIVE,
    Event,
    Notice,
    event_body,
    event_path,
    notice_event,
    problem_event,
    series_body,
    served_event,
)
from ingress.kube.writing.lanes import Lanes
from ingress.kube.writing.micro_time import micro_time
from ingress.kube.writing.retry_log import RetryLog
from ingress.kube.writing.write_queue import Write, WriteQueue
from ingress.problem import Problem
from ingress.problem_log import ProblemLog
from ingress.token_bucket import TokenBucket

EVENTS_PER_SECOND_OF_ONE: Final = 1 / 300
BURST_OF_ONE: Final = 25
"""For one Ingress; client-go has the same limits."""

REFRESH_PERIOD: Final = 1800.0
"""Seconds after which a lasting Problem is repeated: half of an Event's life."""


HANDOVER: Final = timedelta(seconds=60)
"""
What a leader may have left unsaid at its end: a new leader says of Ingresses that are younger than
that, and of no others, that they are served. Their clocks may differ by as much.
"""


class News(IntEnum):
    """The kinds of news, the most urgent first."""

    WARNING = 0
    """A Problem that has appeared while we lead, or something else that has happened."""

    SERVED = 1
    """An Ingress is served."""

    REPEAT = 2
    """A Problem that lasts, or that an earlier leader may have reported."""


EVENTS_PER_SECOND: Final = {News.WARNING: 25.0, News.SERVED: 10.0, News.REPEAT: 10.0}
BURST: Final = 50
"""Of each kind of news, for all Ingresses together."""


class Series(KubeStruct, frozen=True, kw_only=True):
    count: int = 0


class WrittenEvent(KubeStruct, frozen=True, kw_only=True):
    """The count of an Event on the server."""

    series: Series = Series()


class WrittenBefore(NamedTuple):
    """When and how often an Event was written."""

    times: int
    at: float
    """The time of the last write."""


Topic = Problem | Notice | ObjectName
"""The subject of an Event: a Problem, a notice, or the name of an Ingress that is served."""


class EventWriter:
    """
    Writes an Event for each Problem of an Ingress, and one when it is served.

    An Event that this or another replica wrote within an Event's life is counted on, not
    written anew.

    :param problems: all current ones.
    :param find: returns the Ingress of a name; None if it does not exist.
    :param instance: the name of this replica.
    :param may_write: whether we lead, at this moment.
    :param now: the time of day.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        problems: ProblemLog,
        find: Callable[[ObjectName], Ingress | None],
        instance: str,
        may_write: Callable[[], bool],
        *,
        clock: IReactorTime,
        random: Random,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._problem_log = problems
        self._find = find
        self._instance = instance
        self._may_write = may_write
        self._clock = clock
        self._random = random
        self._now = now
        self._served: Mapping[ObjectName, Ingress] | None = None
        self._written: dict[Event, WrittenBefore] = {}
        self._buckets: dict[ObjectName, TokenBucket] = {}
        self._fresh: set[Problem] = set()
        """Problems that have appeared while we lead, and have no Event yet."""

        self._served_since = now()
        """It is not said of Ingresses that were created earlier that they are served."""

        self._refresh: IDelayedCall | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._retries = RetryLog(self.log, clock)
        self._queue: WriteQueue[Topic] = WriteQueue(
            self._prepare,
            Lanes(
                self._kind, [TokenBucket(EVENTS_PER_SECOND[kind], BURST) for kind in sorted(News)]
            ),
            self._log_failure,
            clock=clock,
            random=random,
        )

    def __repr__(self) -> str:
        return f"<EventWriter: {self._queue!r}>"

    def serve(self, served: Mapping[ObjectName, Ingress]) -> None:
        """
        Take over which Ingresses are served from now on.

        :param served: by name; never changed.
        """
        before, self._served = self._served, served
        if self._unsubscribe is None:
            return
        if before is None:
            self._queue.add_all(self._served_lately())
            return
        for name, ingress in served.items():
            known = before.get(name)
            if known is ingress:
                continue
            if known is None or known.metadata.uid != ingress.metadata.uid:
                self._queue.add(name)
            if known is not None and known.metadata.uid != ingress.metadata.uid:
                # Events of the object that it replaces are not shown for this one.
                self._queue.add_all(self._problems_again(name))

    def tell(self, notice: Notice) -> None:
        """Write an Event of something that has happened, if we write Events."""
        self._queue.add(notice)

    def start(self, led_before: datetime | None = None) -> None:
        """
        Write Events until `stop`.

        :param led_before: until when another replica did; None if none has.
        """
        if self._unsubscribe is not None:
            return
        self._served_since = self._now() - TIME_TO_LIVE
        if led_before is not None:
            self._served_since = max(self._served_since, led_before - HANDOVER)
        self._unsubscribe = self._problem_log.subscribe(self._problem_changed)
        self._queue.start()
        self._queue.add_all(self._problems())
        self._queue.add_all(self._served_lately())
        self._schedule_refresh()

    def stop(self) -> None:
        """Stop writing; requests under way are cancelled."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        self._queue.stop()
        self._fresh.clear()
        self._retries.forget()
        self._written.clear()
        self._buckets.clear()

    # What to write.

    def _problem_changed(self, problem: Problem, is_there: bool) -> None:
        if problem.kind != "Ingress":
            return
        if is_there:
            self._fresh.add(problem)
            self._queue.add(problem)
        else:
            self._fresh.discard(problem)

    def _kind(self, topic: Topic) -> News:
        if isinstance(topic, Problem):
            return News.WARNING if topic in self._fresh else News.REPEAT
        return News.WARNING if isinstance(topic, Notice) else News.SERVED

    def _problems(self) -> Iterator[Problem]:
        """All Problems of Ingresses, the newest first."""
        known = tuple(self._problem_log)
        return (problem for problem in reversed(known) if problem.kind == "Ingress")

    def _problems_again(self, name: ObjectName) -> Iterator[Problem]:
        """The Problems of an Ingress, which are new for an object of the same name."""
        for problem in self._problems():
            if (problem.namespace, problem.name) == name:
                self._fresh.add(problem)
                yield problem

    def _served_lately(self) -> Iterator[ObjectName]:
        """Ingresses that are too young for an earlier leader to have said it of them."""
        for name, ingress in (self._served or {}).items():
            created = ingress.metadata.creation_timestamp
            if created is not None and created > self._served_since:
                yield name

    def _schedule_refresh(self) -> None:
        delay = REFRESH_PERIOD * (0.9 + 0.1 * self._random.random())
        self._refresh = self._clock.callLater(delay, self._refresh_all)

    def _refresh_all(self) -> None:
        """Repeat the Problems that last, and forget what has expired."""
        now = self._clock.seconds()
        ended = now - TIME_TO_LIVE.total_seconds()
        self._written = {event: last for event, last in self._written.items() if last.at > ended}
        for name in [name for name, bucket in self._buckets.items() if bucket.is_full(now)]:
            del self._buckets[name]
        self._queue.add_all(self._problems())
        self._schedule_refresh()

    # Writing.

    def _prepare(self, topic: Topic) -> Write | None:
        if not self._may_write():
            return None
        event = self._event(topic)
        if event is None or (event in self._written and not event.is_warning):
            self._retries.succeeded(_doing(topic), topic)
            return None
        return self._write(topic, event)

    def _event(self, topic: Topic) -> Event | None:
        """None if there is nothing to write any more."""
        if isinstance(topic, Problem):
            is_there = topic in self._problem_log
            ingress = self._find((topic.namespace, topic.name)) if is_there else None
            return problem_event(topic, ingress.metadata.uid) if ingress is not None else None
        if isinstance(topic, Notice):
            ingress = self._find(topic.ingress)
            return notice_event(topic, ingress.metadata.uid) if ingress is not None else None
        ingress = self._served.get(topic) if self._served is not None else None
        return served_event(ingress) if ingress is not None else None

    async def _write(self, topic: Topic, event: Event) -> None:
        # An Ingress beyond its share waits for the next refresh.
        bucket = self._bucket(event.regarding)
        if bucket.take(self._clock.seconds()) == 0:
            try:
                times = await self._write_event(event)
            except IngressError:
                bucket.put_back()
                raise
            self._written[event] = WrittenBefore(times, self._clock.seconds())
            if isinstance(topic, Problem):
                self._fresh.discard(topic)
        self._retries.succeeded(_doing(topic), topic)

    async def _write_event(self, event: Event) -> int:
        """:return: how often it has been written by now."""
        known, count = self._written.get(event), None
        if known is not None:
            count = known.times + 1
        elif await self._create(event):
            return 1
        if not event.is_warning:
            return 1  # It was written before, and once is enough.
        try:
            return await self._count(event, count)
        except APIError as error:
            if error.code != 404:
                raise
        # It has expired.
        await self._create(event)
        return 1

    async def _create(self, event: Event) -> bool:
        """:return: False if it exists already."""
        body = event_body(event, self._instance, micro_time(self._now()))
        try:
            await self._client.send("POST", event_path(event.regarding[0]), body)
        except APIError as error:
            if error.code == 409:
                return False
            raise
        return True

    async def _count(self, event: Event, count: int | None) -> int:
        """
        Count an Event that was written before.

        :param count: the new count; None if another replica wrote it, so that the count is not
            known. Then an existing series keeps its count; without one, this is the second time.
        """
        try:
            counted = await self._patch(event, count)
        except APIError as error:
            if count is not None or error.code != 422:
                raise
            counted = 0
        if count is None and counted < 2:
            counted = await self._patch(event, 2)
        return counted

    async def _patch(self, event: Event, count: int | None) -> int:
        answer = await self._client.send(
            "PATCH",
            event_path(event.regarding[0], event.name),
            series_body(count, micro_time(self._now())),
            content_type=MERGE_PATCH,
        )
        return decode_answer(answer, WrittenEvent).series.count

    def _bucket(self, name: ObjectName) -> TokenBucket:
        found = self._buckets.get(name)
        if found is None:
            found = self._buckets[name] = TokenBucket(EVENTS_PER_SECOND_OF_ONE, BURST_OF_ONE)
        return found

    def _log_failure(self, topic: Topic, error: IngressError) -> None:
        self._retries.failed(_doing(topic), error, topic)


def _doing(topic: Topic) -> str:
    """The activity, by namespace: rights are granted by namespace too."""
    if isinstance(topic, Problem):
        namespace = topic.namespace
    else:
        namespace, _ = topic.ingress if isinstance(topic, Notice) else topic
    return f"Writing Events in namespace {namespace}"
