"""Tests of `ingress.frontend.headers`."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config, PublicPorts
from ingress.errors import Outcome
from ingress.frontend import headers
from ingress.frontend.headers import (
    Client,
    answer_fields,
    downstream_fields,
    interim_fields,
    own_request_id,
    upstream_head,
)
from ingress.http1.request_head import parse_request_head
from ingress.http1.response_head import parse_response_head
from ingress.message import Request, Response
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


def make_response(*fields: bytes, status: int = 200) -> Response:
    lines = [b"HTTP/1.1 %d X" % status, *fields]
    return parse_response_head(b"\r\n".join(lines) + b"\r\n\r\n", b"GET")[0]


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
    ) -> Message:
        request = make_request(*fields, host=host, version=version)
        client = Client(address, is_secure=is_secure)
        forwarding = client.forwarding(request, config)
        head = upstream_head(request, forwarding, b"id-1", is_trusted=client.is_trusted)
        self.assertTrue(head.endswith(b"\r\n\r\n"))
        return Message.parse(head)

    def check(self, message: Message, expected: dict[bytes, list[bytes]]) -> None:
        self.assertEqual({name: message.values(name) for name in expected}, expected)


class ForwardedFieldsTests(UpstreamHeadCase):
    """What endpoints are told by default (docs/compatibility.md, section 2.1)."""

    def test_over_http(self) -> None:
        """The endpoint is told who asks, for what, and how."""
        self.check(
            self.send(),
            {
                b"Host": [b"a.example"],
                b"X-Request-ID": [b"id-1"],
                b"X-Real-IP": [b"192.0.2.1"],
                b"X-Forwarded-For": [b"192.0.2.1"],
                b"X-Forwarded-Host": [b"a.example"],
                b"X-Forwarded-Port": [b"8080"],
                b"X-Forwarded-Proto": [b"http"],
                b"X-Forwarded-Scheme": [b"http"],
                b"X-Scheme": [b"http"],
                b"X-Original-Forwarded-For": [],
                b"X-Original-Forwarded-Host": [],
                b"X-Original-URI": [],
                b"Connection": [],
                b"Via": [],
            },
        )

    def test_over_https(self) -> None:
        """Over TLS the scheme is https and the port that of https."""
        self.check(
            self.send(is_secure=True),
            {
                b"X-Forwarded-Port": [b"8443"],
                b"X-Forwarded-Proto": [b"https"],
                b"X-Forwarded-Scheme": [b"https"],
                b"X-Scheme": [b"https"],
            },
        )

    def test_host_as_written(self) -> None:
        """Host goes on as the client wrote it, with its port."""
        message = self.send(host=b"A.Example.:8080")
        self.check(
            message, {b"Host": [b"A.Example.:8080"], b"X-Forwarded-Host": [b"A.Example.:8080"]}
        )

    def test_ipv6(self) -> None:
        """An IPv6 address stands without brackets and without its zone."""
        for address in ("2001:db8::7", "2001:DB8:0::7", "2001:db8::7%eth0"):
            self.check(
                self.send(address=address),
                {b"X-Real-IP": [b"2001:db8::7"], b"X-Forwarded-For": [b"2001:db8::7"]},
            )

    def test_mapped_ipv4(self) -> None:
        """A client of IPv4 on a listener for both families is one of IPv4."""
        self.check(
            self.send(address="::ffff:192.0.2.1"),
            {b"X-Real-IP": [b"192.0.2.1"], b"X-Forwarded-For": [b"192.0.2.1"]},
        )

    def test_unix_socket(self) -> None:
        """A client on a Unix socket has no address, and none that it claims is passed on."""
        self.check(
            self.send(b"X-Real-IP: 1.2.3.4", b"X-Forwarded-For: 1.2.3.4", address=""),
            {
                b"X-Real-IP": [],
                b"X-Forwarded-For": [],
                b"X-Forwarded-Proto": [b"http"],
                b"X-Original-Forwarded-For": [b"1.2.3.4"],
            },
        )

    def test_config_changes(self) -> None:
        """A connection that outlives a Config is described by the next one."""
        client = Client(PROXY, is_secure=False)
        request = make_request(b"X-Forwarded-For: 1.2.3.4")
        self.assertEqual(client.forwarding(request, CONFIG).client_address, b"10.0.0.1")
        self.assertFalse(client.is_trusted)
        self.assertEqual(client.forwarding(request, TRUSTING).client_address, b"1.2.3.4")
        self.assertTrue(client.is_trusted)


class StrangerTests(UpstreamHeadCase):
    """Who is not a trusted proxy (docs/compatibility.md, section 5, "Trust")."""

    def test_forwarded_fields_are_replaced(self) -> None:
        """What a stranger says of itself is removed, its chain and host kept as original ones."""
        message = self.send(
            b"X-Forwarded-For: 1.2.3.4",
            b"x-forwarded-host: myhost",
            b"X-Forwarded-Port: 1234",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Scheme: https",
            b"X-Scheme: https",
            b"X-Real-IP: 1.2.3.4",
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"X-Forwarded-For": [b"192.0.2.1"],
                b"X-Forwarded-Host": [b"a.example"],
                b"X-Forwarded-Port": [b"8080"],
                b"X-Forwarded-Proto": [b"http"],
                b"X-Forwarded-Scheme": [b"http"],
                b"X-Scheme": [b"http"],
                b"X-Real-IP": [b"192.0.2.1"],
                b"X-Original-Forwarded-For": [b"1.2.3.4"],
                b"X-Original-Forwarded-Host": [b"myhost"],
            },
        )

    def test_other_forwarded_fields_are_removed(self) -> None:
        """So is every other field by which proxies tell endpoints what to believe."""
        names = [
            b"Forwarded",
            b"X-Forwarded-Prefix",
            b"X-Forwarded-Server",
            b"X-Forwarded-Ssl",
            b"X-Forwarded-User",
            b"X-Forwarded-Client-Cert",
            b"X-Original-URI",
            b"X-Original-URL",
            b"X-Original-Forwarded-For",
            b"X-Original-Forwarded-Host",
            b"ssl-client-verify",
            b"SSL-Client-Subject-DN",
            b"Proxy",
        ]
        message = self.send(*[name + b": evil" for name in names])
        self.check(message, {name: [] for name in names})

    def test_underscores(self) -> None:
        """A field with an underscore, which a CGI program cannot tell from ours, is removed."""
        names = [b"X_Real_IP", b"X_Forwarded-For", b"ssl_client_verify", b"X_Anything", b"_"]
        message = self.send(*[name + b": evil" for name in names])
        self.check(message, {name: [] for name in names})

    def test_connection_cannot_remove_ours(self) -> None:
        """Naming our fields, Host or Content-Length in Connection removes none of them."""
        message = self.send(
            b"Connection: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Request-ID, Host",
            b"Connection: Content-Length",
            b"Content-Length: 0",
        )
        self.check(
            message,
            {
                b"X-Real-IP": [b"192.0.2.1"],
                b"X-Forwarded-For": [b"192.0.2.1"],
                b"X-Forwarded-Proto": [b"http"],
                b"X-Request-ID": [b"id-1"],
                b"Host": [b"a.example"],
                b"Content-Length": [b"0"],
            },
        )


class TrustedProxyTests(UpstreamHeadCase):
    """Peers inside `trusted-proxies` (docs/compatibility.md, section 5, "Trust")."""

    def test_believed(self) -> None:
        """What a trusted proxy says of its client is passed on."""
        message = self.send(
            b"X-Forwarded-For: 1.2.3.4",
            b"X-Forwarded-Host: myhost.example:444",
            b"X-Forwarded-Port: 444",
            b"X-Forwarded-Proto: HTTPS",
            address=PROXY,
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"Host": [b"myhost.example:444"],
                b"X-Real-IP": [b"1.2.3.4"],
                b"X-Forwarded-For": [b"1.2.3.4"],
                b"X-Forwarded-Host": [b"myhost.example:444"],
                b"X-Forwarded-Port": [b"444"],
                b"X-Forwarded-Proto": [b"https"],
                b"X-Forwarded-Scheme": [b"https"],
                b"X-Scheme": [b"https"],
                b"X-Original-Forwarded-For": [b"1.2.3.4"],
                b"X-Original-Forwarded-Host": [b"myhost.example:444"],
            },
        )

    def test_silent(self) -> None:
        """Where a trusted proxy says nothing, the connection speaks."""
        self.check(
            self.send(address=PROXY, config=TRUSTING),
            {
                b"Host": [b"a.example"],
                b"X-Real-IP": [b"10.0.0.1"],
                b"X-Forwarded-Port": [b"8080"],
                b"X-Forwarded-Proto": [b"http"],
                b"X-Original-Forwarded-For": [],
                b"X-Original-Forwarded-Host": [],
            },
        )

    def test_port_follows_the_scheme(self) -> None:
        """A scheme without a port means the port that clients see for it."""
        message = self.send(b"X-Forwarded-Proto: https", address=PROXY, config=TRUSTING)
        self.check(message, {b"X-Forwarded-Port": [b"8443"]})

    def test_lists(self) -> None:
        """Of lists of hosts, ports and schemes the client's own entry, the first, counts."""
        message = self.send(
            b"X-Forwarded-Host: one.example, two.example",
            b"X-Forwarded-Proto: https, http",
            b"X-Forwarded-Port: 443,80",
            address=PROXY,
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"Host": [b"one.example"],
                b"X-Forwarded-Proto": [b"https"],
                b"X-Forwarded-Port": [b"443"],
            },
        )

    def test_malformed(self) -> None:
        """What makes no sense is not believed, even from a trusted proxy."""
        for port in (b"0", b"65536", b"x", b"-1", b"+1", b"", b"000080"):
            message = self.send(
                b"X-Forwarded-Host: <script>",
                b"X-Forwarded-Proto: gopher",
                b"X-Forwarded-Port: " + port,
                b"X-Forwarded-For: nonsense",
                address=PROXY,
                config=TRUSTING,
            )
            self.check(
                message,
                {
                    b"Host": [b"a.example"],
                    b"X-Forwarded-Host": [b"a.example"],
                    b"X-Forwarded-Proto": [b"http"],
                    b"X-Forwarded-Port": [b"8080"],
                    b"X-Forwarded-For": [b"10.0.0.1"],
                },
            )

    def test_chain(self) -> None:
        """The client is the last address that no trusted proxy has; what is before it is hearsay."""
        for chain, client in (
            (b"1.2.3.4, 5.6.7.8", b"5.6.7.8"),
            (b"1.2.3.4, 5.6.7.8, 10.0.0.2", b"5.6.7.8"),
            (b"5.6.7.8,10.0.0.3,10.0.0.2", b"5.6.7.8"),
            (b"10.0.0.4, 10.0.0.3", b"10.0.0.4"),
            (b"nonsense, 10.0.0.3", b"10.0.0.3"),
            (b"5.6.7.8, nonsense", b"10.0.0.1"),
            (b"2001:DB9::1, 2001:db8::1", b"2001:db9::1"),
            (b"::ffff:5.6.7.8, ::ffff:10.0.0.9", b"5.6.7.8"),
        ):
            message = self.send(b"X-Forwarded-For: " + chain, address=PROXY, config=TRUSTING)
            self.assertEqual(message.values(b"X-Forwarded-For"), [client], chain)
            self.assertEqual(message.values(b"X-Original-Forwarded-For"), [chain])

    def test_chain_in_several_fields(self) -> None:
        """Several fields are one list."""
        message = self.send(
            b"X-Forwarded-For: 1.2.3.4",
            b"X-Forwarded-For: 10.0.0.2",
            address=PROXY,
            config=TRUSTING,
        )
        self.assertEqual(message.values(b"X-Forwarded-For"), [b"1.2.3.4"])

    def test_endless_chain(self) -> None:
        """Only so many entries are looked at."""
        chain = b",".join([b"1.2.3.4", *[b"10.0.0.2"] * 5000])
        message = self.send(b"X-Forwarded-For: " + chain, address=PROXY, config=TRUSTING)
        self.assertEqual(message.values(b"X-Forwarded-For"), [b"10.0.0.2"])

    def test_mapped_peer(self) -> None:
        """A trusted proxy of IPv4 is trusted on a listener for both families."""
        message = self.send(b"X-Forwarded-For: 1.2.3.4", address="::ffff:10.0.0.1", config=TRUSTING)
        self.assertEqual(message.values(b"X-Real-IP"), [b"1.2.3.4"])

    def test_other_fields_pass(self) -> None:
        """Other forwarded fields of a trusted proxy pass, but none in an ambiguous spelling."""
        message = self.send(
            b"X-Forwarded-Prefix: /p",
            b"ssl-client-verify: SUCCESS",
            b"X-Original-URI: /x",
            b"X_Real_IP: 1.2.3.4",
            b"Proxy: x",
            address=PROXY,
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"X-Forwarded-Prefix": [b"/p"],
                b"ssl-client-verify": [b"SUCCESS"],
                b"X-Original-URI": [b"/x"],
                b"X_Real_IP": [],
                b"Proxy": [],
            },
        )


class RequestFieldsTests(UpstreamHeadCase):
    def test_order_and_number(self) -> None:
        """The client's fields go on in order, number and spelling, Host among them."""
        message = self.send(b"Accept: */*", b"cOOkie: a", b"X-One: 1", b"X-one: 2", b"X-Empty:")
        self.assertEqual(
            message.fields[:6],
            [
                (b"Host", b"a.example"),
                (b"Accept", b"*/*"),
                (b"cOOkie", b"a"),
                (b"X-One", b"1"),
                (b"X-one", b"2"),
                (b"X-Empty", b""),
            ],
        )

    def test_trailers_are_taken(self) -> None:
        """TE goes to the endpoint reduced to what we pass on, and says so for this hop."""
        message = self.send(b"TE: gzip, Trailers;q=0.5, trailers")
        self.assertEqual(message.values(b"TE"), [b"trailers"])
        self.assertEqual(message.values(b"Connection"), [b"TE"])

    def test_hop_by_hop(self) -> None:
        """What is for this hop, by nature or by Connection, goes no further."""
        message = self.send(
            b"Connection: keep-alive, X-Hop",
            b"X-Hop: 1",
            b"Keep-Alive: 5",
            b"Proxy-Connection: keep-alive",
            b"TE: gzip",
            b"Trailer: X",
            b"Upgrade: h2c",
            b"HTTP2-Settings: x",
        )
        names = (b"Connection", b"X-Hop", b"Keep-Alive", b"Proxy-Connection", b"TE", b"Trailer")
        self.check(message, {name: [] for name in (*names, b"Upgrade")})

    def test_expectation_of_http_10(self) -> None:
        """Expect means nothing in HTTP/1.0 and is not passed on."""
        self.assertEqual(self.send(b"Expect: 100-continue").values(b"Expect"), [b"100-continue"])
        message = self.send(b"Expect: 100-continue", version=b"1.0")
        self.assertEqual(message.values(b"Expect"), [])

    def test_long_names_are_not_kept(self) -> None:
        """What a client sends is not kept beyond its request, however often it differs."""
        before = headers._stays_here.cache_info().currsize
        self.send(b"X-" + b"a" * 10_000 + b": 1")
        self.assertLess(headers._stays_here.cache_info().currsize - before, 2)


class OwnRequestIdTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """An id of the client's that is a token is kept."""
        for own in (b"a", b"A-z0.9_", b"a" * 128):
            request = make_request(b"X-Request-ID: " + own)
            self.assertEqual(own_request_id(request), own)
            self.assertEqual(own_request_id(request), own)

    def test_none(self) -> None:
        """Where there is none, or one that is no token, there is none."""
        self.assertEqual(own_request_id(make_request()), b"")
        for own in (b"", b"a" * 129, b"a b", b"<a>", b"a,b", b"\xe4"):
            self.assertEqual(own_request_id(make_request(b"X-Request-ID: " + own)), b"")


class DownstreamFieldsTests(SynchronousTestCase):
    def test_order_and_number(self) -> None:
        """The endpoint's fields reach the client in order, number and spelling."""
        fields = downstream_fields(
            make_response(b"Date: x", b"Set-Cookie: a", b"set-cookie: b", b"Content-Length: 5")
        )
        self.assertEqual(
            fields,
            [
                (b"Date", b"x"),
                (b"Set-Cookie", b"a"),
                (b"set-cookie", b"b"),
                (b"Content-Length", b"5"),
            ],
        )

    def test_date(self) -> None:
        """A Date is added where the endpoint sent none, or none for the client."""
        for response in (make_response(), make_response(b"Connection: Date", b"Date: x")):
            (date,) = [value for name, value in downstream_fields(response) if name == b"Date"]
            self.assertRegex(date, rb"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_hop_by_hop(self) -> None:
        """What is for the endpoint's hop goes no further."""
        fields = downstream_fields(
            make_response(
                b"Date: x",
                b"Connection: close, X-Hop",
                b"X-Hop: 1",
                b"Keep-Alive: 5",
                b"Transfer-Encoding: chunked",
                b"Trailer: X",
                b"Upgrade: h2c",
                b"Proxy-Connection: close",
            )
        )
        self.assertEqual(fields, [(b"Date", b"x")])

    def test_connection_cannot_remove_the_length(self) -> None:
        """Naming Content-Length in Connection does not make the client guess."""
        fields = downstream_fields(
            make_response(b"Connection: Content-Length", b"Content-Length: 5")
        )
        self.assertIn((b"Content-Length", b"5"), fields)

    def test_no_length_with_204(self) -> None:
        """A 204 says no length, a 304 may."""
        fields = downstream_fields(make_response(b"Content-Length: 0", status=204))
        self.assertNotIn(b"Content-Length", dict(fields))
        fields = downstream_fields(make_response(b"Content-Length: 5", status=304))
        self.assertIn(b"Content-Length", dict(fields))

    def test_interim(self) -> None:
        """An interim response has neither fields of the hop, nor a length, nor a Date of ours."""
        fields = interim_fields(
            make_response(
                b"Link: </a>", b"Connection: X-Hop", b"X-Hop: 1", b"Content-Length: 0", status=103
            )
        )
        self.assertEqual(fields, [(b"Link", b"</a>")])


class AnswerFieldsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """An answer of our own has a date, a type, a length, its id, and what it brings."""
        answer = Answer(308, Outcome.REDIRECTED, "Over there.", ((b"Location", b"https://a"),))
        fields, body = answer_fields(answer, b"text/html", b"id-1")
        self.assertEqual(fields[0][0], b"Date")
        self.assertEqual(
            fields[1:],
            [
                (b"Content-Type", b"text/html; charset=utf-8"),
                (b"Content-Length", b"%d" % len(body)),
                (b"X-Request-ID", b"id-1"),
                (b"Location", b"https://a"),
            ],
        )


class HSTSTests(SynchronousTestCase):
    def test_replaces_the_endpoints(self) -> None:
        """There is one field, and it is ours; without ours the endpoint's own passes."""
        response, _ = parse_response_head(
            b"HTTP/1.1 200 OK\r\nDate: today\r\nstrict-transport-security: max-age=0\r\nX: 1\r\n\r\n",
            b"GET",
        )
        ours = (b"Strict-Transport-Security", b"max-age=5")
        theirs = (b"strict-transport-security", b"max-age=0")
        others = [(b"Date", b"today"), (b"X", b"1")]
        for _ in range(2):
            self.assertEqual(downstream_fields(response, ours[1]), [*others, ours])
            self.assertEqual(downstream_fields(response), [others[0], theirs, others[1]])

    def test_answers(self) -> None:
        """An answer of our own has it as well."""
        fields, _ = answer_fields(Answer(404, Outcome.NO_ROUTE, "None."), None, b"1", b"max-age=5")
        self.assertEqual(fields[-1], (b"Strict-Transport-Security", b"max-age=5"))
