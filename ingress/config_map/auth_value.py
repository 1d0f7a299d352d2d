"""
The values of the keys for external authentication, which have the forms of annotations.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.config.section import NotAccepted
from ingress.config_map import value as accept
from ingress.errors import IngressError
from ingress.policy.auth_cache import parse_durations
from ingress.policy.external_auth_reading import check_copied, checked_text, read_method
from ingress.policy.server_url import parse_server_url
from ingress.policy.sign_in import PARAMETER_NAME, parse_sign_in


def url(written: str) -> str:
    """Accept the URL of an authentication server."""
    return _checked(written, lambda text: parse_server_url(text, ""))


def method(written: str) -> str:
    """Accept a method that a server can be asked with."""
    return _checked(written, read_method)


def sign_in(written: str) -> str:
    """Accept the URL of a page to sign in."""
    return _checked(written, parse_sign_in)


def text(written: str) -> str:
    """Accept the value of a field, with variables."""
    return _checked(written, checked_text)


def durations(written: str) -> str:
    """Accept times by status code."""
    return _checked(written, parse_durations)


def parameter(written: str) -> str:
    """Accept the name of a parameter of a URL."""
    if PARAMETER_NAME.fullmatch(written) is None:
        raise NotAccepted("letters, digits and - . _ ~ are accepted")
    return written


def copied(written: str) -> tuple[str, ...]:
    """Accept a list of fields that may be copied."""
    members = accept.words(written)
    _checked("", lambda text: tuple(check_copied(members)))
    return members


def _checked(written: str, check: Callable[[str], object]) -> str:
    try:
        check(written)
    except IngressError as error:
        raise NotAccepted(str(error)) from None
    return written
