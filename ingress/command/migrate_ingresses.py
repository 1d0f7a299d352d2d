"""
What becomes of each Ingress at a move: the findings of ``txingress check``, as rows of the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ingress.command.findings import Finding, findings_of
from ingress.command.offline import Offline
from ingress.counted_noun import counted
from ingress.kube.objects import Ingress
from ingress.migration.verdict import OPERATOR, WORST_FIRST, Part, Row, Verdict, plain, worst
from ingress.policy.annotation import PREFIX
from ingress.problem import printable
from ingress.problem_code import Code, Severity

VERDICTS: Final[Mapping[Severity, Verdict]] = {
    Severity.ERROR: Verdict.CLOSED,
    Severity.DIFFERS: Verdict.DIFFERS,
    Severity.IGNORED: Verdict.IGNORED,
    Severity.NOTE: Verdict.SAME,
}

AS_BEFORE: Final = frozenset(
    {
        Code.SERVICE_WITHOUT_ENDPOINTS,
        Code.RULE_TAKEN,
        Code.BACKEND_NO_SERVICE,
        Code.SECRET_UNUSABLE,
        Code.TLS_COVERS_NOTHING,
        Code.ANNOTATION_UNKNOWN,
        Code.DEFAULT_CERTIFICATE,
        Code.OTHER_CLASS,
        Code.PASSTHROUGH_DIFFERS,
    }
)
"""What is wrong already, and has the same consequence with ingress-nginx."""

_OF_FILES: Final = frozenset({Code.SERVICE_WITHOUT_ENDPOINTS})
"""Endpoints are known to a cluster alone, and they come and go."""

_SHOWNAS_BEFORE: Final = AS_BEFORE - _OF_FILES
"""Those that are told."""

_OF_KEYS: Final = frozenset({Code.CONFIG_MAP_KEY, Code.CONFIG_MAP_FOREIGN, Code.CONFIG_MAP_MISSING})
"""The ConfigMaps of the installation have rows of their own."""

ACTIONS: Final[Mapping[Code, str]] = {
    Code.FILE_UNREADABLE: "Give migrate what is in it, and run it again.",
    Code.FILE_NOT_PARSED: "Correct the file, and run migrate again.",
    Code.OBJECT_INVALID: "Correct the object.",
    Code.ANNOTATION_VALUE: "Correct the value, or accept what follows.",
    Code.ANNOTATION_CLOSES: "Decide before the switch: correct or replace the annotation.",
    Code.INGRESS_CLOSED: "Decide before the switch: see what closes it.",
    Code.ANNOTATION_UNSUPPORTED: "See whether anybody relies on it; then take it out.",
    Code.ANNOTATION_WITHOUT_EFFECT: "Nothing has to be done.",
    Code.SHARED_HOST: "Agree on which namespace decides about the host.",
    Code.HOST_TAKEN: "Agree on which namespace has the host.",
    Code.PATH_IMPOSSIBLE: "Correct the path.",
    Code.PATH_LIKE_PATTERN: "Set use-regex, or make it a plain path.",
    Code.PATH_PATTERN: "Write the expression in another way.",
    Code.CANARY_IDLE: "Correct the canary, or remove it.",
    Code.CERTIFICATE_LOSES: "See which certificate clients get.",
    Code.NO_SLASH_REDIRECT: "Add a rule for the path without its last slash, if clients use it.",
    Code.PATH_NOT_DECODED: "Write the path as clients send it.",
    Code.PASSTHROUGH_UNGUARDED: "Decide before the switch: rules about requests hold for none.",
    Code.PASSTHROUGH_CLOSED: "Decide before the switch: give the path / a Service.",
    Code.PORT_ENTRY: "Correct the entry.",
    Code.PORT_TAKEN: "Give the port to one of them.",
    Code.PORT_CLOSED: "Free the port.",
    Code.PORT_DIFFERS: "Read what differs, and accept it or move the port.",
    Code.PORT_DECIDES_PROTOCOL: "Set backend-protocol, if the endpoints are not ready for that.",
}
"""What to do, in a sentence; docs/findings says more."""

NOTICES: Final[Mapping[Code, str]] = {
    Code.FILE_UNREADABLE: "What is in it is missing in this report.",
    Code.FILE_NOT_PARSED: "What is in it is missing in this report.",
    Code.ANNOTATION_VALUE: "What the setting asks for does not happen at these addresses.",
    Code.ANNOTATION_CLOSES: "People see an error page (503) at these addresses.",
    Code.INGRESS_CLOSED: "People see an error page (503) at these addresses.",
    Code.ANNOTATION_UNSUPPORTED: "Nobody sees an error; what the setting asked for is missed.",
    Code.SHARED_HOST: "The address answers by the settings of one team alone.",
    Code.HOST_TAKEN: "People see an error page (404), or what another team has there.",
    Code.PATH_IMPOSSIBLE: "People see an error page (404) at this address.",
    Code.PATH_LIKE_PATTERN: "People see an error page (404) at addresses that the pattern means.",
    Code.PATH_PATTERN: "People see an error page at addresses that the pattern means.",
    Code.CANARY_IDLE: "Everybody gets the old version of the application.",
    Code.CERTIFICATE_LOSES: "The browser shows another certificate, or warns of it.",
    Code.NO_SLASH_REDIRECT: "People who leave out the last slash see an error page (404).",
    Code.PATH_NOT_DECODED: "Addresses with %-signs may lead elsewhere.",
    Code.PASSTHROUGH_UNGUARDED: "Everybody reaches the application, whatever the rules say.",
    Code.PASSTHROUGH_CLOSED: "The browser says that the connection was closed.",
    Code.PORT_ENTRY: "Programs cannot connect to the port.",
    Code.PORT_TAKEN: "Programs cannot connect to the port.",
    Code.PORT_CLOSED: "Programs cannot connect to the port.",
    Code.PORT_DIFFERS: "Programs that use the port may behave differently.",
    Code.PORT_DECIDES_PROTOCOL: "If the application is not ready for it: an error page (502).",
}
"""How people notice it."""

_MOST: Final = 20
"""Findings of one Ingress that are told one by one."""


def judge_ingresses(offline: Offline) -> Iterator[Row]:
    """:return: a row for each Ingress that is served, and one for each other finding."""
    by_object: dict[str, list[Finding]] = {}
    for finding in findings_of(offline):
        if finding.code not in _OF_KEYS:
            by_object.setdefault(finding.object or finding.file, []).append(finding)
    served = offline.built.served
    known = offline.built.memo.objects.ingresses
    for key, ingress in sorted(served.items()):
        found = by_object.pop(f"Ingress {'/'.join(key)}", [])
        yield _row("/".join(key), key[0], found, ingress)
    for name, found in by_object.items():
        if found[0].code == Code.OTHER_CLASS:
            yield Row(Part.OBJECT, name, Verdict.SAME, f"not served, as today: {found[0].message}")
        elif found[0].kind == "Ingress":
            plain = name.removeprefix("Ingress ")
            namespace, _, own = plain.partition("/")
            yield _row(plain, namespace, found, known.get((namespace, own)))
        else:
            verdict = worst(map(_verdict, found))
            if verdict is not Verdict.SAME:
                yield _other(name or "files", found, verdict)


def judge_secrets(offline: Offline) -> Iterator[Row]:
    """
    :return: a row if certificates that Ingresses name are not among what was read: whether they
        can be used, and what is served in their place, then nobody can tell.
    """
    there = offline.built.memo.objects.secrets
    named = {
        (namespace, entry.secret_name)
        for (namespace, _), ingress in offline.built.served.items()
        for entry in ingress.spec.tls
        if entry.secret_name
    }
    if offline.config.tls.default is not None:
        named.add(offline.config.tls.default)
    missing = sorted(f"{namespace}/{name}" for namespace, name in named - there.keys())
    if not missing:
        return
    more = f" and {len(missing) - _MOST} more" if len(missing) > _MOST else ""
    yield Row(
        Part.OBJECT,
        "Secrets with certificates",
        Verdict.DIFFERS,
        f"they are not among what was read, and their certificates are not judged: "
        f"{', '.join(missing[:_MOST])}{more}",
        "Give migrate these Secrets as well (nothing of them is written), or see that they exist.",
        owner=OPERATOR,
        notice="If one of them does not exist or has ended, browsers warn of the certificate.",
    )


def _verdict(finding: Finding) -> Verdict:
    return Verdict.SAME if finding.code in AS_BEFORE else VERDICTS[finding.severity]


def _row(name: str, namespace: str, found: list[Finding], ingress: Ingress | None) -> Row:
    ranked = sorted(found, key=lambda each: WORST_FIRST.index(_verdict(each)))
    verdict = worst(map(_verdict, found))
    origin = ingress.origin if ingress is not None else None
    return Row(
        Part.INGRESS,
        name,
        verdict,
        _told(ranked),
        _actions(ranked) if verdict is not Verdict.SAME else "",
        owner=f"the team of namespace {namespace}",
        codes=tuple(dict.fromkeys(each.code for each in ranked if each.code not in _OF_FILES)),
        file=origin.file if origin is not None else "",
        line=origin.line if origin is not None else 0,
        addresses=tuple(dict.fromkeys(_addresses(ingress))) if ingress is not None else (),
        notice=_notice(ranked),
    )


def _addresses(ingress: Ingress) -> Iterator[str]:
    """Yield what people ask for to meet a rule of an Ingress."""
    secured = {host for entry in ingress.spec.tls for host in entry.hosts}
    for rule in ingress.spec.rules:
        scheme = "https" if rule.host in secured else "http"
        host = f"{scheme}://{printable(rule.host)}" if rule.host else "every name: "
        for path in rule.http.paths if rule.http is not None else ():
            yield host + printable(path.path or "/")
        if rule.http is None:
            yield host
    if ingress.spec.default_backend is not None and not ingress.spec.rules:
        yield "every address that no rule has"


def _notice(found: list[Finding]) -> str:
    """:return: how people notice the worst of what was found; empty if it is the same."""
    told = [each for each in found if _verdict(each) is not Verdict.SAME]
    return NOTICES.get(Code(told[0].code), "") if told else ""


def _told(found: list[Finding]) -> str:
    """:return: what follows: from all that is not the same; else what is wrong already."""
    told = [each for each in found if _verdict(each) is not Verdict.SAME]
    texts = [_words(each) for each in told[:_MOST]]
    if len(told) > _MOST:
        texts.append(f"and {len(told) - _MOST} more (txingress check shows all)")
    if not told:
        texts = [f"as today: {_words(each)}" for each in found if each.code in _SHOWNAS_BEFORE]
    details = sum(each.code == Code.ANNOTATION_DIFFERS for each in found)
    if details:
        texts.append(
            f"{counted(details, 'annotation')} with differences in detail (txingress check)"
        )
    return "; ".join(texts)


def _words(finding: Finding) -> str:
    """:return: what a finding says, with the name of an annotation in place of its path."""
    field = finding.field.removeprefix("metadata.annotations[").removesuffix("]")
    field = (
        field.removeprefix(PREFIX) if field != finding.field.removesuffix("]") else finding.field
    )
    return ": ".join(filter(None, (field, finding.value, plain(finding.message))))


def _actions(found: list[Finding]) -> str:
    told = {
        ACTIONS.get(Code(each.code), f"Read docs/findings/{each.code}.md, and decide.")
        for each in found
        if _verdict(each) is not Verdict.SAME
    }
    return " ".join(sorted(told))


def _other(name: str, found: list[Finding], verdict: Verdict) -> Row:
    return Row(
        Part.OBJECT,
        name,
        verdict,
        _told(found),
        _actions(found),
        owner=OPERATOR,
        notice=_notice(sorted(found, key=lambda each: WORST_FIRST.index(_verdict(each)))),
        codes=tuple(dict.fromkeys(each.code for each in found)),
        file=found[0].file,
        line=found[0].line,
    )
