"""
Write the tables of docs that come from the code, the reference of the command, the man page, the
schema of the chart's values, its table of flags and its dashboards.

A table stands between two comments, ``<!-- NAME: make docs -->`` and ``<!-- end of NAME -->``.
With ``--check``, nothing is written: the command fails if a table is not what the code says.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import dashboard_controller
import dashboard_traffic
from chart_schema import schema
from chart_tables import flag_table, unused_file, unused_values
from command_tables import command_line
from dashboards import dumped
from metric_tables import missing_metrics, own_metrics, shared_metrics

from ingress.command.manual import manual
from ingress.command.migrate_ingresses import ACTIONS, AS_BEFORE
from ingress.command.migrate_ingresses import VERDICTS as FINDING_VERDICTS
from ingress.config_map.key import Key
from ingress.config_map.key import Verdict as KeyVerdict
from ingress.config_map.table import KEYS
from ingress.log_template import FAMILIES, VARIABLES
from ingress.migration.flag_table import FLAGS
from ingress.migration.helm_fates import FATES
from ingress.migration.verdict import Verdict as FindingVerdict
from ingress.policy.support import Verdict, support_of_all
from ingress.problem_code import KINDS

CHECKOUT = Path(__file__).resolve().parents[1]


_HEADINGS: Mapping[Verdict, str] = {
    Verdict.SUPPORTED: "supported, as in ingress-nginx",
    Verdict.DIFFERS: "supported, with a difference",
    Verdict.OWN: "our own",
    Verdict.REFUSED: "not supported: the paths answer 503",
    Verdict.IGNORED: "not supported: reported, and without effect",
}


def annotation_summary() -> Iterator[str]:
    """Make the table of docs/features.md: a row for each verdict."""
    yield "| support | annotations |"
    yield "| --- | --- |"
    supports = sorted(support_of_all())
    for verdict, heading in _HEADINGS.items():
        names = [f"`{each.name}`" for each in supports if each.verdict is verdict]
        yield f"| {heading} | {', '.join(names)} |"


def annotation_list() -> Iterator[str]:
    """Make the table of docs/compatibility.md: a row for each annotation, by name."""
    yield "| annotation | verdict | what differs, or what follows |"
    yield "| --- | --- | --- |"
    for support in sorted(support_of_all()):
        text = support.text.replace("](docs/", "](")
        yield f"| `{support.name}` | {support.verdict} | {text} |"


def config_map_keys() -> Iterator[str]:
    """Make the table of docs/configmap.md: a row for each key, by name."""
    yield "| key | default | verdict | what it sets, or what follows |"
    yield "| --- | --- | --- | --- |"
    for _, key in sorted(KEYS.items()):
        default = f"`{key.default}`" if key.default else ""
        yield f"| `{key.name}` | {default} | {_key_verdict(key)} | {key.effect} |"


def log_variables() -> Iterator[str]:
    """Make the list of docs/configmap.md: the variables of formats of lines."""
    names = [*sorted(VARIABLES), *(f"{family}NAME" for family in FAMILIES)]
    yield f"These variables have values: {', '.join(f'`${name}`' for name in names)}."


def _key_verdict(key: Key) -> str:
    match key.verdict:
        case KeyVerdict.WORKS:
            return "works"
        case KeyVerdict.UNSUPPORTED:
            return "closes every path" if key.closes else "not supported"
        case KeyVerdict.NO_EFFECT:
            return "no effect"


def flags() -> Iterator[str]:
    """Make the table of docs/flags.md: a row for each flag, by name."""
    yield "| flag | type | default | verdict | key | what it sets, or what follows |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for _, flag in sorted(FLAGS.items()):
        default = f"`{flag.default}`" if flag.default else ""
        key = f"`{flag.becomes}`" if flag.becomes else ""
        kind, verdict = flag.kind.value, flag.verdict.value
        yield f"| `--{flag.name}` | {kind} | {default} | {verdict} | {key} | {flag.effect} |"


def helm_values() -> Iterator[str]:
    """Make a table of docs/migration.md: a row for each value of ingress-nginx's chart, by path."""
    yield "| value | verdict | what follows |"
    yield "| --- | --- | --- |"
    yield "| `controller.config.*` | that of the key | see [its table](configmap.md#all-keys) |"
    yield "| `controller.extraArgs.*` | that of the flag | see [its table](flags.md#all-flags) |"
    for path, fate in sorted(FATES.items()):
        yield f"| `{path}` | {fate.verdict} | {fate.follows} |"


def findings_at_a_move() -> Iterator[str]:
    """Make a table of docs/migration.md: a row for each finding that Ingresses may have."""
    yield "| finding | verdict | what it says | what to do |"
    yield "| --- | --- | --- | --- |"
    for code, kind in KINDS.items():
        as_before = code in AS_BEFORE
        verdict = FindingVerdict.SAME if as_before else FINDING_VERDICTS[kind.severity]
        action = "Nothing: it is so today as well." if as_before else ACTIONS.get(code, "")
        yield f"| [{code}](findings/{code}.md) | {verdict} | {kind.title} | {action} |"


TABLES: Mapping[str, Mapping[str, Callable[[], Iterable[str]]]] = {
    "docs/features.md": {"annotations": annotation_summary},
    "docs/compatibility.md": {"annotations": annotation_list},
    "docs/migration.md": {"values": helm_values, "findings": findings_at_a_move},
    "docs/configmap.md": {"keys": config_map_keys, "variables": log_variables},
    "docs/flags.md": {"flags": flags},
    "docs/helm.md": {"unused": unused_values},
    "docs/metrics.md": {
        "shared": shared_metrics,
        "missing": missing_metrics,
        "own": own_metrics,
    },
}
"""The makers of tables by file and name."""


MANUAL = "etc/man/txingress.1"

COMMAND_LINE = "docs/command-line.md"

SCHEMA = "etc/chart/values.schema.json"

FLAG_TABLE = "etc/chart/flags.yaml"

UNUSED_TABLE = "etc/chart/unused.yaml"

DASHBOARDS = {
    "etc/chart/dashboards/traffic.json": dashboard_traffic.DASHBOARD,
    "etc/chart/dashboards/controller.json": dashboard_controller.DASHBOARD,
}


def with_tables(text: str, makers: Mapping[str, Callable[[], Iterable[str]]]) -> str:
    """
    :raises ValueError: if the text has no place for a table.
    """
    for name, make in makers.items():
        begin, end = f"<!-- {name}: make docs -->", f"<!-- end of {name} -->"
        place = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
        if place.search(text) is None:
            raise ValueError(f"there is no {begin}")
        table = "\n".join((begin, *make(), end))
        text = place.sub(lambda _, table=table: table, text)
    return text


def main() -> int:
    stale = []
    files = {name: with_tables((CHECKOUT / name).read_text(), TABLES[name]) for name in TABLES}
    files |= {
        MANUAL: manual(),
        COMMAND_LINE: command_line(),
        SCHEMA: schema(),
        FLAG_TABLE: flag_table(),
        UNUSED_TABLE: unused_file(),
    }
    files |= {name: dumped(dashboard) for name, dashboard in DASHBOARDS.items()}
    for name, made in files.items():
        file = CHECKOUT / name
        text = file.read_text() if file.exists() else ""
        if made != text and "--check" in sys.argv:
            stale.append(name)
        elif made != text:
            file.write_text(made)
    if stale:
        print(f"{' and '.join(stale)}: not what the code says; run make docs")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
