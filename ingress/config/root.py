"""
Reading of a YAML file that holds one mapping: a configuration or a kubeconfig.
"""

from __future__ import annotations

from pathlib import Path

from ingress.config.section import Mistakes, Section
from ingress.document import DocumentError, decode_text, load_documents

MAX_FILE_SIZE = 1 << 20
"""Bytes. Configurations are far smaller; a wrong path may be a disk image, or endless."""


def read_root(path: Path, mistakes: Mistakes, needed: str) -> Section | None:
    """
    Read the document of a file; None, with a mistake noted, if it cannot be used.

    :param needed: what an empty file lacks, for the message.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mistakes.in_file(f"cannot be read: {reason}")
        return None
    if len(data) > MAX_FILE_SIZE:
        mistakes.in_file(f"is larger than a configuration may be ({MAX_FILE_SIZE} bytes)")
        return None
    try:
        documents = load_documents(decode_text(data))
    except DocumentError as error:
        mistakes.in_file(error.message, error.line)
        return None
    if not documents:
        mistakes.in_file(f"is empty; {needed}")
        return None
    if len(documents) > 1:
        mistakes.in_file("must hold one YAML document; a second one starts here", documents[1].line)
    document = documents[0]
    if not isinstance(document.value, dict):
        mistakes.in_file("must be a mapping of keys and values", document.line)
        return None
    return Section(document, mistakes, (), document.value)
