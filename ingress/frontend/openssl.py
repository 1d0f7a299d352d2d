"""
The two calls of OpenSSL that pyOpenSSL has, but not in its public interface.

Twisted reaches for the same library object (`twisted.internet._sslverify`).
"""

from __future__ import annotations

from collections.abc import Iterable

from OpenSSL import SSL
from OpenSSL._util import lib


def clear_errors() -> None:
    """
    Forget what a call has left in this thread's queue of errors.

    After a failed write to the socket pyOpenSSL raises `SysCallError` and leaves
    OpenSSL's own record of it in the queue. Before OpenSSL 4 the next connection's
    "no data yet" found it there and failed, too (SSL_get_error(3)).
    """
    lib.ERR_clear_error()


def limit_groups(context: SSL.Context, groups: Iterable[bytes]) -> None:
    """
    Set the groups for key agreement, most wanted first; those that this OpenSSL lacks are left out.

    :raises SSL.Error: if it has none of them.
    """
    known = [each for each in groups if lib.SSL_CTX_set1_curves_list(context._context, each) == 1]
    clear_errors()
    if not known:
        raise SSL.Error([("groups", "", "none of them is known")])
    lib.SSL_CTX_set1_curves_list(context._context, b":".join(known))
