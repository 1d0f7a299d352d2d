"""
Describes faults below HTTP.

Twisted has an exception for each stage at which a request can fail, and wraps the cause in it,
sometimes twice. Three of these classes have no public name.
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
from twisted.web._newclient import ParseError, RequestNotSent
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss, _DataLoss

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.api.fresh_files import UnreadableFile
from ingress.kube.api.tls import TLSRefused, UnusableTLS
from ingress.problem import printable

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
    Raise faults of a connection as APIUnreachable.

    :param url: of the server.
    :raises CancelledError: if the cause is one.
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
    """The causes inside of the wrappers."""
    if isinstance(error, _WRAPPERS):
        for reason in error.reasons:
            yield from _causes(reason.value)
    else:
        yield error


def _describe(causes: list[BaseException]) -> str:
    # A closed connection follows from most other causes, and itself causes lost data.
    causes.sort(
        key=lambda cause: (isinstance(cause, _DataLoss), isinstance(cause, ConnectionClosed))
    )
    return _words(causes[0]) if causes else "the request failed"


def _words(cause: BaseException) -> str:
    if isinstance(cause, TLSRefused | UnusableTLS):
        return f"TLS failed: {cause}"
    if isinstance(cause, UnreadableFile):
        return str(cause)
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {_openssl_words(cause)}"
    if isinstance(cause, DNSLookupError):
        return "the host name cannot be resolved"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection is refused"
    if isinstance(cause, TimeoutError):
        return "connecting timed out"
    if isinstance(cause, ConnectionDone | PotentialDataLoss):
        return "the connection was closed before the answer was complete"
    if isinstance(cause, ConnectionLost | RequestNotSent):
        return "the connection broke"
    if isinstance(cause, ConnectError):
        return f"it cannot be reached: {printable(str(cause))[:200]}"
    # For faults beyond the status line, the first argument is text of the server.
    fault = cause.args[0] if isinstance(cause, ParseError) else type(cause).__name__
    return f"the answer is not HTTP: {fault}"


def _openssl_words(error: SSL.Error) -> str:
    detail = error.args[0] if error.args else ""
    if isinstance(detail, list):
        # OpenSSL's queue: library, function and reason of each.
        detail = ", ".join(entry[-1] for entry in detail)
    return str(detail) or "the connection broke"
