"""
What goes wrong below HTTP, in words.

Twisted has a class for each stage at which a request may fail, and wraps the
cause in it, sometimes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.api.fresh_files import UnreadableFile
from ingress.kube.api.tls import TLSRefused, UnusableTLS
from ingress.problem import printable

try:  # No part of Twisted's public names, but what a public method fails with.
    from twisted.web._newclient import RequestNotSent
except ImportError:  # pragma: no cover
    RequestNotSent = RequestGenerationFailed  # type: ignore[assignment,misc]

_WRAPPERS = (ResponseFailed, RequestGenerationFailed, RequestTransmissionFailed)
_FAULTS = (
    *_WRAPPERS,
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    PotentialDataLoss,
    RequestNotSent,
    SSL.Error,
    TLSRefused,
    UnreadableFile,
    UnusableTLS,
)


@contextmanager
def described_faults(url: str) -> Iterator[None]:
    """
    Raise as APIUnreachable what Twisted has to say of a connection.

    :param url: of the server.
    :raises CancelledError: where Twisted has hidden one.
    """
    try:
        yield
    except ConnectingCancelledError as error:
        raise CancelledError from error
    except _FAULTS as error:
        causes = list(_causes(error))
        if any(isinstance(cause, CancelledError | ConnectingCancelledError) for cause in causes):
            raise CancelledError from error
        raise APIUnreachable(f"{url}: {_describe(causes)}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What is inside of the wrappers; those first that say most."""
    if isinstance(error, _WRAPPERS):
        for reason in error.reasons:
            yield from _causes(reason.value)
    else:
        yield error


def _describe(causes: list[BaseException]) -> str:
    # A closed connection is most often the consequence of another cause.
    causes.sort(key=lambda cause: isinstance(cause, ConnectionClosed))
    return _words(causes[0]) if causes else "the request failed"


def _words(cause: BaseException) -> str:
    if isinstance(cause, TLSRefused | UnusableTLS):
        return f"TLS failed: {cause}"
    if isinstance(cause, UnreadableFile):
        return str(cause)
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {_openssl_words(cause)}"
    if isinstance(cause, DNSLookupError):
        return "the name is not known"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection is refused"
    if isinstance(cause, TimeoutError):
        return "no connection in time"
    if isinstance(cause, ConnectionDone | PotentialDataLoss):
        return "the connection was closed before the answer was whole"
    if isinstance(cause, ConnectionLost):
        return "the connection broke"
    return f"the answer is no HTTP: {printable(str(cause) or type(cause).__name__)[:200]}"


def _openssl_words(error: SSL.Error) -> str:
    detail = error.args[0] if error.args else ""
    if isinstance(detail, list):
        # OpenSSL's queue: library, function and reason of each.
        detail = ", ".join(entry[-1] for entry in detail)
    return str(detail) or "the connection broke"
