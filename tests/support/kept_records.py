"""
The records of exchanges, kept in a list.
"""

from __future__ import annotations

from ingress.telemetry.record import ExchangeRecord, RecordReceiver


class KeptRecords(RecordReceiver):
    """
    :param records: gets each record, in order.
    """

    def __init__(self, records: list[ExchangeRecord]) -> None:
        self._records = records

    def record(self, record: ExchangeRecord) -> None:
        self._records.append(record)
