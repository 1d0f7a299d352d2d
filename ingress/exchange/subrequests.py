"""
Sends the requests of policies: as calls, or as exchanges of our own where the host is ours.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred

from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.encoded_fields import EncodedFields, FieldLines
from ingress.endpoint import Upstream
from ingress.errors import LoopDetected, Outcome, RequestError
from ingress.exchange.call import NO_ENDPOINT, Call
from ingress.exchange.client import Client
from ingress.exchange.exchange import Exchange
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.fields import is_forwarded, upstream_fields, without_body
from ingress.exchange.forwarded import Said
from ingress.exchange.subrequest_call import SubrequestEnd, SubrequestReceiver, SubrequestWriter
from ingress.field_edits import NO_EDITS
from ingress.message import Request, UpstreamRequest
from ingress.policy.call_settings import CallSettings
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.subrequest import Asking, Subrequest, Subresponse
from ingress.routing.path import canonical_path
from ingress.routing.snapshot import Snapshot

MAX_IN_FLIGHT: Final = 256
"""
Requests in flight of one Ingress for one purpose, in one process: a server that hangs holds no more
connections and memory than these. At 20 ms each they are 12,800 a second.
"""

_SHARE_OF_TIMEOUT: Final = 0.9
"""
Of the time that a policy may take: the policy is told of a server that is too slow before the
policy itself is.
"""

_TOO_MANY: Final = "Too many requests of this Ingress wait for the same server."

Key = tuple[str, str, str]
"""Namespace and name of an Ingress, and the purpose."""


class Subrequests:
    """
    The `Asker` of a process.

    :param resources: what all exchanges share.
    """

    def __init__(self, resources: ExchangeResources) -> None:
        self._resources = resources
        self._in_flight: Counter[Key] = Counter()
        self._config: Config | None = None
        self._proxy = ProxySettings()

    def __repr__(self) -> str:
        return f"<Subrequests: {self._in_flight.total()} in flight>"

    def ask(self, asking: Asking, snapshot: Any, subrequest: Subrequest) -> Deferred[Subresponse]:
        """Asker."""
        end = SubrequestEnd(keeps_body=not subrequest.is_for_client)
        result = end.result
        assert result is not None
        key = (asking.rule.namespace, asking.rule.ingress, subrequest.purpose)
        if self._in_flight[key] >= MAX_IN_FLIGHT:
            end.fail(Outcome.OVERLOADED, _TOO_MANY)
            return result
        self._in_flight[key] += 1
        result.addBoth(partial(self._ended, key))
        faults = self._resources.policy_faults
        end.timer = faults.clock.callLater(faults.timeout * _SHARE_OF_TIMEOUT, end.expire)
        try:
            self._begin(end, asking, snapshot, subrequest)
        except (LoopDetected, RequestError) as error:
            end.fail(error.outcome, str(error))
        except Exception:
            end.cancel()
            self._ended(key, None)
            raise
        return result

    def _ended(self, key: Key, result: object) -> object:
        self._in_flight[key] -= 1
        if not self._in_flight[key]:
            del self._in_flight[key]
        return result

    def _begin(
        self, end: SubrequestEnd, asking: Asking, snapshot: Snapshot, subrequest: Subrequest
    ) -> None:
        upstream = None
        if subrequest.upstream is not None:
            upstream = snapshot.upstreams.get(subrequest.upstream)
            if upstream is None:
                end.fail(NO_ENDPOINT.outcome, NO_ENDPOINT.detail)
                return
        fields = self._fields(asking, subrequest) if subrequest.is_for_client else []
        if not subrequest.is_for_client and (upstream is None or upstream.is_own):
            # Without the marker of the client's request, it could go round for ever.
            end.fail(NO_ENDPOINT.outcome, "A request of the proxy's own cannot come to itself.")
        elif upstream is None or upstream.is_own:
            self._ask_here(end, asking, subrequest, fields)
        else:
            self._call(end, asking, snapshot.config, upstream, subrequest, fields)

    def _fields(self, asking: Asking, subrequest: Subrequest) -> FieldLines:
        """
        :raises LoopDetected: if the request has passed through here too often.
        """
        resources, request = self._resources, without_body(asking.request)
        names, marker = resources.field_names, resources.marker
        fields: FieldLines = upstream_fields(
            request, asking.client.is_trusted, names, NO_EDITS, marker
        )
        if asking.trace is not None:
            fields = asking.trace.own_edits.apply_to_request(fields)
        return subrequest.edits.apply_to_request(fields)

    def _call(
        self,
        end: SubrequestEnd,
        asking: Asking,
        config: Config,
        upstream: Upstream,
        subrequest: Subrequest,
        fields: FieldLines,
    ) -> None:
        client, target = asking.client, subrequest.target
        head = UpstreamRequest(
            _bare_request(subrequest, client.authority, target, b"/", ()),
            target,
            subrequest.edits.host or subrequest.authority or client.authority,
            EncodedFields(fields),
            asking.request_id,
            subrequest.edits.apply_to_lines(
                _client_lines(client) if subrequest.is_for_client else b""
            ),
        )
        call = end.call = Call(
            self._resources.calls,
            upstream,
            CallSettings(proxy=self._proxy_settings(config), tls=subrequest.tls),
            head,
            client,
            SubrequestReceiver(end),
            config,
        )
        call.start()

    def _ask_here(
        self, end: SubrequestEnd, asking: Asking, subrequest: Subrequest, fields: FieldLines
    ) -> None:
        """
        Have the rules for the host answer.

        :raises RequestError: for a target that no client may ask for.
        """
        client, target = asking.client, subrequest.target
        fields = [pair for pair in fields if not is_forwarded(pair[0])]
        fields.append((b"X-Request-ID", asking.request_id))
        authority = subrequest.authority or asking.request.authority
        path = canonical_path(target.partition(b"?")[0])
        request = _bare_request(subrequest, authority, target, path, fields)
        own = OwnClient(client.address.decode("ascii"), is_secure=subrequest.is_secure)
        exchange = Exchange(self._resources, SubrequestWriter(end), own, request)
        end.exchange = exchange
        exchange.begin()

    def _proxy_settings(self, config: Config) -> ProxySettings:
        if config is not self._config:
            limits = config.limits
            self._config = config
            self._proxy = ProxySettings(
                connect_timeout=limits.connect_timeout,
                send_timeout=limits.upstream_send_timeout,
                read_timeout=limits.read_timeout,
            )
        return self._proxy


class OwnClient(Client):
    """
    A client whose fields have been looked at already: all that are left may be believed, but for
    the address, which is that of the request that this one is made for. ``forwarded-for-header``
    may be a field that any client sends.
    """

    def is_trusted_by(self, config: Config) -> bool:
        return True

    def _heard(self, request: Request, config: Config, standard: bytes) -> Said:
        return Said()


def _bare_request(
    subrequest: Subrequest,
    authority: bytes,
    target: bytes,
    path: bytes,
    fields: Any,
) -> Request:
    host = BelievedClient(b"", authority, b"", is_secure=False, is_trusted=False).host
    named = [(name.lower(), name, value) for name, value in fields]
    return Request(subrequest.method, target, path, authority, host, named, 0)


def _client_lines(client: BelievedClient) -> bytes:
    address = client.address
    if not address:
        return b""
    return b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\n" % (address, address)
