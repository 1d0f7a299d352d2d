"""
Problems as Events of the Ingresses that have them, and that an Ingress is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
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
    event_body,
    event_path,
    problem_event,
    series_body,
    served_event,
)
from ingress.kube.writing.micro_time import micro_time
from ingress.kube.writing.token_bucket import TokenBucket
from ingress.kube.writing.trouble_log import TroubleLog
from ingress.kube.writing.write_queue import Write, WriteQueue
from ingress.problem import Problem
from ingress.problem_log import ProblemLog

EVENTS_PER_SECOND: Final = 10.0
BURST: Final = 50
"""Of all Ingresses together."""

EVENTS_PER_SECOND_OF_ONE: Final = 1 / 300
BURST_OF_ONE: Final = 25
"""Of one Ingress: those of client-go."""

REFRESH_PERIOD: Final = 1800.0
"""Seconds after which a Problem that stays is said once more: half of an Event's life."""


class Series(KubeStruct, frozen=True, kw_only=True):
    count: int = 0


class WrittenEvent(KubeStruct, frozen=True, kw_only=True):
    """An Event as the server has it, as far as counting goes."""

    series: Series = Series()


class Said(NamedTuple):
    """That an Event was written."""

    times: int
    at: float
    """When, the last time."""


Topic = Problem | ObjectName
"""What is to be said: a Problem, or that the Ingress of this name is served."""


class EventWriter:
    """
    Says what is wrong with each Ingress, and that it is served, while it runs.

    Whatever was said before, by this replica or another one within an Event's life, is
    counted in that Event, and not said in a new one.

    :param problems: all of now.
    :param find: an Ingress as it is now; None if there is none of this name.
    :param instance: the name of this replica.
    :param may_write: whether we lead, at this very moment.
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
        self._said: dict[Event, Said] = {}
        self._buckets: dict[ObjectName, TokenBucket] = {}
        self._refresh: IDelayedCall | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._trouble = TroubleLog(self.log)
        self._queue: WriteQueue[Topic] = WriteQueue(
            self._prepare,
            TokenBucket(EVENTS_PER_SECOND, BURST),
            self._tell_failure,
            clock=clock,
            random=random,
        )

    def __repr__(self) -> str:
        return f"<EventWriter: {self._queue!r}>"

    def serve(self, served: Mapping[ObjectName, Ingress]) -> None:
        """
        These Ingresses are served from now on, and no others.

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
                # What was said of its predecessor is not shown with this one.
                self._queue.add_all(self._problems_of(name))

    def start(self) -> None:
        """Say what there is to say, until `stop`."""
        if self._unsubscribe is not None:
            return
        self._unsubscribe = self._problem_log.subscribe(self._problem_changed)
        self._queue.start()
        self._queue.add_all(self._problems())
        self._queue.add_all(self._served_lately())
        self._schedule_refresh()

    def stop(self) -> None:
        """Say nothing any more; requests under way are cancelled."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        self._queue.stop()
        self._trouble.forget()
        self._said.clear()
        self._buckets.clear()

    # What there is to say.

    def _problem_changed(self, problem: Problem, is_there: bool) -> None:
        if is_there and problem.kind == "Ingress":
            self._queue.add(problem)

    def _problems(self) -> Iterator[Problem]:
        return (problem for problem in self._problem_log if problem.kind == "Ingress")

    def _problems_of(self, name: ObjectName) -> Iterator[Problem]:
        return (each for each in self._problems() if (each.namespace, each.name) == name)

    def _served_lately(self) -> Iterator[ObjectName]:
        """Young Ingresses: who is new as a leader cannot know whether it was said of them."""
        oldest = self._now() - TIME_TO_LIVE
        for name, ingress in (self._served or {}).items():
            created = ingress.metadata.creation_timestamp
            if created is not None and created > oldest:
                yield name

    def _schedule_refresh(self) -> None:
        delay = REFRESH_PERIOD * (0.9 + 0.1 * self._random.random())
        self._refresh = self._clock.callLater(delay, self._say_again)

    def _say_again(self) -> None:
        """Say once more what is still so, and forget what is of no use any more."""
        now = self._clock.seconds()
        ended = now - TIME_TO_LIVE.total_seconds()
        self._said = {event: said for event, said in self._said.items() if said.at > ended}
        for name in [name for name, bucket in self._buckets.items() if bucket.is_full(now)]:
            del self._buckets[name]
        self._queue.add_all(self._problems())
        self._schedule_refresh()

    # Writing.

    def _prepare(self, topic: Topic) -> Write | None:
        if not self._may_write():
            return None
        event = self._event(topic)
        if event is None or (event in self._said and not event.is_warning):
            self._trouble.over(_doing(topic), topic)
            return None
        return self._write(topic, event)

    def _event(self, topic: Topic) -> Event | None:
        """None where there is nothing to say any more."""
        if isinstance(topic, Problem):
            is_there = topic in self._problem_log
            ingress = self._find((topic.namespace, topic.name)) if is_there else None
            return problem_event(topic, ingress.metadata.uid) if ingress is not None else None
        ingress = self._served.get(topic) if self._served is not None else None
        return served_event(ingress) if ingress is not None else None

    async def _write(self, topic: Topic, event: Event) -> None:
        # Beyond its share, an Ingress waits until things are said again.
        bucket = self._bucket(event.regarding)
        if bucket.take(self._clock.seconds()) == 0:
            try:
                times = await self._say(event)
            except IngressError:
                bucket.put_back()
                raise
            self._said[event] = Said(times, self._clock.seconds())
        self._trouble.over(_doing(topic), topic)

    async def _say(self, event: Event) -> int:
        """:return: how often it has been said now."""
        said, count = self._said.get(event), None
        if said is not None:
            count = said.times + 1
        elif await self._create(event):
            return 1
        if not event.is_warning:
            return 1  # It was said before, and once is enough.
        try:
            return await self._count(event, count)
        except APIError as error:
            if error.code != 404:
                raise
        # It was too old, and is gone.
        await self._create(event)
        return 1

    async def _create(self, event: Event) -> bool:
        """:return: False if there is one already."""
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
        Count once more what was said before.

        :param count: None where another replica said it, and did not tell us how often: a
            series that there is stays at its count, and if there is none, this is the second time.
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

    def _tell_failure(self, topic: Topic, error: IngressError) -> None:
        self._trouble.tell(_doing(topic), error, topic)


def _doing(topic: Topic) -> str:
    """Rights are given by namespace: so are the lines that tell that one is missing."""
    namespace = topic.namespace if isinstance(topic, Problem) else topic[0]
    return f"Writing Events in namespace {namespace}"
