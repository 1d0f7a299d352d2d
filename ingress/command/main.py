"""
The command line of ``txingress``.

Each subcommand is a module of its own, imported when it is run: help must come at once.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from ingress.command.failure import UNABLE

_BETWEEN_COLLECTIONS: Final = (100_000, 50)
"""
Objects that may be made before the garbage collector looks at the young ones, and how often it does
before it looks at older ones as well.
"""

BEHIND: Final = "are_paths_behind"
"""The name of the default that tells whether the PATHs of a subcommand stand behind ``--``."""


_CONTROLLER: Final = "nginx-ingress-controller"
_WAIT: Final = "wait-shutdown"


class Subcommand(NamedTuple):
    """One subcommand."""

    name: str
    summary: str
    module: str
    """In `ingress.command`; it has `add_arguments` and `run`."""

    does_serve: bool = False
    """Whether the process stays, as that of ``twistd``."""


class SubcommandModule(Protocol):
    """What the module of a subcommand has."""

    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """
        Run it.

        :return: the exit status.
        :raises IngressError: if it cannot run, with a message for its user.
        """


SUBCOMMANDS: Final = (
    Subcommand("run", "serve, in the foreground", "run", does_serve=True),
    Subcommand(_CONTROLLER, "serve with flags of ingress-nginx", "controller", does_serve=True),
    Subcommand(_WAIT, "end the process that serves, from a preStop hook", "wait"),
    Subcommand("init", "write a configuration for the manifests of a folder", "init"),
    Subcommand("config", "show the documented defaults of the configuration", "config"),
    Subcommand("check", "show all that is wrong, or will behave differently", "check"),
    Subcommand("diff", "show what changes for whom between two sets of manifests", "diff"),
    Subcommand("explain", "show why a URL gets its answer", "explain"),
    Subcommand("simulate", "compare an access log with what would be decided", "simulate"),
    Subcommand(
        "shadow", "decide on the requests of a running ingress-nginx, and compare", "shadow"
    ),
    Subcommand("migrate", "move an installation of ingress-nginx, with a report", "migrate"),
    Subcommand("test", "compare answers with those that files expect", "test"),
    Subcommand("routes", "list the rules", "routes"),
    Subcommand("endpoints", "list the Services and their endpoints", "endpoints"),
    Subcommand("certificates", "list the certificates", "certificates"),
    Subcommand("certificate", "get a certificate by CertificateSigningRequest", "certificate"),
    Subcommand("problems", "list the problems", "problems"),
    Subcommand("top", "watch the rules of a running process", "top"),
    Subcommand("completion", "write the completion of a shell", "completion"),
)


def make_parser(wanted: str = "") -> argparse.ArgumentParser:
    """
    :param wanted: the subcommand whose arguments are needed; the others have none.
    """
    parser = argparse.ArgumentParser(
        prog="txingress",
        description="An Ingress controller that explains itself. Each command has its own help.",
    )
    parser.add_argument("--version", action="store_true", help="show what is installed")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for each in SUBCOMMANDS:
        if each.name != wanted:
            commands.add_parser(each.name, help=each.summary, add_help=False)
            continue
        module: SubcommandModule = import_module(f"ingress.command.{each.module}_command")
        sub = commands.add_parser(
            each.name,
            help=each.summary,
            description=f"{each.summary[:1].upper()}{each.summary[1:]}.",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: those of the process if None.
    :return: 0 if all is fine, 1 if something was found, 2 if it could not run.
    """
    written = _words(sys.argv) if arguments is None else _words(["", *arguments])
    known = {each.name: each for each in SUBCOMMANDS}
    wanted = next((word for word in written if word in known), "")
    if not wanted or not known[wanted].does_serve:
        # It makes many objects and ends: collections find little, and take a fifth of its time.
        gc.set_threshold(*_BETWEEN_COLLECTIONS)
    parser = make_parser(wanted)
    try:
        parsed = parse_words(parser, wanted, written)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else UNABLE
    if parsed.version:
        from ingress.installation import describe

        print(describe())
        return 0
    if parsed.command is None:
        parser.print_help()
        return UNABLE
    return _run(parsed)


def _words(command: Sequence[str]) -> list[str]:
    """
    :param command: the words of a command line, with the name of the program.
    :return: the arguments. The programs of ingress-nginx's container count as subcommands, whether
        they are the program or the first argument.
    """
    programs = {f"/{name}": name for name in (_CONTROLLER, _WAIT)}
    called = os.path.basename(command[0])
    words = list(command[1:])
    if called in programs.values():
        return [called, *words]
    return [programs.get(word, word) for word in words[:1]] + words[1:]


def subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """:return: the parser of a subcommand, which `make_parser` has made."""
    (commands,) = (each for each in parser._actions if isinstance(each.choices, dict))
    assert isinstance(commands.choices, dict)
    found: argparse.ArgumentParser = commands.choices[name]
    return found


def parse_words(
    parser: argparse.ArgumentParser, wanted: str, written: list[str]
) -> argparse.Namespace:
    """Parse arguments, in the two cases that argparse itself does not take."""
    if wanted == _CONTROLLER:
        index = written.index(wanted) + 1
        parsed = parser.parse_args(written[:index])
        parsed.flags = written[index:]
        return parsed
    if "--" not in written or not wanted or not subparser(parser, wanted).get_default(BEHIND):
        return parser.parse_args(written)
    index = written.index("--")
    parsed = parser.parse_args(written[:index])
    parsed.paths = [*parsed.paths, *written[index + 1 :]]
    return parsed


def _run(parsed: argparse.Namespace) -> int:
    from ingress.errors import IngressError

    try:
        result: int = parsed.run(parsed)
        sys.stdout.flush()
    except IngressError as error:
        print(f"txingress {parsed.command}: {error}", file=sys.stderr)
        return UNABLE
    except BrokenPipeError:
        # The reader has seen enough, as `head` does; nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return result
