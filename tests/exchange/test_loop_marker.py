"""Tests of `ingress.exchange.loop_marker`: the marks of requests, and requests that are loops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config, IngressClassFilter
from ingress.errors import LoopDetected
from ingress.exchange.loop_marker import MAX_PASSES, LoopMarker, make_token
from ingress.field_edits import FieldEdits
from tests.support.upstream_head import PROXY, TRUSTING, UpstreamHeadCase

OURS = b"txingress"
"""The token of `LoopMarker` without an installation."""


class TokenTests(SynchronousTestCase):
    """The identity of an installation."""

    def test_cluster(self) -> None:
        """Replicas have the same Lease and controller, and so the same token."""
        config = Config(cluster=Cluster(), path=Path("/etc/a.yaml"))
        token = make_token(config, "txingress")
        self.assertRegex(token, rb"^txingress-[0-9a-f]{12}$")
        self.assertEqual(make_token(replace(config, path=Path("/b.yaml")), "txingress"), token)
        explicit = replace(config, cluster=Cluster(lease=("txingress", "txingress-leader")))
        self.assertEqual(make_token(explicit, "elsewhere"), token)
        controller = replace(config, ingress_class=IngressClassFilter(controller="a.example/b"))
        others = {
            make_token(config, "other"),
            make_token(replace(config, cluster=Cluster(lease=("", "other"))), "txingress"),
            make_token(controller, "txingress"),
        }
        self.assertEqual(len(others | {token}), 4)

    def test_files(self) -> None:
        """The path of the configuration is the identity without a cluster."""
        config = Config(path=Path("/etc/a.yaml"))
        self.assertEqual(make_token(config, "x"), make_token(config, "y"))
        self.assertNotEqual(
            make_token(config, ""), make_token(Config(path=Path("/etc/b.yaml")), "")
        )

    def test_undecodable_path(self) -> None:
        """A path need not be UTF-8."""
        self.assertTrue(make_token(Config(path=Path("/etc/\udcff.yaml")), ""))

    def test_configured(self) -> None:
        """The key `installation` takes precedence."""
        config = Config(cluster=Cluster(), installation="Edge.1")
        self.assertEqual(make_token(config, "x"), b"txingress-Edge.1")


class MarkTests(UpstreamHeadCase):
    """The field for endpoints, and the requests that are refused."""

    def test_first(self) -> None:
        """A request without the field gets it, with our token."""
        self.assertEqual(self.send().values(b"CDN-Loop"), [OURS])

    def test_appended(self) -> None:
        """Other members stay before ours, in one field."""
        message = self.send(b"CDN-Loop: foo; a=1, b.example:80", b"X: 1", b"cdn-loop: c")
        self.assertEqual(message.values(b"CDN-Loop"), [b"foo; a=1, b.example:80, c, " + OURS])

    def test_empty(self) -> None:
        """An empty field is as good as none."""
        self.assertEqual(self.send(b"CDN-Loop:").values(b"CDN-Loop"), [OURS])

    def test_every_pass(self) -> None:
        """A request that is sent back with its fields is refused after the last allowed pass."""
        fields: tuple[bytes, ...] = ()
        for passes in range(1, MAX_PASSES + 1):
            (value,) = self.send(*fields).values(b"CDN-Loop")
            self.assertEqual(value, b", ".join([OURS] * passes))
            fields = (b"CDN-Loop: " + value,)
        with self.assertRaisesRegex(LoopDetected, "passed through this proxy 4 times"):
            self.send(*fields)

    def test_several_fields(self) -> None:
        """Passes count in all fields and members, with parameters or without."""
        spread = (b"CDN-Loop: a,txingress;x=1 ,,b", b"CDN-Loop: txingress", b"CDN-Loop:txingress,")
        self.assertEqual(len(self.send(*spread).values(b"CDN-Loop")), 1)
        self.assertRaises(LoopDetected, self.send, *spread, b"cdn-loop: c, txingress")

    def test_others(self) -> None:
        """The members of other installations do not count, however many there are."""
        others = b"CDN-Loop: " + b", ".join([b"txingress-2", b"TXINGRESS", b"a; txingress"] * 9)
        self.assertEqual(len(self.send(others).values(b"CDN-Loop")), 1)

    def test_trusted_proxies(self) -> None:
        """A trusted proxy is refused like every client, because it may be a part of the loop."""
        field = b"CDN-Loop: " + b",".join([OURS] * MAX_PASSES)
        with self.assertRaises(LoopDetected):
            self.send(field, address=PROXY, config=TRUSTING)

    def test_connection(self) -> None:
        """A client cannot have the field removed."""
        message = self.send(b"Connection: CDN-Loop", b"CDN-Loop: a, " + OURS)
        self.assertEqual(message.values(b"CDN-Loop"), [b"a, " + OURS + b", " + OURS])

    def test_spellings(self) -> None:
        """Other spellings of the field reach no endpoint, whatever names pass."""
        config = replace(TRUSTING, field_names="any")
        message = self.send(b"CDN_Loop: a", b"Cdn.Loop: b", config=config)
        self.assertNotIn(b"Loop: a", b"".join(name + b": " + v for name, v in message.fields))
        self.assertEqual(message.values(b"CDN-Loop"), [OURS])

    def test_edits(self) -> None:
        """Edits of a route leave the field alone, and cannot be made for it."""
        edits = FieldEdits(replace=((b"X-A", b"1"),), remove=frozenset({b"x-b"}))
        message = self.send(b"CDN-Loop: a", edits=edits)
        self.assertEqual(message.values(b"CDN-Loop"), [b"a, " + OURS])
        for name in (b"CDN-Loop", b"cdn_loop", b"Cdn.Loop"):
            self.assertRaises(ValueError, FieldEdits, replace=((name, b"a"),))
            self.assertRaises(ValueError, FieldEdits, add=((name, b"a"),))
            self.assertRaises(ValueError, FieldEdits, remove=frozenset({name.lower()}))

    def test_repr(self) -> None:
        """A marker shows its token."""
        self.assertEqual(repr(LoopMarker(b"a")), "<LoopMarker b'a'>")
