"""
``python -m tests.fuzz.http2_connections --seconds 60``: whole connections between our codec and `h2` or
`ngh2`, in both roles.

Both sides send messages on many streams at once, by random pieces and windows, read or stop
reading, reset streams, change settings; the bytes between them are cut anywhere. In the end each
message is what the other side has sent, and nothing is left over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.campaign import run
from tests.fuzz.http2_parties import H2Party, NGH2Party, OurParty, Party

Fields = list[tuple[bytes, bytes]]

PLAIN = (
    (b"accept", b"*/*"), (b"x-a", b""), (b"x-b", b"b" * 300), (b"user-agent", b"fuzz"),
    (b"x-c", b"\xff\x80"), (b"x-d", b"d" * 20_000), (b"authorization", b"secret"),
)  # fmt: skip
MOST = 12
"""Streams of a connection."""


@dataclass
class Sent:
    """A message as one side has sent it so far."""

    fields: Fields
    left: int
    """Bytes of its body that are still to be sent."""

    trailers: Fields
    body: bytes = b""
    interim: int = 0
    is_ended: bool = False


@dataclass
class Side:
    """A party, what it has sent, and what is on its way to it."""

    party: Party
    sent: dict[int, Sent] = field(default_factory=dict)
    arriving: bytes = b""


class Conversation:
    """A client and a server, one of them ours."""

    def __init__(self, random: Random) -> None:
        self.random = random
        window = random.choice([65_535, 65_535, 1 << 20, 1000, 1, 0])
        library = random.choice([H2Party, NGH2Party])
        kind = random.randrange(5)
        client: Party = OurParty(is_client=True)
        server: Party = OurParty(is_client=False)
        if kind in (0, 1):
            client = library(is_client=True, window=window)
        elif kind in (2, 3):
            server = library(is_client=False, window=window)
        self.client, self.server = Side(client), Side(server)
        self.window = 0 if kind == 4 else window
        self.reset: set[int] = set()
        self.transfer(whole=True)

    def run(self) -> None:
        steps: list[Callable[[], None]] = [
            self.open, self.open, self.send, self.send, self.send, self.answer, self.answer,
            self.move, self.move, self.move, self.change, self.reset_one,
        ]  # fmt: skip
        for _ in range(self.random.randrange(5, 120)):
            self.random.choice(steps)()
        self.finish()

    # Steps.

    def message(self, begin: Fields) -> Sent:
        random = self.random
        size = random.choice([0, 0, 1, 100, 5000, 70_000, 200_000])
        fields = [*begin, *(random.choice(PLAIN) for _ in range(random.randrange(4)))]
        if size and not random.randrange(3):
            fields.append((b"content-length", b"%d" % size))
        trailers = [(b"x-sum", b"1")] if size and not random.randrange(3) else []
        return Sent(fields, size, trailers)

    def open(self) -> None:
        """The client asks for something."""
        client = self.client
        if len(client.sent) >= MOST:
            return
        stream_id = 2 * len(client.sent) + 1
        method = self.random.choice([b"GET", b"POST", b"PUT"])
        sent = self.message(
            [(b":method", method), (b":scheme", b"http"), (b":path", b"/%d" % stream_id),
             (b":authority", b"a.example")]
        )  # fmt: skip
        self.begin(client, stream_id, sent)

    def begin(self, side: Side, stream_id: int, sent: Sent) -> None:
        side.sent[stream_id] = sent
        sent.is_ended = not sent.left
        side.party.head(stream_id, sent.fields, is_end=sent.is_ended)

    def answer(self) -> None:
        """The server answers a request, which may not be whole."""
        server = self.server
        waiting = [
            stream_id
            for stream_id, message in server.party.received.items()
            if message.fields and stream_id not in server.sent and stream_id not in self.gone()
        ]
        if not waiting:
            return
        stream_id = self.random.choice(waiting)
        sent = self.message([(b":status", self.random.choice([b"200", b"404"]))])
        # `h2` takes none for a stream that it has reset.
        takes_interim = not isinstance(self.client.party, H2Party)
        for _ in range(self.random.choice([0, 0, 0, 1, 2]) * takes_interim):
            sent.interim += 1
            server.party.head(stream_id, [(b":status", b"103"), (b"x-early", b"1")], is_end=False)
        self.begin(server, stream_id, sent)

    def gone(self) -> set[int]:
        """:return: the streams that one of the sides has reset."""
        return self.reset | self.client.party.resets.keys() | self.server.party.resets.keys()

    def send(self) -> None:
        """One of them sends some of a body."""
        side = self.random.choice([self.client, self.server])
        open_ids = [key for key, sent in side.sent.items() if not sent.is_ended]
        open_ids = [key for key in open_ids if key not in self.gone()]
        if open_ids:
            self.send_some(side, self.random.choice(open_ids))

    def send_some(self, side: Side, stream_id: int, *, all_of_it: bool = False) -> None:
        sent = side.sent[stream_id]
        size = (
            sent.left if all_of_it else min(sent.left, self.random.choice([1, 99, 20_000, 1 << 17]))
        )
        data = self.random.randbytes(size)
        sent.left -= size
        sent.body += data
        side.party.data(stream_id, data)
        if not sent.left:
            sent.is_ended = True
            side.party.end(stream_id, sent.trailers)

    def change(self) -> None:
        """One of them does something else."""
        party = self.random.choice([self.client, self.server]).party
        kind = self.random.randrange(6)
        if kind < 2:
            party.reads = False
        elif kind < 4:
            party.read_again()
        elif kind == 4:
            party.ping()
        else:
            window = self.random.choice([0, 1, 1000, 65_535, 1 << 20])
            party.change_settings(window, self.random.choice([0, 100, 4096, 65_536]))

    def reset_one(self) -> None:
        if self.random.randrange(3):
            return
        side = self.random.choice([self.client, self.server])
        open_ids = [key for key in side.sent if key not in self.gone() and not self.is_over(key)]
        if open_ids:
            stream_id = self.random.choice(open_ids)
            self.reset.add(stream_id)
            side.party.reset(stream_id)

    def is_over(self, stream_id: int) -> bool:
        """:return: whether both messages of a stream may have ended."""
        sides = (self.client, self.server)
        return all(stream_id in side.sent and side.sent[stream_id].is_ended for side in sides)

    def move(self) -> None:
        """Some bytes arrive."""
        self.transfer()

    def transfer(self, *, whole: bool = False) -> bool:
        """
        Take some bytes to the other side.

        :return: whether there were any.
        """
        moved = False
        for source, target in ((self.client, self.server), (self.server, self.client)):
            target.arriving += source.party.take()
            size = len(target.arriving)
            if size and not whole:
                size = min(size, self.random.choice([1, 5, 9, 50, 1000, 16_393, 1 << 17]))
            if size:
                data, target.arriving = target.arriving[:size], target.arriving[size:]
                target.party.give(data)
                moved = True
        return moved

    # The end.

    def finish(self) -> None:
        """Send all that is to be sent, read all that is to be read."""
        # No smaller windows, with which `h2` forgets to tell of what it has read.
        narrow = [self.client, self.server]
        for _ in range(10_000):
            narrow = [side for side in narrow if not side.party.change_settings(1 << 20, 4096)]
            for side in (self.client, self.server):
                side.party.read_again()
                for stream_id in [key for key, sent in side.sent.items() if not sent.is_ended]:
                    if stream_id not in self.gone():
                        self.send_some(side, stream_id, all_of_it=True)
            self.answer()
            if not self.transfer(whole=True) and self.is_answered():
                return
        raise AssertionError("the conversation never comes to rest")

    def is_answered(self) -> bool:
        return not self.client.sent.keys() - self.server.sent.keys() - self.gone()

    def check(self) -> None:
        """:raises AssertionError: if something is not as it was sent."""
        gone = self.gone()
        for source, target in ((self.client, self.server), (self.server, self.client)):
            for stream_id, sent in source.sent.items():
                message = target.party.received.get(stream_id)
                is_answered = target is self.server and stream_id in target.sent
                if stream_id in gone or (is_answered and isinstance(target.party, OurParty)):
                    # Our server drops what it has not read of a request before the answer is whole.
                    if message is not None:
                        assert sent.body.startswith(message.body), stream_id
                        assert not message.is_whole or sent.body == message.body, stream_id
                    continue
                context = (stream_id, type(source.party).__name__, type(target.party).__name__)
                assert message is not None, context
                assert message.is_whole, (context, len(message.body), len(sent.body))
                assert message.body == sent.body, (context, len(message.body), len(sent.body))
                assert message.trailers == sent.trailers, (context, message.trailers)
                assert message.interim == sent.interim, (context, message.interim)
                assert plain(message.fields) == plain(sent.fields), (context, message.fields)
            assert target.party.is_at_rest(), target.party
        assert not self.client.party.resets.keys() - self.reset, self.client.party.resets
        assert not self.server.party.resets.keys() - self.reset, self.server.party.resets


def plain(fields: Fields) -> Fields:
    """:return: the fields without those pseudo-fields that not all tell."""
    return [each for each in fields if each[0] not in (b":scheme", b":authority")]


def check(random: Random) -> None:
    """One connection."""
    conversation = Conversation(random)
    conversation.run()
    conversation.check()


if __name__ == "__main__":
    sys.exit(run("http2_connections", check))
