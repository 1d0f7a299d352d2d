"""
What would have to change for a Problem to be gone, in one line; docs/findings says more.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ingress.policy.annotation import PREFIX
from ingress.problem import Problem
from ingress.problem_code import Code

_REMEDIES: Final = MappingProxyType(
    {
        Code.RULE_TAKEN: "the path of one of the two rules, or remove it",
        Code.HOST_TAKEN: "the namespace of the Ingress to the one that has the host, or the host",
        Code.BACKEND_NO_SERVICE: "the backend to a Service",
        Code.PATH_IMPOSSIBLE: "the path to one that a URL can have: it begins with /, and after "
        "each % are two hexadecimal digits",
        Code.PATH_LIKE_PATTERN: "the path to a plain one, or use-regex of the Ingress to true",
        Code.PATH_PATTERN: "the expression to one without lookaround and backreferences",
        Code.CANARY_IDLE: "the host and path to those of another Ingress of its namespace, or the "
        "annotation canary to false",
        Code.CATCH_ALL_REFUSED: "spec.defaultBackend to rules, or the key catch-all of the "
        "configuration to true",
        Code.OBJECT_TWICE: "the name of one of the two Ingresses, so that both are served",
        Code.FILE_UNREADABLE: "the path of the file, or its permissions",
        Code.FILE_NOT_PARSED: "the file, on that line or just above it",
        Code.API_UNREACHABLE: "the way to the API server, or the rights there",
        Code.INGRESS_CLOSED: "what else is wrong with the Ingress; then it is open to those whom "
        "its annotations let in",
        Code.SHARED_HOST: "the annotation, so that all Ingresses of the host agree, or the host",
        Code.CONFIG_MAP_KEY: "the key of the ConfigMap to what is accepted",
        Code.CERTIFICATE_LOSES: "the certificate of the Secret to one for this host",
        Code.TLS_COVERS_NOTHING: "the hosts of the tls entry",
        Code.DEFAULT_CERTIFICATE: "the default certificate of the configuration",
    }
)


def remedy_of(problem: Problem) -> str:
    """:return: what would have to change; empty where nobody can say."""
    code, value = problem.code, problem.value.strip('"')
    if code is Code.SECRET_UNUSABLE:
        secret = f"Secret {problem.namespace}/{value}" if value else "the Secret"
        return f"{secret}, so that it has tls.crt and tls.key for this host"
    if code is Code.OBJECT_INVALID:
        name = "/".join(filter(None, (problem.namespace, problem.name)))
        return f"{problem.field or 'the object'} of {problem.kind} {name} to what is accepted"
    if code is not Code.ANNOTATION_CLOSES:
        return "" if code is None else _REMEDIES.get(code, "")
    name = problem.field.removeprefix("metadata.annotations[").removesuffix("]")
    name = name.removeprefix(PREFIX)
    if "does not exist" in problem.message:
        what = f"what {name} names: make it, or name another"
    elif "accepted" in problem.message:
        what = f"the value of {name} to what is accepted"
    else:
        what = f"{name}, which cannot be honoured as it is"
    return f"{what}; without the annotation its protection is gone as well"
