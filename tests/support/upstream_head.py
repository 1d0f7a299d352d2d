"""
What an endpoint gets of a request.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, PublicPorts
from ingress.exchange.client import Client
from ingress.exchange.field_names import FieldNames
from ingress.exchange.fields import upstream_head
from ingress.exchange.loop_marker import LoopMarker
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.http1.encoder import encode_request_head
from ingress.http1.request_head import parse_request_head
from ingress.message import Request
from tests.support.wire import Message

CONFIG = Config(public_ports=PublicPorts(http=8080, https=8443))
TRUSTING = Config(
    public_ports=PublicPorts(http=8080, https=8443),
    trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
)
PROXY = "10.0.0.1"
STRANGER = "192.0.2.1"


def make_request(*fields: bytes, host: bytes = b"a.example", version: bytes = b"1.1") -> Request:
    lines = [b"GET /a HTTP/" + version, b"Host: " + host, *fields]
    return parse_request_head(b"\r\n".join(lines) + b"\r\n\r\n")[0]


class UpstreamHeadCase(SynchronousTestCase):
    """Looks at what an endpoint gets."""

    def send(
        self,
        *fields: bytes,
        address: str = STRANGER,
        config: Config = CONFIG,
        is_secure: bool = False,
        host: bytes = b"a.example",
        version: bytes = b"1.1",
        edits: FieldEdits = NO_EDITS,
    ) -> Message:
        request = make_request(*fields, host=host, version=version)
        client = Client(address, is_secure=is_secure)
        believed = client.believed(request, config)
        names = FieldNames()
        names.apply(config.field_names)
        head = upstream_head(request, believed, b"id-1", names, edits, LoopMarker())
        data = encode_request_head(head)
        self.assertTrue(data.endswith(b"\r\n\r\n"))
        return Message.parse(data)

    def check(self, message: Message, expected: dict[bytes, list[bytes]]) -> None:
        self.assertEqual({name: message.values(name) for name in expected}, expected)
