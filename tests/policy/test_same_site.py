"""Tests of which clients take ``SameSite=None``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.same_site import accepts_same_site_none

_KHTML = b"(KHTML, like Gecko)"
REJECTING = (
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 12_4 like Mac OS X) AppleWebKit/605.1.15 " + _KHTML,
    b"Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) AppleWebKit/605.1.15 " + _KHTML,
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 "
    + _KHTML
    + b" Version/12.1 Safari/605.1.15",
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 " + _KHTML,
    b"Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 " + _KHTML + b" Chrome/51.0.1.2 Safari/537.36",
    b"Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 " + _KHTML + b" Chrome/66.0.1.2 Safari/537.36",
    b"Mozilla/5.0 (Linux; U; Android 9) UCBrowser/12.13.1.5 Mobile",
)
ACCEPTING = (
    None,
    b"",
    b"curl/8.5.0",
    b"Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 " + _KHTML + b" Chrome/50.0.1.2 Safari/537.36",
    b"Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 " + _KHTML + b" Chrome/67.0.1.2 Safari/537.36",
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/537.36 "
    + _KHTML
    + b" Chrome/120.0.0.0 Safari/537.36",
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.14; rv:70.0) Gecko/20100101 Firefox/70.0",
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 13_0 like Mac OS X) AppleWebKit/605.1.15 " + _KHTML,
    b"Mozilla/5.0 (Linux; U; Android 9) UCBrowser/12.13.2.5 Mobile",
)


class AcceptsSameSiteNoneTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Chromium's list of incompatible clients, and neighbours of each that are not on it."""
        for agents, expected in ((REJECTING, False), (ACCEPTING, True)):
            for agent in agents:
                with self.subTest(agent=agent):
                    self.assertEqual(accepts_same_site_none(agent), expected)
