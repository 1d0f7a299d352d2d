"""
The protocol between a test and a `FakeAPIProcess`: calls and results, one line of JSON each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from tests.support.fake_api.access import Rule, User
from tests.support.fake_api.disturbance import Fault
from tests.support.fake_api.server import FakeAPIServer

LONGEST_LINE = 64 * 1024 * 1024


class Control:
    """The calls by name; arguments and results are JSON values."""

    def __init__(self, server: FakeAPIServer) -> None:
        api = server.api
        self._server = server
        self._api = api
        self._calls: dict[str, Callable[..., Any]] = {
            "put": api.put,
            "get": api.get,
            "delete": api.delete,
            "forget_history": api.forget_history,
            "lose_state": api.lose_state,
            "send_bookmarks": api.send_bookmarks,
            "end_watches": api.end_watches,
            "drop_watches": api.drop_watches,
            "reload": api.restart,
            "start": server.start,
            "stop": server.stop,
            "drop_connections": server.drop_connections,
            "kubeconfig": server.kubeconfig,
            "fail": lambda **fault: api.fail(Fault(**fault)),
            "heal": api.disturbances.faults.clear,
            "disturb": self._disturb,
            "set_token": self._set_token,
            "grant": self._grant,
            "requests": lambda: [asdict(each) for each in api.requests],
        }

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Deferred[Any]:
        return maybeDeferred(self._calls[name], *args, **kwargs)

    def _disturb(self, **settings: Any) -> None:
        for name, value in settings.items():
            setattr(self._api.disturbances, name, value)

    def _set_token(self, token: str, user: str, groups: list[str]) -> None:
        self._api.access.tokens[token] = User(user, tuple(groups))

    def _grant(self, name: str, rules: list[dict[str, Any]]) -> None:
        """:param rules: rules in the form of roles."""
        self._api.grant(User(name), *map(Rule.parse, rules))


class ControlProtocol(LineOnlyReceiver):
    """
    Reads calls from standard input and writes results to standard output.

    :param when_lost: called when the test is gone.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE

    def __init__(self, control: Control, when_lost: Callable[[], object]) -> None:
        self._control = control
        self._when_lost = when_lost

    def connectionMade(self) -> None:
        """IProtocol: write a first line, because the server is listening."""
        self._say({"result": None})

    def lineReceived(self, line: bytes) -> None:
        """LineOnlyReceiver."""
        called = json.loads(line)
        done = self._control.call(called["name"], called["args"], called["kwargs"])
        done.addCallbacks(self._succeeded, self._failed)

    def connectionLost(self, reason: object = None) -> None:
        """IProtocol."""
        self._when_lost()

    def _succeeded(self, result: object) -> None:
        self._say({"result": result if _is_json(result) else None})

    def _failed(self, failure: Failure) -> None:
        self._say({"error": failure.getTraceback()})

    def _say(self, message: dict[str, object]) -> None:
        self.sendLine(json.dumps(message).encode())


def _is_json(result: object) -> bool:
    return isinstance(result, dict | list | str | int | float | bool | None)
