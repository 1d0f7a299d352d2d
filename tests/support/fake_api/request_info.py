"""
The attributes of a request that the real server's authorization uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from tests.support.fake_api.kind import Kind, find_kind
from tests.support.fake_api.selector import exact_name

ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
ON_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

TRUE = ("1", "true", "True", "t", "T", "TRUE")


@dataclass(frozen=True)
class RequestInfo:
    """
    :ivar verb: empty for a method that the resource does not have.
    :ivar name: the name of the object; for a list or a watch, the name in its field selector.
    """

    verb: str
    kind: Kind
    subresource: str
    namespace: str
    name: str

    @property
    def resource(self) -> str:
        """The resource with its subresource, as in rules."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        what = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{what}{where}"


def parse_query(query: str) -> dict[str, str]:
    """Parse the parameters; the last one of a name counts."""
    return dict(parse_qsl(query, keep_blank_values=True))


def is_true(query: dict[str, str], name: str) -> bool:
    return query.get(name, "") in TRUE


def parse_request(method: str, path: str, query: dict[str, str]) -> RequestInfo | None:
    """
    :param path: still escaped.
    :return: None if the path is not that of a resource.
    """
    match [unquote(part) for part in path.strip("/").split("/")]:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and find_kind(group, version, rest[2]):
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource, *more = [*rest, "", "", ""][: max(3, len(rest))]
    kind = find_kind(group, version, plural)
    if kind is None or any(more) or not _is_subresource(kind, subresource):
        return None
    if namespace and not kind.namespaced:
        return None
    verb = (ON_OBJECT if name else ON_COLLECTION).get(method, "")
    if verb == "list":
        verb = "watch" if is_true(query, "watch") else "list"
        name = exact_name(query.get("fieldSelector", "")) or ""
    return RequestInfo(verb, kind, subresource, namespace, name)


def _is_subresource(kind: Kind, subresource: str) -> bool:
    return subresource in ("", *kind.subresources) or (subresource == "status" and kind.has_status)
