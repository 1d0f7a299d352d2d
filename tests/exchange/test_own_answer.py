"""Tests of `ingress.exchange.own_answer`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.nginx_settings import BlockRules, NginxSettings
from ingress.errors import RequestError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.own_answer import refuse_client
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.recording_writer import RecordingWriter
from tests.support.wire import LIMITS, Wire, request


class NoRouteTests(SynchronousTestCase):
    def test_blocked(self) -> None:
        """A request that meets no rule is not found, or blocked as those that meet one are."""
        nginx = NginxSettings(block=BlockRules(user_agents=("bad",)))
        snapshot = Snapshot(Config(nginx=nginx))
        for field, status in ((b"User-Agent: good", 404), (b"User-Agent: bad", 403)):
            wire = Wire()
            wire.plane.publish(snapshot)
            client = wire.connect()
            client.send(request(b"GET", field))
            self.assertEqual(client.receive().status, status)


class RefuseClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.plane = Wire().plane
        self.records: list[ExchangeRecord] = []
        self.plane.exchanges.recorder = KeptRecords(self.records)

    def refuse(self, client: Client, error: RequestError) -> RecordingWriter:
        writer = RecordingWriter()
        refuse_client(
            self.plane.exchanges,
            writer,
            client,
            error,
            first_line=b"nonsense",
            size=35,
            head_timeout=LIMITS.head_timeout,
        )
        return writer

    def test_recorded(self) -> None:
        """A refusal is recorded, with the beginning of the input."""
        client = Client("2001:db8::1", is_secure=False)
        error = RequestError("That is no request.")
        writer = self.refuse(client, error)
        (record,) = self.records
        self.assertEqual((writer.status, record.status), (400, 400))
        self.assertEqual(record.detail, "That is no request.")
        self.assertEqual((record.line, record.request_size), (b"nonsense", 35))
        self.assertEqual(record.client_address, b"2001:db8::1")
        self.assertEqual((record.body_size, record.duration), (len(writer.body), 0))
        self.assertEqual(writer.fields[b"X-Request-ID"], record.request_id)
        self.assertNotIn(b"Strict-Transport-Security", writer.fields)

    def test_secure(self) -> None:
        """A refusal over TLS has our HSTS field, like every answer."""
        client = Client("192.0.2.1", is_secure=True)
        error = RequestError("That is no request.")
        self.assertIn(b"Strict-Transport-Security", self.refuse(client, error).fields)

    def test_too_slow(self) -> None:
        """The record of a head that came too slowly has the whole time of a head."""
        error = RequestTimeout("Too slow.")
        self.refuse(Client("192.0.2.1", is_secure=False), error)
        (record,) = self.records
        self.assertEqual((record.status, record.duration), (408, LIMITS.head_timeout))
