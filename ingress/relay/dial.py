"""
A connection of a relay to an endpoint in the making.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ingress.endpoint import Endpoint
from ingress.transports.stream import StreamProtocol
from ingress.upstream.dialer import Dialer


class DialOwner:
    """The relay that wants the connection."""

    def make_side(self) -> StreamProtocol:
        """Make the protocol of the connection, which is there."""
        raise NotImplementedError

    def dial_failed(self, reason: Failure) -> None:
        """Go on without the connection, which could not be made."""
        raise NotImplementedError


class Dial(ClientFactory):
    """
    The factory of the protocol of one connection.

    :param owner: gets the result, unless the dial is cancelled before.
    """

    noisy = False

    def __init__(self, owner: DialOwner) -> None:
        self._owner: DialOwner | None = owner
        self._connector: IConnector | None = None

    def start(self, dial: Dialer, endpoint: Endpoint, timeout: float) -> None:
        """
        Start to connect.

        :param timeout: in seconds.
        """
        self._connector = dial(endpoint.host, endpoint.port, self, timeout=timeout)

    def cancel(self) -> None:
        """Stop: the connection is not wanted any more."""
        self._owner = None
        if self._connector is not None:
            self._connector.disconnect()

    def buildProtocol(  # type: ignore[override]  # An IProtocol, not a Protocol.
        self, addr: IAddress | None
    ) -> StreamProtocol | None:
        """IProtocolFactory."""
        # The transport keeps this factory as long as it lives.
        owner, self._owner = self._owner, None
        return None if owner is None else owner.make_side()

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """ClientFactory: no connection was made."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.dial_failed(reason)
