"""
The discovery of resources, in the forms that ``kubectl`` and other clients use.
"""

from __future__ import annotations

from itertools import groupby

from tests.support.fake_api.kind import KINDS, STATUS_VERBS, VERBS, Document, Kind

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26",
    "compiler": "gc",
    "platform": "linux/amd64",
}

GROUPS = {
    group: list(kinds)
    for group, kinds in groupby(sorted(KINDS, key=lambda kind: kind.group), lambda kind: kind.group)
}


def answer_discovery(path: str, accept: str) -> tuple[Document, str] | None:
    """
    :return: the answer and its content type; None if the path is not for discovery.
    """
    plain = "application/json"
    is_aggregated = "as=APIGroupDiscoveryList" in accept
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION, plain
        case ["api"] if is_aggregated:
            return _aggregated([""]), AGGREGATED
        case ["apis"] if is_aggregated:
            return _aggregated([group for group in GROUPS if group]), AGGREGATED
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}, plain
        case ["apis"]:
            groups = [_group(group) for group in GROUPS if group]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}, plain
        case ["api", "v1"]:
            return _resources("v1", GROUPS[""]), plain
        case ["apis", group] if group in GROUPS:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}, plain
        case ["apis", group, version] if group in GROUPS and GROUPS[group][0].version == version:
            return _resources(f"{group}/{version}", GROUPS[group]), plain
    return None


def _group(group: str) -> Document:
    version = GROUPS[group][0].version
    named = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [named], "preferredVersion": named}


def _resources(group_version: str, kinds: list[Kind]) -> Document:
    resources: list[Document] = []
    for kind in sorted(kinds, key=lambda kind: kind.plural):
        resource: Document = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": list(VERBS),
        }
        if kind.short_names:
            resource["shortNames"] = list(kind.short_names)
        resources.append(resource)
        if kind.has_status:
            resources.append(
                {
                    "name": f"{kind.plural}/status",
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    "kind": kind.name,
                    "verbs": list(STATUS_VERBS),
                }
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def _aggregated(groups: list[str]) -> Document:
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": GROUPS[group][0].version,
                        "resources": [_aggregated_resource(kind) for kind in GROUPS[group]],
                        "freshness": "Current",
                    }
                ],
            }
            for group in groups
        ],
    }


def _aggregated_resource(kind: Kind) -> Document:
    response_kind = {"group": "", "version": "", "kind": kind.name}
    resource: Document = {
        "resource": kind.plural,
        "responseKind": response_kind,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(VERBS),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.has_status:
        status = {
            "subresource": "status",
            "responseKind": response_kind,
            "verbs": list(STATUS_VERBS),
        }
        resource["subresources"] = [status]
    return resource
