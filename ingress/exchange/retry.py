"""
Which requests may be sent to another endpoint after one has failed.
"""

from __future__ import annotations

from ingress.policy.proxy_settings import ProxySettings, RetryCondition


def may_try_again(
    proxy: ProxySettings,
    method: bytes,
    condition: RetryCondition,
    *,
    is_request_sent: bool,
    is_body_replayable: bool,
) -> bool:
    """
    Whether a request of which the client has seen no response may go to another endpoint.

    Whether there is another one that may be asked is for `EndpointChoice.next`.

    ============================================  =====================================
    What happened                                 Asked again
    ============================================  =====================================
    the settings do not retry on `condition`      never
    none of the request was sent (no connection)  always: nobody can have acted on it
    some of its body is gone                      never: there is nothing to send again
    it was sent; the method is idempotent         yes (RFC 9110 section 9.2.2)
    it was sent; any other method                 if the settings have ``non_idempotent``
    ============================================  =====================================

    :param condition: what the failure, or the response's status, is called.
    :param is_request_sent: whether any of it was written to a connection.
    :param is_body_replayable: whether all of the body that came so far is still at hand; true
        without a body.
    """
    if condition not in proxy.retry_on:
        return False
    if not is_request_sent:
        return True
    return is_body_replayable and proxy.may_repeat(method)
