"""
The states of all connections to one API server, for readiness, metrics and Problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.referenced import ReferencedObjects
from ingress.kube.cluster.reflector import Reflector
from ingress.problem import printable


class Contacts:
    """
    :param reflectors: of the kinds that are read as a whole.
    :param referenced: the kinds of which single objects are read.
    """

    def __init__(
        self, reflectors: Sequence[Reflector], referenced: Sequence[ReferencedObjects]
    ) -> None:
        self._reflectors = tuple(reflectors)
        self._referenced = tuple(referenced)

    def __repr__(self) -> str:
        return f"<Contacts: {len(list(self))}>"

    def __iter__(self) -> Iterator[Contact]:
        """One for each list and its watch, and for each object that is read by its name."""
        for reflector in self._reflectors:
            yield reflector.contact
        for objects in self._referenced:
            yield from objects.contacts

    @property
    def staleness(self) -> Mapping[str, float]:
        """
        By kind: seconds since its objects were known to be those of the server. Objects that
        were refused from the start, and that the proxy does without, have no age.
        """
        longest = {objects.kind: 0.0 for objects in self._referenced if objects.is_listed}
        for contact in self:
            if contact.is_done_without:
                continue
            kind = contact.target.resource.kind
            longest[kind] = max(longest.get(kind, 0.0), contact.staleness)
        return longest

    @property
    def relists(self) -> Mapping[str, float]:
        """By kind: how often everything was listed again because changes were missed."""
        sums = self._sums(lambda contact: contact.relists)
        for objects in self._referenced:
            sums[objects.kind] = sums.get(objects.kind, 0.0) + objects.relists
        return sums

    @property
    def watch_failures(self) -> Mapping[str, float]:
        """By kind: how many watches ended in another way than by the server's timeout."""
        sums = self._sums(lambda contact: contact.watch_failures)
        for objects in self._referenced:
            sums[objects.kind] = sums.get(objects.kind, 0.0) + objects.watch_failures
        return sums

    def _sums(self, count: Callable[[Contact], int]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for reflector in self._reflectors:
            kind = reflector.contact.target.resource.kind
            sums[kind] = sums.get(kind, 0.0) + count(reflector.contact)
        return sums

    def notes(self) -> list[str]:
        """A line for each kind that was not read yet, or may be out of date."""
        lines: dict[str, str] = {}
        for contact in self:
            if contact.is_stale and not contact.is_done_without:
                lines.setdefault(str(contact.target.resource), _note(contact))
        return list(lines.values())


def _note(contact: Contact) -> str:
    why = f" ({printable(str(contact.fault))})" if contact.fault is not None else ""
    if not contact.has_synced:
        return f"{contact.target} has not been read yet{why}"
    return (
        f"{contact.target}: the API server was last heard of {contact.staleness:.0f} s ago{why}; "
        "what was known then is served"
    )
