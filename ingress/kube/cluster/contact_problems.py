"""
Problems of the connection to the API server, for those who run the proxy.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from ingress.kube.api.errors import APIError
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.problem import Problem, printable
from ingress.problem_code import Code

UNREACHABLE = "unreachable"

MAX_MESSAGE = 600
"""Characters of a Problem."""


class ContactProblems:
    """
    Keeps a Problem in a ProblemBook for each fault of a Contact, while it lasts.

    A Problem keeps its first wording, even if the server's next message differs.
    """

    def __init__(self, problems: ProblemBook) -> None:
        self._problems = problems
        self._current: dict[Hashable, Problem] = {}

    def __repr__(self) -> str:
        return f"<ContactProblems: {len(self._current)}>"

    def review(self, contacts: Iterable[Contact]) -> None:
        """Compare with the Problems of before. :param contacts: all of them."""
        found: dict[Hashable, Problem] = {}
        for contact in contacts:
            fault = contact.fault
            if fault is None:
                continue
            is_silent = contact.is_stale and not contact.is_done_without
            if contact.lacks_right:
                target = contact.target
                resource = target.resource
                owner: Hashable = (
                    "right",
                    resource.kind,
                    resource.is_optional,
                    target.namespace,
                )
                found.setdefault(owner, _missing_right(contact, fault))
            elif is_silent and not contact.is_forbidden:
                found.setdefault(UNREACHABLE, _unreachable(contact, fault))
        self._put(found)

    def _put(self, found: Mapping[Hashable, Problem]) -> None:
        for owner in self._current.keys() - found.keys():
            del self._current[owner]
            self._problems.put(owner, ())
        for owner, problem in found.items():
            if owner not in self._current:
                self._current[owner] = problem
                self._problems.put(owner, (problem,))


def _missing_right(contact: Contact, error: Exception) -> Problem:
    said = error.message if isinstance(error, APIError) else str(error)
    target = contact.target
    verb = contact.refused_verb
    needed = "watch" if verb == "watch" else "list and watch"
    grant = f"{needed} of {target.resource}"
    if target.name:
        verb, grant = "read", f"{grant}, or get, list and watch of this one by its name"
    what = f"{verb} {target}"
    if target.resource.without and verb != "watch":
        what += f", so {target.resource.without}"
    return _problem(f"may not {what}: grant {grant} ({said})")


def _unreachable(contact: Contact, error: Exception) -> Problem:
    if contact.has_synced:
        return _problem(f"the API server does not answer: {error}; what was known last is served")
    return _problem(f"{contact.target} cannot be read: {error}")


def _problem(message: str) -> Problem:
    return Problem(printable(message[:MAX_MESSAGE]), code=Code.API_UNREACHABLE)
