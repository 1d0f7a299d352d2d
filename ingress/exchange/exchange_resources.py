"""
What all exchanges of a process share: the Snapshot in force and the live state beside it.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

from ingress.answer import Answer
from ingress.encoded_fields import FieldLines
from ingress.error_pages import NO_PAGES
from ingress.errors import Outcome
from ingress.exchange.call_resources import CallResources
from ingress.exchange.compressor import MemoryBudget
from ingress.exchange.explained_response import Explaining
from ingress.exchange.field_names import FieldNames
from ingress.exchange.fields import answer_fields, own_request_id
from ingress.exchange.grpc_answer import grpc_answer
from ingress.exchange.loop_marker import LoopMarker
from ingress.exchange.mirrored_call import Mirrors
from ingress.exchange.policy_journal import PolicyJournal
from ingress.exchange.request_shares import RequestShares
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.message import Request
from ingress.policy.limiter import Limiter
from ingress.policy.live_state import PolicyStates
from ingress.policy.policy_faults import PolicyFaults
from ingress.policy.subrequest import Asker, NoAsker
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import CLIENT_GONE, ExchangeRecord, RecordReceiver

REQUEST_IDS_AT_ONCE: Final = 128
"""How many request ids are made at once when none is left."""


class ExchangeResources:
    """
    The Snapshot in force, and the live state of exchanges.

    :param calls: what all calls share.
    :param clock: ends policies that take too long.
    :param recorder: takes the record of each exchange that is over, and of each refusal of input
        that was no request.
    :param marker: marks requests that are forwarded, and finds loops.
    :param limiter: the state of limits that all workers share; None if there is one process.
    """

    def __init__(
        self,
        calls: CallResources,
        clock: IReactorTime,
        recorder: RecordReceiver,
        marker: LoopMarker,
        limiter: Limiter | None = None,
    ) -> None:
        self.calls = calls
        self.recorder = recorder
        self.marker = marker
        self.now = calls.deadlines.now
        self.time = calls.deadlines.time
        self.shares = RequestShares()
        """Bounds the requests in flight of clients and routes while most connections are in use."""

        self.policy_states = PolicyStates(limiter)
        self.policy_faults = PolicyFaults(clock)
        self.policy_journal: PolicyJournal | None = None
        """Learns what policies decide; None where requests are served."""
        self.asker: Asker = NoAsker()
        """Sends the requests of policies."""

        self.mirrors = Mirrors()
        """Makes the copies of requests."""

        self.field_names = FieldNames()
        """Decides which names of fields reach endpoints."""

        self.compression_memory = MemoryBudget(0)
        """Bounds the memory of all responses that are being compressed."""

        self.snapshot: Snapshot | None = None
        """Set before any listener accepts; an exchange reads it once."""

        self.http_edits = NO_EDITS
        self.https_edits = NO_EDITS
        """The changes to responses that the Snapshot has for all routes, by scheme."""

        self.error_pages = NO_PAGES
        """The bodies of errors."""

        self.explaining: Explaining | None = None
        """Explains responses to those who know the token; None where there is none."""

        self._request_ids = b""
        self._next_id = 0
        """Where the next one begins in `_request_ids`."""

    def __repr__(self) -> str:
        return f"<ExchangeResources {self.calls}>"

    def publish(self, snapshot: Snapshot) -> None:
        """Serve every exchange that begins from now on from `snapshot`."""
        previous, self.snapshot = self.snapshot, snapshot
        self.http_edits, self.https_edits = snapshot.response_edits
        if previous is None or previous.config is not snapshot.config:
            config = snapshot.config
            self.field_names.apply(config.field_names, config.nginx.forwarded_for.field)
            self.error_pages = snapshot.config.error_pages
            self._explain(config.explain.token_file)
            self.compression_memory.maximum = snapshot.config.compression.memory
            self.policy_faults.timeout = snapshot.config.limits.policy_timeout
        if previous is not None:
            self.policy_states.prune(snapshot.has_rule)

    def _explain(self, token: bytes) -> None:
        """Explain responses to those who know the token; if it is empty to nobody."""
        used = self.explaining
        if token != (used.token if used is not None else b""):
            self.explaining = Explaining(token, self.calls.deadlines.clock) if token else None

    def end(self, record: ExchangeRecord, outcome: Outcome, detail: str) -> None:
        """Fill in the record of an exchange that is over, and take it."""
        record.outcome = outcome
        record.detail = detail
        record.status = record.status or CLIENT_GONE
        record.duration = self.time.now - record.began_at
        self.record(record)

    def record(self, record: ExchangeRecord) -> None:
        """Take the record of an exchange that is over, or of a refusal before there was one."""
        if self.shares.is_active and record.route is not None:
            self.shares.end(record.client_address, record.route)
        self.recorder.record(record)

    def written(
        self, answer: Answer, request: Request | None, identity: bytes, edits: FieldEdits
    ) -> tuple[Answer, FieldLines, bytes]:
        """
        :param request: None if there is none that could be read.
        :return: the answer as this client understands it, and the result of `fields.answer_fields`
            with the error pages of the configuration.
        """
        accept = None
        if request is not None:
            answer = grpc_answer(answer, request)
            accept = request.field(b"accept")
        return answer, *answer_fields(answer, accept, identity, edits, self.error_pages)

    def request_id_of(self, request: Request) -> bytes:
        """:return: the id that the client gave its request, if it is a token, or a new one."""
        return own_request_id(request) or self.make_request_id()

    def make_request_id(self) -> bytes:
        """:return: 32 hexadecimal digits, like nginx's ``$request_id``."""
        start = self._next_id
        if start >= len(self._request_ids):
            # Many at once, because each alone would take five times as long.
            octets = self.calls.random.randbytes(16 * REQUEST_IDS_AT_ONCE)
            self._request_ids = octets.hex().encode("ascii")
            start = 0
        self._next_id = start + 32
        return self._request_ids[start : start + 32]
