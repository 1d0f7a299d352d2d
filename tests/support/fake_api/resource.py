"""
The server as a resource of twisted.web: from a request to its answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from tests.support.fake_api import status
from tests.support.fake_api.access import Access, User
from tests.support.fake_api.answer import (
    answer,
    answer_list,
    answer_object,
    begin_answer,
    fail,
    refuse,
    warn,
)
from tests.support.fake_api.discovery import answer_discovery
from tests.support.fake_api.disturbance import Disturbances
from tests.support.fake_api.kind import Document
from tests.support.fake_api.listing import list_objects
from tests.support.fake_api.registry import Registry, Write
from tests.support.fake_api.request_info import RequestInfo, is_true, parse_query, parse_request
from tests.support.fake_api.selector import make_selector
from tests.support.fake_api.store import Store, TooOld
from tests.support.fake_api.watch import LONGEST, Watched, WatchStream

APPLY = "application/apply-patch+yaml"

HEALTH = (b"/livez", b"/readyz", b"/healthz")


@dataclass(frozen=True)
class LoggedRequest:
    """
    An answered request for a resource.

    :ivar code: the status of the answer; 0 if there was none.
    """

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int


class APIResource(Resource):
    """
    :param clock: gives the time since the epoch, and ends watches.
    :param certified_user: returns the user of a request's client certificate, if any.
    :ivar log: every request for a resource, in the order of the answers.
    :ivar streams: the open watches.
    """

    isLeaf = True

    def __init__(
        self,
        store: Store,
        registry: Registry,
        access: Access,
        disturbances: Disturbances,
        clock: Any,
        certified_user: Callable[[Any], User | None] = lambda request: None,
    ) -> None:
        super().__init__()
        self._store = store
        self._registry = registry
        self._access = access
        self._disturbances = disturbances
        self._clock = clock
        self._certified_user = certified_user
        self.log: list[LoggedRequest] = []
        self.streams: set[WatchStream] = set()

    def render(self, request: Any) -> int:
        """IResource."""
        path, _, raw_query = request.uri.decode().partition("?")
        query = parse_query(raw_query)
        try:
            user = self._access.identify(
                request.getHeader("authorization"), self._certified_user(request)
            )
            info = parse_request(request.method.decode(), path, query)
            if info is None:
                self._discover(request, path)
            else:
                self._serve(request, user, info, query)
        except status.StatusError as error:
            refuse(request, error)
        return NOT_DONE_YET

    def _discover(self, request: Any, path: str) -> None:
        if path.encode() in HEALTH:
            begin_answer(request, 200, "text/plain; charset=utf-8")
            request.write(b"ok")
            request.finish()
            return
        found = answer_discovery(path, request.getHeader("accept") or "")
        if found is None:
            raise status.no_such_path()
        answer(request, 200, *found)

    def _serve(self, request: Any, user: User, info: RequestInfo, query: dict[str, str]) -> None:
        fault = self._disturbances.take_fault(info)
        code = 0
        try:
            if fault is not None:
                code = fault.code
                if code:
                    fail(request, fault)
                return
            self._access.check(user, info)
            code = self._answer(request, user, info, query)
        except status.StatusError as error:
            code = error.code
            raise
        finally:
            group, where = info.kind.group, (info.namespace, info.name)
            self.log.append(LoggedRequest(user.name, info.verb, group, info.resource, *where, code))

    def _answer(self, request: Any, user: User, info: RequestInfo, query: dict[str, str]) -> int:
        """:return: the status."""
        if not info.verb or (info.verb in ("create", "list", "watch") and info.subresource):
            raise status.no_such_method()
        if info.verb == "create" and info.kind.namespaced and not info.namespace:
            raise status.no_such_method()
        warn(request, info.kind)
        answers = {"list": self._list, "watch": self._watch, "deletecollection": self._clear}
        if info.verb in answers:
            answers[info.verb](request, info, query)
            return 200
        code, document = self._of_object(request, user, info, query)
        if document.get("kind") == "Status":
            answer(request, code, document)
        else:
            answer_object(request, code, info.kind, document, self._clock.seconds())
        return code

    def _of_object(
        self, request: Any, user: User, info: RequestInfo, query: dict[str, str]
    ) -> tuple[int, Document]:
        kind, key = info.kind, (info.namespace, info.name)
        is_dry_run = query.get("dryRun") == "All"
        write = Write(_manager(request, query), info.subresource, user, is_dry_run=is_dry_run)
        match info.verb:
            case "get":
                return 200, self._registry.get(kind, *key)
            case "create":
                return 201, self._registry.create(kind, info.namespace, _body(request), write)
            case "update":
                return 200, self._registry.update(kind, key, _body(request), write)
            case "delete":
                return 200, self._registry.delete(kind, key, _body(request), write)
        content_type = (request.getHeader("content-type") or "").partition(";")[0]
        if content_type != APPLY:
            patch = _body(request)
            return 200, self._registry.patch(kind, key, content_type, patch, write)
        document = yaml.safe_load(request.content.read())
        if not self._is_there(info) and not info.subresource:
            return 201, self._registry.create_applied(kind, info.namespace, document, write)
        is_forced = is_true(query, "force")
        return 200, self._registry.apply(kind, key, document, write, is_forced)

    def _is_there(self, info: RequestInfo) -> bool:
        return self._store.get(info.kind.stored, (info.namespace, info.name)) is not None

    def _list(self, request: Any, info: RequestInfo, query: dict[str, str]) -> None:
        page = list_objects(self._store, info.kind, info.namespace, query)
        answer_list(request, info.kind, page, self._clock.seconds())

    def _clear(self, request: Any, info: RequestInfo, query: dict[str, str]) -> None:
        page = list_objects(self._store, info.kind, info.namespace, query)
        for document in page.items:
            metadata = document["metadata"]
            self._registry.delete(info.kind, (metadata.get("namespace", ""), metadata["name"]))
        answer_list(request, info.kind, page, self._clock.seconds())

    def _watch(self, request: Any, info: RequestInfo, query: dict[str, str]) -> None:
        revision = int(query.get("resourceVersion") or 0)
        watched = Watched(
            info.kind,
            info.namespace,
            make_selector(info.kind, query),
            revision or None,
            is_true(query, "allowWatchBookmarks"),
            float(query.get("timeoutSeconds") or LONGEST),
        )
        begin_answer(request, 200)
        stream = WatchStream(request, watched, self._store, self._clock, self._disturbances)
        self.streams.add(stream)
        stream.when_closed = self.streams.discard
        if is_true(query, "sendInitialEvents"):
            # This is how a server answers that has watch lists switched off: clients then list.
            stream.fail(
                status.internal_error(
                    "a watch stream was requested by the client but the required storage"
                    " feature RequestWatchProgress is disabled"
                )
            )
            return
        try:
            changes = self._store.changes_since(info.kind.stored, revision) if revision else None
        except TooOld:
            oldest = self._store.forgotten
            stream.fail(status.expired(f"too old resource version: {revision} ({oldest})"))
        else:
            stream.begin(changes)


def _body(request: Any) -> Document:
    data = request.content.read()
    try:
        document = json.loads(data or b"{}")
    except ValueError as error:
        raise status.bad_request(f"the object provided is unrecognized: {error}") from None
    if not isinstance(document, dict):
        raise status.bad_request("the object provided is unrecognized")
    return document


def _manager(request: Any, query: dict[str, str]) -> str:
    agent = request.getHeader("user-agent") or "unknown"
    return query.get("fieldManager") or agent.partition("/")[0]
