"""
Files that a thread reads in one call: each call costs two changes of the thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ingress.kube.folder import FoundFile
from ingress.kube.manifest_content import Content, read_content

BATCH_FILES: Final = 500
BATCH_SIZE: Final = 4 << 20
"""The files, and their bytes, that a thread reads in one call."""


def batches(due: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Files that are read together: many small ones, or a large one."""
    batch: list[FoundFile] = []
    size = 0
    for found in due:
        batch.append(found)
        size += found.size
        if len(batch) >= BATCH_FILES or size >= BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def read_all(batch: Sequence[FoundFile]) -> list[Content]:
    """Read the content of each file (in a thread)."""
    return [read_content(found) for found in batch]
