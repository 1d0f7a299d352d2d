"""
A client that remembers the response it is sent.
"""

from __future__ import annotations

from ingress.encoded_fields import FieldLines
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.message import Response


class RecordingWriter(ResponseWriter):
    """A ResponseWriter that remembers what it was told, the body in one piece."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.status = 0
        self.fields: dict[bytes, bytes] = {}
        self.interim: list[int] = []
        self.body = b""
        self.tunnel: RequestReader | None = None
        self.is_paused = False

    def send_interim(self, response: Response) -> None:
        self.interim.append(response.status)

    def send_head(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        body_length: int | None,
    ) -> None:
        self.events.append("head")
        self.status = status
        self.fields = dict(fields)

    def send_body(self, data: bytes) -> None:
        self.body += data

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self, trailers: FieldLines) -> None:
        self.events.append("end")

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        self.events.append("switch")
        self.tunnel = tunnel

    def send_raw(self, data: bytes) -> None:
        self.body += data

    def end_raw(self) -> None:
        self.events.append("end_raw")

    def abort(self, code: int = 0) -> None:
        self.events.append("abort")

    def pause_request(self) -> None:
        self.is_paused = True

    def resume_request(self) -> None:
        self.is_paused = False
