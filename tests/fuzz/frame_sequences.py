"""
Conversations of HTTP/2 by chance: frames that are right as a rule, and now and then one that is not.
"""

from __future__ import annotations

from random import Random

import hpack

from ingress.http2.frame import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
)
from tests.support.http2_client import frame, settings, window_update, word

Fields = list[tuple[bytes, bytes]]

FIELDS = (
    (b"accept", b"*/*"), (b"x-a", b""), (b"x-b", b"b" * 200), (b"cookie", b"a=1"), (b"cookie", b"b=2"),
    (b"te", b"trailers"), (b"user-agent", b"fuzz"), (b"priority", b"u=1, i"), (b"x-c", b"\xff\x80"),
)  # fmt: skip
ODD_FIELDS = (
    (b"X-Upper", b"1"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"te", b"gzip"),
    (b"upgrade", b"h2c"), (b"keep-alive", b"1"), (b"x a", b"1"), (b"", b"1"), (b"x-d", b"a\nb"),
    (b"x-e", b"a\0b"), (b"x-f", b" a"), (b":path", b"/again"), (b":unknown", b"1"),
    (b"content-length", b"1"), (b"content-length", b"x"), (b"host", b"b.example"), (b":status", b"200"),
)  # fmt: skip


class Sequence:
    """
    The frames of one side, made one after another.

    :param random: chance.
    :param oddity: one frame of so many is broken.
    """

    may_prioritise = True
    """Whether PRIORITY_UPDATE is right."""

    def __init__(self, random: Random, oddity: int) -> None:
        self.random = random
        self.oddity = oddity
        self.encoder = hpack.Encoder()
        self.open: dict[int, int | None] = {}
        """The streams on which more may be sent, with what their Content-Length still demands."""

        self.last_id = -1
        self.was_odd = False
        """Whether anything so far may be broken."""

        self._has_acknowledged = False

    def is_odd(self) -> bool:
        is_odd = not self.random.randrange(self.oddity)
        self.was_odd |= is_odd
        return is_odd

    def frames(self, count: int) -> list[bytes]:
        """:return: about so many frames, behind a SETTINGS frame."""
        found = [settings(*self.settings(), *self.random.choice([(), (), ((9, 1),)]))]
        while len(found) < count:
            found += self.step()
        if self.is_odd():
            found.append(found.pop()[: self.random.randrange(20)] or b"\0")
        return found

    def step(self) -> list[bytes]:
        """:return: one or more frames that belong together."""
        kind = self.random.randrange(100)
        if kind < 30:
            made = self.begin()
        elif kind < 55 and self.open:
            made = self.data()
        elif kind < 65 and self.open:
            made = self.trailers()
        else:
            made = [self.other()]
        if self.is_odd():
            at = self.random.randrange(len(made))
            made[at : at + 1] = self.mutate(made[at])
        return made

    def begin(self) -> list[bytes]:
        """What opens a stream, or its message."""
        raise NotImplementedError

    def stream_id(self) -> int:
        """A stream that was there before, as a rule."""
        if self.open and self.random.randrange(10):
            return self.random.choice(list(self.open))
        if not self.is_odd():
            return max(self.last_id, 1)
        return self.random.randrange(0, 12)

    def priority(self, stream_id: int) -> bytes:
        """The five bytes of RFC 7540 section 6.3."""
        other = self.random.randrange(20)
        self.was_odd |= other == stream_id
        return word(other) + b"\x10"

    # Field blocks.

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> list[bytes]:
        """:return: a HEADERS frame, with CONTINUATION frames."""
        random = self.random
        if not random.randrange(10):
            self.encoder.header_table_size = random.choice([0, 100, 200, 4096])
        if self.is_odd():
            fields = fields[:]
            odd = random.choice(ODD_FIELDS)
            # Which trailers are dropped, and which refused, is a matter of taste.
            if odd[0] not in (b"host", b"content-length") or (
                fields[:1] and fields[0][0] == b":method"
            ):
                fields.insert(random.randrange(len(fields) + 1), odd)
        if self.is_odd() and fields:
            fields = fields[:]
            fields.pop(random.randrange(len(fields)))
        block = self.encoder.encode([hpack.HeaderTuple(*field) for field in fields])
        if self.is_odd():
            block = random.choice([block[:-1], block + b"\xbf", b"\x80" + block, b""])
        flags = END_STREAM if is_end else 0
        before, after = b"", b""
        if not random.randrange(8):
            flags |= HAS_PRIORITY
            before = self.priority(stream_id)
        if not random.randrange(8):
            flags |= PADDED
            size = random.randrange(9)
            before, after = bytes([size]) + before, bytes(size)
        if random.randrange(5) or len(block) < 2:
            return [frame(HEADERS, flags | END_HEADERS, stream_id, before + block + after)]
        cuts = sorted(
            {random.randrange(1, max(len(block), 2)) for _ in range(random.randrange(1, 4))}
        )
        if self.is_odd():
            cuts.insert(1, cuts[0])
        pieces = [block[a:b] for a, b in zip([0, *cuts], [*cuts, len(block)], strict=True)]
        found = [frame(HEADERS, flags, stream_id, before + pieces[0] + after)]
        for piece in pieces[1:]:
            found.append(frame(CONTINUATION, 0, stream_id, piece))
        last = found.pop()
        found.append(last[:4] + bytes([last[4] | END_HEADERS]) + last[5:])
        return found

    # Bodies.

    def data(self) -> list[bytes]:
        stream_id = self.random.choice(list(self.open))
        left = self.open[stream_id]
        size = self.random.choice([0, 1, 5, 100]) if left is None else self.random.randint(0, left)
        if left is not None:
            left -= size
            self.open[stream_id] = left
        is_end = not self.random.randrange(3)
        if left and not self.is_odd():
            is_end = False
        if not size and not is_end and self.random.randrange(4):
            is_end = not left
        payload = self.random.randbytes(size)
        flags = END_STREAM if is_end else 0
        if not self.random.randrange(6):
            flags |= PADDED
            padding = self.random.randrange(200)
            payload = bytes([padding]) + payload + bytes(padding)
        if is_end:
            del self.open[stream_id]
        return [frame(DATA, flags, stream_id, payload)]

    def trailers(self) -> list[bytes]:
        stream_id = self.random.choice(list(self.open))
        if self.open[stream_id] and not self.is_odd():
            return self.data()
        fields = [(b"x-sum", b"1")] * self.random.randrange(3)
        del self.open[stream_id]
        return self.head(stream_id, fields, is_end=not self.is_odd())

    # All else.

    def settings(self) -> list[tuple[int, int]]:
        random = self.random
        right = [
            (1, random.choice([0, 100, 4096, 65_536])), (3, random.randrange(200)),
            (4, random.choice([0, 1, 1000, 65_535, 1 << 20])), (5, random.choice([16_384, 1 << 20])),
            (6, 1 << 16), (77, 1),
        ]  # fmt: skip
        wrong = [(2, 1), (2, 2), (4, 1 << 31), (5, 100), (8, 2), (9, 7)]
        entries = [random.choice(right) for _ in range(random.randrange(4))]
        return [*entries, random.choice(wrong)] if self.is_odd() else entries

    def other(self) -> bytes:
        random = self.random
        kind = random.randrange(20)
        if kind < 4:
            increment = 0 if self.is_odd() else random.choice([1, 100, 65_535, 1 << 20])
            stream_id = self.stream_id() if random.randrange(2) else 0
            return window_update(stream_id, 2**31 - 1 if self.is_odd() else increment)
        if kind < 7:
            return settings(*self.settings())
        if kind < 8:
            if self._has_acknowledged and not self.is_odd():
                return frame(PING, 0, 0, bytes(8))
            self._has_acknowledged = True
            return frame(SETTINGS, ACK, 0)
        if kind < 11:
            return frame(PING, random.choice([0, 0, ACK]), 0, random.randbytes(8))
        if kind < 14:
            stream_id = self.stream_id()
            self.open.pop(stream_id, None)
            return frame(RST_STREAM, 0, stream_id, word(random.choice([0, 1, 7, 8, 99])))
        if kind < 16:
            stream_id = self.stream_id() or 1
            return frame(PRIORITY, 0, stream_id, self.priority(stream_id))
        if kind < 17:
            self.was_odd |= not self.may_prioritise
            return frame(PRIORITY_UPDATE, 0, 0, word(self.stream_id() or 1) + b"u=2")
        if kind < 18 and self.is_odd():
            return frame(GOAWAY, 0, 0, word(random.choice([0, 1, 2**31 - 1])) + word(0) + b"why")
        if kind < 19 and self.is_odd():
            return frame(PUSH_PROMISE, END_HEADERS, self.stream_id(), word(2) + b"\x82\x86\x84")
        return frame(random.randrange(0x20, 0x100), random.randrange(256), self.stream_id(), b"x")

    def mutate(self, data: bytes) -> list[bytes]:
        """Break a frame, lose it, or send it twice."""
        random = self.random
        payload = data[9:]
        kind, flags, stream_id = data[3], data[4], int.from_bytes(data[5:9], "big")
        choice = random.randrange(7)
        if choice == 0:
            kind = random.randrange(12)
        elif choice == 1:
            flags ^= 1 << random.randrange(8)
        elif choice == 2:
            stream_id = random.choice(
                [0, 2, stream_id + 2, max(stream_id - 2, 0), 1 << 30, stream_id]
            )
        elif choice == 3 and payload:
            at = random.randrange(len(payload))
            payload = payload[:at] + bytes([random.randrange(256)]) + payload[at + 1 :]
        elif choice == 4:
            payload = payload[: random.randrange(len(payload) + 1)]
        elif choice == 5:
            payload += random.randbytes(random.randrange(1, 8))
        else:
            return random.choice(
                [[data, data], [], [b"\0\x40\x01" + data[3:]], [random.randbytes(12)]]
            )
        return [frame(kind, flags, stream_id, payload)]


class ClientSequence(Sequence):
    """What a client sends behind the first 24 bytes of its preface."""

    def begin(self) -> list[bytes]:
        random = self.random
        step = 2 if random.randrange(12) else random.choice([0, -2, 1, 4])
        stream_id = max(0, self.last_id + step)
        self.last_id = max(self.last_id, stream_id)
        method = random.choice([b"GET", b"POST", b"PUT", b"HEAD"])
        fields = [
            (b":method", method), (b":scheme", random.choice([b"http", b"https"])),
            (b":path", random.choice([b"/", b"/a?b=c"])), (b":authority", b"a.example"),
        ]  # fmt: skip
        fields += (random.choice(FIELDS) for _ in range(random.randrange(5)))
        is_end = bool(random.randrange(2))
        length: int | None = None
        if not random.randrange(3):
            length = 0 if is_end and not self.is_odd() else random.choice([0, 1, 300])
            fields.append((b"content-length", b"%d" % length))
        if not is_end:
            self.open[stream_id] = length
        return self.head(stream_id, fields, is_end=is_end)


class ServerSequence(Sequence):
    """
    What a server sends.

    :param streams: those that the client has opened.
    """

    may_prioritise = False

    def __init__(self, random: Random, oddity: int, streams: list[int]) -> None:
        super().__init__(random, oddity)
        self._waiting = streams[:]
        self.last_id = streams[-1]

    def begin(self) -> list[bytes]:
        random = self.random
        if not self._waiting:
            return self.data() if self.open else [self.other()]
        stream_id = random.choice(self._waiting)
        if not random.randrange(4):
            interim = random.choice([b"100", b"103", b"199"])
            return self.head(stream_id, [(b":status", interim)], is_end=self.is_odd())
        if random.randrange(15):
            self._waiting.remove(stream_id)
        else:
            # Another head will follow.
            self.was_odd = True
        fields = [(b":status", random.choice([b"200", b"200", b"404", b"204", b"304"]))]
        fields += (random.choice(FIELDS[:4]) for _ in range(random.randrange(4)))
        is_end = not random.randrange(3) or fields[0][1] in (b"204", b"304")
        length: int | None = None
        if not random.randrange(3) and fields[0][1] in (b"200", b"404"):
            length = 0 if is_end and not self.is_odd() else random.choice([0, 1, 300])
            fields.append((b"content-length", b"%d" % length))
        if not is_end:
            self.open[stream_id] = length
        return self.head(stream_id, fields, is_end=is_end)
