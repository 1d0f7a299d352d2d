"""
The two forms of Events: an Event that is written as ``events.k8s.io/v1`` is read by
``kubectl describe`` as ``v1``. Events are stored in the first form.
"""

from __future__ import annotations

from tests.support.fake_api.kind import Document, Kind

CORE_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
"""The other name of each field that has two."""

_BACK = {new: old for old, new in CORE_FIELDS.items()}


def to_stored(kind: Kind, document: Document) -> Document:
    """Convert an Event from the form that a client used."""
    if kind.plural != "events" or kind.group:
        return document
    return {CORE_FIELDS.get(key, key): value for key, value in document.items()}


def from_stored(kind: Kind, document: Document) -> Document:
    """Convert an Event to the form that a client asks for."""
    if kind.plural != "events" or kind.group:
        return document
    return {_BACK.get(key, key): value for key, value in document.items()}
