"""
``txingress nginx-ingress-controller``: serve with the command line of ingress-nginx.

The flags become a configuration in a file that nobody else reads, and ``twistd ingress`` serves it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import yaml

from ingress.command.failure import FINE, CannotRun
from ingress.command.run_command import serve
from ingress.config_file import ConfigError, load_config
from ingress.installation import describe
from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_settings import Settings
from ingress.migration.flag_table import FLAGS
from ingress.migration.flags import ReadFlags, read
from ingress.migration.verdict import plain

NAME: Final = "nginx-ingress-controller"
"""That of ingress-nginx's program."""

EXAMPLES: Final = """examples:
  txingress nginx-ingress-controller --configmap=ingress-nginx/ingress-nginx-controller
  txingress /nginx-ingress-controller --publish-service=$(POD_NAMESPACE)/ingress-nginx-controller
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "flags",
        metavar="FLAG",
        nargs=argparse.REMAINDER,
        help="the flags of ingress-nginx 1.15; docs/flags.md lists them",
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Subcommand.

    :raises CannotRun: if it must not start with these flags, with one line for each reason.
    """
    found = read(arguments.flags, os.environ)
    if found.wants_help:
        print("\n".join(_usage()))
        return FINE
    if found.wants_version:
        print(describe())
        return FINE
    for remark in found.with_verdict(FlagVerdict.TOLD):
        print(f"txingress {NAME}: {remark}", file=sys.stderr, flush=True)
    config = write(found, os.environ)
    starter = os.getpid()
    try:
        serve(str(config))
    finally:
        # Workers are forked from this process, and end while it still serves.
        if os.getpid() == starter:
            _remove(config)
    return FINE


def write(found: ReadFlags, environment: Mapping[str, str]) -> Path:
    """
    Write the configuration of flags.

    :param environment: TMPDIR in it may name the folder.
    :return: the file, which only this user can read.
    :raises CannotRun: if a process must not start with it.
    """
    refused = [str(each) for each in found.stops]
    if refused:
        raise CannotRun("\n".join(refused))
    file = _new_file(environment)
    file.write_text(yaml.safe_dump(_absolute(found.settings), sort_keys=False))
    try:
        load_config(file)
    except ConfigError as error:
        _remove(file)
        lines = [
            ": ".join((_flag_of(mistake.key) or mistake.key, mistake.value, mistake.message))
            for mistake in error.mistakes
        ]
        raise CannotRun("\n".join(lines)) from None
    return file


def _new_file(environment: Mapping[str, str]) -> Path:
    try:
        folder = environment.get("TMPDIR") or None
        descriptor, name = tempfile.mkstemp(prefix="txingress-", suffix=".yaml", dir=folder)
    except OSError:
        # The root of the container is read-only, and it has no other volume.
        descriptor = os.memfd_create("txingress")
        return Path(f"/proc/self/fd/{descriptor}")
    os.close(descriptor)
    return Path(name)


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _absolute(settings: Settings) -> Settings:
    """Make paths absolute: they are relative to our folder, not to that of the file."""
    kubernetes = settings["source"]["kubernetes"]
    if "kubeconfig" in kubernetes:
        kubernetes = {**kubernetes, "kubeconfig": str(Path(kubernetes["kubeconfig"]).absolute())}
    return {**settings, "source": {**settings["source"], "kubernetes": kubernetes}}


def _flag_of(key: str) -> str:
    """:return: the flag that sets a key; empty if it is none."""
    names = [f"--{flag.name}" for flag in FLAGS.values() if flag.becomes and flag.becomes in key]
    return max(names, key=len, default="")


def _usage() -> Iterator[str]:
    yield f"Usage of {NAME}:"
    for name, flag in sorted(FLAGS.items()):
        default = f" (default {flag.default})" if flag.default else ""
        yield f"  --{name} {flag.kind.value}{default}"
        yield f"      {flag.verdict.value}: {plain(flag.effect)}"
    yield EXAMPLES
