"""Tests of `ingress.exchange.field_names`, and of the fields that endpoints get."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.exchange.field_names import ODD, PLAIN, UNDERSCORES, name_kind
from ingress.field_edits import FieldEdits, plain_spelling
from ingress.serving.readings import read_counters
from tests.support.upstream_head import PROXY, TRUSTING, UpstreamHeadCase
from tests.support.wire import OK, Wire, request

ODD_CHARACTERS = b"!#$%&'*+.^`|~"
"""What a token may have (RFC 9110 section 5.6.2) besides letters, digits, ``-`` and ``_``."""


LENIENT = replace(TRUSTING, field_names="any")


def variable(name: bytes) -> str:
    """The variable that CGI programs find a field in (RFC 3875 section 4.1.18)."""
    text = name.decode("ascii").upper()
    return "HTTP_" + "".join(c if c.isalnum() else "_" for c in text)


class KindTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """A name is plain, plain but for underscores, or odd."""
        for name in (b"x", b"x-real-ip", b"sec-ch-ua", b"--", b"9"):
            self.assertEqual(name_kind(name), PLAIN)
        for name in (b"_", b"x_api_key", b"x-api_key"):
            self.assertEqual(name_kind(name), UNDERSCORES)
        for character in ODD_CHARACTERS:
            self.assertEqual(name_kind(b"x%cy_z" % character), ODD)

    def test_plain_spelling(self) -> None:
        """Names that are one variable to a program have one plain spelling."""
        for character in ODD_CHARACTERS + b"_-":
            name = b"x%creal%cip" % (character, character)
            self.assertEqual(plain_spelling(name), b"x-real-ip")
            self.assertEqual(variable(name), "HTTP_X_REAL_IP")


class UpstreamTests(UpstreamHeadCase):
    def spelled(self, name: bytes, character: int) -> bytes:
        return name.replace(b"-", b"%c" % character)

    def test_no_program_sees_the_clients_value(self) -> None:
        """A program finds our value in its variable, however a client spells the field."""
        for character in ODD_CHARACTERS + b"_":
            names = (b"X-Real-IP", b"X-Forwarded-For", b"ssl-client-verify", b"X-Request-ID")
            fields = [self.spelled(name, character) + b": evil" for name in names]
            for address, config in (("192.0.2.1", TRUSTING), (PROXY, TRUSTING), (PROXY, LENIENT)):
                message = self.send(*fields, address=address, config=config)
                self.assertNotIn(b"evil", [value for _, value in message.fields])

    def test_dropped(self) -> None:
        """Names with other characters than letters, digits and ``-`` do not pass, for any client."""
        fields = [b"X%cAnything: 1" % character for character in ODD_CHARACTERS + b"_"]
        plain = self.send(b"X-Anything: 1", config=TRUSTING)
        self.assertEqual(plain.values(b"X-Anything"), [b"1"])
        for address in ("192.0.2.1", PROXY):
            bare = self.send(address=address, config=TRUSTING)
            message = self.send(*fields, address=address, config=TRUSTING)
            self.assertEqual(message.fields, bare.fields)

    def test_underscores(self) -> None:
        """`field-names: underscores` lets names with ``_`` pass, and no others."""
        config = Config(field_names="underscores")
        message = self.send(b"X_Api_Key: 1", b"X.Api: 1", config=config)
        self.check(message, {b"X_Api_Key": [b"1"], b"X.Api": []})

    def test_any(self) -> None:
        """`field-names: any` lets every name pass that does not read as one of ours."""
        ours = [
            *(b"X_Real.IP", b"X_Original.URL", b"Content_Length", b"Content.Length"),
            *(b"Transfer.Encoding", b"Keep_Alive"),
        ]
        message = self.send(
            b"X.Api: 1", b"X_Api: 2", *[name + b": evil" for name in ours], config=LENIENT
        )
        self.check(message, {b"X.Api": [b"1"], b"X_Api": [b"2"], **{name: [] for name in ours}})

    def test_edits(self) -> None:
        """A field that a policy replaces or removes goes in each spelling that passes."""
        edits = FieldEdits(replace=((b"X-User", b"alice"),), remove=frozenset({b"x-group"}))
        message = self.send(
            b"X_User: evil", b"X.Group: evil", b"X_Other: 1", config=LENIENT, edits=edits
        )
        self.assertNotIn(b"evil", [value for _, value in message.fields])
        self.check(message, {b"X-User": [b"alice"], b"X_Other": [b"1"]})


class CountedTests(SynchronousTestCase):
    def test_each_is_counted(self) -> None:
        """Each dropped field of each request counts, also if the head is known."""
        wire = Wire()
        client = wire.connect()
        data = request(b"GET", b"X.Real.IP: 1.2.3.4", b"X_Api: 1", b"X-Plain: 1")
        client.send(data)
        endpoint = wire.accept()
        for turn in (1, 2, 3):
            self.assertNotIn(b"1.2.3.4", endpoint.read())
            self.assertEqual(read_counters(wire.plane).dropped_fields, 2 * turn)
            endpoint.send(OK)
            client.send(data)

    def test_setting_applies_live(self) -> None:
        """A changed setting applies to the next request of a head that is known."""
        wire = Wire()
        client = wire.connect()
        data = request(b"GET", b"X_Api: 1")
        client.send(data)
        endpoint = wire.accept()
        self.assertNotIn(b"X_Api", endpoint.read())
        endpoint.send(OK)
        snapshot = wire.plane.exchanges.snapshot
        assert snapshot is not None
        wire.plane.publish(replace(snapshot, config=Config(field_names="underscores")))
        client.send(data)
        self.assertIn(b"X_Api: 1\r\n", endpoint.read())
        self.assertEqual(read_counters(wire.plane).dropped_fields, 1)
