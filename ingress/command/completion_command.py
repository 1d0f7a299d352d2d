"""
``txingress completion SHELL``: the completion for bash, zsh and fish.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from ingress.command.failure import FINE

EXAMPLES: Final = """examples:
  source <(txingress completion bash)
  txingress completion zsh > "${fpath[1]}/_txingress"
  txingress completion fish > ~/.config/fish/completions/txingress.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    from ingress.command.main import SUBCOMMANDS, make_parser, subparser

    names = [each.name for each in SUBCOMMANDS]
    options = {name: _options(subparser(make_parser(name), name)) for name in names}
    summaries = {each.name: each.summary for each in SUBCOMMANDS}
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
    print(make(summaries, options), end="")
    return FINE


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of one subcommand."""
    return sorted(
        option for each in parser._actions for option in each.option_strings if option[:2] == "--"
    )


def _bash(summaries: Mapping[str, str], options: Mapping[str, list[str]]) -> str:
    cases = "".join(
        f"    {name}) words='{' '.join(those)}' ;;\n" for name, those in options.items()
    )
    return f"""_txingress() {{
  local words cur=${{COMP_WORDS[COMP_CWORD]}}
  case ${{COMP_WORDS[1]}} in
{cases}    *) words='{" ".join(summaries)}' ;;
  esac
  [[ $COMP_CWORD -eq 1 ]] && words='{" ".join(summaries)}'
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $COMP_CWORD -gt 1 && $cur != -* ]]; then
    local IFS=$'\\n'  # A name of a file may have blanks.
    COMPREPLY+=($(compgen -f -- "$cur"))
  fi
}}
complete -o filenames -F _txingress txingress kubectl-txingress
"""


def _zsh(summaries: Mapping[str, str], options: Mapping[str, list[str]]) -> str:
    commands = "\n".join(f"    '{name}:{text}'" for name, text in summaries.items())
    cases = "".join(
        f"    {name}) compadd -- {' '.join(those)} ;;\n" for name, those in options.items()
    )
    return f"""#compdef txingress kubectl-txingress
_txingress() {{
  local -a commands
  commands=(
{commands}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  case $words[2] in
{cases}  esac
  _files
}}
if [[ $funcstack[1] == _txingress ]]; then
  _txingress "$@"  # This is a file of $fpath, which is loaded by the first completion.
else
  compdef _txingress txingress kubectl-txingress
fi
"""


def _fish(summaries: Mapping[str, str], options: Mapping[str, list[str]]) -> str:
    lines = [
        f"complete -c txingress -n __fish_use_subcommand -f -a {name} -d '{text}'"
        for name, text in summaries.items()
    ]
    lines += [
        f"complete -c txingress -n '__fish_seen_subcommand_from {name}' -l {option[2:]}"
        for name, those in options.items()
        for option in those
    ]
    return "".join(f"{line}\n" for line in lines)
