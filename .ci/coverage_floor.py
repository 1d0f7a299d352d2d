"""
Run the unit tests and hold the coverage of what every request goes through to a floor.

A command of its own: measuring makes the tests take three times as long, and a floor is
looked at before a merge, not after each edit. Tests with sockets do not count, so that a
line is covered by a test that says what it is for.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.parts import Part

FLOORS = {
    "ingress/routing": 97,
    "ingress/http1": 98,
    "ingress/exchange": 96,
    "ingress/upstream": 89,
}
"""Percent of the lines and branches below a folder. Floors are raised, never lowered."""

CONFIGURATION = """
[run]
branch = true
source = ingress
data_file = {folder}/coverage
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        file = Path(folder, "coveragerc")
        file.write_text(CONFIGURATION.format(folder=folder))
        coverage = [sys.executable, "-m", "coverage"]
        option = f"--rcfile={file}"
        part = Path(folder, "part")
        # As one part, in the process that is measured: coverage does not follow into others.
        command = [
            *coverage,
            "run",
            option,
            "-m",
            "tests",
            "--unit",
            "--part",
            part,
            "--turns",
            f"{part}.turns",
        ]
        subprocess.run(command, check=True)
        result = Part.read(part)
        assert result is not None, "the tests have not ended"
        if result.tally.failed:
            return 1
        report = Path(folder, "report.json")
        command = [*coverage, "json", "--quiet", option, "-o", str(report)]
        subprocess.run(command, check=True, env=os.environ)
        files = json.loads(report.read_text())["files"]
    is_well = True
    for place, floor in FLOORS.items():
        covered = _measure(
            [each["summary"] for name, each in files.items() if _is_below(name, place)]
        )
        is_below = covered < floor
        is_well = is_well and not is_below
        print(f"{place:20} {covered:5.1f} %  {'BELOW' if is_below else 'at least'} {floor} %")
    return 0 if is_well else 1


def _is_below(name: str, place: str) -> bool:
    return name.startswith(f"{place}/")


def _measure(summaries: list[dict[str, int]]) -> float:
    covered = sum(each["covered_lines"] + each["covered_branches"] for each in summaries)
    there = sum(each["num_statements"] + each["num_branches"] for each in summaries)
    return 100 * covered / there


if __name__ == "__main__":
    sys.exit(main())
