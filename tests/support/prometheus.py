"""
The real Prometheus, and its ``promtool``: the system's, or that of ``make prometheus``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SkipTest

from tests.support.process import CHECKOUT, PATIENCE, wait_until

UNPACKED = CHECKOUT / "build" / "prometheus" / "usr" / "bin"


def find_program(name: str) -> str:
    """
    :param name: ``prometheus`` or ``promtool``.
    :raises SkipTest: if it is not here.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}{UNPACKED}")
    if found is None:
        raise SkipTest(f"there is no {name} here: make prometheus unpacks Debian's package")
    return found


class Prometheus:
    """
    A Prometheus that reads each second.

    :param folder: for its configuration and its data.
    :param targets: the labels of each target by its HOST:PORT, as the Prometheus operator gives
        them to what a ServiceMonitor finds.
    :param rules: files of rules.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, Mapping[str, str]], rules: Iterable[Path] = ()
    ) -> None:
        folder.mkdir(parents=True)
        scraped = [
            {"targets": [address], "labels": dict(labels)} for address, labels in targets.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [{"job_name": "edge", "static_configs": scraped}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find_program("prometheus"),
                    f"--config.file={folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdout=log,
                stderr=log,
            )
        self._url = wait_until(self._address, "Prometheus to listen")
        wait_until(self._is_ready, "Prometheus to be ready")

    def _address(self) -> str | None:
        assert self._process.poll() is None, self._log.read_text()
        for line in self._log.read_text().splitlines():
            if "Listening on" in line:
                address = line.rpartition("address=")[2].split()[0].strip('"')
                return f"http://{address}"
        return None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=PATIENCE) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """
        :return: the samples that it has now.
        :raises AssertionError: if the expression is not valid.
        """
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules, with their health and the last error."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str, **arguments: str) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{arguments}: {error.read().decode()}") from None
        return data

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE)
