"""
The server's validation rules that a controller or its tests may run into.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator

from cryptography import x509

from tests.support.fake_api.default import OLD_CLASS
from tests.support.fake_api.kind import Document, Kind
from tests.support.fake_api.status import Cause, bad_request

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")

MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

FIXED_IN_EVENTS = (
    *("regarding", "reason", "note", "action", "related", "type"),
    *("reportingController", "reportingInstance"),
)
"""The immutable fields of an event."""


def check_times(kind: Kind, document: Document) -> None:
    """
    :raises StatusError: if a time cannot be read; such a document is not an object at all.
    """
    if kind.plural == "leases":
        spec = document.get("spec") or {}
        times = [spec.get("acquireTime"), spec.get("renewTime")]
    elif kind.plural == "events":
        series = document.get("series") or {}
        times = [document.get("eventTime"), series.get("lastObservedTime")]
    else:
        return
    for time in times:
        if time is not None and not MICRO_TIME.fullmatch(time):
            raise bad_request(
                f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}:'
                f' parsing time "{time}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse'
            )


def find_causes(kind: Kind, document: Document, before: Document | None) -> list[Cause]:
    """
    :param document: the object in the stored form.
    :param before: the object that it replaces.
    :return: the reasons to refuse it; empty if there are none.
    """
    return [*_name(document), *_CHECKS.get(kind.plural, _nothing)(kind, document, before)]


Check = Callable[[Kind, Document, Document | None], Iterator[Cause]]


def _nothing(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    return iter(())


def _name(document: Document) -> Iterator[Cause]:
    name = document["metadata"].get("name", "")
    prefix = document["metadata"].get("generateName", "")
    # A hyphen at its end may be followed by anything; a dot may not.
    if prefix and not NAME.fullmatch(f"{prefix[:-1]}a" if prefix.endswith("-") else prefix):
        message = "a lowercase RFC 1123 subdomain must consist of ..."
        yield _invalid("metadata.generateName", prefix, message)
    if not name:
        yield _required("metadata.name", "name or generateName is required")
    elif not NAME.fullmatch(name) and ":" not in name:
        yield _invalid("metadata.name", name, "a lowercase RFC 1123 subdomain must consist of ...")


def _ingress(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    spec = document["spec"]
    old_class = (document["metadata"].get("annotations") or {}).get(OLD_CLASS)
    if before is None and old_class is not None and spec.get("ingressClassName") is not None:
        field = f"annotations.{OLD_CLASS}"
        yield _invalid(field, old_class, "can not be set when the class field is also set")
    if not spec.get("rules") and not spec.get("defaultBackend"):
        field, message = "spec", "either `defaultBackend` or `rules` must be specified"
        yield Cause("FieldValueInvalid", field, f"Invalid value: null: {message}")
    for number, rule in enumerate(spec.get("rules") or ()):
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _path(f"spec.rules[{number}].http.paths[{index}]", path)


def _path(field: str, path: Document) -> Iterator[Cause]:
    path_type = path.get("pathType")
    if path_type is None:
        yield _required(f"{field}.pathType", "pathType must be specified")
    elif path_type not in PATH_TYPES:
        supported = ", ".join(f'"{each}"' for each in PATH_TYPES)
        message = f'Unsupported value: "{path_type}": supported values: {supported}'
        yield Cause("FieldValueNotSupported", f"{field}.pathType", message)
    if path_type in ("Exact", "Prefix") and not path.get("path", "").startswith("/"):
        yield _invalid(f"{field}.path", path.get("path", ""), "must be an absolute path")


def _endpoint_slice(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    if not document.get("addressType"):
        yield _required("addressType", "")
    for number, endpoint in enumerate(document["endpoints"]):
        for index, text in enumerate(endpoint.get("addresses") or ()):
            if document.get("addressType") == "FQDN":
                continue
            field = f"endpoints[{number}].addresses[{index}]"
            yield from _endpoint_address(field, text)


def _endpoints(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    for number, subset in enumerate(document.get("subsets") or ()):
        for index, address in enumerate(subset.get("addresses") or ()):
            field = f"subsets[{number}].addresses[{index}].ip"
            yield from _endpoint_address(field, address.get("ip", ""))


def _endpoint_address(field: str, text: str) -> Iterator[Cause]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield _invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7)")
        return
    if address.is_loopback:
        yield _invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    elif address.is_unspecified:
        yield _invalid(field, text, f"may not be unspecified ({text})")
    elif address.is_link_local:
        message = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        yield _invalid(field, text, message)


def _secret(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    if document["type"] == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in (document.get("data") or {}):
                yield _required(f"data[{key}]", "")
    if before is not None and before["type"] != document["type"]:
        yield _invalid("type", document["type"], "field is immutable")


def _service(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    spec = document["spec"]
    is_without_ports = spec["type"] == "ExternalName" or spec.get("clusterIP") == "None"
    if not spec.get("ports") and not is_without_ports:
        yield _required("spec.ports", "")
    if len(spec.get("ports") or ()) > 1:
        for number, port in enumerate(spec["ports"]):
            if not port.get("name"):
                yield _required(f"spec.ports[{number}].name", "")


def _lease(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        yield _invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    transitions = spec.get("leaseTransitions")
    if transitions is not None and transitions < 0:
        yield _invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


def _event(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    regarding = document.get("regarding") or {}
    if regarding.get("namespace", "") != document["metadata"].get("namespace"):
        field = "involvedObject.namespace"
        yield _invalid(field, regarding.get("namespace", ""), "does not match event.namespace")
    if not kind.group:
        return  # The old form accepts any content.
    if not document.get("eventTime"):
        yield _required("eventTime", "")
    for field, longest in (
        *(("reportingController", 0), ("reportingInstance", 128)),
        *(("action", 128), ("reason", 128)),
    ):
        value = document.get(field)
        if not value:
            yield _required(field, "")
        elif longest and len(value) > longest:
            yield _invalid(field, value, f"can have at most {longest} characters")
    if len(document.get("note", "").encode()) > 1024:
        yield _invalid("message", "", "can have at most 1024 characters")
    if document.get("type") not in ("Normal", "Warning"):
        yield _invalid("type", document.get("type", ""), "has invalid value: ")
    yield from _series(document.get("series"))
    for field in FIXED_IN_EVENTS:
        if before is not None and before.get(field) != document.get(field):
            yield _invalid(field, document.get(field), "field is immutable")


def _series(series: Document | None) -> Iterator[Cause]:
    if series is None:
        return
    if series.get("count", 0) < 2:
        yield _invalid("series.count", series.get("count", 0), "should be at least 2")
    if not series.get("lastObservedTime"):
        yield _required("series.lastObservedTime", "")


def _signing_request(kind: Kind, document: Document, before: Document | None) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if before is not None and spec != before["spec"]:
        yield _invalid("spec", "{...}", "field is immutable")
        return
    try:
        x509.load_pem_x509_csr(base64.b64decode(spec.get("request") or ""))
    except ValueError:
        message = "unable to parse a certificate request"
        yield _invalid("spec.request", str(spec.get("request")), message)
    if not spec.get("usages"):
        yield _required("spec.usages", "usages is required")
    if "/" not in (spec.get("signerName") or ""):
        message = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield _invalid("spec.signerName", str(spec.get("signerName")), message)
    if spec.get("expirationSeconds", 600) < 600:
        message = "may not specify a duration less than 600 seconds"
        yield _invalid("spec.expirationSeconds", str(spec["expirationSeconds"]), message)


_CHECKS: dict[str, Check] = {
    "certificatesigningrequests": _signing_request,
    "ingresses": _ingress,
    "endpointslices": _endpoint_slice,
    "endpoints": _endpoints,
    "secrets": _secret,
    "services": _service,
    "leases": _lease,
    "events": _event,
}


def _required(field: str, message: str) -> Cause:
    return Cause("FieldValueRequired", field, f"Required value: {message}".removesuffix(": "))


def _invalid(field: str, value: object, message: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else f"{value}"
    return Cause("FieldValueInvalid", field, f"Invalid value: {shown}: {message}")
