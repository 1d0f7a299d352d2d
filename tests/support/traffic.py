"""
Continuous requests, and their results.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.support.client import HTTPClient
from tests.support.process import wait_until

PAUSE = 0.005
"""Seconds between two requests: often enough to hit every moment, with time for others."""


class Traffic:
    """
    Sends requests again and again, on one connection as long as it lasts; a context manager.

    :param connect: makes a connection.
    :param host: the host to request.
    :ivar answers: for each request, the name of the `EchoEndpoint` that answered, or the
        failure.
    """

    def __init__(self, connect: Callable[[], HTTPClient], host: str) -> None:
        self.answers: list[str] = []
        self._connect = connect
        self._host = host
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        wait_until(lambda: self.answers, "the first answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def failed(self) -> list[str]:
        """The failures."""
        return [answer for answer in self.answers if answer.startswith("! ")]

    def wait_for(self, *names: str) -> None:
        """
        Wait until only these endpoints answer, for enough requests to be sure.

        :raises AssertionError: if that does not happen in time.
        """
        count = 5 * len(names)

        def are_alone() -> bool:
            last = self.answers[-count:]
            return len(last) == count and set(last) == set(names)

        wait_until(are_alone, f"{names}, and not {sorted(set(self.answers[-count:]))}")

    def _run(self) -> None:
        client: HTTPClient | None = None
        while not self._is_over.wait(PAUSE):
            try:
                if client is None:
                    client = self._connect()
                reply = client.request(host=self._host)
            except OSError as error:
                self.answers.append(f"! {error!r}")
                client = None
                continue
            is_answered = reply.status == 200
            self.answers.append(reply.echo["name"] if is_answered else f"! {reply.status}")
            if reply.field("connection") == "close":
                client.close()
                client = None
        if client is not None:
            client.close()
