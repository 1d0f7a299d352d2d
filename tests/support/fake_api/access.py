"""
Users and their rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.support.fake_api.kind import Document, find_kind
from tests.support.fake_api.request_info import RequestInfo
from tests.support.fake_api.status import StatusError, details_of, unauthorized
from tests.support.fake_api.store import Store

RBAC = "rbac.authorization.k8s.io"
MASTERS = "system:masters"


@dataclass(frozen=True)
class User:
    """
    :ivar groups: ``system:masters`` may do everything.
    """

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
ADMINISTRATOR = User("admin", (MASTERS,))


def service_account(namespace: str, name: str) -> User:
    """Return the user of the pods of a ServiceAccount."""
    return User(
        f"system:serviceaccount:{namespace}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
    )


@dataclass(frozen=True)
class Rule:
    """
    One rule of a role, for one namespace; None is for all namespaces and cluster-scoped objects.
    """

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    namespace: str | None = None

    @classmethod
    def parse(cls, rule: Document, namespace: str | None = None) -> Rule:
        return cls(
            tuple(rule.get("verbs", ())),
            tuple(rule.get("apiGroups", ())),
            tuple(rule.get("resources", ())),
            tuple(rule.get("resourceNames", ())),
            namespace,
        )

    def allows(self, info: RequestInfo) -> bool:
        return (
            self.namespace in (None, info.namespace)
            and _has(self.verbs, info.verb)
            and _has(self.groups, info.kind.group)
            and _has(self.resources, info.resource)
            and (not self.names or info.name in self.names)
        )


def _has(listed: tuple[str, ...], wanted: str) -> bool:
    return wanted in listed or "*" in listed


class Access:
    """
    Tokens, and the rights of their users, from the roles in the store and from tests.

    :ivar tokens: the user of each token; may be changed at any time.
    :ivar granted: the rules that tests grant, by the name of the user.
    :ivar are_rules_loaded: whether rules allow anything yet; a server that starts loads them
        after it has begun to answer.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tokens: dict[str, User] = {}
        self.granted: dict[str, list[Rule]] = {}
        self.are_rules_loaded = True

    def identify(self, authorization: str | None, certified: User | None = None) -> User:
        """
        :param authorization: the Authorization field.
        :param certified: the user of a client certificate.
        :raises StatusError: 401.
        """
        if authorization is None:
            return certified or ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            raise unauthorized()
        return self.tokens[token]

    def check(self, user: User, info: RequestInfo) -> None:
        """
        :raises StatusError: 403.
        """
        if MASTERS in user.groups:
            return
        if not self.are_rules_loaded or not any(rule.allows(info) for rule in self.rules_of(user)):
            raise _forbidden(user, info)

    def rules_of(self, user: User) -> Iterator[Rule]:
        yield from self.granted.get(user.name, ())
        for binding in self._stored("clusterrolebindings"):
            if _binds(binding, user):
                yield from self._rules(binding["roleRef"], "", None)
        for binding in self._stored("rolebindings"):
            if _binds(binding, user):
                namespace = binding["metadata"]["namespace"]
                yield from self._rules(binding["roleRef"], namespace, namespace)

    def _rules(self, reference: Document, home: str, namespace: str | None) -> Iterator[Rule]:
        plural = "roles" if reference["kind"] == "Role" else "clusterroles"
        key = (home if plural == "roles" else "", reference["name"])
        role = self._store.get(_stored(plural), key) or {}
        for rule in role.get("rules") or ():
            yield Rule.parse(rule, namespace)

    def _stored(self, plural: str) -> Iterable[Document]:
        return (document for _, document in self._store.objects(_stored(plural)))


def _stored(plural: str) -> str:
    kind = find_kind(RBAC, "v1", plural)
    assert kind is not None
    return kind.stored


def _binds(binding: Document, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            namespace = subject.get("namespace", "")
            if user.name == service_account(namespace, subject["name"]).name:
                return True
        elif subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,)):
            return True
    return False


def _forbidden(user: User, info: RequestInfo) -> StatusError:
    quoted = f' "{info.name}"' if info.name else ""
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    message = (
        f'{info.kind.resource}{quoted} is forbidden: User "{user.name}" cannot {info.verb}'
        f' resource "{info.resource}" in API group "{info.kind.group}" {where}'
    )
    return StatusError(403, "Forbidden", message, details_of(info.kind, info.name))
