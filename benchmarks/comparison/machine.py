"""
What the figures were measured on.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path


def description() -> dict[str, object]:
    """For people and for the file: figures of two machines say nothing about each other."""
    cpu = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="(.*)"$', _text("/etc/os-release"), re.MULTILINE)
    return {
        "processor": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "system": system[1] if system else platform.system(),
        "kernel": platform.release(),
        "openssl": _openssl(),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def _text(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""


def _openssl() -> str:
    try:
        ended = subprocess.run(["openssl", "version"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return ended.stdout.strip()
