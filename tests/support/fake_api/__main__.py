"""
``python -m tests.support.fake_api``: a server that runs until its standard input closes.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.stdio import StandardIO
from twisted.logger import globalLogBeginner, textFileLogObserver

from tests.support.fake_api.control import Control, ControlProtocol
from tests.support.fake_api.server import INTERFACE, FakeAPIServer


def main(interface: str = INTERFACE) -> None:
    reactor: Any = installed

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    server = FakeAPIServer(reactor, interface)
    StandardIO(ControlProtocol(Control(server), stop), reactor=reactor)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
