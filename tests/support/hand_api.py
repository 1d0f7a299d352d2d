"""
A stand-in for the `APIClient`, whose answers a test gives one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from ingress.kube.api.errors import APIError, APIUnreachable
from tests.support.manifest import Manifest

NOTHING: Mapping[str, str] = {}


class Asked:
    """
    One request, until the test has answered it.

    :ivar is_cancelled: whether whoever asked has given up.
    """

    def __init__(self, path: str, query: Mapping[str, str]) -> None:
        self.path = path
        self.query = dict(query)
        self.is_cancelled = False
        self.done: Deferred[Any] = Deferred(self._cancel)
        self.receive: Callable[[bytes], None] | None = None
        self.opened: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Asked {'watch' if self.is_watch else 'get'} {self.path} {self.query}>"

    def _cancel(self, _: object) -> None:
        self.is_cancelled = True

    @property
    def is_watch(self) -> bool:
        return self.receive is not None

    @property
    def is_open(self) -> bool:
        return not self.done.called and not self.is_cancelled

    # Answers.

    def page(self, items: Iterable[Manifest], version: str = "1", token: str = "") -> None:
        """A page of a list."""
        metadata = {"resourceVersion": version, "continue": token}
        self.json({"metadata": metadata, "items": list(items)})

    def json(self, body: object) -> None:
        """An object, or whatever else."""
        self.done.callback(json.dumps(body).encode())

    def fail(self, error: Exception) -> None:
        """No answer, or one that is an error."""
        self.done.errback(error)

    def refuse(self, code: int, reason: str = "", retry_after: float | None = None) -> None:
        """An answer that is an error."""
        self.fail(APIError(code, reason, "the server says so", retry_after))

    def break_off(self) -> None:
        """The connection is lost."""
        self.fail(APIUnreachable("the connection broke"))

    # Of a watch.

    def open(self) -> None:
        """The server accepts the watch."""
        self.opened()

    def send(self, change: str, item: Manifest) -> None:
        """An event."""
        assert self.receive is not None
        try:
            self.receive(json.dumps({"type": change, "object": item}).encode())
        except Exception as error:
            # As the client does: the watch ends with what was raised.
            self.done.errback(error)

    def bookmark(self, version: str) -> None:
        """Nothing has changed until this version."""
        self.send("BOOKMARK", {"kind": "X", "metadata": {"resourceVersion": version}})

    def send_error(self, code: int) -> None:
        """The server says within the watch that something is wrong."""
        self.send("ERROR", {"kind": "Status", "code": code, "message": "the server says so"})

    def end(self) -> None:
        """The server ends the watch in order."""
        self.done.callback(None)


class HandAPI:
    """
    Keeps each request until the test answers it.

    :ivar asked: all requests so far, in their order.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def get(self, path: str, query: Mapping[str, str] = NOTHING) -> bytes:
        """As `APIClient.get`."""
        asked = Asked(path, query)
        self.asked.append(asked)
        body: bytes = await asked.done
        return body

    async def watch(
        self,
        path: str,
        query: Mapping[str, str],
        receive: Callable[[bytes], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """As `APIClient.watch`."""
        asked = Asked(path, query)
        asked.receive, asked.opened = receive, opened
        self.asked.append(asked)
        await asked.done

    def pending(self, end_of_path: str = "") -> list[Asked]:
        """The requests that are not answered yet, of those whose path ends so."""
        return [each for each in self.asked if each.is_open and each.path.endswith(end_of_path)]

    def only(self, end_of_path: str = "") -> Asked:
        """The one that is not answered yet."""
        [asked] = self.pending(end_of_path)
        return asked


def stored(manifest: Manifest, version: int = 1, namespace: str = "default") -> Manifest:
    """A manifest as the server has it; with an empty namespace it is cluster-scoped."""
    metadata: dict[str, object] = dict(manifest["metadata"])  # type: ignore[call-overload]
    metadata["resourceVersion"] = str(version)
    if namespace:
        metadata.setdefault("namespace", namespace)
    return {**manifest, "metadata": metadata}
