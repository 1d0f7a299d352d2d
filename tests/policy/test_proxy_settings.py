"""Tests of how requests are proxied."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.testing import read_annotations

OTHER_LIMITS = Limits(
    body_size=None, connect_timeout=1.5, read_timeout=2.5, upstream_send_timeout=3.5
)


def read(limits: Limits = OTHER_LIMITS, **values: str) -> tuple[ProxySettings, list[str]]:
    """:param values: names with ``_`` for ``-``."""
    annotations = {name.replace("_", "-"): value for name, value in values.items()}
    reading = read_annotations(ProxySettings, annotations, config=Config(limits=limits))
    assert isinstance(reading.feature, ProxySettings)
    return reading.feature, list(reading.faults.values())


class ReadProxySettingsTests(SynchronousTestCase):
    """Annotations go before the configuration."""

    def test_defaults(self) -> None:
        """The configuration's limits hold where there are no annotations."""
        self.assertEqual(read(Limits()), (ProxySettings(), []))
        expected = ProxySettings(
            body_size=None, connect_timeout=1.5, send_timeout=3.5, read_timeout=2.5
        )
        self.assertEqual(read(), (expected, []))

    def test_body_size(self) -> None:
        """Sizes have units in either case, and 0 is no limit."""
        for value, size in (
            *(("8m", 8 << 20), ("8M", 8 << 20), ("1g", 1 << 30), ("512k", 512 << 10)),
            *(("1", 1), ("0", None), ("0m", None), (" 2k ", 2048)),
        ):
            settings, found = read(Limits(), proxy_body_size=value)
            self.assertEqual((settings.body_size, found), (size, []), value)

    def test_bad_body_size(self) -> None:
        """A size that is none is a fault, and the default."""
        for value in ("8mb", "-1", "unlimited", "1.5g", "1 g"):
            settings, (fault,) = read(Limits(body_size=5), proxy_body_size=value)
            self.assertEqual(settings.body_size, 5, value)
            self.assertIn("8m or 1g, or 0 for no limit, is accepted", fault)

    def test_timeouts(self) -> None:
        """Each timeout is a number of seconds."""
        settings, found = read(
            proxy_connect_timeout="10", proxy_send_timeout="0600", proxy_read_timeout="86400"
        )
        self.assertEqual(found, [])
        self.assertEqual(settings.connect_timeout, 10.0)
        self.assertEqual(settings.send_timeout, 600.0)
        self.assertEqual(settings.read_timeout, 86400.0)

    def test_bad_timeouts(self) -> None:
        """Units, nought and what is no number are faults, and the default."""
        for name in ("proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout"):
            for value in ("50k", "60s", "0", "-1", "1.5", "9999999999"):
                settings, (fault,) = read(OTHER_LIMITS, **{name: value})
                self.assertEqual(settings, read()[0], (name, value))
                self.assertIn("seconds without a unit is accepted", fault)

    def test_conditions(self) -> None:
        """Each word of the list counts; off switches all of them off."""
        settings, found = read(proxy_next_upstream="error  http_502\thttp_429 non_idempotent")
        self.assertEqual(found, [])
        self.assertEqual(
            settings.retry_on,
            {
                RetryCondition.ERROR,
                RetryCondition.HTTP_502,
                RetryCondition.HTTP_429,
                RetryCondition.NON_IDEMPOTENT,
            },
        )
        for value in ("off", "error off", "off timeout"):
            settings, found = read(proxy_next_upstream=value)
            self.assertEqual((settings.retry_on, found), (frozenset(), []))
        for condition in RetryCondition:
            settings, found = read(proxy_next_upstream=str(condition))
            self.assertEqual((settings.retry_on, found), ({condition}, []))

    def test_bad_conditions(self) -> None:
        """One unknown word is a fault, and the default."""
        for value in ("error http_501", "error,timeout", "Error", "always"):
            settings, (fault,) = read(proxy_next_upstream=value)
            self.assertEqual(settings.retry_on, {RetryCondition.ERROR, RetryCondition.TIMEOUT})
            self.assertIn("invalid_header", fault)
            self.assertIn("off are accepted", fault)

    def test_tries(self) -> None:
        """Tries, and the time for them, may be without a limit."""
        for tries, timeout in (("1", "5"), ("0", "0"), ("10", "600")):
            settings, found = read(
                proxy_next_upstream_tries=tries, proxy_next_upstream_timeout=timeout
            )
            self.assertEqual(found, [])
            self.assertEqual(settings.tries, int(tries))
            self.assertEqual(settings.retry_timeout, float(timeout))

    def test_bad_tries(self) -> None:
        """What is no number is a fault, and the default."""
        settings, found = read(proxy_next_upstream_tries="-1", proxy_next_upstream_timeout="10s")
        self.assertEqual(settings, read()[0])
        self.assertEqual(len(found), 2)


class RetryTests(SynchronousTestCase):
    """What is tried again."""

    def test_status(self) -> None:
        """A status is tried again where the list has it."""
        settings, _ = read(proxy_next_upstream="http_503 http_404")
        retried = [status for status in range(100, 600) if settings.retries_status(status)]
        self.assertEqual(retried, [404, 503])
        retried = [status for status in range(100, 600) if ProxySettings().retries_status(status)]
        self.assertEqual(retried, [])

    def test_method(self) -> None:
        """Requests that may do something twice are repeated only where the list says so."""
        methods = (b"GET", b"HEAD", b"PUT", b"DELETE", b"POST", b"PATCH", b"LOCK", b"UNKNOWN")
        may = [method for method in methods if ProxySettings().may_repeat(method)]
        self.assertEqual(may, [b"GET", b"HEAD", b"PUT", b"DELETE"])
        settings, _ = read(proxy_next_upstream="error non_idempotent")
        self.assertEqual([*filter(settings.may_repeat, methods)], [*methods])


class BodySizeTests(SynchronousTestCase):
    def test_limit(self) -> None:
        """A body may be as large as the limit, and of any size without one."""
        settings = ProxySettings(body_size=10)
        self.assertFalse(settings.is_too_large(10))
        self.assertTrue(settings.is_too_large(11))
        self.assertFalse(ProxySettings(body_size=None).is_too_large(1 << 40))
