"""Tests of `ingress.policy.mirror`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.policy.mirror import Mirror
from ingress.testing import policy_context, read_annotations, rule_scope

TARGET = "http://shadow.test.svc.cluster.local/copy$request_uri"


def read(config: Config | None = None, **annotations: str) -> tuple[Any, dict[str, str]]:
    """The mirror, and the faults by annotation."""
    found = read_annotations(
        Mirror,
        {name.replace("_", "-"): value for name, value in annotations.items()},
        config=config or Config(),
    )
    return found.feature, found.faults


class ReadTests(SynchronousTestCase):
    def test_target(self) -> None:
        """A Service of any namespace, or another host, is asked in the clear or over TLS."""
        mirror, faults = read(mirror_target=TARGET)
        self.assertEqual(faults, {})
        self.assertEqual(
            list(mirror.upstreams), [("mirror-target", UpstreamKey("test", "shadow", "80"))]
        )
        self.assertEqual((mirror.has_body, mirror.tls), (True, None))
        mirror, _ = read(mirror_target="https://test.env.com/$request_uri")
        self.assertEqual(
            list(mirror.upstreams), [("mirror-target", UpstreamKey("", "test.env.com", "443"))]
        )

    def test_own_host(self) -> None:
        """The host of the request itself has no endpoints: its rules are here."""
        mirror, _ = read(mirror_target="http://$host/copy")
        self.assertEqual(list(mirror.upstreams), [])

    def test_verified(self) -> None:
        """The certificate of the server is verified if the configuration says so."""
        for config in (Config(), Config(mirror_verify=True)):
            mirror, faults = read(config, mirror_target="https://a.example/")
            self.assertEqual(list(faults), [] if config.mirror_verify else ["mirror-target"])
            self.assertEqual(mirror.tls.is_verified, config.mirror_verify)
            self.assertEqual("not verified" in mirror.explain(), not config.mirror_verify)

    def test_body(self) -> None:
        """``off`` leaves the body out; anything else than ``on`` is reported."""
        for written, has_body, faults in (("on", True, 0), ("off", False, 0), ("no", True, 1)):
            mirror, found = read(mirror_target=TARGET, mirror_request_body=written)
            self.assertEqual((mirror.has_body, len(found)), (has_body, faults))

    def test_none(self) -> None:
        """Without a target there is no copy, and the other annotations are reported."""
        self.assertEqual(read(mirror_target=""), (None, {}))
        mirror, faults = read(mirror_request_body="off", mirror_host="a.example")
        self.assertIsNone(mirror)
        self.assertEqual(set(faults.values()), {"has no effect without mirror-target"})

    def test_refused(self) -> None:
        """A URL that is none, or that a client would choose, sends no copy."""
        for written in (
            "shadow",
            "ftp://shadow/",
            "http://$arg_host/",
            "http://shadow:0/",
            "http://shadow/$nothing",
            "http://shadow/\r\nX: 1",
        ):
            mirror, faults = read(mirror_target=written)
            self.assertIsNone(mirror, written)
            self.assertIn("no copy of a request is sent", faults["mirror-target"])

    def test_bad_host(self) -> None:
        """A Host that is none is reported, and that of the target is sent."""
        for written in ("a b", "a\r\nX: 1", "$nothing", "a/b"):
            mirror, faults = read(mirror_target=TARGET, mirror_host=written)
            self.assertIsNone(mirror.host, written)
            self.assertEqual(list(faults), ["mirror-host"])


class ValueTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Target and Host have the values of the request and of the rule."""
        mirror, _ = read(mirror_target=TARGET, mirror_host="$service_name.$host")
        mirror = mirror.at(rule_scope(service="web"))
        context = policy_context(target=b"/a?b=c", host=b"a.example")
        self.assertEqual(mirror.target_for(context), b"/copy/a?b=c")
        self.assertEqual(mirror.authority_for(context), b"web.a.example")

    def test_without_path(self) -> None:
        """A target without a path gets that of the request, and the Host of the target."""
        mirror, _ = read(mirror_target="http://shadow.test.svc:8080")
        context = policy_context(target=b"/a?b=c", host=b"a.example")
        self.assertEqual(mirror.target_for(context), b"/a?b=c")
        self.assertEqual(mirror.authority_for(context), b"shadow.test.svc")

    def test_hostile_host(self) -> None:
        """A value of the client that is no host is not sent as one."""
        mirror, _ = read(mirror_target=TARGET, mirror_host="$arg_h")
        for value in (b"a%20b", b"", b"a" * 300, b"[x]"):
            context = policy_context(target=b"/?h=" + value)
            self.assertEqual(mirror.authority_for(context), b"shadow.test.svc.cluster.local")
        context = policy_context(target=b"/?h=b.example:81")
        self.assertEqual(mirror.authority_for(context), b"b.example:81")

    def test_told(self) -> None:
        """People are told where the copies go."""
        mirror, _ = read(mirror_target=TARGET, mirror_request_body="off", mirror_host="$host")
        self.assertEqual(
            mirror.explain(),
            "A copy of the head of each request goes to "
            "http://shadow.test.svc.cluster.local/copy$request_uri, and its answer is dropped.",
        )
        self.assertEqual(
            mirror.shown(),
            {
                "mirror": {
                    "target": "http://shadow.test.svc.cluster.local/copy$request_uri",
                    "body": False,
                    "host": "$host",
                    "verified": None,
                }
            },
        )
