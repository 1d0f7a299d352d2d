"""
Decodes what the API server sends: pages of lists, events of watches, heads of objects.

Only the outermost shape is decoded; objects inside stay bytes, which `reading` decodes.
"""

from __future__ import annotations

from typing import Final, NoReturn

import msgspec

from ingress.kube.api.errors import APIUnreachable, Status, api_error
from ingress.kube.json_fault import NOT_JSON
from ingress.kube.objects import KubeStruct, ObjectName

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"
BOOKMARK: Final = "BOOKMARK"
ERROR: Final = "ERROR"


class BadAnswer(APIUnreachable):
    """The answer is not one of the API; treated like no answer."""


class HeadMetadata(KubeStruct, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class Head(KubeStruct, frozen=True, kw_only=True):
    """The fields that objects of all kinds have."""

    metadata: HeadMetadata = HeadMetadata()

    @property
    def name(self) -> ObjectName:
        """Namespace and name; the name is empty in a bookmark."""
        return (self.metadata.namespace, self.metadata.name)

    @property
    def version(self) -> str:
        """The resourceVersion; empty if it is missing."""
        return self.metadata.resource_version


class ListMetadata(KubeStruct, frozen=True, kw_only=True):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Page(KubeStruct, frozen=True, kw_only=True):
    """A page of a list."""

    metadata: ListMetadata
    items: tuple[msgspec.Raw, ...] | None = None

    @property
    def version(self) -> str:
        """The resourceVersion from which to watch."""
        return self.metadata.resource_version

    @property
    def token(self) -> str:
        """The token that asks for the next page; empty on the last one."""
        return self.metadata.continue_


class WatchEvent(KubeStruct, frozen=True, kw_only=True):
    """One event of a watch."""

    type: str
    object: msgspec.Raw


_PAGES: Final = msgspec.json.Decoder(Page)
_EVENTS: Final = msgspec.json.Decoder(WatchEvent)
_HEADS: Final = msgspec.json.Decoder(Head)
_STATUSES: Final = msgspec.json.Decoder(Status)


def decode_page(text: bytes) -> Page:
    """:raises BadAnswer: if the text is not a list."""
    try:
        return _PAGES.decode(text)
    except NOT_JSON as error:
        raise BadAnswer(f"the answer is not a list: {error}") from None


def decode_event(text: bytes) -> WatchEvent:
    """
    :raises BadAnswer: if the text is not an event.
    :raises APIError: if the event is an error of the server.
    """
    try:
        event = _EVENTS.decode(text)
    except NOT_JSON as error:
        raise BadAnswer(f"the watch sends something that is not an event: {error}") from None
    if event.type == ERROR:
        _raise_status(event.object)
    return event


def _raise_status(text: msgspec.Raw) -> NoReturn:
    try:
        code = _STATUSES.decode(text).code
    except NOT_JSON:
        code = 0
    raise api_error(code or 500, bytes(text))


def decode_head(text: msgspec.Raw | bytes) -> Head | None:
    """The head of an object; None if it cannot be read."""
    try:
        return _HEADS.decode(text)
    except NOT_JSON:
        return None
