"""
Reads a file of manifests: its documents, not parsed yet.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Final

import msgspec

from ingress.document import DocumentError, DocumentText, decode_text, split_documents
from ingress.frozen import dataclass
from ingress.kube.folder import FoundFile, sign
from ingress.kube.manifest import Reading
from ingress.kube.pem_folder import read_pair, sign_pair
from ingress.kube.unread import TextRemains, Unread, remains_of_text
from ingress.problem import Origin, Problem, printable
from ingress.problem_code import Code
from ingress.steps import finish

DIGESTED_AT_ONCE: Final = 1024 * 1024
"""Characters."""


class DigestedText(msgspec.Struct, frozen=True, gc=False):
    """A document that is not parsed yet, with the digest that identifies its text."""

    digest: bytes
    source: DocumentText


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file, read but not parsed."""

    documents: tuple[DigestedText, ...] = ()

    reading: Reading | None = None
    """Of a pair of PEM files."""

    problem: Problem | None = None
    """Why there is no content."""

    remains: TextRemains = TextRemains()
    """What may be in a file without content."""

    modified: float = 0.0
    """When the file was modified, in seconds since the epoch; 0 if unknown."""

    is_unsettled: bool = False
    """Whether the file changed during the reading and must be read again."""


def read_content(found: FoundFile) -> Content:
    """Read a file. May block, and is called in a thread; bad content raises nothing."""
    if found.is_pair:
        reading = read_pair(found.path)
        return Content(
            reading=reading,
            modified=found.modified,
            is_unsettled=sign_pair(found.path) != found.signature,
        )
    file = printable(found.path)
    try:
        descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Content(is_unsettled=True)
            # One byte more than the size shows that a writer is still at work.
            data = stream.read(found.signature[2] + 1)
            if sign(os.fstat(descriptor)) != found.signature:
                return Content(is_unsettled=True)
    except FileNotFoundError:
        return Content(is_unsettled=True)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        return Content(
            problem=Problem(message, origin=Origin(file), code=Code.FILE_UNREADABLE),
            remains=TextRemains((Unread(Origin(file)),)),
        )
    try:
        return Content(digest_documents(decode_text(data)), modified=found.modified)
    except DocumentError as error:
        return Content(
            problem=Problem(
                error.message, origin=Origin(file, error.line), code=Code.FILE_NOT_PARSED
            ),
            remains=_remains_of(data, file),
        )


def _remains_of(data: bytes, file: str) -> TextRemains:
    """:return: what can be recognised in a file that is no text; if nothing can, it may be all."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        # UTF-16 without a byte order mark, and most other encodings, have ASCII in them.
        text = data.replace(b"\0", b"").decode("utf-8", "replace")
    if "kind" not in text:
        return TextRemains((Unread(Origin(file)),))
    found = [
        finish(remains_of_text(source.text, Origin(file, source.line)))
        for source in split_documents(text)
    ]
    return TextRemains(
        tuple(each for one in found for each in one.unread),
        tuple(each for one in found for each in one.guards),
    )


def digest_documents(text: str) -> tuple[DigestedText, ...]:
    """The documents of a text, each with its digest."""
    return tuple(DigestedText(_digest(source.text), source) for source in split_documents(text))


def _digest(text: str) -> bytes:
    """Digest a text in pieces, because one call for all of it holds the interpreter too long."""
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(text), DIGESTED_AT_ONCE):
        # surrogatepass: the parser is to refuse a lone surrogate.
        piece = text[start : start + DIGESTED_AT_ONCE]
        digest.update(piece.encode("utf-8", "surrogatepass"))
    return digest.digest()
