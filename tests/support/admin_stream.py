"""
One connection to the admin listener, for tests of bodies that are made in turns.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.page import Page
from ingress.admin.readiness import Readiness
from ingress.admin.site import make_admin_site
from ingress.admin.turns import Turns


class AdminStreamCase(SynchronousTestCase):
    """A page at ``/page``, through the whole of Twisted's server."""

    def connect(self, clock: Clock, page: Page) -> None:
        """
        Serve the page, and connect to it.

        :param clock: calls the turns in which the body is made.
        """
        site = make_admin_site(Readiness(), Turns(clock), {"page": page})
        site.doStart()
        self.addCleanup(site.doStop)
        address = IPv4Address("TCP", "127.0.0.1", 1)
        self.protocol = site.buildProtocol(address)
        self.transport = StringTransport(peerAddress=address)
        self.protocol.makeConnection(self.transport)

    @property
    def body(self) -> bytes:
        body: bytes = self.transport.value().partition(b"\r\n\r\n")[2]
        return body

    @property
    def producer(self) -> IPushProducer:
        producer: IPushProducer | None = self.transport.producer
        assert producer is not None
        return producer
