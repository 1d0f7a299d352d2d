"""
The URL of a path on the host that the client itself has asked for.
"""

from __future__ import annotations

from ingress.policy.context import PolicyContext


def own_location(context: PolicyContext, path: bytes) -> bytes:
    """
    Make a path absolute, with the client's scheme and host (docs/compatibility.md, section 6,
    "Public ports" and "Redirects").

    :param path: a path that begins with ``/``, perhaps with a query.
    :return: the path itself if the request names no host.
    """
    client = context.client
    # The port that a trusted proxy names is not the one that its clients use.
    is_own = client.authority == context.request.authority
    host = client.authority if is_own else client.host
    scheme = b"https://" if client.is_secure else b"http://"
    return scheme + host + path if host else path
