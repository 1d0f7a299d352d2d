"""
A fake API server in a process of its own, for tests that have no reactor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.fake_api.api import TOKEN
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE

Document = dict[str, Any]


class FakeAPIProcess:
    """
    A server process. Each call is complete when it returns; `FakeAPI` and `FakeAPIServer`
    describe the calls.

    :param log: receives the output of the process.
    :param prefix: a command that runs it, for example in another network namespace.
    """

    def __init__(self, log: Path, prefix: Sequence[str] = ()) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "tests.support.fake_api"],
                cwd=CHECKOUT,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._read()

    def close(self) -> None:
        """End it; for `addCleanup`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    # Objects.

    def put(self, *documents: Document) -> None:
        self._call("put", *documents)

    def get(
        self, api_version: str, kind: str, name: str, namespace: str = "default"
    ) -> Document | None:
        found: Document | None = self._call("get", api_version, kind, name, namespace)
        return found

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "default") -> None:
        self._call("delete", api_version, kind, name, namespace)

    # Rights.

    def set_token(self, token: str, user: str, *groups: str) -> None:
        self._call("set_token", token, user, groups)

    def grant(self, name: str, *rules: Document) -> None:
        """
        :param name: the name of a user.
        :param rules: rules in the form of roles.
        """
        self._call("grant", name, list(rules))

    def kubeconfig(self, token: str = TOKEN, namespace: str = "default") -> str:
        """Return the text of a kubeconfig for this server."""
        text: str = self._call("kubeconfig", token, namespace=namespace)
        return text

    @property
    def requests(self) -> list[Document]:
        """Return the requests, as the fields of `LoggedRequest`."""
        found: list[Document] = self._call("requests")
        return found

    # Disturbances.

    def start(self) -> None:
        self._call("start")

    def stop(self) -> None:
        self._call("stop")

    def restart(self, loading: float = 0.0) -> None:
        """
        Restart: every connection is lost; objects and history stay.

        :param loading: seconds for which everything is refused afterwards, as `FakeAPI` has it.
        """
        self.stop()
        self._call("reload", loading)
        self.start()

    def drop_connections(self) -> None:
        self._call("drop_connections")

    def forget_history(self) -> None:
        self._call("forget_history")

    def lose_state(self) -> None:
        self._call("lose_state")

    def send_bookmarks(self) -> None:
        self._call("send_bookmarks")

    def end_watches(self) -> None:
        self._call("end_watches")

    def drop_watches(self) -> None:
        self._call("drop_watches")

    def fail(self, code: int, **fault: object) -> None:
        """Add a `Fault`."""
        self._call("fail", code=code, **fault)

    def heal(self) -> None:
        """Remove all pending faults."""
        self._call("heal")

    def disturb(self, **settings: object) -> None:
        """Change the settings of `Disturbances`."""
        self._call("disturb", **settings)

    def _call(self, name: str, *args: object, **kwargs: object) -> Any:
        assert self._process.stdin is not None
        line = json.dumps({"name": name, "args": args, "kwargs": kwargs})
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the API server has ended: {self._process.poll()}")
        said = json.loads(line)
        if "error" in said:
            raise AssertionError(said["error"])
        return said["result"]
