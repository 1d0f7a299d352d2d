"""Tests of how endpoints share requests."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.policy.context import PolicyContext
from ingress.policy.hash_key import parse_hash_key
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.testing import policy_context, read_annotations, rule_scope

ENDPOINTS = tuple(Endpoint(f"10.0.0.{number}", 80) for number in range(6))
BY_PATH = LoadBalance(hash_key=parse_hash_key("$uri"))
IN_SUBSETS = LoadBalance(hash_key=parse_hash_key("$uri"), subset_size=3)


def request(path: str) -> PolicyContext:
    return policy_context(target=path.encode())


PATHS = [request(f"/{number}") for number in range(200)]


def read(**annotations: str) -> tuple[LoadBalance, list[str]]:
    """:param annotations: names with ``_`` for ``-``."""
    written = {name.replace("_", "-"): value for name, value in annotations.items()}
    reading = read_annotations(LoadBalance, written)
    assert isinstance(reading.feature, LoadBalance)
    return reading.feature, list(reading.faults.values())


class AmongTests(SynchronousTestCase):
    """A hash leaves some endpoints for a request."""

    def test_no_hash(self) -> None:
        """Without a hash, or without anything to hash, any endpoint may serve."""
        by_field = LoadBalance(hash_key=parse_hash_key("$http_x"))
        for settings in (LoadBalance(), by_field):
            self.assertEqual(settings.among(ENDPOINTS, PATHS[0]), ENDPOINTS)
        for few in ((), ENDPOINTS[:1]):
            self.assertEqual(BY_PATH.among(few, PATHS[0]), few)

    def test_hash(self) -> None:
        """One key has one endpoint, and each endpoint has keys."""
        served = set()
        for path in PATHS:
            (endpoint,) = BY_PATH.among(ENDPOINTS, path)
            self.assertEqual([endpoint], list(BY_PATH.among(ENDPOINTS[::-1], path)))
            served.add(endpoint)
        self.assertEqual(served, set(ENDPOINTS))

    def test_address(self) -> None:
        """The client's address may be the key."""
        by_address = LoadBalance(hash_key=parse_hash_key("$remote_addr"))
        found = {
            tuple(by_address.among(ENDPOINTS, policy_context(address=b"192.0.2.%d" % number)))
            for number in range(200)
        }
        self.assertEqual(found, {(endpoint,) for endpoint in ENDPOINTS})

    def test_failed(self) -> None:
        """Where an endpoint is out, only its keys go elsewhere, and come back to it."""
        out = ENDPOINTS[2]
        left = [endpoint for endpoint in ENDPOINTS if endpoint != out]
        for path in PATHS:
            (before,) = BY_PATH.among(ENDPOINTS, path)
            (meanwhile,) = BY_PATH.among(left, path)
            self.assertIn(before, (out, meanwhile))

    def test_subset(self) -> None:
        """One key has several endpoints; another has others."""
        found = {frozenset(IN_SUBSETS.among(ENDPOINTS, path)) for path in PATHS}
        self.assertEqual({len(subset) for subset in found}, {3})
        self.assertGreater(len(found), 10)
        self.assertEqual(set(IN_SUBSETS.among(ENDPOINTS[:2], PATHS[0])), set(ENDPOINTS[:2]))

    def test_subset_scaled(self) -> None:
        """An endpoint more takes at most one place of each subset."""
        for path in PATHS:
            before = set(IN_SUBSETS.among(ENDPOINTS[:5], path))
            after = set(IN_SUBSETS.among(ENDPOINTS, path))
            self.assertLessEqual(after - before, {ENDPOINTS[5]})


class ReadTests(SynchronousTestCase):
    """Annotations become settings."""

    def test_defaults(self) -> None:
        """Round robin, and nothing is hashed."""
        settings, faults = read()
        self.assertEqual(settings, LoadBalance(Algorithm.ROUND_ROBIN, None, 1))
        self.assertEqual(faults, [])

    def test_algorithm(self) -> None:
        """Each algorithm has its name."""
        for algorithm in Algorithm:
            self.assertEqual(read(load_balance=str(algorithm)), (LoadBalance(algorithm), []))

    def test_unknown_algorithm(self) -> None:
        """Another name is a fault, and round robin."""
        settings, (fault,) = read(load_balance="ip_hash")
        self.assertIs(settings.algorithm, Algorithm.ROUND_ROBIN)
        self.assertIn("round_robin or least_request or ewma is accepted", fault)

    def test_hash(self) -> None:
        """A hash has its key, and a subset its size, which is three by default."""
        key = parse_hash_key("$host$uri")
        subset = {"upstream_hash_by": "$host$uri", "upstream_hash_by_subset": "true"}
        for written, size in (
            ({"upstream_hash_by": "$host$uri"}, 1),
            ({**subset, "upstream_hash_by_subset": "false"}, 1),
            (subset, 3),
            ({**subset, "upstream_hash_by_subset_size": "0"}, 3),
            ({**subset, "upstream_hash_by_subset_size": "5"}, 5),
        ):
            expected = LoadBalance(hash_key=key, subset_size=size)
            self.assertEqual(read(**written), (expected, []))

    def test_rule(self) -> None:
        """Variables of the rule get their values when the key is adapted to it."""
        settings = LoadBalance(hash_key=parse_hash_key("$service_name-$namespace$uri"))
        key = settings.at(rule_scope(service="shop")).hash_key
        assert key is not None
        self.assertEqual(key.of(request("/a")), b"shop-default/a")
        self.assertIs(BY_PATH.at(rule_scope()), BY_PATH)

    def test_bad_size(self) -> None:
        """A size that is none is a fault, and the default."""
        for size in ("-1", "three"):
            settings, (fault,) = read(
                upstream_hash_by="$uri",
                upstream_hash_by_subset="true",
                upstream_hash_by_subset_size=size,
            )
            self.assertEqual(settings.subset_size, 3)
            self.assertIn("is accepted", fault)

    def test_unknown_variable(self) -> None:
        """A hash that cannot be computed is a fault, and the algorithm serves instead."""
        settings, (fault,) = read(upstream_hash_by="$connection$host", load_balance="ewma")
        self.assertEqual(settings, LoadBalance(Algorithm.EWMA))
        self.assertIn("there is no variable $connection", fault)
        self.assertIn("the annotation is ignored", fault)

    def test_slow_start(self) -> None:
        """A time in seconds or minutes; another value is a fault, and none."""
        for written, seconds in (("30s", 30), ("45", 45), ("2m", 120), ("15m", 900)):
            self.assertEqual(slow_start(written), (LoadBalance(slow_start=seconds), []))
        for written in ("0", "16m", "1h", "-1s", "1.5s", "soon"):
            settings, (fault,) = slow_start(written)
            self.assertEqual(settings, LoadBalance())
            self.assertIn("a time such as 30s or 2m is accepted", fault)

    def test_slow_start_of_keys(self) -> None:
        """It has no effect with a hash, whose keys have one place."""
        settings, (fault,) = slow_start("30s", upstream_hash_by="$uri")
        self.assertEqual(settings.slow_start, 0)
        self.assertIn("has no effect with upstream-hash-by", fault)

    def test_told(self) -> None:
        """People are told about a slow start."""
        settings, _ = slow_start("30s")
        self.assertIn("comes to its share in 30 s", settings.explain())
        self.assertEqual(
            settings.shown(), {"loadBalance": {"algorithm": "round_robin", "slowStart": 30.0}}
        )


def slow_start(value: str, **annotations: str) -> tuple[LoadBalance, list[str]]:
    return read(**{"txingress.dev/slow_start": value}, **annotations)
