"""Tests of the URLs of servers that policies ask."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.policy.server_url import ServerURL, URLRefused, parse_server_url
from ingress.policy.variables import VariableUnknown
from ingress.testing import policy_context, rule_scope


def parse(written: str) -> ServerURL:
    return parse_server_url(written, "shop")


class HostTests(SynchronousTestCase):
    """The host says which endpoints are asked."""

    def test_service(self) -> None:
        """The name of a Service leads to it, in any namespace; the port is the Service's."""
        for written, key in (
            ("http://auth.sso.svc.cluster.local/check", ("sso", "auth", "80")),
            ("http://auth.sso.svc.cluster.local./check", ("sso", "auth", "80")),
            ("https://AUTH.sso.SVC", ("sso", "auth", "443")),
            ("http://oauth2-proxy.sso.svc:4180?x=1", ("sso", "oauth2-proxy", "4180")),
            ("http://auth.$namespace.svc.cluster.local/", ("shop", "auth", "80")),
            ("HTTP://auth.${namespace}.svc/", ("shop", "auth", "80")),
        ):
            self.assertEqual(parse(written).upstream, UpstreamKey(*key), written)

    def test_name(self) -> None:
        """Any other name, and an address, is a host of its own."""
        for written, host, port in (
            ("http://auth.example.com/check", "auth.example.com", "80"),
            ("https://Auth.Example.Com.:8443/", "auth.example.com.", "8443"),
            ("http://authelia:9091/api", "authelia", "9091"),
            ("http://auth.sso/api", "auth.sso", "80"),
            ("https://auth.sso.svc.corp.internal/", "auth.sso.svc.corp.internal", "443"),
            ("http://192.0.2.7:81", "192.0.2.7", "81"),
            ("http://[2001:DB8::1]:81/x", "2001:db8::1", "81"),
            ("http://example.com$request_uri", "example.com", "80"),
        ):
            self.assertEqual(parse(written).upstream, UpstreamKey("", host, port), written)

    def test_own(self) -> None:
        """The host of the request itself, whatever a client says it is, is no other host."""
        for written in (
            "https://$host/oauth2/auth",
            "https://$http_host/oauth2/auth",
            "https://${best_http_host}/oauth2/auth",
            "https://$HOST:443/oauth2/auth",
        ):
            url = parse(written)
            self.assertIsNone(url.upstream, written)
            self.assertEqual((url.authority, url.is_secure), (b"", True))
            self.assertEqual(url.target_for(policy_context()), b"/oauth2/auth")

    def test_authority(self) -> None:
        """The Host field is the host without its port."""
        for written, authority in (
            ("http://auth.sso.svc:4180/", b"auth.sso.svc"),
            ("http://[2001:db8::1]:81/", b"[2001:db8::1]"),
        ):
            self.assertEqual(parse(written).authority, authority)

    def test_refused(self) -> None:
        """What is no URL, and a host that a client could choose, is refused."""
        for written in (
            "",
            "auth.example.com/check",
            "//auth.example.com/",
            "ftp://auth.example.com/",
            "http://",
            "http:///check",
            "http://user:secret@auth.example.com/",
            "http://auth.example.com:0/",
            "http://auth.example.com:65536/",
            "http://auth.example.com:/",
            "http://auth.example.com:80x/",
            "http://auth.example.com/#part",
            "http://auth example.com/",
            "http://auth.example.com/a b",
            "http://auth.example.com/a\r\nX: y",
            "http://auth.example.com/\x00",
            "http://auth.example.com/é",
            "http://$host.example.com/",
            "http://$http_x/",
            "http://$arg_host/",
            "http://auth.$host/",
            "http://auth.example.com$http_x",
            "http://auth.example.com$uri_x",
            "http://auth.example.com:80$host",
            "http://$service_name.sso.svc/",
            "http://a..b/",
            "http://-a/",
            "http://127.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::1/",
            "http://[fe80::1%eth0]/",
            "http://[1.2.3.4]/",
            "http://" + "a" * 300 + "/",
            "http://a/" + "a" * 100_000,
            "http://" + "$host" * 20_000,
            "unix:/run/auth.sock",
        ):
            error = self.assertRaises((URLRefused, VariableUnknown), parse, written)
            self.assertLess(len(str(error)), 1000)
            self.assertNotIn("secret", str(error))

    def test_unknown_variable(self) -> None:
        """A variable that there is not is named."""
        error = self.assertRaises(VariableUnknown, parse, "http://a/?x=$connection")
        self.assertIn("$connection", str(error))


class TargetTests(SynchronousTestCase):
    """Path and query of the URL are the target, with values of the request."""

    def target(self, written: str, target: bytes = b"/a?b=c", **fields: bytes) -> bytes:
        pairs = [(name.encode(), value) for name, value in fields.items()]
        source = policy_context(target=target, fields=pairs)
        return parse(written).at(rule_scope(service="web")).target_for(source)

    def test_target(self) -> None:
        """Variables have their values, and a target always has a path."""
        for rest, expected in (
            ("", b"/"),
            ("/", b"/"),
            ("/check", b"/check"),
            ("?x=1", b"/?x=1"),
            ("/check?uri=$request_uri&m=$request_method", b"/check?uri=/a?b=c&m=GET"),
            ("/check?uri=$escaped_request_uri", b"/check?uri=%2Fa%3Fb%3Dc"),
            ("/$service_name", b"/web"),
            ("$request_uri", b"/a?b=c"),
            ("${uri}x", b"/ax"),
            ("/$http_absent", b"/"),
        ):
            self.assertEqual(self.target(f"http://a.example{rest}"), expected, rest)

    def test_value_of_client(self) -> None:
        """A value of the client becomes neither another host nor another field."""
        for value, expected in (
            (b".evil.example/", b"/.evil.example/"),
            (b"@evil.example/", b"/@evil.example/"),
            (b"a b\tc", b"/a%20b%09c"),
            (b"x#y\xc3\xa9", b"/x%23y\xc3\xa9"),
            (b"$host", b"/$host"),
        ):
            self.assertEqual(self.target("http://a.example/$http_x", x=value), expected, value)


class TLSTests(SynchronousTestCase):
    def test_tls(self) -> None:
        """https names the host to the server, and verifies it only if that is wanted."""
        self.assertIsNone(parse("http://a.example/").tls(is_verified=True))
        for is_verified in (False, True):
            tls = parse("https://a.example./").tls(is_verified=is_verified)
            assert tls is not None
            self.assertEqual(
                (tls.name, tls.has_own_name, tls.sends_name), ("a.example", True, True)
            )
            self.assertEqual((tls.is_verified, tls.trusts_system), (is_verified, is_verified))

    def test_address(self) -> None:
        """An address is not sent as a name (RFC 6066 section 3)."""
        tls = parse("https://192.0.2.1/").tls(is_verified=True)
        assert tls is not None
        self.assertFalse(tls.sends_name)

    def test_pickled(self) -> None:
        """A URL goes to workers as it is."""
        url = parse("https://a.example/x?$http_y")
        self.assertEqual(pickle.loads(pickle.dumps(url)), url)
