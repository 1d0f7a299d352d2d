"""
A stand-in for the `APIClient`. A test gives its answers one by one.
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
    One request that the test has to answer.

    :ivar is_cancelled: whether the request was cancelled.
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
        """Answer with a page of a list."""
        metadata = {"resourceVersion": version, "continue": token}
        self.json({"metadata": metadata, "items": list(items)})

    def json(self, body: object) -> None:
        """Answer with an object, or with any other JSON."""
        self.done.callback(json.dumps(body).encode())

    def fail(self, error: Exception) -> None:
        """Fail the request."""
        self.done.errback(error)

    def refuse(self, code: int, reason: str = "", retry_after: float | None = None) -> None:
        """Answer with an error."""
        self.fail(APIError(code, reason, "the server says so", retry_after))

    def break_off(self) -> None:
        """Lose the connection."""
        self.fail(APIUnreachable("the connection broke"))

    # Of a watch.

    def open(self) -> None:
        """Accept the watch."""
        self.opened()

    def send(self, change: str, item: Manifest) -> None:
        """Send an event."""
        assert self.receive is not None
        try:
            self.receive(json.dumps({"type": change, "object": item}).encode())
        except Exception as error:
            # As in the client, the watch ends with the exception.
            self.done.errback(error)

    def bookmark(self, version: str) -> None:
        """Send a bookmark: nothing has changed until this version."""
        self.send("BOOKMARK", {"kind": "X", "metadata": {"resourceVersion": version}})

    def send_error(self, code: int) -> None:
        """Send an error within the watch."""
        self.send("ERROR", {"kind": "Status", "code": code, "message": "the server says so"})

    def end(self) -> None:
        """End the watch in an orderly way."""
        self.done.callback(None)


class HandAPI:
    """
    Keeps each request until the test answers it.

    :ivar asked: all requests so far, in order.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def get(self, path: str, query: Mapping[str, str] = NOTHING) -> bytes:
        """Like `APIClient.get`."""
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
        """Like `APIClient.watch`."""
        asked = Asked(path, query)
        asked.receive, asked.opened = receive, opened
        self.asked.append(asked)
        await asked.done

    def pending(self, end_of_path: str = "") -> list[Asked]:
        """List the unanswered requests whose path ends like this."""
        return [each for each in self.asked if each.is_open and each.path.endswith(end_of_path)]

    def only(self, end_of_path: str = "") -> Asked:
        """Return the only unanswered request."""
        [asked] = self.pending(end_of_path)
        return asked


def stored(manifest: Manifest, version: int = 1, namespace: str = "default") -> Manifest:
    """Return a manifest in the server's form; with an empty namespace it is cluster-scoped."""
    metadata: dict[str, object] = dict(manifest["metadata"])  # type: ignore[call-overload]
    metadata["resourceVersion"] = str(version)
    if namespace:
        metadata.setdefault("namespace", namespace)
    return {**manifest, "metadata": metadata}
