"""
Writes the addresses in the status of each Ingress, which ``kubectl get ingress`` shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from random import Random
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ingress.errors import IngressError
from ingress.kube.api.client import MERGE_PATCH, APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.ingress_status import (
    Addresses,
    IngressRecord,
    IngressStatuses,
    KnownStatus,
    status_of,
)
from ingress.kube.objects import ObjectName
from ingress.kube.writing.addresses import are_same
from ingress.kube.writing.answer import decode_answer, read_listed
from ingress.kube.writing.lanes import Lanes
from ingress.kube.writing.retry_log import RetryLog
from ingress.kube.writing.write_queue import Write, WriteQueue
from ingress.token_bucket import TokenBucket

BURST: Final = 200
"""Statuses of one urgency at once, before their rate applies."""

CONFLICTS: Final = 3
"""Attempts for an Ingress that keeps changing, before others get their turn."""

REWRITE_DELAY: Final = 60.0
"""
Seconds between two writes to the same Ingress, unless our addresses change: two controllers
that write the same status must not drive each other.
"""


def addresses_to_write(
    known: KnownStatus, ours: Addresses, *, is_served: bool, manager: str
) -> Addresses | None:
    """
    :param known: the current status.
    :param ours: the addresses at which clients reach us; empty while they are not known.
    :param manager: our name in ``managedFields``, by which we recognise what we have written.
    :return: the addresses to write; None if the status may stay as it is.
    """
    if is_served:
        return ours if ours and not are_same(known.addresses, ours) else None
    is_by_us = known.manager == manager or (
        not known.manager and bool(ours) and are_same(known.addresses, ours)
    )
    return () if known.addresses and is_by_us else None


class Urgency(IntEnum):
    """The lanes of statuses, the most urgent first."""

    FIRST = 0
    """An Ingress that is served, and has no address yet."""

    OTHER = 1
    """A change of addresses, of which there may be thousands at once."""


WRITES_PER_SECOND: Final = {Urgency.FIRST: 100.0, Urgency.OTHER: 50.0}
"""Each write is sent to all who watch Ingresses."""


class StatusWriter:
    """
    Keeps the status of all served Ingresses up to date while it runs.

    :param statuses: the current statuses, kept by the code that reads the API.
    :param addresses: gives our addresses of now.
    :param manager: our name in ``metadata.managedFields``, shared by all replicas and nobody
        else.
    :param may_write: whether we lead, at this moment.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        statuses: IngressStatuses,
        addresses: Callable[[], Addresses],
        manager: str,
        may_write: Callable[[], bool],
        *,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._client = client
        self._statuses = statuses
        self._addresses = addresses
        self._manager = manager
        self._may_write = may_write
        self._clock = clock
        self._served: Mapping[ObjectName, object] | None = None
        """None until it is known what is served: until then nothing is written."""

        self._is_clearing = False
        self._written: dict[ObjectName, float] = {}
        """When we last wrote each status."""

        self._retries = RetryLog(self.log, clock)
        self._queue: WriteQueue[ObjectName] = WriteQueue(
            self._prepare,
            Lanes(
                self._urgency,
                [TokenBucket(WRITES_PER_SECOND[each], BURST) for each in sorted(Urgency)],
            ),
            self._log_failure,
            clock=clock,
            random=random,
        )
        self._unsubscribe: Callable[[], None] | None = None
        self._replaces = False
        """Whether statuses have to be written whole, because we may not patch them."""

    def __repr__(self) -> str:
        return f"<StatusWriter: {self._queue!r}>"

    def serve(self, served: Mapping[ObjectName, object]) -> None:
        """
        Take over which Ingresses are served from now on.

        :param served: by name; never changed.
        """
        before, self._served = self._served, served
        if before is None:
            self.look_at_all()
            return
        for name in before:
            if name not in served:
                self._queue.add(name)
        for name in served:
            if name not in before:
                self._queue.add(name)

    def start(self) -> None:
        """Write every status that is out of date, until `stop`."""
        if self._unsubscribe is None:
            self._unsubscribe = self._statuses.subscribe(self._changed)
        self._queue.start()
        self.look_at_all()

    def stop(self) -> None:
        """Stop writing; requests under way are cancelled."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._queue.stop()
        self._retries.forget()
        self._written.clear()

    def look_at_all(self) -> None:
        """Check every Ingress: our addresses have changed, or have become known."""
        self._queue.add_all(self._statuses)

    def clear(self) -> Deferred[None]:
        """
        Remove our addresses from all Ingresses.

        :return: fires when that is done, or with `stop`.
        """
        self._is_clearing = True
        self.look_at_all()
        return self._queue.hurry()

    def _changed(self, name: ObjectName) -> None:
        """The status of an Ingress has changed, mostly by our own writes."""
        if self._statuses.get(name) is None:
            self._written.pop(name, None)
        elif self._to_write(name, self._statuses.get(name)) is not None:
            written = self._written.get(name)
            since = REWRITE_DELAY if written is None else self._clock.seconds() - written
            self._queue.add(name, max(0.0, REWRITE_DELAY - since))

    # Writing.

    def _urgency(self, name: ObjectName) -> Urgency:
        known = self._statuses.get(name)
        is_served = self._served is not None and name in self._served
        has_none = known is not None and not known.addresses
        return Urgency.FIRST if is_served and has_none else Urgency.OTHER

    def _to_write(self, name: ObjectName, known: KnownStatus | None) -> Addresses | None:
        if known is None or self._served is None:
            return None
        is_served = not self._is_clearing and name in self._served
        ours = self._addresses()
        return addresses_to_write(known, ours, is_served=is_served, manager=self._manager)

    def _prepare(self, name: ObjectName) -> Write | None:
        if not self._may_write():
            return None
        if self._to_write(name, self._statuses.get(name)) is None:
            self._retries.succeeded(_doing(name), name)
            return None
        return self._write(name)

    async def _write(self, name: ObjectName) -> None:
        known = self._statuses.get(name)
        tries_left = CONFLICTS
        while (addresses := self._to_write(name, known)) is not None:
            assert known is not None, "there is something to write"
            try:
                await self._put(name, known.resource_version, addresses)
                self._written[name] = self._clock.seconds()
                break
            except APIError as error:
                if error.code == 404:
                    break  # The Ingress is gone; the watch will say so.
                if error.code != 409 or not tries_left:
                    raise
            tries_left -= 1
            known = await self._read(name)
        self._retries.succeeded(_doing(name), name)

    async def _put(self, name: ObjectName, version: str, addresses: Addresses) -> None:
        """Patch the status, or replace it where that alone is allowed."""
        if self._replaces and await self._replace(name, addresses):
            return
        try:
            await self._patch(name, version, addresses)
        except APIError as error:
            if error.code != 403 or self._replaces or not await self._replace(name, addresses):
                raise
            self._replaces = True

    async def _replace(self, name: ObjectName, addresses: Addresses) -> bool:
        """
        Read the whole Ingress and write its status. That takes the rights to get Ingresses and to
        update their statuses, which the role of ingress-nginx has.

        :return: False if it is not allowed.
        """
        path = f"{_path(name[0])}/{name[1]}"
        try:
            document = decode_answer(await self._client.get(path), dict[str, Any])
            document["status"] = {"loadBalancer": {"ingress": msgspec.to_builtins(addresses)}}
            query = {"fieldManager": self._manager}
            await self._client.send("PUT", f"{path}/status", document, query=query)
        except APIError as error:
            if error.code != 403:
                raise
            return False
        return True

    async def _patch(self, name: ObjectName, version: str, addresses: Addresses) -> None:
        # In a merge patch, null removes a field.
        body: dict[str, Any] = {
            "status": {"loadBalancer": {"ingress": msgspec.to_builtins(addresses) or None}}
        }
        if version:
            body["metadata"] = {"resourceVersion": version}
        await self._client.send(
            "PATCH",
            f"{_path(name[0])}/{name[1]}/status",
            body,
            query={"fieldManager": self._manager},
            content_type=MERGE_PATCH,
        )

    async def _read(self, name: ObjectName) -> KnownStatus | None:
        record = await read_listed(self._client, _path(name[0]), name[1], IngressRecord)
        return status_of(record) if record is not None else None

    def _log_failure(self, name: ObjectName, error: IngressError) -> None:
        self._retries.failed(_doing(name), error, name)


def _path(namespace: str) -> str:
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"


def _doing(name: ObjectName) -> str:
    """The activity, by namespace: rights are granted by namespace too."""
    return f"Writing the status of Ingresses in namespace {name[0]}"
