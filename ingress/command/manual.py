"""
The man page ``txingress.1``, made from the parsers of the subcommands.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from ingress.command.main import SUBCOMMANDS, SubcommandModule, make_parser, subparser

MULTIPLE: Final = {"*": "[{}...]", "?": "[{}]", "+": "{}..."}
"""How arguments are written that may be left out or repeated, by their ``nargs``."""

_HEAD = r"""'\" t
.\" Made from the parsers by `make docs`; do not edit.
.TH TXINGRESS 1 "" txingress "User commands"
.SH NAME
txingress \- an Ingress controller that explains itself
.SH SYNOPSIS
.B txingress
.I COMMAND
[\fIoption\fR...] [\fIargument\fR...]
.br
.B kubectl txingress
.I COMMAND
[\fIoption\fR...] [\fIargument\fR...]
.SH DESCRIPTION
.B txingress
serves the Ingresses of a cluster or of files, and says of manifests what is wrong with them, what
they do and why.
Readers, build, matching and policies are those that serve: the command decides nothing itself.
.PP
Files and folders of manifests are named as arguments, or behind
.B \-\-
where others come first;
.B \-
is standard input. Results are on standard output, remarks on standard error.
.B \-\-help
behind a command shows its options.
.SH OPTIONS
.TP
.B \-\-version
show what is installed
"""
_TAIL = r""".SH EXIT STATUS
.TP
.B 0
All is fine.
.TP
.B 1
Something was found, as the command says.
.TP
.B 2
The command could not run; a message says why, and what is accepted.
.SH SEE ALSO
.BR kubectl (1),
.BR twistd (1)
"""


def manual() -> str:
    """:return: the page in the language of man(7)."""
    return _HEAD + ".SH COMMANDS\n" + "".join(f"{line}\n" for line in _commands()) + _TAIL


def _commands() -> Iterator[str]:
    for each in SUBCOMMANDS:
        module: SubcommandModule = import_module(f"ingress.command.{each.module}_command")
        parser = subparser(make_parser(each.name), each.name)
        actions = [one for one in parser._actions if one.help != argparse.SUPPRESS]
        places = [one for one in actions if not one.option_strings]
        operands = " ".join(_operand(one) for one in places)
        yield f".SS txingress {_text(each.name)} {operands}".rstrip()
        yield f"{_text(each.summary[:1].upper() + each.summary[1:])}."
        for one in (*places, *(one for one in actions if one.option_strings)):
            if "--help" in one.option_strings:
                continue
            yield ".TP"
            yield _names(one)
            yield _text((one.help or "").replace("%(default)s", str(one.default)))
        yield ".PP"
        yield ".nf"
        yield from (_text(line) for line in module.EXAMPLES.rstrip().splitlines())
        yield ".fi"


def _operand(action: argparse.Action) -> str:
    name = _metavar(action)
    return MULTIPLE.get(str(action.nargs), "{}").format(name)


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return rf"\fI{_metavar(action)}\fR"
    names = ", ".join(rf"\fB{_text(each)}\fR" for each in action.option_strings)
    return names if action.nargs == 0 else rf"{names} \fI{_metavar(action)}\fR"


def _metavar(action: argparse.Action) -> str:
    if action.metavar is not None:
        return _text(str(action.metavar))
    if action.choices is not None:
        return _text("|".join(map(str, action.choices)))
    return _text(action.dest.upper())


def _text(text: str) -> str:
    """:return: text of which nothing is taken for a request or an escape."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
