"""Tests of `ingress.http_date`."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import stringToDatetime

from ingress.http_date import date_now


class DateNowTests(SynchronousTestCase):
    def test_now(self) -> None:
        """It is the time in seconds, in the form of RFC 9110 section 5.6.7."""
        before = int(time.time())
        date = date_now()
        self.assertTrue(date.endswith(b" GMT"), date)
        self.assertTrue(before <= stringToDatetime(date) <= time.time())

    def test_once_a_second(self) -> None:
        """Within a second it is the same object, by which what was made with it is found again."""
        while True:
            second = time.time() // 1
            one, other = date_now(), date_now()
            if time.time() // 1 == second:
                break
        self.assertIs(one, other)
