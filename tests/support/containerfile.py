"""
Reads a Containerfile and carries it out without a container engine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = list[str]


@dataclass
class Stage:
    """
    The instructions that follow one FROM.

    :ivar instructions: the name and text of each of them, in order.
    """

    image: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the texts of all instructions of one name."""
        return [text for each, text in self.instructions if each == name]

    def last(self, name: str) -> str:
        """Return the text of the last instruction of one name, which takes effect."""
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the stage sets."""
        pairs = (pair.partition("=") for text in self.all("ENV") for pair in text.split())
        return {name: value for name, _, value in pairs}


def parse_containerfile(text: str) -> list[Stage]:
    """
    :raises ValueError: if the text is not a Containerfile.
    """
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            image, _, alias = rest.partition(" AS ")
            image = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], image)
            stages.append(Stage(image, alias))
        elif stages:
            stages[-1].instructions.append((name, rest.strip()))
        elif name == "ARG":
            argument, _, default = rest.partition("=")
            arguments[argument] = default
        else:
            raise ValueError(f"{name} before FROM")
    return stages


def parse_list(text: str) -> Command:
    """
    Parse a command in its exec form.

    :raises ValueError: if it has the other form, which needs a shell.
    """
    command = json.loads(text)
    if not isinstance(command, list):
        raise ValueError(f"{text} is no list")
    return command


class Build:
    """
    Carries out the instructions of a stage in a folder that stands for its root.

    :param context: the folder from which COPY reads.
    :param prepare: may change a command before it is run.
    :param environment: further variables for the commands; they override those of the stage.
    """

    def __init__(
        self,
        root: Path,
        context: Path,
        paths: Sequence[str],
        prepare: Callable[[Command], Command],
        environment: Mapping[str, str],
    ) -> None:
        self.root = root
        self._context = context
        self._paths = paths
        self._prepare = prepare
        self._environment = environment

    def place(self, text: str) -> str:
        """
        :return: the text, with the absolute paths of the image moved below the root.
        """
        if any(text == path or text.startswith(f"{path}/") for path in self._paths):
            return f"{self.root}{text}"
        return text

    def run(self, stage: Stage) -> None:
        """
        :raises AssertionError: if a command fails.
        """
        folder = self.root
        environment = {**stage.environment, **self._environment}
        for name, text in stage.instructions:
            if name == "WORKDIR":
                folder = Path(self.place(text))
                folder.mkdir(parents=True, exist_ok=True)
            elif name == "COPY":
                *sources, target = text.split()
                for source in sources:
                    self._copy(self._context / source, folder / target, len(sources) > 1)
            elif name == "RUN":
                self._run([self.place(each) for each in parse_list(text)], folder, environment)

    def _copy(self, source: Path, target: Path, into: bool) -> None:
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.so")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy2(source, target / source.name if into or target.is_dir() else target)

    def _run(self, command: Command, folder: Path, environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            self._prepare(command),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}")
