"""
The content of the Secrets that annotations name, and the faults of those that cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from ingress.errors import IngressError

Content = TypeVar("Content")


class SecretFault(IngressError):
    """
    A Secret cannot be used. The message is the end of a sentence that begins with the name of the
    Secret, and never has anything of what is in it.
    """


class SecretData(Protocol):
    """A Secret, as far as it may be looked at."""

    @property
    def data(self) -> Mapping[str, bytes]:
        """The decoded values by key."""


class SecretOf(Protocol):
    """Finds what a Secret holds."""

    def __call__(self, name: tuple[str, str], read: Callable[[SecretData], Content], /) -> Content:
        """
        :param name: namespace and name of the Secret.
        :param read: makes the content; a function of a module, because the result is kept under
            it until the Secret changes. Equal results count as unchanged.
        :raises SecretFault: if there is no such Secret, or `read` raises it.
        """


def no_secret(name: tuple[str, str], read: Callable[[SecretData], Content], /) -> Content:
    """`SecretOf` where there is no Secret."""
    raise SecretFault("does not exist")
