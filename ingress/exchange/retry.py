"""
The rules for sending a request to another endpoint after one has failed.
"""

from __future__ import annotations

from ingress.errors import StaleConnection, StreamRefused
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
    Return whether a request may go to another endpoint, while its client has got no response.
    `EndpointChoice.next` decides whether there is one.

    ============================================  =====================================
    What happened                                 Retried
    ============================================  =====================================
    the settings do not retry on `condition`      never
    nothing was sent (no connection)              always: no endpoint can have acted on it
    a part of its body is not kept                never: it cannot be sent again
    it was sent; the method is idempotent         yes (RFC 9110 section 9.2.2)
    it was sent; any other method                 if the settings have ``non_idempotent``
    ============================================  =====================================

    :param proxy: the settings of the route.
    :param method: the method as it is on the wire.
    :param condition: the kind of failure, or the status of the response.
    :param is_request_sent: whether any part of it was written to a connection.
    :param is_body_replayable: whether the body so far is kept; true without a body.
    """
    if condition not in proxy.retry_on:
        return False
    if not is_request_sent:
        return True
    return is_body_replayable and proxy.may_repeat(method)


def may_go_on(proxy: ProxySettings, method: bytes, error: StaleConnection) -> bool:
    """
    :param error: the end of a stream on a connection that had served before.
    :return: whether the request may be sent again on another connection: because it does no harm
        twice, or because the endpoint says that it has not looked at it.
    """
    return isinstance(error, StreamRefused) or proxy.may_repeat(method)
