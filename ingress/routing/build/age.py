"""
The age of an Ingress: the older of two wins (docs/compatibility.md, section 5, "Ties").
"""

from __future__ import annotations

from datetime import UTC, datetime

from ingress.kube.objects import Metadata

Age = tuple[bool, datetime, str]
"""A sort key that puts the oldest first."""

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def comparable_time(moment: datetime | None) -> datetime:
    """
    :param moment: a creationTimestamp; without a zone it is read as UTC.
    :return: the earliest of all times if there is no timestamp.
    """
    if moment is None:
        return _NO_TIME
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def age_of(metadata: Metadata) -> Age:
    """
    Return a key that sorts older objects first and objects without a timestamp last;
    equal ages are sorted by ``namespace/name`` ascending, as one text.
    """
    moment = metadata.creation_timestamp
    return (moment is None, comparable_time(moment), f"{metadata.namespace}/{metadata.name}")
