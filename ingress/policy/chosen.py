"""
Policies of the configuration, which an Ingress chooses by their names: ``txingress.dev/policies``.

The objects here are entries of a registry, behind all others::

    Registry((*FEATURES, *chosen_policies({"token": TokenCheck(...)})))
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import ClassVar

from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.feature import ObjectReference
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext
from ingress.problem import quoted

POLICIES_ANNOTATION = f"{OWN_PREFIX}policies"
"""The names of policies, with commas between them."""


class _NamedEntry:
    """What the entries of this module have in common."""

    annotations: ClassVar[tuple[str, ...]] = (POLICIES_ANNOTATION,)
    differences: ClassVar[Mapping[str, str]] = {
        POLICIES_ANNOTATION: "names of [policies of your own](docs/policies.md), which the "
        "configuration lists; a name that is not configured closes the paths with 503",
    }

    def references(self, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Entry."""
        return ()


class ChosenPolicy(_NamedEntry):
    """
    A policy that is made once, by the configuration.

    :param name: the name that annotations choose it by.
    :param is_for_all: whether every rule has it, chosen or not.
    """

    def __init__(self, name: str, policy: Policy, *, is_for_all: bool) -> None:
        self._name = name
        self._policy = policy
        self._is_for_all = is_for_all

    def __repr__(self) -> str:
        return f"<ChosenPolicy {self._name}: {self._policy!r}>"

    def key(self) -> str:
        """Entry: names of the configuration never meet those of features."""
        return f"policies/{self._name}"

    def read(self, annotations: Annotations, context: ReadContext) -> Policy | None:
        """Entry."""
        is_chosen = self._is_for_all or self._name in annotations.words(POLICIES_ANNOTATION)
        return self._policy if is_chosen else None


class PolicyNames(_NamedEntry):
    """
    Closes the rules of an object that chooses a policy which is not configured: it might have
    decided access.

    :param names: those that are configured.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def __repr__(self) -> str:
        return f"<PolicyNames {sorted(self._names)}>"

    def key(self) -> str:
        """Entry."""
        return "policies"

    def read(self, annotations: Annotations, context: ReadContext) -> None:
        """Entry: it closes, and asks for nothing else."""
        for name in dict.fromkeys(annotations.words(POLICIES_ANNOTATION)):
            if name not in self._names:
                configured = ", ".join(sorted(self._names)) or "none"
                message = f"no policy {quoted(name)} is configured (`policies` has {configured})"
                annotations.close(POLICIES_ANNOTATION, message, is_shown=True)


def chosen_policies(
    policies: Mapping[str, Policy], for_all: Container[str] = ()
) -> tuple[ChosenPolicy | PolicyNames, ...]:
    """
    :param policies: by name, in the order in which they are asked.
    :param for_all: the names of those that every rule has.
    """
    entries = (
        ChosenPolicy(name, policy, is_for_all=name in for_all) for name, policy in policies.items()
    )
    return (*entries, PolicyNames(frozenset(policies)))
