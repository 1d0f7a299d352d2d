"""Tests of `ingress.exchange.retry`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.exchange.retry import may_try_again
from ingress.message import IDEMPOTENT_METHODS
from ingress.policy.proxy_settings import ProxySettings, RetryCondition


class MayTryAgainTests(SynchronousTestCase):
    """The failures after which another endpoint is asked."""

    def may(
        self,
        condition: RetryCondition = RetryCondition.ERROR,
        *,
        method: bytes = b"GET",
        retry_on: tuple[RetryCondition, ...] = (RetryCondition.ERROR, RetryCondition.TIMEOUT),
        sent: bool = True,
        replayable: bool = True,
    ) -> bool:
        return may_try_again(
            ProxySettings(retry_on=frozenset(retry_on)),
            method,
            condition,
            is_request_sent=sent,
            is_body_replayable=replayable,
        )

    def test_not_sent(self) -> None:
        """A request of which nothing was sent is retried, whatever its method."""
        for method in (b"GET", b"POST", b"PATCH", b"LOCK"):
            self.assertTrue(self.may(method=method, sent=False))
            self.assertTrue(self.may(RetryCondition.TIMEOUT, method=method, sent=False))

    def test_sent(self) -> None:
        """A request that was sent is retried if its method is idempotent."""
        for method in IDEMPOTENT_METHODS:
            self.assertTrue(self.may(method=method))
        for method in (b"POST", b"PATCH", b"LOCK"):
            self.assertFalse(self.may(method=method))

    def test_non_idempotent(self) -> None:
        """A request of another method is retried if the Ingress says so."""
        retry_on = (RetryCondition.ERROR, RetryCondition.NON_IDEMPOTENT)
        self.assertTrue(self.may(method=b"POST", retry_on=retry_on))

    def test_body_gone(self) -> None:
        """A request whose body is not kept is not retried."""
        self.assertFalse(self.may(method=b"PUT", replayable=False))

    def test_condition(self) -> None:
        """Only the failures that the Ingress names are retried, missing connections included."""
        for condition in RetryCondition:
            if condition is not RetryCondition.NON_IDEMPOTENT:
                self.assertTrue(self.may(condition, retry_on=(condition,)))
                self.assertFalse(self.may(condition, retry_on=(), sent=False))
        self.assertFalse(self.may(RetryCondition.HTTP_502))
        self.assertFalse(self.may(RetryCondition.INVALID_HEADER))

    @given(
        st.sampled_from(sorted(RetryCondition)),
        st.sets(st.sampled_from(sorted(RetryCondition))),
        st.sampled_from([*sorted(IDEMPOTENT_METHODS), b"POST", b"PATCH", b"LOCK"]),
        st.booleans(),
        st.booleans(),
    )
    def test_never_twice(
        self,
        condition: RetryCondition,
        retry_on: set[RetryCondition],
        method: bytes,
        sent: bool,
        replayable: bool,
    ) -> None:
        """A request that was sent is never repeated unless that is harmless and allowed."""
        may = self.may(
            condition,
            method=method,
            retry_on=tuple(retry_on),
            sent=sent,
            replayable=replayable,
        )
        if may:
            self.assertIn(condition, retry_on)
            is_harmless = method in IDEMPOTENT_METHODS or RetryCondition.NON_IDEMPOTENT in retry_on
            self.assertTrue(not sent or (replayable and is_harmless))
