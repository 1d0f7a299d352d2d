"""
A YAML file of one document that is a mapping: a configuration, or a kubeconfig.
"""

from __future__ import annotations

from pathlib import Path

from ingress.config.section import Mistakes, Section
from ingress.document import DocumentError, decode_text, load_documents

MAX_FILE_SIZE = 1 << 20
"""Bytes. Far more than any configuration has; a wrong path may be a disk image, or endless."""


def read_root(path: Path, mistakes: Mistakes, needed: str) -> Section | None:
    """
    The document of a file; None if there is none, which is noted.

    :param needed: what an empty file lacks, for people.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mistakes.in_file(f"cannot be read: {reason}")
        return None
    if len(data) > MAX_FILE_SIZE:
        mistakes.in_file(f"larger than a configuration can be, which is {MAX_FILE_SIZE} bytes")
        return None
    try:
        documents = load_documents(decode_text(data))
    except DocumentError as error:
        mistakes.in_file(error.message, error.line)
        return None
    if not documents:
        mistakes.in_file(f"empty; {needed}")
        return None
    if len(documents) > 1:
        mistakes.in_file("a second document; a configuration is one", documents[1].line)
    document = documents[0]
    if not isinstance(document.value, dict):
        mistakes.in_file("a mapping of keys and values is needed", document.line)
        return None
    return Section(document, mistakes, (), document.value)
