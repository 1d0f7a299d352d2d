"""Tests of what annotations say about TLS towards endpoints."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.backend_tls import H2, HTTP1, BackendTLS, Use
from ingress.testing import Reading, read_annotations, rule_scope
from ingress.upstream.tls import ClientContexts, UnusableTLS

SECRETS = {
    ("default", "all"): BackendSecret(b"chain", b"key", b"ca"),
    ("default", "pair"): BackendSecret(b"chain", b"key"),
    ("default", "ca"): BackendSecret(ca_pem=b"ca"),
    ("default", "bad"): BackendSecret(fault="cannot be used: it is bad"),
    ("other", "all"): BackendSecret(b"chain", b"key", b"ca"),
}
MISSING = BackendSecret(fault="does not exist")


CLOSED = Closing(Extent.RULES, Subject.ENCRYPTION)


def read(protocol: str = "HTTPS", **values: str) -> Reading:
    """
    :param values: annotations without ``proxy-ssl-``, names with ``_`` for ``-``.
    """
    written = {f"proxy-ssl-{name.replace('_', '-')}": values[name] for name in values}
    return read_annotations(
        BackendTLS,
        {"backend-protocol": protocol, **written},
        backend_secret_of=lambda name: SECRETS.get(name, MISSING),
    )


def references(secret: str) -> list[tuple[str, str, str]]:
    values = {"backend-protocol": "HTTPS", "proxy-ssl-secret": secret}
    annotations = Annotations({PREFIX + name: value for name, value in values.items()})
    return list(BackendTLS.references(annotations, "default"))


class SettingsTestCase(SynchronousTestCase):
    def assert_tls(self, expected: BackendTLS, **values: str) -> None:
        """These annotations come to `expected`, without a fault."""
        feature, faults, closing = read(**values)
        self.assertEqual(faults, {})
        self.assertIsNone(closing)
        self.assertEqual(feature, expected)

    def assert_refused(self, name: str, message: str, /, **values: str) -> None:
        """These annotations close the paths, with one fault."""
        _, faults, closing = read(**values)
        self.assertEqual(closing, CLOSED, values)
        self.assertEqual(list(faults), [f"proxy-ssl-{name}"])
        self.assertIn(message, faults[f"proxy-ssl-{name}"])
        self.assertTrue(faults[f"proxy-ssl-{name}"].endswith("; the paths answer 503"))

    def assert_fault(self, expected: BackendTLS, name: str, message: str, /, **values: str) -> None:
        """These annotations come to `expected`, with one fault."""
        feature, faults, closing = read(**values)
        self.assertIsNone(closing)
        self.assertEqual(feature, expected)
        self.assertEqual(list(faults), [f"proxy-ssl-{name}"])
        self.assertIn(message, faults[f"proxy-ssl-{name}"])


class ProtocolTests(SettingsTestCase):
    """``backend-protocol`` decides whether there is TLS at all."""

    def test_http(self) -> None:
        """HTTP in either case, or nothing, is no TLS."""
        for protocol in ("", "HTTP", "http", " Http "):
            self.assertEqual(read(protocol), (None, {}, None))

    def test_https(self) -> None:
        """HTTPS in either case is TLS, not verified."""
        for protocol in ("HTTPS", "https", " Https "):
            self.assertEqual(read(protocol), (BackendTLS(), {}, None))

    def test_others(self) -> None:
        """What is not implemented, or unknown, is a fault and HTTP."""
        for protocol, message in (
            ("fcgi", "not implemented; requests get 502"),
            ("AJP", "HTTP, HTTPS, AUTO_HTTP, GRPC or GRPCS is accepted; HTTP is spoken"),
        ):
            feature, faults, _ = read(protocol)
            self.assertIsNone(feature)
            self.assertIn(message, faults["backend-protocol"])

    def test_grpcs(self) -> None:
        """What was meant to be encrypted is encrypted."""
        feature, faults, _ = read("GRPCS", verify="on", secret="default/ca")
        assert isinstance(feature, BackendTLS)
        self.assertTrue(feature.is_verified)
        self.assertEqual((feature.alpn, faults), ((H2,), {}))

    def test_auto(self) -> None:
        """The client decides, and what was meant to be verified is, or closed."""
        feature, faults, _ = read("auto_http", verify="on", secret="default/ca")
        assert isinstance(feature, BackendTLS)
        self.assertEqual((feature.use, feature.alpn), (Use.FOR_SECURE_CLIENTS, (HTTP1,)))
        self.assertEqual((feature.is_verified, faults), (True, {}))
        self.assertEqual(read("AUTO_HTTP", verify="on").closing, CLOSED)

    def test_open(self) -> None:
        """Without a protocol the settings are for Service ports that speak TLS."""
        self.assertEqual(read(""), (None, {}, None))
        feature, faults, closing = read("", verify="on", secret="default/ca")
        assert isinstance(feature, BackendTLS)
        self.assertEqual((feature.use, feature.is_verified), (Use.FOR_SECURE_PORTS, True))
        self.assertEqual((set(faults), closing), ({"proxy-ssl-verify", "proxy-ssl-secret"}, None))

    def test_open_and_wrong(self) -> None:
        """Then a bad setting closes no path, but no handshake succeeds with it."""
        for values in ({"verify": "on"}, {"secret": "default/bad"}, {"ciphers": "none!"}):
            feature, _, closing = read("", **values)
            assert isinstance(feature, BackendTLS)
            self.assertIsNone(closing)
            with self.assertRaises(UnusableTLS):
                ClientContexts().context(feature)

    def test_without_effect(self) -> None:
        """Who asks for verification without TLS is told."""
        feature, faults, _ = read("HTTP", verify="on", secret="default/bad")
        self.assertIsNone(feature)
        self.assertEqual(set(faults), {"proxy-ssl-verify", "proxy-ssl-secret"})
        for message in faults.values():
            self.assertIn("without effect", message)


class SecretTests(SettingsTestCase):
    """``proxy-ssl-secret`` holds a pair to show, certificates to trust, or both."""

    def test_good(self) -> None:
        """What it holds is taken over; nothing is verified unless asked for."""
        pair = BackendTLS(chain_pem=b"chain", key_pem=b"key")
        self.assert_tls(pair, secret="default/pair")
        self.assert_tls(BackendTLS(ca_pem=b"ca"), secret="default/ca")
        both = BackendTLS(chain_pem=b"chain", key_pem=b"key", ca_pem=b"ca")
        self.assert_tls(both, secret="default/all", verify="off")

    def test_bad(self) -> None:
        """A Secret that is missing, cannot be used or is somebody else's closes the paths."""
        self.assert_refused("secret", "Secret default/none does not exist", secret="default/none")
        self.assert_refused("secret", "Secret default/bad cannot be used", secret="default/bad")
        self.assert_refused("secret", "own namespace", secret="other/all")
        for written in ("all", "default/", "/all", "default/all/x", "Default/all", "default/a b"):
            self.assert_refused("secret", "NAMESPACE/NAME", secret=written)

    def test_bad_to_verify_by(self) -> None:
        """A bad Secret is told once, not for each annotation that needs it."""
        self.assert_refused("secret", "is bad", secret="default/bad", verify="on")

    def test_named(self) -> None:
        """The Secret is known even while it is at fault, so that its change is seen."""
        for name in ("all", "bad", "none"):
            self.assertEqual(references(f"default/{name}"), [("Secret", "default", name)])
        self.assertEqual(references("other/all"), [("Secret", "other", "all")])
        self.assertEqual(references(""), [])

    def test_repr(self) -> None:
        """No key is shown."""
        self.assertNotIn("b'key'", repr(read(secret="default/all")))
        self.assertNotIn("b'key'", repr(SECRETS["default", "all"]))


class VerifyTests(SettingsTestCase):
    """``proxy-ssl-verify`` never comes to less than it says."""

    def test_on(self) -> None:
        """With something to verify by it is on, in either case."""
        for written in ("on", "ON", " On "):
            self.assert_tls(
                BackendTLS(is_verified=True, ca_pem=b"ca"), secret="default/ca", verify=written
            )

    def test_nothing_to_verify_by(self) -> None:
        """Without any trusted certificate the paths are closed."""
        self.assert_refused("verify", "no Secret with a ca.crt", verify="on")
        self.assert_refused("verify", "no Secret with a ca.crt", verify="on", secret="default/pair")

    def test_unknown(self) -> None:
        """A value that is none closes the paths."""
        for written in ("true", "1", "yes"):
            self.assert_refused("verify", "on or off", verify=written, secret="default/ca")

    def test_depth(self) -> None:
        """The depth is a number, where nought is one as in ingress-nginx."""
        self.assert_tls(BackendTLS(verify_depth=3), verify_depth="3")
        self.assert_tls(BackendTLS(verify_depth=1), verify_depth="0")
        for written in ("-1", "101", "two"):
            self.assert_fault(BackendTLS(), "verify-depth", "is used", verify_depth=written)


class NameTests(SettingsTestCase):
    """Which name an endpoint must have, and whether it is sent."""

    def test_own(self) -> None:
        """A name that is set goes before all others, in lower case."""
        for written in ("API.Example", "api.example."):
            self.assert_tls(BackendTLS(name="api.example", has_own_name=True), name=written)
        tls = BackendTLS(name="api.example", has_own_name=True)
        self.assertIs(tls.at(rule_scope()), tls)
        for host in ("10.0.0.1", "fd00::1", "other.example"):
            self.assertEqual(tls.server_name(host), "api.example")

    def test_of_service(self) -> None:
        """Else an address is known by its Service, and a name by itself."""
        tls = BackendTLS().at(rule_scope(namespace="shop"))
        assert tls is not None
        for host in ("10.0.0.1", "fd00::1"):
            self.assertEqual(tls.server_name(host), "web.shop.svc")
        self.assertEqual(tls.server_name("API.example."), "api.example")

    def test_bad(self) -> None:
        """What is no name is a fault, and the name is the default."""
        for written in ("10.0.0.1", "fd00::1", "$host", "a b", "*.example", "a..b", "x" * 64, "-a"):
            self.assert_fault(BackendTLS(), "name", "the name of a host", name=written)

    def test_sent(self) -> None:
        """The name is sent only where that is asked for."""
        self.assert_tls(BackendTLS(sends_name=True), server_name="on")
        self.assert_tls(BackendTLS(sends_name=False), server_name="off")
        self.assert_fault(BackendTLS(), "server-name", "on is accepted", server_name="true")


class CipherTests(SettingsTestCase):
    """What is spoken."""

    def test_protocols(self) -> None:
        """Each version that is asked for, and no other."""
        self.assert_tls(BackendTLS(protocols=frozenset({"TLSv1.2"})), protocols="TLSv1.2")
        self.assert_tls(BackendTLS(protocols=frozenset({"TLSv1.3"})), protocols=" TLSv1.3 ")
        self.assert_tls(BackendTLS(), protocols="TLSv1.3  TLSv1.2")

    def test_old_protocols(self) -> None:
        """Versions that are too old are left out; where none is left, the default is spoken."""
        only = "only TLSv1.2 and TLSv1.3 are spoken"
        new = BackendTLS(protocols=frozenset({"TLSv1.2"}))
        self.assert_fault(new, "protocols", only, protocols="TLSv1 TLSv1.1 TLSv1.2")
        self.assert_fault(BackendTLS(), "protocols", only, protocols="SSLv3")
        accepted = "TLSv1.2 and TLSv1.3 are accepted"
        self.assert_fault(new, "protocols", accepted, protocols="TLSv1.2 TLSv1.4")
        self.assert_fault(BackendTLS(), "protocols", accepted, protocols="TLSv1.2,TLSv1.3")

    def test_ciphers(self) -> None:
        """A list that OpenSSL takes is taken over."""
        for written in ("DEFAULT", "HIGH:!aNULL", "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA"):
            self.assert_tls(BackendTLS(ciphers=written), ciphers=written)

    def test_bad_ciphers(self) -> None:
        """A list without any cipher, or that lowers OpenSSL's guard, closes the paths."""
        for written in ("NONSENSE", "ALL:@SECLEVEL=0", "HIGH; x", "A" * 1025, "!ALL"):
            self.assert_refused("ciphers", "a list of ciphers", ciphers=written)
