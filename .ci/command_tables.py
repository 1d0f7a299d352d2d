"""
docs/command-line.md, made from the parsers of the subcommands.
"""

import argparse
from collections.abc import Iterator
from importlib import import_module

from ingress.command.main import SUBCOMMANDS, SubcommandModule, make_parser, subparser
from ingress.command.manual import MULTIPLE

_HEAD = """# The command line

Every subcommand of `txingress` with its arguments, made from the parsers by `make docs`;
`txingress COMMAND --help` and the man page `txingress(1)` say the same. [The command](command.md)
describes what the larger ones do. The exit status is 0 if all is fine, 1 if something was found,
and 2 if the command could not run.
"""


def command_line() -> str:
    """Make the page."""
    return _HEAD + "".join(f"{line}\n" for line in _commands())


def _commands() -> Iterator[str]:
    for each in SUBCOMMANDS:
        module: SubcommandModule = import_module(f"ingress.command.{each.module}_command")
        actions = [
            one
            for one in subparser(make_parser(each.name), each.name)._actions
            if one.help != argparse.SUPPRESS and "--help" not in one.option_strings
        ]
        operands = [one for one in actions if not one.option_strings]
        options = [one for one in actions if one.option_strings]
        usage = " ".join(map(_operand, operands))
        yield f"\n## txingress {each.name}\n"
        yield f"{each.summary[:1].upper()}{each.summary[1:]}.\n"
        yield (
            f"    txingress {each.name} {'[OPTION...] ' if options else ''}{usage}".rstrip() + "\n"
        )
        if actions:
            yield "| argument | is |"
            yield "| --- | --- |"
            for one in (*operands, *options):
                text = (one.help or "").replace("%(default)s", str(one.default)).replace("|", "\\|")
                yield f"| {_names(one)} | {text} |"
            yield ""
        yield f"```text\n{module.EXAMPLES.strip()}\n```"


def _operand(action: argparse.Action) -> str:
    name = _metavar(action)
    return MULTIPLE.get(str(action.nargs), "{}").format(name)


def _names(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_metavar(action)}"
    shown = ", ".join(f"`{name}{value}`" for name in action.option_strings)
    return (shown or f"`{_metavar(action)}`").replace("|", "\\|")


def _metavar(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()
