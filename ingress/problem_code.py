"""
The codes of Problems: what kind of thing is wrong. They never change, so that people can look them
up (docs/findings) and programs can tell them apart.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Severity(StrEnum):
    """What follows from a Problem, the worst first."""

    ERROR = "error"
    """Something is closed or not served."""

    DIFFERS = "differs"
    """It is served, but not as it is written, or not as ingress-nginx would."""

    IGNORED = "ignored"
    """Something has no effect."""

    NOTE = "note"
    """Nothing follows that anybody is likely to mind."""


class Code(StrEnum):
    """One kind of Problem."""

    FILE_UNREADABLE = "FIL001"
    FILE_NOT_PARSED = "FIL002"
    OBJECT_TWICE = "FIL003"
    OBJECT_INVALID = "OBJ001"
    OBJECT_NAMELESS = "OBJ002"
    API_UNREACHABLE = "API001"

    ANNOTATION_VALUE = "ANN001"
    ANNOTATION_CLOSES = "ANN002"
    ANNOTATION_UNSUPPORTED = "ANN003"
    ANNOTATION_FORMER = "ANN004"
    ANNOTATION_UNKNOWN = "ANN005"
    ANNOTATION_WITHOUT_EFFECT = "ANN006"
    INGRESS_CLOSED = "ANN007"
    SHARED_HOST = "ANN008"
    ANNOTATION_DIFFERS = "ANN009"

    RULE_TAKEN = "RUL001"
    HOST_TAKEN = "RUL002"
    BACKEND_NO_SERVICE = "RUL003"
    PATH_IMPOSSIBLE = "RUL004"
    PATH_LIKE_PATTERN = "RUL005"
    PATH_PATTERN = "RUL006"
    CANARY_IDLE = "RUL007"
    CATCH_ALL_REFUSED = "RUL008"

    SERVICE_WITHOUT_ENDPOINTS = "SVC001"
    ENDPOINT_REFUSED = "SVC002"

    SECRET_UNUSABLE = "TLS001"  # noqa: S105 (no password)
    CERTIFICATE_LOSES = "TLS002"
    TLS_COVERS_NOTHING = "TLS003"
    DEFAULT_CERTIFICATE = "TLS004"
    PASSTHROUGH_UNGUARDED = "TLS005"
    PASSTHROUGH_DIFFERS = "TLS006"
    PASSTHROUGH_CLOSED = "TLS007"

    ENDPOINTS_UNUSED = "CFG001"
    CONFIG_MAP_MISSING = "CFG002"
    PROXIES_UNNAMED = "CFG003"

    CONFIG_MAP_KEY = "CMP001"
    CONFIG_MAP_FOREIGN = "CMP002"

    PATTERN_LOOSE = "NGX001"
    PATTERN_OF_ANOTHER = "NGX002"
    REWRITE_IMPLIES_PATTERN = "NGX003"
    NO_SLASH_REDIRECT = "NGX004"
    PATH_NOT_DECODED = "NGX005"
    PORT_DECIDES_PROTOCOL = "NGX006"

    PORT_ENTRY = "PRT001"
    PORT_TAKEN = "PRT002"
    PORT_CLOSED = "PRT003"
    PORT_DIFFERS = "PRT004"

    OTHER_CLASS = "CLS001"

    PASSWORDS_IN_THE_CLEAR = "SEC001"
    EVERYBODY_TRUSTED = "SEC002"
    KEYS_IN_THE_CLEAR = "SEC003"


class Kind(NamedTuple):
    """What is known of a code."""

    severity: Severity
    title: str
    """What is wrong, in a few words that go on after "the code says that …"."""


_E, _D, _I, _N = Severity.ERROR, Severity.DIFFERS, Severity.IGNORED, Severity.NOTE

KINDS: Final = MappingProxyType(
    {
        Code.FILE_UNREADABLE: Kind(_E, "a file or folder cannot be read"),
        Code.FILE_NOT_PARSED: Kind(_E, "a file or document is not YAML or JSON"),
        Code.OBJECT_TWICE: Kind(_I, "an object stands in two places"),
        Code.OBJECT_INVALID: Kind(_E, "a field is not what the API server accepts"),
        Code.OBJECT_NAMELESS: Kind(_E, "an object has no name"),
        Code.API_UNREACHABLE: Kind(_E, "the API server does not answer, or forbids what is needed"),
        Code.ANNOTATION_VALUE: Kind(_D, "an annotation is not carried out as it is written"),
        Code.ANNOTATION_CLOSES: Kind(_E, "an annotation decides access and cannot be honoured"),
        Code.ANNOTATION_UNSUPPORTED: Kind(_I, "an annotation of ingress-nginx is not supported"),
        Code.ANNOTATION_FORMER: Kind(_N, "ingress-nginx itself has this annotation no more"),
        Code.ANNOTATION_UNKNOWN: Kind(_I, "ingress-nginx never had this annotation"),
        Code.ANNOTATION_WITHOUT_EFFECT: Kind(_I, "an annotation has no effect here"),
        Code.INGRESS_CLOSED: Kind(_E, "an Ingress is closed because of what it asks for"),
        Code.SHARED_HOST: Kind(_D, "several namespaces share a host, and one of them decides"),
        Code.ANNOTATION_DIFFERS: Kind(_N, "an annotation differs from ingress-nginx in details"),
        Code.RULE_TAKEN: Kind(_E, "an older Ingress has the same rule"),
        Code.HOST_TAKEN: Kind(_E, "the host belongs to another namespace"),
        Code.BACKEND_NO_SERVICE: Kind(_E, "a backend is no Service"),
        Code.PATH_IMPOSSIBLE: Kind(_E, "no request can have the path of a rule"),
        Code.PATH_LIKE_PATTERN: Kind(_D, "a path looks like a regular expression and is none"),
        Code.PATH_PATTERN: Kind(_E, "a regular expression cannot be matched"),
        Code.CANARY_IDLE: Kind(_E, "a canary gets no requests, or fewer than it asks for"),
        Code.CATCH_ALL_REFUSED: Kind(_E, "an Ingress with a default backend is not served"),
        Code.SERVICE_WITHOUT_ENDPOINTS: Kind(_E, "a Service cannot answer"),
        Code.ENDPOINT_REFUSED: Kind(_E, "an endpoint leads to the proxy itself"),
        Code.SECRET_UNUSABLE: Kind(_E, "a Secret has no certificate that can be used"),
        Code.CERTIFICATE_LOSES: Kind(_D, "another certificate is served for a host"),
        Code.TLS_COVERS_NOTHING: Kind(_I, "a tls entry covers no host of its Ingress"),
        Code.DEFAULT_CERTIFICATE: Kind(_E, "the default certificate cannot be used"),
        Code.PASSTHROUGH_UNGUARDED: Kind(
            _E, "an access rule does not hold where TLS is passed through"
        ),
        Code.PASSTHROUGH_DIFFERS: Kind(_D, "something does not hold where TLS is passed through"),
        Code.PASSTHROUGH_CLOSED: Kind(_E, "connections to be passed through are closed"),
        Code.ENDPOINTS_UNUSED: Kind(_I, "an entry of source.endpoints is not used"),
        Code.CONFIG_MAP_MISSING: Kind(_D, "the ConfigMap of the configuration is not there"),
        Code.PROXIES_UNNAMED: Kind(_E, "a header is wanted, and nobody is named who may send it"),
        Code.CONFIG_MAP_KEY: Kind(_D, "a key of the ConfigMap is not carried out as written"),
        Code.CONFIG_MAP_FOREIGN: Kind(_I, "a ConfigMap of ingress-nginx has no effect"),
        Code.PATTERN_LOOSE: Kind(_N, "a regular expression takes more paths than it seems to"),
        Code.PATTERN_OF_ANOTHER: Kind(_N, "another Ingress makes a path a regular expression"),
        Code.REWRITE_IMPLIES_PATTERN: Kind(_N, "a rewrite makes regular expressions of paths"),
        Code.NO_SLASH_REDIRECT: Kind(_D, "a path without its last slash is not redirected"),
        Code.PATH_NOT_DECODED: Kind(_D, "escapes of a path are not decoded before it is compared"),
        Code.PORT_DECIDES_PROTOCOL: Kind(_D, "a Service port says how endpoints are spoken to"),
        Code.PORT_ENTRY: Kind(_E, "an entry of TCP or UDP services cannot be carried out"),
        Code.PORT_TAKEN: Kind(_E, "a port of TCP or UDP services has another use"),
        Code.PORT_CLOSED: Kind(_E, "a port of TCP or UDP services cannot be listened on"),
        Code.PORT_DIFFERS: Kind(_D, "a TCP or UDP service is not carried out as it is written"),
        Code.OTHER_CLASS: Kind(_N, "an Ingress has a class that is not served"),
        Code.PASSWORDS_IN_THE_CLEAR: Kind(_N, "passwords are asked for over plain http"),
        Code.EVERYBODY_TRUSTED: Kind(_N, "every client is believed what it says of itself"),
        Code.KEYS_IN_THE_CLEAR: Kind(_D, "the keys of tokens come over plain http"),
    }
)
"""All codes."""
