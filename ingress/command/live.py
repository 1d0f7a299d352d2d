"""
What a running process says, through its admin listener; perhaps behind ``kubectl port-forward``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from ingress.command.failure import CannotRun

ADMIN_PORT: Final = 10254

_TIMEOUT: Final = 30.0
"""Seconds to wait for kubectl, and for each answer."""

_MOST: Final = 64 << 20
"""Bytes of an answer."""

_ROWS: Final = 1000
"""Rows that are asked for at once."""

_FORWARDING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> ")


class LiveProcess:
    """
    A process that serves.

    :param url: that of its admin listener.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # What the environment says of proxies is meant for the world outside.
        self._opener = build_opener(ProxyHandler({}))

    def __repr__(self) -> str:
        return f"<LiveProcess {self._url}>"

    def read(self, name: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """
        :param name: the name of a resource.
        :param query: its parameters.
        :return: its value.
        :raises CannotRun: if it does not answer, or refuses.
        """
        url = f"{self._url}/{name}?{urlencode(query)}"
        request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 (of our user)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                text = answer.read(_MOST + 1)
            if len(text) > _MOST:
                raise CannotRun(f"{url} has more than {_MOST >> 20} MiB")
            return json.loads(text)
        except HTTPError as error:
            with error:
                text = error.read(1000).decode("utf-8", "replace").strip()
            raise CannotRun(f"{self._url} answers {error.code}: {text}") from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise CannotRun(f"{self._url} cannot be asked: {reason}") from None
        except ValueError:
            raise CannotRun(f"{self._url} is no admin listener: what it says is no JSON") from None

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """
        :param name: the name of a resource that is a long list.
        :return: all of its rows.
        :raises CannotRun: if it does not answer, or refuses.
        """
        found: list[Mapping[str, Any]] = []
        while True:
            value = self.read(name, [("limit", str(_ROWS)), ("offset", str(len(found)))])
            found += value[name]
            if not value[name] or len(found) >= value["total"]:
                return found


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a running process."""
    group = parser.add_argument_group("a running process, in place of files")
    group.add_argument(
        "--admin", metavar="URL", help=f"its admin listener, such as http://127.0.0.1:{ADMIN_PORT}"
    )
    group.add_argument("--pod", metavar="NAME", help="through kubectl port-forward: its pod")
    group.add_argument("--deployment", metavar="NAME", help="or its deployment")
    group.add_argument("-n", "--namespace", metavar="NAME", help="the namespace of either")
    group.add_argument(
        "--admin-port",
        metavar="PORT",
        type=int,
        default=ADMIN_PORT,
        help=f"the port of the admin listener there; {ADMIN_PORT} without it",
    )


@contextmanager
def live_process(arguments: argparse.Namespace) -> Iterator[LiveProcess | None]:
    """
    Reach the process that the options of `add_live` name.

    :return: None if they name none.
    :raises CannotRun: if it cannot be reached, or if the options contradict each other.
    """
    named = [name for name in ("admin", "pod", "deployment") if getattr(arguments, name)]
    if not named:
        if arguments.namespace:
            raise CannotRun("--namespace is that of --pod or --deployment")
        yield None
        return
    is_forwarded = named != ["admin"]
    others = ["config", "paths", "in_cluster"]
    if not is_forwarded:
        # Else they are those of kubectl.
        others += ["kubeconfig", "context"]
    if len(named) > 1 or any(getattr(arguments, name, None) for name in others):
        raise CannotRun("name either files or one of --admin, --pod and --deployment")
    if not is_forwarded:
        yield LiveProcess(_checked(arguments.admin))
        return
    with _forwarded(arguments, f"{named[0]}/{getattr(arguments, named[0])}") as port:
        yield LiveProcess(f"http://127.0.0.1:{port}")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise CannotRun(f"--admin {url}: a URL such as http://127.0.0.1:{ADMIN_PORT} is accepted")
    return url


@contextmanager
def _forwarded(arguments: argparse.Namespace, target: str) -> Iterator[int]:
    """
    Run ``kubectl port-forward`` for as long as it is needed.

    :param target: the pod or deployment.
    :return: the port of this machine.
    """
    command = ["kubectl", "port-forward", target, f":{arguments.admin_port}", "--address=127.0.0.1"]
    for option in ("namespace", "kubeconfig", "context"):
        if getattr(arguments, option, None):
            command.append(f"--{option}={getattr(arguments, option)}")
    try:
        kubectl = subprocess.Popen(  # noqa: S603 (names of our user, none of them an option)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise CannotRun(f"kubectl cannot be run: {error.strerror}") from None
    late = threading.Timer(_TIMEOUT, kubectl.kill)
    late.start()
    try:
        yield _port_of(kubectl)
    finally:
        late.cancel()
        kubectl.terminate()
        try:
            kubectl.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            kubectl.kill()
        kubectl.communicate()


def _port_of(kubectl: subprocess.Popen[str]) -> int:
    assert kubectl.stdout is not None
    assert kubectl.stderr is not None
    for line in kubectl.stdout:
        found = _FORWARDING.match(line)
        if found is not None:
            return int(found[1])
    said = kubectl.stderr.read().strip() or f"it forwards nothing within {_TIMEOUT:.0f} s"
    raise CannotRun(f"kubectl port-forward: {said}")
