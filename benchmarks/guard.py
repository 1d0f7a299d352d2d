"""
Hold what an exchange costs: instructions of standard exchanges, of a base commit and of now.

Both are compiled, from copies below ``build/guard/``, with the same interpreter, compiler and
libraries, and run below callgrind: instructions do not depend on what else the machine does.
Client and endpoint are included. ``guard.toml`` names the base, how much an exchange may have
grown, and the reasons where one may have grown by more. What a policy adds to a small GET has a
limit as well; it is compared with the base only if that is named.

Usage: ``python -m benchmarks.guard [SCENARIO...] [--base COMMIT]``; ``policies`` stands for all of
these. With ``--caches`` it counts how often an exchange misses the caches of a core instead. Exit
status 1 where an exchange costs too much. Valgrind with its headers and a C compiler are needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from benchmarks.guard_scenario import MISSES, SCENARIOS, STANDARD

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / "build" / "guard"
FIGURES = CHECKOUT / "benchmarks" / "guard.toml"
CALLGRIND = CHECKOUT / "benchmarks" / "guard.c"
COUNTING = (
    "guard.c",
    "guard_client.py",
    "guard_endpoint.py",
    "guard_program.py",
    "guard_scenario.py",
)
"""The files that figures depend on, beside what they are of."""

SMALL = "small-get"
GROUP = "policies"
"""Stands for every exchange that has a limit on top of a small GET, and for that one."""

ROUNDS = 4
"""The least of them counts: accidents of the interpreter's caches can make 5 % in one of them."""

CACHES = ("--cache-sim=yes", "--D1=32768,8,64", "--LL=1048576,16,64")
"""Those of a core: 32 KiB, and 1 MiB behind them."""

DISTRIBUTION_PYTHON = "/usr/bin/python3"
"""Debian's is built with profile-guided optimisation, which many others are not."""

NEEDED = ("ingress", "twisted", "etc/build", "setup.cfg", "setup.py", "pyproject.toml", "mypyc.ini")
"""What is compiled and run of a checkout."""


Figures = dict[str, float | None]
"""Instructions an exchange, by scenario; None for what a version cannot do."""


class Failed(Exception):
    """Nothing can be measured; says why."""


class Toolchain:
    """What both versions are compiled and run with."""

    def __init__(self) -> None:
        for program in ("valgrind", "gcc", "git"):
            if shutil.which(program) is None:
                raise Failed(f"{program} is needed; on Debian: apt install {program}")
        self.python = self._find_python()
        self.packages = sysconfig.get_path("purelib")
        self.library = FOLDER / "guard.so"
        # A folder with nothing but the program: the checkout has another plugin of twistd.
        self._program = FOLDER / "program"

    def _find_python(self) -> str:
        """Debian's, where it can use the packages of ours."""
        script = "import sys; print(sys.implementation.cache_tag)"
        try:
            tag = _output(DISTRIBUTION_PYTHON, "-c", script)
        except (OSError, subprocess.CalledProcessError):
            return sys.executable
        return DISTRIBUTION_PYTHON if tag == sys.implementation.cache_tag else sys.executable

    def prepare(self) -> None:
        """Make what counting needs."""
        self._program.mkdir(parents=True, exist_ok=True)
        package = self._program / "benchmarks"
        if not package.is_symlink():
            package.symlink_to(CHECKOUT / "benchmarks")
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(self.library), str(CALLGRIND)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            raise Failed(f"the headers of valgrind are needed: {ended.stderr}")

    def environment(self, copy: Path) -> dict[str, str]:
        path = os.pathsep.join([str(copy), self.packages, str(self._program)])
        return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}

    def digest(self) -> str:
        """Of what else figures depend on."""
        digest = sha256(bytes([ROUNDS]))
        for name in COUNTING:
            digest.update((CHECKOUT / "benchmarks" / name).read_bytes())
        for command in ((self.python, "-VV"), ("valgrind", "--version"), ("gcc", "--version")):
            digest.update(_output(*command).encode())
        packages = sorted(each.name for each in Path(self.packages).glob("*.dist-info"))
        digest.update("\n".join(packages).encode())
        return digest.hexdigest()[:16]


class Version:
    """
    A compiled version of the proxy.

    :param key: changes with everything that its figures depend on.
    """

    def __init__(self, name: str, tools: Toolchain, key: str) -> None:
        self.name = name
        self._tools = tools
        self._key = key
        self._copy = FOLDER / name / "source"
        self._kept = FOLDER / name / "figures.json"

    def measure(self, scenarios: Iterable[str]) -> Figures:
        """:return: instructions an exchange, by scenario; those measured before are kept."""
        kept = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        figures: Figures = kept.get(self._key, {})
        missing = [name for name in scenarios if name not in figures]
        if missing:
            self._compile()
            figures |= self._run(missing)
            self._kept.write_text(json.dumps({self._key: figures}))
        return figures

    def _fill(self) -> None:
        """Put what is needed of it into the copy, which is empty."""
        raise NotImplementedError

    def _compile(self) -> None:
        stamp = self._copy.parent / "compiled"
        if stamp.exists() and stamp.read_text() == self._key:
            return
        print(f"Compiling {self.name}", file=sys.stderr, flush=True)
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir(parents=True)
        self._fill()
        ended = subprocess.run(
            [self._tools.python, "setup.py", "--quiet", "build_ext", "--inplace"],
            cwd=self._copy,
            env={**self._tools.environment(self._copy), "TXINGRESS_COMPILE": "yes"},
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise Failed(f"{self.name} cannot be compiled:\n{ended.stdout}{ended.stderr}")
        stamp.write_text(self._key)

    def _run(self, scenarios: list[str]) -> Figures:
        print(f"Counting {self.name}", file=sys.stderr, flush=True)
        with ThreadPool(os.cpu_count()) as pool:
            rounds = pool.map(partial(self._count, scenarios), range(ROUNDS))
        found: Figures = {}
        for name in scenarios:
            counts = [count for counted in rounds if (count := counted[name]) is not None]
            found[name] = min(counts, default=None)
        return found

    def misses(self, scenarios: list[str]) -> Figures:
        """:return: how often an exchange misses each of the caches, by scenario and cache."""
        self._compile()
        print(f"Counting misses of {self.name}", file=sys.stderr, flush=True)
        return self._count(scenarios, 0, CACHES)

    def _count(self, scenarios: list[str], number: int, more: Sequence[str] = ()) -> Figures:
        with tempfile.TemporaryDirectory(prefix="guard-") as folder:
            counts = str(Path(folder) / "counts")
            command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
            command += [*more, f"--callgrind-out-file={counts}", self._tools.python]
            command += ["-m", "benchmarks.guard_program", folder, str(self._tools.library), counts]
            ended = subprocess.run(
                [*command, str(number), *scenarios],
                cwd=self._copy,
                env=self._tools.environment(self._copy),
                capture_output=True,
                text=True,
            )
        if ended.returncode:
            raise Failed(f"{self.name} failed:\n{ended.stdout}{ended.stderr}")
        figures: Figures = json.loads(ended.stdout)
        return figures


class Commit(Version):
    """A version that git has."""

    def __init__(self, commit: str, tools: Toolchain) -> None:
        self._commit = _output("git", "-C", str(CHECKOUT), "rev-parse", f"{commit}^{{commit}}")
        super().__init__(self._commit[:12], tools, tools.digest())

    def _fill(self) -> None:
        archive = subprocess.run(
            ["git", "-C", CHECKOUT, "archive", self._commit, *NEEDED],
            stdout=subprocess.PIPE,
            check=True,
        )
        subprocess.run(["tar", "-x", "-C", self._copy], input=archive.stdout, check=True)


class WorkingTree(Version):
    """What is in the checkout, committed or not."""

    def __init__(self, tools: Toolchain) -> None:
        digest = sha256(tools.digest().encode())
        for file in self._files():
            digest.update(str(file).encode())
            digest.update((CHECKOUT / file).read_bytes())
        super().__init__("checkout", tools, digest.hexdigest()[:16])

    def _fill(self) -> None:
        for file in self._files():
            (self._copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / file, self._copy / file)

    def _files(self) -> list[Path]:
        listed = ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others"]
        names = _output(*listed, "--exclude-standard", "--", *NEEDED).split("\0")
        return sorted(Path(name) for name in names if name and (CHECKOUT / name).exists())


def _output(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def compare(
    base: Figures,
    now: Figures,
    scenarios: Iterable[str],
    allowed: float,
    reasons: dict[str, str],
) -> tuple[list[str], bool]:
    """
    :param allowed: by how much an exchange may have grown, as a share.
    :return: a table, and whether all is well.
    """
    lines = [f"{'instructions an exchange':26}{'base':>12}{'now':>12}{'':>9}"]
    is_well = True
    for name in scenarios:
        before, count = base[name], now[name]
        if before is None or count is None:
            # One of both cannot do it.
            lines.append(f"{name:26}{_figure(before):>12}{_figure(count):>12}")
            continue
        growth = count / before - 1
        line = f"{name:26}{_figure(before):>12}{_figure(count):>12}{growth:+9.1%}"
        if growth > allowed:
            reason = reasons.get(name)
            line += f"  {reason or 'TOO MUCH'}"
            is_well = is_well and reason is not None
        lines.append(line)
    return lines, is_well


def expand(names: list[str], on_top: Iterable[str]) -> list[str]:
    """
    :param names: of exchanges, or `GROUP`; none for the standard ones.
    :param on_top: the members of the group.
    :return: the exchanges to count, each once.
    """
    if not names:
        return list(STANDARD)
    found: list[str] = []
    for name in names:
        found += (SMALL, *on_top) if name == GROUP else (name,)
    return list(dict.fromkeys(found))


def compare_on_top(
    base: dict[str, float],
    now: dict[str, float],
    limits: dict[str, float],
    reasons: dict[str, str],
) -> tuple[list[str], bool]:
    """
    :param base: the figures of the base; empty if it is not measured.
    :param limits: what an exchange may cost on top of a small GET, as a share.
    :return: a table of those that have been measured, and whether all is well.
    """
    lines = [f"{'on top of small-get':26}{'base':>12}{'now':>12}{'limit':>9}"]
    is_well = True
    for name, limit in limits.items():
        if name not in now:
            continue
        added = now[name] / now[SMALL] - 1
        before = f"{base[name] / base[SMALL] - 1:+.1%}" if name in base else ""
        line = f"{name:26}{before:>12}{added:+12.1%}{limit:9.0%}"
        if added > limit:
            reason = reasons.get(name)
            line += f"  {reason or 'TOO MUCH'}"
            is_well = is_well and reason is not None
        lines.append(line)
    return lines, is_well


def show_misses(figures: Figures, scenarios: Iterable[str]) -> list[str]:
    """:return: a table of the misses of each cache."""
    lines = [f"{'misses an exchange':26}" + "".join(f"{cache:>12}" for cache in MISSES)]
    for name in scenarios:
        counts = [_figure(figures.get(f"{name} {cache}")) for cache in MISSES]
        lines.append(f"{name:26}" + "".join(f"{count:>12}" for count in counts))
    return lines


def _counted(figures: Figures) -> dict[str, float]:
    return {name: count for name, count in figures.items() if count is not None}


def _figure(count: float | None) -> str:
    return "-" if count is None else f"{count:,.0f}"


def read_settings(file: Path) -> dict[str, Any]:
    """:raises ValueError: for an exchange that is not counted."""
    settings = tomllib.loads(file.read_text())
    for table in ("reasons", "on-top", "on-top-reasons"):
        unknown = set(settings[table]) - set(SCENARIOS)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise ValueError(f"{file}: {table}: {names}: must be of {', '.join(SCENARIOS)}")
    return settings


def main() -> int:
    """Measure both, and compare."""
    settings = read_settings(FIGURES)
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    known = [*SCENARIOS, GROUP]
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(known))
    parser.add_argument("--caches", action="store_true", help="count misses of caches instead")
    parser.add_argument("--base", help="a commit; see guard.toml")
    arguments = parser.parse_args()
    for unknown in sorted(set(arguments.scenarios) - set(known)):
        parser.error(f"{unknown}: must be one of {', '.join(known)}")
    scenarios = expand(arguments.scenarios, settings["on-top"])
    try:
        tools = Toolchain()
        tools.prepare()
        if arguments.caches:
            print("\n".join(show_misses(WorkingTree(tools).misses(scenarios), scenarios)))
            return 0
        # The base of guard.toml is older than most policies.
        compared = scenarios if arguments.base else [name for name in scenarios if name in STANDARD]
        base = Commit(arguments.base or settings["base"], tools).measure(compared)
        now = WorkingTree(tools).measure(scenarios)
    except Failed as error:
        print(f"guard: {error}", file=sys.stderr)
        return 2
    lines, is_well = compare(base, now, compared, settings["allowed"], settings["reasons"])
    if SMALL in scenarios:
        on_top = settings["on-top"]
        reasons = settings["on-top-reasons"]
        added, is_low = compare_on_top(_counted(base), _counted(now), on_top, reasons)
        lines += added
        is_well = is_well and is_low
    print("\n".join(lines))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
