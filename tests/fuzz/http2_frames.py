"""
``python -m tests.fuzz.http2_frames --seconds 60``: frames right and wrong, as our connection, `h2` and
`ngh2` read them, in both roles and however the bytes are cut.

The first frame that any of the three objects to is judged. What we let pass must be fine for the
other two, and what we refuse must be refused with the same code by one of them, unless it is in one
of the tables below. Until then, messages must be the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from ingress.http2.fault import COMPRESSION_ERROR
from ingress.http2.frame import CONTINUATION, GOAWAY, HEADERS, SETTINGS, WINDOW_UPDATE
from tests.fuzz.campaign import run
from tests.fuzz.frame_sequences import ClientSequence, ServerSequence
from tests.fuzz.http2_readers import (
    ANY_CODE,
    H2Reader,
    Message,
    NGH2Reader,
    Objection,
    OurClient,
    OurServer,
    Reader,
)

ODDITIES = (12, 40, 1000)
"""One frame of so many is odd."""

OURS_ALONE = {
    # Bounds.
    "The peer sends empty DATA.",
    "A field block has too many frames.",
    "The peer sends too many WINDOW_UPDATE frames.",
    # RFC 7540 section 5.3.1, which h2spec still tests.
    "A stream depends on itself.",
    # RFC 9113 section 5.1: a head after the end of the stream. `ngh2` ignores it.
    "A frame follows the end of its stream.",
    "A stream has a lower number than another one.",
    # The others wait for the whole frame, and look at the last value of a setting alone.
    "A frame is larger than allowed.",
    "The frame size of SETTINGS is invalid.",
    # RFC 9218 section 2.1, RFC 8441 section 3.
    "SETTINGS has a flag that is neither 0 nor 1.",
    # Checks of HTTP/1.1.
    "The method is unknown.",
    "The Host field is not a valid host.",
    "The authority of the target differs from the Host field.",
    "The request target has a form that is not supported.",
    "The request has a trailer that frames messages.",
    # `h2` and `ngh2` ignore it while its block is incomplete.
    "The peer pushes.",
}
"""Why we refuse what others take."""

OTHER_CODES = {
    # The others look at the length, or at the stream, first.
    "A frame is larger than allowed.",
    "A field block is interrupted.",
    "A stream depends on itself.",
    "HEADERS is too short.",
    "PING has a stream.",
    "SETTINGS has a stream.",
    "PRIORITY has no stream.",
    "GOAWAY has a stream.",
    "An acknowledgement has a payload.",
    "The padding is longer than its frame.",
    "DATA comes on no open stream.",
    "A frame follows the end of its stream.",
    "A stream has a lower number than another one.",
    "A head comes on no open stream.",
    "RST_STREAM has not four bytes.",
    "The peer pushes.",
    "A field block has too many frames.",
    "PRIORITY_UPDATE is too short.",
}
"""Why we refuse with another code than the others."""

ALT_SVC, ORIGIN = 0xA, 0xC


def check(random: Random) -> None:
    """Either role."""
    if random.randrange(2):
        check_server(random)
    else:
        check_client(random)


def check_server(random: Random) -> None:
    """A client's frames."""
    frames = ClientSequence(random, random.choice(ODDITIES)).frames(random.randrange(2, 40))
    answers = bool(random.randrange(2))
    ours = OurServer(answers=answers)
    others = [f(is_client=False, answers=answers) for f in (H2Reader, NGH2Reader)]
    compare(frames, ours, others)
    if not answers:
        # Else it depends on the cuts what comes before an answer, and what after it.
        check_cuts(random, frames, lambda: OurServer(answers=False))


def check_client(random: Random) -> None:
    """A server's frames."""
    sequence = ServerSequence(random, random.choice(ODDITIES), [1, 3, 5, 7])
    frames = sequence.frames(random.randrange(2, 40))
    compare(frames, OurClient(), [H2Reader(is_client=True), NGH2Reader(is_client=True)])
    check_cuts(random, frames, OurClient)


def compare(frames: Sequence[bytes], ours: OurServer | OurClient, others: Sequence[Reader]) -> None:
    """
    Give the frames to all, until one of them objects.

    :raises AssertionError: if we are alone with what we think of one.
    """
    waiting: list[list[Objection]] = [[] for _ in others]
    for index, data in enumerate(frames):
        if is_kind(data, GOAWAY) and others:
            # The others take nothing behind it.
            compare_messages(frames[:index], ours, others)
            return
        found = ours.feed(data)
        for objections, other in zip(waiting, others, strict=True):
            objections += other.feed(data)
        if not found and ours.is_in_frame:
            # `ngh2` decodes the parts of a block as they come.
            continue
        if found or any(waiting):
            judge(frames[: index + 1], found, waiting)
            return
    if not ours.is_in_frame:
        compare_messages(frames, ours, others)


def judge(
    frames: Sequence[bytes], found: list[Objection], others: Sequence[list[Objection]]
) -> None:
    """:raises AssertionError: unless it is agreed that the last frame is at fault, and how."""
    context = (show(frames), found, others)
    h2, ngh2 = others
    if not found:
        assert is_optional(frames[-1]) or not (h2 or ngh2) or is_theirs_alone(frames, h2, ngh2), (
            context
        )
        return
    codes = {each.code for objections in others for each in objections}
    for each in found:
        detail = each.detail
        if each.code in codes or ANY_CODE in codes or (codes and each.code == COMPRESSION_ERROR):
            # The others look at the state of the stream before they decode a block.
            continue
        assert detail in (OTHER_CODES if codes else OURS_ALONE), context


def is_theirs_alone(frames: Sequence[bytes], h2: list[Objection], ngh2: list[Objection]) -> bool:
    """:return: whether only one of the others minds, for a reason that is known."""
    last = frames[-1]
    if h2 and ngh2:
        return False
    if is_kind(last, WINDOW_UPDATE):
        # `h2` does not ignore the reserved bit.
        return bool(h2)
    if is_kind(last, SETTINGS):
        # `h2` gives windows to streams that are closed. `ngh2` counts acknowledgements, and minds a
        # change of NO_RFC7540_PRIORITIES.
        return True
    if h2:
        # It takes no empty field block, which is what trailers without any field are.
        return is_kind(last, HEADERS) or is_kind(last, CONTINUATION)
    # It minds a Content-Length in 1xx and 204, and one that is no number in trailers.
    return is_kind(last, HEADERS) or is_kind(last, CONTINUATION)


def is_optional(data: bytes) -> bool:
    """:return: whether a frame is of an extension that we do not speak."""
    return is_kind(data, ALT_SVC) or is_kind(data, ORIGIN)


def is_kind(data: bytes, kind: int) -> bool:
    return len(data) >= 9 and data[3] == kind


def compare_messages(frames: Sequence[bytes], ours: Reader, others: Sequence[Reader]) -> None:
    """:raises AssertionError: if a message is not what it is for the others."""
    for other in others:
        for stream_id, message in other.messages.items():
            found = ours.messages.get(stream_id)
            if found is None:
                # A request whose length is 0 begins with its end.
                assert (b"content-length", b"0") in message.fields, (show(frames), message)
                assert not message.is_whole, (show(frames), message)
                continue
            if (b"content-length", b"0") in message.fields:
                # Without a body, trailers are dropped.
                message = replace(message, trailers=found.trailers)
            same = comparable(found) == comparable(message)
            assert same, (show(frames), found, message, other)


def comparable(message: Message) -> Message:
    """:return: the message with one Cookie field, at its end, which is where `h2` puts it."""
    fields = [field for field in message.fields if field[0] != b"cookie"]
    crumbs = [value for name, value in message.fields if name == b"cookie"]
    if crumbs:
        fields.append((b"cookie", b"; ".join(crumbs)))
    return replace(message, fields=fields)


def check_cuts(
    random: Random, frames: Sequence[bytes], make: Callable[[], OurServer | OurClient]
) -> None:
    """Whole, byte by byte and in pieces, the same comes of the bytes."""
    data = b"".join(frames)
    sizes = [len(data) or 1, random.randrange(1, 40)]
    if len(data) < 1500:
        sizes.append(1)
    readings = []
    for size in sizes:
        ours = make()
        objections = [
            each
            for start in range(0, len(data), size)
            for each in ours.feed(data[start : start + size])
        ]
        touched = {each.stream_id for each in objections}
        end = [each for each in objections if not each.stream_id]
        readings.append((end, touched, ours.messages))
    for end, touched, messages in readings[1:]:
        first_end, first_touched, first = readings[0]
        assert end == first_end, (show(frames), sizes, end, first_end)
        for stream_id in first.keys() & messages.keys() - touched - first_touched:
            assert first[stream_id] == messages[stream_id], (show(frames), stream_id)


def show(frames: Sequence[bytes]) -> str:
    """The last frames, for a finding."""
    return "\n".join(
        f"kind {each[3]} flags {each[4]:#x} stream {int.from_bytes(each[5:9], 'big')} {each[9:60]!r}"
        if len(each) >= 9
        else repr(each)
        for each in frames[-12:]
    )


if __name__ == "__main__":
    sys.exit(run("http2_frames", check))
