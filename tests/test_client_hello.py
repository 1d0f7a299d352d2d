"""
Tests for `ingress.client_hello`.
"""

from __future__ import annotations

import contextlib
import random

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from ingress.client_hello import MAX_HANDSHAKE, MAX_RECORDS, HelloReader, find_server_name
from tests.support.hello import (
    extension,
    hello,
    message,
    openssl_hello,
    records,
    server_name,
    vector,
)

NAME = b"a.example"


class ReaderTests(SynchronousTestCase):
    def read(self, data: bytes) -> bytes | None:
        """Read a ClientHello whole, byte by byte, and with data behind it."""
        reader, found = HelloReader(), HelloReader()
        for end in range(len(data)):
            reader.read(data[:end])
            self.assertFalse(reader.is_over)
            self.assertGreater(reader.needed, end)
            self.assertLessEqual(reader.needed, len(data))
        reader.read(data)
        found.read(data + b"more")
        self.assertEqual((reader.is_over, reader.server_name), (found.is_over, found.server_name))
        self.assertTrue(reader.is_over)
        return reader.server_name

    def end_at(self, data: bytes) -> int:
        """:return: after how many bytes the reader gives up on something without a name."""
        reader = HelloReader()
        for end in range(len(data) + 1):
            reader.read(data[:end])
            if reader.is_over:
                self.assertIsNone(reader.server_name)
                return end
        raise AssertionError("it waits for more")

    def test_openssl(self) -> None:
        """The name of OpenSSL's ClientHello is found, as sent."""
        for name in (NAME, b"A.Example", b"xn--bcher-kva.example"):
            self.assertEqual(self.read(openssl_hello(name)), name)
        self.assertIsNone(self.read(openssl_hello(None)))

    def test_large(self) -> None:
        """One with as many extensions as a long list of protocols is read as well."""
        data = openssl_hello(NAME, alpn=600)
        self.assertGreater(len(data), 8000)
        reader = HelloReader()
        reader.read(data)
        self.assertEqual(reader.server_name, NAME)
        many = [extension(0x0A0A + number, b"x" * 50) for number in range(200)]
        reader = HelloReader()
        reader.read(records(message(hello(*many, server_name(NAME)))))
        self.assertEqual(reader.server_name, NAME)

    def test_fragmented(self) -> None:
        """A ClientHello may be cut into records at any place, down to single bytes."""
        data = openssl_hello(NAME)[5:]
        for size in (1, 2, 3, 4, 5, 100):
            self.assertEqual(self.read(records(data, size)), NAME)

    def test_encrypted(self) -> None:
        """Of Encrypted Client Hello the outer name counts, which nobody has encrypted."""
        encrypted = extension(0xFE0D, b"\0" + b"\x00\x01\x00\x01\x05" + vector(b"k" * 32, 2))
        data = records(message(hello(encrypted, server_name(b"public.example"))))
        self.assertEqual(self.read(data), b"public.example")

    def test_bounds(self) -> None:
        """Nobody waits for a ClientHello beyond 16 KiB, in records beyond 24 KiB."""
        padding = extension(21, b"\0" * (MAX_HANDSHAKE - len(hello(server_name(NAME))) - 8))
        whole = message(hello(padding, server_name(NAME)))
        self.assertEqual(len(whole), MAX_HANDSHAKE)
        reader = HelloReader()
        reader.read(records(whole))
        self.assertEqual(reader.server_name, NAME)
        longer = message(hello(padding, server_name(NAME), extension(1, b"")))
        self.assertEqual(self.end_at(records(longer)[: 2**14 + 5]), 2**14 + 5)
        many = records(whole, 1)
        reader, most = HelloReader(), 0
        for end in range(0, len(many), 600):
            reader.read(many[:end])
            if reader.is_over:
                break
            most = reader.needed
        self.assertTrue(reader.is_over)
        self.assertLessEqual(most, MAX_RECORDS)

    def test_other_protocols(self) -> None:
        """What is no handshake of TLS has no name, as is clear at its beginning."""
        self.assertEqual(self.end_at(b"GET / HTTP/1.1\r\n"), 1)
        self.assertEqual(self.end_at(b"\x80\x2e\x01\x00\x02"), 1)  # SSL 2.0
        self.assertEqual(self.end_at(b"\x15\x03\x01\x00\x02\x02\x28"), 1)  # an alert
        self.assertEqual(self.end_at(b"\x16\x02\x00\x00\x10"), 5)
        self.assertEqual(self.end_at(b"\x16\x03\x01\x00\x00"), 5)
        self.assertEqual(self.end_at(b"\x16\x03\x01\x40\x01"), 5)
        self.assertEqual(self.end_at(records(message(b"", kind=2))), 9)

    def test_mixed(self) -> None:
        """A record of another kind between two of the handshake ends it."""
        data = records(message(hello(server_name(NAME))), 20)
        self.assertEqual(self.end_at(data[:25] + b"\x15\x03\x01\x00\x02\x01\x00"), 26)


class NameTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A ClientHello may have a session, no extensions, and others around the name."""
        self.assertEqual(find_server_name(hello(server_name(NAME), session=b"s" * 32)), NAME)
        around = (extension(23, b""), server_name(NAME), extension(43, b"\x02\x03\x04"))
        self.assertEqual(find_server_name(hello(*around)), NAME)
        self.assertIsNone(find_server_name(hello()[:-2]))
        self.assertIsNone(find_server_name(hello()))

    def test_malformed(self) -> None:
        """Two names, another kind of name, and lengths that lie are no name."""
        two = vector(b"\0" + vector(NAME, 2) + b"\0" + vector(NAME, 2), 2)
        for bad in (
            hello(server_name(NAME), server_name(NAME)),
            hello(extension(0, two)),
            hello(server_name(NAME, kind=1)),
            hello(server_name(b"")),
            hello(server_name(b"a.example\0.evil")),
            hello(extension(0, b"")),
            hello(extension(0, b"\0\5\0\0\1a")),
            hello(server_name(NAME)) + b"x",
            hello(server_name(NAME))[:-1],
        ):
            self.assertIsNone(find_server_name(bad), bad)

    def test_every_end(self) -> None:
        """No beginning of a ClientHello has a name, and none fails."""
        whole = hello(extension(23, b""), server_name(NAME))
        for end in range(len(whole)):
            self.assertIsNone(find_server_name(whole[:end]))

    def test_as_openssl(self) -> None:
        """After random changes OpenSSL never finds another name than we do."""
        chance = random.Random(19)
        original = openssl_hello(b"abcdefgh.example")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        found: list[bytes | None] = []
        context.set_tlsext_servername_callback(lambda one: found.append(one.get_servername()))
        names = 0
        for _ in range(1500):
            data = bytearray(original)
            for _ in range(chance.choice((1, 1, 2))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            reader = HelloReader()
            reader.read(bytes(data))
            found.clear()
            connection = SSL.Connection(context, None)
            connection.set_accept_state()
            connection.bio_write(bytes(data))
            with contextlib.suppress(SSL.Error):
                connection.do_handshake()
            if found and found[0] is not None:
                names += 1
                self.assertEqual(reader.server_name, found[0], bytes(data))
        self.assertGreater(names, 500)
