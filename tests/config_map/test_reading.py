"""
Tests for `ingress.config_map.reading`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_map.reading import CLOSED, MAX_KEYS, read_data


class ReadDataTests(SynchronousTestCase):
    """Keys are read one by one."""

    def test_values(self) -> None:
        """A value has its type; an empty one is absent."""
        read = read_data({"proxy-read-timeout": " 1m30s ", "ssl-redirect": "F", "hsts": ""}, {})
        self.assertEqual(read.values, {"proxy-read-timeout": 90.0, "ssl-redirect": False})
        self.assertEqual((read.faults, read.closed_by), ((), ()))

    def test_bad_value(self) -> None:
        """A bad value is a fault, with what is accepted; it was never good, so the default holds."""
        read = read_data({"proxy-read-timeout": "soon"}, {})
        self.assertEqual(read.values, {})
        self.assertEqual(
            read.faults,
            (
                (
                    "proxy-read-timeout",
                    "soon",
                    "a number of seconds from 0.1 to 86400 is accepted; the default is used"
                    " instead",
                ),
            ),
        )

    def test_turned_bad(self) -> None:
        """A value that was good before still applies."""
        read = read_data({"ssl-redirect": "nope"}, {"ssl-redirect": False})
        self.assertEqual(read.values, {"ssl-redirect": False})
        self.assertIn("the last good value still applies", read.faults[0].message)

    def test_removed(self) -> None:
        """A key that is gone has its default again."""
        self.assertEqual(read_data({}, {"ssl-redirect": False}).values, {})

    def test_unknown(self) -> None:
        """A key that ingress-nginx never had, or has no more, is told as such."""
        read = read_data({"proxy-read-timout": "5", "enable-opentracing": "true"}, {})
        self.assertEqual(
            [fault.message for fault in read.faults],
            [
                "ingress-nginx has no such key; it is ignored; did you mean proxy-read-timeout?",
                "ingress-nginx 1.15 has this key no more; it is ignored",
            ],
        )

    def test_without_effect(self) -> None:
        """A key that does nothing here is a fault that says what follows, and has no value."""
        read = read_data({"worker-processes": "4", "plugins": "hello"}, {})
        self.assertEqual([fault.value for fault in read.faults], ["", ""])
        self.assertTrue(all("has no effect: " in fault.message for fault in read.faults))

    def test_harmless(self) -> None:
        """A key that does nothing here is no fault where its value is what we do anyway."""
        read = read_data({"proxy-buffering": "off", "enable-modsecurity": "false"}, {})
        self.assertEqual(read.faults, ())

    def test_remark(self) -> None:
        """A value that applies in part is told, and applies."""
        read = read_data({"ssl-protocols": "TLSv1.1 TLSv1.2"}, {})
        (fault,) = read.faults
        self.assertEqual((fault.key, fault.message), ("ssl-protocols", "TLSv1.1 is not spoken"))
        self.assertIn("ssl-protocols", read.values)

    def test_access(self) -> None:
        """A bad list of addresses closes everything, and is not shown."""
        read = read_data({"whitelist-source-range": "10.0.0.0/8, hunter2"}, {})
        self.assertEqual(read.closed_by, ("whitelist-source-range",))
        self.assertEqual(read.faults[0].value, "")
        self.assertIn(CLOSED, read.faults[0].message)

    def test_access_turned_bad(self) -> None:
        """A list that was good before still decides."""
        last = {"whitelist-source-range": ("10.0.0.0/8",)}
        read = read_data({"whitelist-source-range": "?"}, last)
        self.assertEqual((read.values, read.closed_by), (last, ()))

    def test_unreadable(self) -> None:
        """An entry that cannot be read closes everything if its key decides access."""
        unreadable = ("whitelist-source-range", "gzip-level", "block-everybody", "location-snippet")
        read = read_data({"proxy-read-timeout": "7"}, {}, unreadable)
        self.assertEqual(read.values, {"proxy-read-timeout": 7})
        closed = ("whitelist-source-range", "block-everybody", "location-snippet")
        self.assertEqual(read.closed_by, closed)
        self.assertEqual([fault.key for fault in read.faults], [*closed])
        for fault in read.faults:
            self.assertIn(CLOSED, fault.message)

    def test_unreadable_turned_bad(self) -> None:
        """An entry that was good before still applies."""
        last = {"whitelist-source-range": ("10.0.0.0/8",), "gzip-level": 3}
        read = read_data({}, last, tuple(last))
        self.assertEqual((read.values, read.closed_by), (last, ()))
        self.assertEqual([fault.key for fault in read.faults], [*last])

    def test_all_unreadable(self) -> None:
        """Data whose keys cannot be read may have had any key, and closes everything."""
        read = read_data({}, {"gzip-level": 3}, ("",))
        self.assertEqual((read.values, read.closed_by), ({"gzip-level": 3}, ("data",)))
        self.assertIn(CLOSED, read.faults[0].message)

    def test_access_of_tomorrow(self) -> None:
        """Access keys that a later version may have close everything as well."""
        read = read_data({"block-everybody": "true", "global-auth-tomorrow": "x"}, {})
        self.assertEqual(read.closed_by, ("block-everybody", "global-auth-tomorrow"))

    def test_access_default(self) -> None:
        """The default of an access key closes nothing."""
        read = read_data({"global-auth-always-set-cookie": "false", "global-auth-url": ""}, {})
        self.assertEqual((read.faults, read.closed_by), ((), ()))

    def test_bound(self) -> None:
        """Keys beyond the bound are not read, and close everything if one decides access."""
        many = {f"key-{number}": "" for number in range(MAX_KEYS)}
        read = read_data({**many, "ssl-redirect": "true"}, {})
        self.assertEqual(read.faults[-1], ("", "", "1 more keys are not read"))
        self.assertEqual(read.closed_by, ())
        read = read_data({**many, "block-cidrs": "10.0.0.1"}, {})
        self.assertEqual(read.closed_by, ("block-cidrs",))

    def test_hostile(self) -> None:
        """Control characters are refused in every key that has a value."""
        for value in ("a\r\nb", "\x00", "\n"):
            read = read_data({"hide-headers": f"x{value}y", "proxy-cookie-path": f"x{value}y"}, {})
            self.assertEqual(read.values, {}, repr(value))
