"""
What tests of a whole process have in common: one process for all that ask for the same.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.client import HTTPClient, Reply
from tests.support.endpoints import EchoEndpoint
from tests.support.process import PATIENCE, IngressProcess


class Stoppable(Protocol):
    """What `ProcessTestCase.keep` takes."""

    def stop(self) -> None: ...


E = TypeVar("E", bound=Stoppable)


class _Running:
    """
    The class whose process runs: one at a time.

    trial has no fixtures of classes, so that nobody says when the last test is
    over: a process ends when tests need another one, or at the end of all.
    """

    def __init__(self) -> None:
        self._owner: type[ProcessTestCase] | None = None
        atexit.register(self.stop)

    def use(self, user: type[ProcessTestCase]) -> None:
        """Have the process of `user` run, and no other."""
        owner = next(each for each in user.__mro__ if "prepare" in vars(each))
        assert issubclass(owner, ProcessTestCase)
        if self._owner is owner and owner.process.is_running():
            return
        self.stop()
        self._owner = owner
        owner.resources = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        owner.resources.callback(shutil.rmtree, folder)
        try:
            owner.prepare(folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process, and all that `prepare` started with it."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.resources.close()


_running = _Running()


class ProcessTestCase(SynchronousTestCase):
    """
    Tests that share a process: all classes that have the same `prepare`.

    No test may leave a line in the log that begins a traceback.
    """

    process: ClassVar[IngressProcess]
    resources: ClassVar[ExitStack]
    """Closed when the last test is over."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Start what the tests need, with `serve` at the end; `folder` is theirs."""
        raise NotImplementedError

    @classmethod
    def serve(cls, folder: Path, *manifests: object, **settings: object) -> None:
        """Start the process with these manifests, as settings of `IngressProcess`."""
        cls.process = IngressProcess(folder, **settings)
        cls.process.write("all.yaml", *manifests)
        cls.resources.callback(cls.process.stop)
        cls.process.start()

    @classmethod
    def echo(cls, name: str) -> EchoEndpoint:
        """An endpoint that lives as long as the process."""
        return cls.keep(EchoEndpoint(name))

    @classmethod
    def keep(cls, endpoint: E) -> E:
        """Have an endpoint stopped with the process."""
        cls.resources.callback(endpoint.stop)
        return endpoint

    def setUp(self) -> None:
        _running.use(type(self))
        self.mark = self.process.mark()

    def tearDown(self) -> None:
        said = "\n".join(self.process.log.splitlines()[self.mark :])
        self.assertNotIn("Traceback", said, said)
        self.assertTrue(self.process.is_running())

    def connect(self) -> HTTPClient:
        """A connection to its http listener."""
        client = HTTPClient(self.process.port("http"))
        self.addCleanup(client.close)
        return client

    def get(self, target: str = "/", host: str = "a.example", *, fields: str = "") -> Reply:
        """The answer to one request over http, on a connection of its own."""
        with HTTPClient(self.process.port("http")) as client:
            return client.request(target, host, fields=f"{fields}Connection: close\r\n")


def run(*command: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """
    Run a program of the system's, as an operator would.

    :param data: for its standard input.
    :raises SkipTest: if it is not installed.
    """
    if shutil.which(command[0]) is None:
        raise SkipTest(f"there is no {command[0]} here")
    return subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=False)
