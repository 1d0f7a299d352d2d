"""
What ``txingress check`` says beside the Problems of serving: nothing of it is wrong, but somebody
who moves from ingress-nginx, or looks for a leak, wants to know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from ingress.command.surprises import surprises_of
from ingress.kube.objects import CLASS_ANNOTATION, Ingress, ObjectName
from ingress.migration.verdict import plain
from ingress.policy.annotation import PREFIX
from ingress.policy.basic_auth import BasicAuth
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.support import Support, Verdict, support_of_all
from ingress.problem import Problem, quoted, shown
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.build.ingress_table import KIND

_MAX_NAMED: Final = 5


def remarks_of(built: Built) -> Iterator[Problem]:
    """
    :return: Problems that serving does not have, in no particular order.
    """
    return chain(
        surprises_of(built),
        _differing_annotations(built),
        _other_classes(built),
        _passwords_in_the_clear(built),
        _everybody_believed(built),
        _ports_that_decide(built),
    )


def _about_annotation(ingress: Ingress, name: str, code: Code, message: str) -> Problem:
    metadata = ingress.metadata
    return Problem(
        message,
        KIND,
        metadata.namespace,
        metadata.name,
        f"metadata.annotations[{name}]",
        origin=ingress.origin,
        code=code,
    )


def _differing_annotations(built: Built) -> Iterator[Problem]:
    """Each annotation that does not do quite what it did with ingress-nginx."""
    differing: Mapping[str, Support] = {
        f"{PREFIX}{support.name}": support
        for support in support_of_all(built.registry.entries)
        if support.verdict is Verdict.DIFFERS
    }
    told = {
        ((problem.namespace, problem.name), problem.field)
        for problem in built.all_problems()
        if problem.kind == KIND
    }
    for key, ingress in built.served.items():
        for name in ingress.metadata.annotations:
            support = differing.get(name)
            if support is None or (key, f"metadata.annotations[{name}]") in told:
                continue
            text = f"here: {plain(support.text)}"
            yield _about_annotation(ingress, name, Code.ANNOTATION_DIFFERS, text)


def _other_classes(built: Built) -> Iterator[Problem]:
    """Each class that is not served, at the first of its Ingresses."""
    first: dict[str, ObjectName] = {}
    numbers: dict[str, int] = {}
    for key, name in built.memo.foreign.classes.items():
        numbers[name] = numbers.get(name, 0) + 1
        first[name] = min(first.get(name, key), key)
    for name, key in first.items():
        ingress = built.memo.objects.ingresses[key]
        number = numbers[name]
        whose = f"class {quoted(name)}" if name else "no class"
        subject = f"{number} Ingresses have" if number > 1 else "this Ingress has"
        field = "spec.ingressClassName"
        if name and ingress.spec.ingress_class_name is None:
            field = f"metadata.annotations[{CLASS_ANNOTATION}]"
        yield Problem(
            f"{subject} {whose}, which is not served here: "
            f"{_accepted(built)}; the key class of the configuration changes that",
            KIND,
            *key,
            field if name else "spec",
            origin=ingress.origin,
            code=Code.OTHER_CLASS,
        )


def _accepted(built: Built) -> str:
    rule = built.memo.ingresses.class_rule
    names = set(rule.ours if rule else ())
    configured = built.snapshot.config.ingress_class.name
    if rule is None or configured not in rule.others:
        names.add(configured)
    named = ", ".join(quoted(name) for name in sorted(names)[:_MAX_NAMED])
    return f"class {named} is served" if named else "no class is served"


def _passwords_in_the_clear(built: Built) -> Iterator[Problem]:
    """Each Ingress with passwords of which a rule is served over http."""
    config = built.snapshot.config
    if not config.listen.http:
        return
    found: set[ObjectName] = set()
    for host in built.snapshot.virtual_hosts():
        for route in host.routes():
            kinds = {type(policy): policy for policy in route.policies}
            redirect = kinds.get(HttpsRedirect)
            if BasicAuth not in kinds or route.ingress in found:
                continue
            if isinstance(redirect, HttpsRedirect) and _covers(redirect, host.name):
                continue
            found.add(route.ingress)
            yield _about_annotation(
                built.memo.objects.ingresses[route.ingress],
                f"{PREFIX}auth-type",
                Code.PASSWORDS_IN_THE_CLEAR,
                f"on {shown(host.name) or 'hosts that no rule names'} passwords are also asked for "
                "over plain http, where anybody on the way reads them; add the host to spec.tls, "
                "or set force-ssl-redirect",
            )


def _covers(redirect: HttpsRedirect, host: str) -> bool:
    return redirect.is_forced or redirect.hosts is None or host.encode() in redirect.hosts


def _everybody_believed(built: Built) -> Iterator[Problem]:
    """Trust in forwarded fields that anybody can write."""
    config = built.snapshot.config
    networks = (*config.trusted_proxies, *config.nginx.forwarded_for.address_proxies)
    everybody: Iterable[str] = (str(each) for each in networks if each.prefixlen == 0)
    for network in everybody:
        yield Problem(
            "every client is believed what it says of its address, scheme and host, so that "
            "source ranges and limits hold nobody back; name the networks of your own proxies",
            field="trusted-proxies",
            value=quoted(network),
            code=Code.EVERYBODY_TRUSTED,
        )


def _ports_that_decide(built: Built) -> Iterator[Problem]:
    """Each Ingress of which a Service port says how its endpoints are spoken to."""
    found: set[ObjectName] = set()
    for host in built.snapshot.virtual_hosts():
        for route in host.routes():
            upstream = None
            if route.version is None and route.upstream is not None:
                upstream = built.snapshot.upstreams.get(route.upstream)
            ingress = built.memo.objects.ingresses.get(route.ingress)
            if upstream is None or ingress is None or route.ingress in found:
                continue
            if upstream.speaks_http2 or upstream.speaks_tls:
                found.add(route.ingress)
                how = "HTTP/2 in the clear" if upstream.speaks_http2 else "HTTP/1.1 over TLS"
                yield Problem(
                    f"the Service port {upstream.key} has an appProtocol, so that its endpoints "
                    f"are asked in {how}; ingress-nginx asks them in HTTP/1.1 in the clear, as "
                    "backend-protocol: HTTP would here",
                    KIND,
                    *route.ingress,
                    "spec",
                    origin=ingress.origin,
                    code=Code.PORT_DECIDES_PROTOCOL,
                )
