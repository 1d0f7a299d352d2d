"""
Which of two Ingresses is the older one, and so wins (docs/compatibility.md, section 5, "Ties").
"""

from __future__ import annotations

from datetime import UTC, datetime

from ingress.kube.objects import Metadata

Age = tuple[bool, datetime, str]
"""Sorts the oldest first."""

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def comparable_time(moment: datetime | None) -> datetime:
    """
    :param moment: a creationTimestamp; one without zone is taken for UTC.
    :return: the earliest of all times where there is none.
    """
    if moment is None:
        return _NO_TIME
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def age_of(metadata: Metadata) -> Age:
    """
    Older first; objects without a timestamp last; among equals by
    ``namespace/name`` ascending, as one text.
    """
    moment = metadata.creation_timestamp
    return (moment is None, comparable_time(moment), f"{metadata.namespace}/{metadata.name}")
