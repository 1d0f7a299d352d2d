"""
The names that Kubernetes accepts.

Source of the rules: ``k8s.io/apimachinery/pkg/util/validation``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

DNS_LABEL: Final = "lower-case letters, digits and -, at most 63, a letter or digit at both ends"
DNS_1035: Final = "lower-case letters, digits and -, at most 63, starting with a letter"
DNS_SUBDOMAIN: Final = (
    "lower-case letters, digits, - and ., at most 253, a letter or digit at both ends of each part"
)
PORT_NAME: Final = "lower-case letters, digits and single -, at most 15, at least one letter"
PORT_NUMBER: Final = "a number from 1 to 65535"
LABEL_VALUE: Final = "letters, digits, -, _ and ., at most 63, a letter or digit at both ends"
QUALIFIED_NAME: Final = f"an optional DNS name and /, then {LABEL_VALUE}"

_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL_1035: Final = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN: Final = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*", re.ASCII)
_NAME_PART: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_PORT_CHARACTERS: Final = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)


def is_dns_label(name: str) -> bool:
    """Whether it is a DNS-1123 label, as namespaces are."""
    return len(name) <= 63 and _LABEL.fullmatch(name) is not None


def is_dns_1035_label(name: str) -> bool:
    """Whether it is a DNS-1035 label, as names of Services are."""
    return len(name) <= 63 and _LABEL_1035.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Whether it is a DNS-1123 subdomain, as most names and all hosts are."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def is_wildcard_subdomain(name: str) -> bool:
    """Whether it is ``*.`` and a DNS-1123 subdomain."""
    return len(name) <= 253 and name[:2] == "*." and is_dns_subdomain(name[2:])


@lru_cache(maxsize=1024)
def is_qualified_name(name: str) -> bool:
    """Whether it can be the key of an annotation or a label; objects have the same ones."""
    prefix, slash, part = name.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return False
    return len(part) <= 63 and _NAME_PART.fullmatch(part) is not None


def is_label_value(value: str) -> bool:
    """Whether it can be the value of a label."""
    return value == "" or (len(value) <= 63 and _NAME_PART.fullmatch(value) is not None)


def is_port_name(name: str) -> bool:
    """Whether it is an IANA service name (RFC 6335 section 5.1)."""
    return len(name) <= 15 and _PORT_CHARACTERS.fullmatch(name) is not None


def is_port_number(number: int) -> bool:
    """Whether it is a TCP port that can be connected to."""
    return 1 <= number <= 65535


def is_data_key(key: str) -> bool:
    """Whether it can be a key of a Secret or a ConfigMap."""
    return _DATA_KEY.fullmatch(key) is not None and key != "." and not key.startswith("..")
