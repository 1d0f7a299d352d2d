"""
Folders on disk for tests, written as people and tools do.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TextIO

_TICKS = count(1)


class Disk:
    """
    A folder to write to.

    Each write gets a time of its own, even in a fast test: the kernel's clock for files
    ticks only every few milliseconds.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root).absolute()
        self.root.mkdir()

    def __str__(self) -> str:
        return str(self.root)

    def path(self, name: str) -> str:
        """Return the full path of a name."""
        return str(self.root / name)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file in place, and make the folders that it needs."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        at = path.stat().st_mtime_ns + next(_TICKS)
        os.utime(path, ns=(at, at))

    def open(self, name: str) -> TextIO:
        """Open a file for writing in parts."""
        return (self.root / name).open("w")

    def replace(self, name: str, content: str | bytes) -> None:
        """Write a temporary file and rename it over the existing one."""
        self.write(f"{name}.new", content)
        os.replace(self.root / f"{name}.new", self.root / name)

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link, and replace an existing one."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.tmp")
        beside.symlink_to(target)
        os.replace(beside, path)

    def mount(self, folder: str, version: str, **files: str) -> None:
        """Replace files all at once, as Kubernetes does in the mount of a Secret or ConfigMap."""
        names = {name.replace("_", "."): content for name, content in files.items()}
        for name, content in names.items():
            self.write(f"{folder}/..{version}/{name}", content)
        self.link(f"{folder}/..data", f"..{version}")
        for name in names:
            if not (self.root / folder / name).is_symlink():
                self.link(f"{folder}/{name}", f"..data/{name}")
