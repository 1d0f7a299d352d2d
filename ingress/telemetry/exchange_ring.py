"""
The last exchanges of a process: their records, which exist anyway, in a ring of fixed size.

A record is kept as it is, which costs an exchange 40 instructions, and read when somebody asks
(`ingress.telemetry.exchange_rows`). Of what the client sent, method, host and path stay: neither
the query nor any field, nor the bytes of what was no request.
"""

from __future__ import annotations

from typing import Final

from ingress.telemetry.record import ExchangeRecord

SIZE: Final = 512
"""Records of one ring: some 300 KiB."""

MAX_PATH: Final = 1024
"""Bytes of a path that are kept."""

_MASK: Final = SIZE - 1


class ExchangeRing:
    """
    :ivar count: how many records it has got so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._records: list[ExchangeRecord | None] = [None] * SIZE

    def __repr__(self) -> str:
        return f"<ExchangeRing of {min(self.count, SIZE)} records>"

    def put(self, record: ExchangeRecord) -> None:
        """Keep the record of an exchange that is over, of which nobody else makes use."""
        request = record.request
        if request is not None:
            path = request.path
            record.method = request.method
            record.host = request.host
            record.path = path if len(path) <= MAX_PATH else path[:MAX_PATH]
            record.request = None
        else:
            record.line = b""
        count = self.count
        self._records[count & _MASK] = record
        self.count = count + 1

    def newest(self, most: int = SIZE) -> list[ExchangeRecord]:
        """:return: the last records, the newest first; `most` of them."""
        count = self.count
        found: list[ExchangeRecord] = []
        for index in range(count - 1, max(count - min(most, SIZE), 0) - 1, -1):
            record = self._records[index & _MASK]
            if record is not None:
                found.append(record)
        return found
