"""
Tests for `ingress.dns.resolv_conf`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.dns.resolv_conf import ResolvConf, parse_hosts, parse_resolv_conf

POD = """\
# made by the kubelet
search ingress.svc.cluster.local svc.cluster.local Cluster.local.
nameserver 10.96.0.10
options ndots:5 timeout:2 attempts:3 edns0
"""


class ResolvConfTests(SynchronousTestCase):
    def test_pod(self) -> None:
        """The file of a pod."""
        self.assertEqual(
            parse_resolv_conf(POD),
            ResolvConf(
                ("10.96.0.10",),
                ("ingress.svc.cluster.local", "svc.cluster.local", "cluster.local"),
                ndots=5,
                timeout=2,
                attempts=3,
            ),
        )

    def test_empty(self) -> None:
        """An empty file names no server."""
        self.assertEqual(parse_resolv_conf(""), ResolvConf())

    def test_nonsense(self) -> None:
        """Unknown lines are ignored."""
        text = "nameserver\nnameserver x\nnameserver 10.0.0.1 x\n;\nsearch\noptions ndots timeout:x :1\nsortlist\n"
        self.assertEqual(parse_resolv_conf(text), ResolvConf(("10.0.0.1",)))

    def test_bounds(self) -> None:
        """There are no more servers, dots, seconds and attempts than glibc has."""
        text = "".join(f"nameserver 10.0.0.{n}\n" for n in range(9))
        conf = parse_resolv_conf(f"{text}options ndots:99 timeout:0 attempts:99\n")
        self.assertEqual(
            (len(conf.nameservers), conf.ndots, conf.timeout, conf.attempts), (3, 15, 1, 5)
        )

    def test_domain(self) -> None:
        """`domain` is a search list of one; of both the last one counts."""
        self.assertEqual(parse_resolv_conf("search a b\ndomain c\n").search, ("c",))
        self.assertEqual(parse_resolv_conf("domain c\nsearch a b\n").search, ("a", "b"))

    def test_scoped(self) -> None:
        """A name server may be a neighbour, with the interface that leads there."""
        self.assertEqual(
            parse_resolv_conf("nameserver fe80::1%eth0\n").nameservers, ("fe80::1%eth0",)
        )


class CandidateTests(SynchronousTestCase):
    """The candidates of a name."""

    conf = ResolvConf(search=("a.example", "example"), ndots=2)

    def test_complete(self) -> None:
        """With a dot at its end it is complete."""
        self.assertEqual(self.conf.candidates("x."), ["x"])

    def test_few_dots(self) -> None:
        """With few dots it is completed first."""
        self.assertEqual(self.conf.candidates("x.y"), ["x.y.a.example", "x.y.example", "x.y"])

    def test_many_dots(self) -> None:
        """With many it is tried as it is first."""
        self.assertEqual(
            self.conf.candidates("x.y.z"), ["x.y.z", "x.y.z.a.example", "x.y.z.example"]
        )

    def test_too_long(self) -> None:
        """Impossible names are left out."""
        long = ".".join(["x" * 61] * 4)
        self.assertEqual(self.conf.candidates(long), [long])
        for name in ("x" * 64, "x..y", ".", ""):
            self.assertEqual(ResolvConf().candidates(name), [], name)


class HostsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each name has all of its addresses, in their order."""
        hosts = parse_hosts(
            "127.0.0.1 localhost\n::1 localhost ip6-localhost # both\n#10.0.0.1 off\n"
            "10.0.0.2 Web.example. web\n10.0.0.2 web\nnonsense x\n10.0.0.3\n"
        )
        self.assertEqual(
            hosts.addresses,
            {
                "localhost": ("127.0.0.1", "::1"),
                "ip6-localhost": ("::1",),
                "web.example": ("10.0.0.2",),
                "web": ("10.0.0.2",),
            },
        )
