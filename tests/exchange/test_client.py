"""Tests of `ingress.exchange.client`."""

from __future__ import annotations

from dataclasses import replace
from sys import getrefcount

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.nginx_settings import ForwardedFor, NginxSettings
from ingress.exchange.client import Client
from ingress.field_edits import OWN_LINES
from tests.support.upstream_head import (
    CONFIG,
    PROXY,
    STRANGER,
    TRUSTING,
    UpstreamHeadCase,
    make_request,
)
from tests.support.wire import Message


class ForwardedFieldsTests(UpstreamHeadCase):
    """The forwarded fields by default (docs/compatibility.md, section 2.1)."""

    def test_over_http(self) -> None:
        """The endpoint gets the client's address, its host, its port and its scheme."""
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
        """The scheme is https and the port that of https for a client over TLS."""
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
        """A client of IPv4 on a listener for both families has its IPv4 address."""
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
        """The next Config describes a connection that outlives the one before."""
        client = Client(PROXY, is_secure=False)
        request = make_request(b"X-Forwarded-For: 1.2.3.4")
        believed = client.believed(request, CONFIG)
        self.assertEqual((believed.address, believed.is_trusted), (b"10.0.0.1", False))
        believed = client.believed(request, TRUSTING)
        self.assertEqual((believed.address, believed.is_trusted), (b"1.2.3.4", True))


class KeptTests(SynchronousTestCase):
    """The fields of the last request are reused for the next one like it."""

    def test_kept(self) -> None:
        """Fields are reused as long as head, host and configuration are the same."""
        client = Client(PROXY, is_secure=False)
        request, other = make_request(), make_request(host=b"b.example")
        first = client.believed(request, CONFIG)
        self.assertIs(client.believed(make_request(), CONFIG), first)
        self.assertEqual(client.believed(other, CONFIG).authority, b"b.example")
        self.assertEqual(client.believed(request, CONFIG).authority, b"a.example")

    def test_idle(self) -> None:
        """An idle client has nothing of a large last head in memory."""
        client = Client(STRANGER, is_secure=False)
        request = make_request(b"X-Forwarded-For: " + b"a" * 4096)
        before = getrefcount(request.cache)
        believed = client.believed(request, CONFIG)
        self.assertEqual(getrefcount(request.cache), before)
        self.assertIsNot(client.believed(request, CONFIG), believed)

    def test_shared(self) -> None:
        """Connections of one client share what an idle one keeps, where they say the same."""
        request, other = make_request(), make_request(host=b"other.example")
        claiming = make_request(b"X-Forwarded-For: 1.2.3.4")
        for _ in range(2):
            first = Client(PROXY, is_secure=False, port=1).believed(request, CONFIG)
            second = Client(PROXY, is_secure=False, port=2).believed(request, CONFIG)
            self.assertIs(first.forwarded, second.forwarded)
            self.assertEqual((first.port, second.port), (1, 2))
            for is_secure, each in ((True, request), (False, other), (False, claiming)):
                mine = Client(PROXY, is_secure=is_secure).believed(each, CONFIG).forwarded
                self.assertIn(b"X-Forwarded-Host: %b\r\n" % each.authority, mine)
                self.assertIn(b"X-Scheme: https" if is_secure else b"X-Scheme: http\r\n", mine)
                self.assertEqual(b"1.2.3.4" in mine, each is claiming)
        elsewhere = Client("192.0.2.1", is_secure=False).believed(request, CONFIG)
        self.assertIn(b"X-Real-IP: 192.0.2.1\r\n", elsewhere.forwarded)

    def test_trust_changes(self) -> None:
        """Fields that were not believed are, once the configuration trusts the peer."""
        client = Client(PROXY, is_secure=False)
        request = make_request(b"X-Forwarded-For: 192.0.2.7")
        self.assertEqual(client.believed(request, CONFIG).address, b"10.0.0.1")
        client.believed(make_request(b"X-Forwarded-For: " + b"a" * 4096), TRUSTING)
        self.assertEqual(client.believed(request, TRUSTING).address, b"192.0.2.7")


class StrangerTests(UpstreamHeadCase):
    """Clients that are no trusted proxies (docs/compatibility.md, section 5, "Trust")."""

    def test_forwarded_fields_are_replaced(self) -> None:
        """A stranger's forwarded fields are removed; its chain and host are kept as original ones."""
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
        """A stranger's other fields in which proxies describe clients are removed."""
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
        """The forwarded fields of a trusted proxy are passed on."""
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
        """The connection describes the client if a trusted proxy does not."""
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
        """The first entry of lists of hosts, ports and schemes counts, which is the client's."""
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
        """Malformed fields are not believed, even from a trusted proxy."""
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
        """The client is the last address that is no trusted proxy's; entries before it are hearsay."""
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

    def test_full_chain(self) -> None:
        """With compute-full-forwarded-for, the list goes on with the proxy's address at its end."""
        settings = NginxSettings(forwarded_for=ForwardedFor(is_full=True))
        for address, config, found in (
            (PROXY, TRUSTING, [b"1.2.3.4, 5.6.7.8, 10.0.0.1"]),
            (STRANGER, TRUSTING, [b"192.0.2.1"]),
            (PROXY, CONFIG, [b"10.0.0.1"]),
        ):
            message = self.send(
                b"X-Forwarded-For: 1.2.3.4, 5.6.7.8",
                address=address,
                config=replace(config, nginx=settings),
            )
            self.assertEqual(message.values(b"X-Forwarded-For"), found)
        silent = self.send(address=PROXY, config=replace(TRUSTING, nginx=settings))
        self.assertEqual(silent.values(b"X-Forwarded-For"), [b"10.0.0.1"])

    def test_other_field(self) -> None:
        """With forwarded-for-header, another field of a trusted proxy names the client."""
        settings = NginxSettings(forwarded_for=ForwardedFor(b"cf-connecting-ip"))
        fields = (b"X-Forwarded-For: 1.2.3.4", b"CF-Connecting-IP: 5.6.7.8")
        for address, client in ((PROXY, b"5.6.7.8"), (STRANGER, b"192.0.2.1")):
            message = self.send(*fields, address=address, config=replace(TRUSTING, nginx=settings))
            self.assertEqual(message.values(b"X-Real-IP"), [client])
            self.assertEqual(message.values(b"X-Forwarded-For"), [client])

    def test_ports_and_brackets(self) -> None:
        """An address with a port or in brackets, as Azure's gateway writes it, is the client's."""
        for chain, client in (
            (b"1.2.3.4:5678", b"1.2.3.4"),
            (b"[2001:db9::1]:4711", b"2001:db9::1"),
            (b"1.2.3.4:5678, 10.0.0.9:80", b"1.2.3.4"),
        ):
            message = self.send(b"X-Forwarded-For: " + chain, address=PROXY, config=TRUSTING)
            self.check(
                message,
                {
                    b"X-Real-IP": [client],
                    b"X-Forwarded-For": [client],
                    b"X-Original-Forwarded-For": [chain],
                },
            )

    def test_forwarded(self) -> None:
        """`Forwarded` counts without any X-Forwarded-*, and goes on as far as it is believed."""
        message = self.send(
            b'Forwarded: for=6.6.6.6;host=evil, for="[2001:db9::1]:4711";proto=https;host="b:444"',
            b"Forwarded: for=10.0.0.2",
            address=PROXY,
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"Host": [b"b:444"],
                b"X-Real-IP": [b"2001:db9::1"],
                b"X-Forwarded-For": [b"2001:db9::1"],
                b"X-Forwarded-Host": [b"b:444"],
                b"X-Forwarded-Proto": [b"https"],
                b"X-Forwarded-Port": [b"8443"],
                b"Forwarded": [b'for="[2001:db9::1]";host="b:444";proto=https'],
                b"X-Original-Forwarded-For": [],
            },
        )
        message = self.send(b"Forwarded: nonsense", address=PROXY, config=TRUSTING)
        self.check(message, {b"Forwarded": [], b"X-Real-IP": [b"10.0.0.1"]})

    def test_forwarded_beside_others(self) -> None:
        """`Forwarded` beside any X-Forwarded-* does not count, and goes no further."""
        message = self.send(
            b"Forwarded: for=1.2.3.4;host=b.example;proto=https",
            b"X-Forwarded-Prefix: /p",
            address=PROXY,
            config=TRUSTING,
        )
        self.check(
            message,
            {
                b"Forwarded": [],
                b"Host": [b"a.example"],
                b"X-Real-IP": [b"10.0.0.1"],
                b"X-Forwarded-Proto": [b"http"],
            },
        )

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
        """Only a bounded number of entries is read."""
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


class AddressProxyTests(UpstreamHeadCase):
    """Proxies that are believed about addresses alone (``enable-real-ip``)."""

    config = replace(
        CONFIG,
        nginx=NginxSettings(
            forwarded_for=ForwardedFor(
                b"cf-connecting-ip", address_proxies=TRUSTING.trusted_proxies
            )
        ),
    )

    def send_through(
        self, *fields: bytes, address: str = PROXY, is_secure: bool = False
    ) -> Message:
        return self.send(*fields, address=address, config=self.config, is_secure=is_secure)

    def test_address(self) -> None:
        """The address is that of the field; scheme, host and port are ours."""
        claims = (
            b"CF-Connecting-IP: 192.0.2.7",
            b"X-Forwarded-For: 192.0.2.8",
            b"X-Forwarded-Host: evil.example",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Port: 1",
            b"SSL-Client-Verify: SUCCESS",
        )
        expected = {
            b"Host": [b"a.example"],
            b"X-Real-IP": [b"192.0.2.7"],
            b"X-Forwarded-For": [b"192.0.2.7"],
            b"X-Forwarded-Host": [b"a.example"],
            b"X-Forwarded-Proto": [b"http"],
            b"X-Forwarded-Port": [b"8080"],
            b"X-Original-Forwarded-For": [b"192.0.2.8"],
            b"SSL-Client-Verify": [],
        }
        self.check(self.send_through(*claims), expected)
        expected |= {b"X-Forwarded-Proto": [b"https"], b"X-Forwarded-Port": [b"8443"]}
        self.check(self.send_through(*claims, is_secure=True), expected)

    def test_others(self) -> None:
        """A stranger names nobody, and what is no address leaves that of the connection."""
        for address, claim in ((STRANGER, b"192.0.2.7"), (PROXY, b"nonsense"), (PROXY, b"")):
            message = self.send_through(b"CF-Connecting-IP: " + claim, address=address)
            self.check(message, {b"X-Real-IP": [address.encode()]})

    def test_exempt(self) -> None:
        """Such a proxy speaks for many clients, as a trusted one does."""
        client = Client(PROXY, is_secure=False)
        self.assertTrue(client.names_clients_by(self.config))
        self.assertFalse(client.is_trusted_by(self.config))
        self.assertTrue(client.names_clients_by(TRUSTING))
        self.assertFalse(Client(STRANGER, is_secure=False).names_clients_by(self.config))


class OwnLinesTests(SynchronousTestCase):
    def test_listed(self) -> None:
        """Every field that is sent about a client is listed, so that edits can drop it."""
        claims = [b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Host: b.example"]
        found: set[bytes] = set()
        for address, fields in (
            (STRANGER, claims),
            (PROXY, claims),
            (PROXY, [b'Forwarded: for=1.2.3.4;host="b.example";proto=https']),
        ):
            client = Client(address, is_secure=False)
            lines = client.believed(make_request(*fields), TRUSTING).forwarded.splitlines()
            found |= {line.partition(b":")[0].lower() for line in lines}
        self.assertIn(b"x-real-ip", found)
        self.assertEqual(found - OWN_LINES, set())
