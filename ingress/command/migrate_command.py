"""
``txingress migrate``: an installation of ingress-nginx as a configuration, manifests and a report.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ingress.command.bounded_input import STANDARD_INPUT
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.migrate_ingresses import judge_ingresses, judge_secrets
from ingress.command.migrate_output import Output, as_json, encodable, write
from ingress.command.migrate_reading import Places, read_objects, read_values
from ingress.command.offline import Offline, load, readable
from ingress.command.options import add_cluster, add_format, cluster_of
from ingress.command.progress import Stages
from ingress.command.remarks import remarks_of
from ingress.config import Cluster, Config
from ingress.config_file import ConfigError, load_config
from ingress.errors import IngressError
from ingress.migration.config_maps import judge_key, judge_keys, judge_others
from ingress.migration.configuration import judge_flag, judge_flags, local_settings
from ingress.migration.controller import Installation, find_installations
from ingress.migration.helm import CHART, objects_of
from ingress.migration.helm_values import judge_values
from ingress.migration.manifests import IMAGE, NAME, as_yaml
from ingress.migration.raw import RawObject
from ingress.migration.report import Report, Writer
from ingress.migration.report_html import write_html
from ingress.migration.report_text import write_markdown, write_text
from ingress.migration.services import judge_services
from ingress.migration.verdict import Part, Row, Verdict
from ingress.migration.workload import judge_workload

EXAMPLES: Final = """examples:
  txingress migrate k8s/ --values values.yaml --output migration
  kubectl get ingress,svc,cm,deploy,ingressclass -A -o yaml | txingress migrate - --output migration
  txingress migrate --kubeconfig ~/.kube/config --output migration --format markdown
  txingress migrate k8s/ --fail-on closed,differs
"""


_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")
_IMAGE: Final = re.compile(r"[\w./:@-]+", re.ASCII)
_MAX_NAME: Final = 50
"""Characters; the longest name made of it has some more, of 63."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="files and folders with ingress-nginx's Deployment or DaemonSet, ConfigMaps, Services "
        "and IngressClasses, and with the Ingresses; - is standard input",
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        action="append",
        default=[],
        help="values given to ingress-nginx's chart; may be repeated, as for helm",
    )
    parser.add_argument("--release", default=CHART, help="the name of its release (%(default)s)")
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAMESPACE",
        default=[],
        help="where ingress-nginx runs; may be repeated (ingress-nginx and kube-system)",
    )
    add_cluster(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write the configuration, the manifests and the report into this folder",
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that exist there")
    parser.add_argument(
        "--image", default=IMAGE, metavar="NAME:TAG", help="of this proxy (%(default)s)"
    )
    add_format(parser, *FORMATS, "json")
    parser.add_argument(
        "--fail-on",
        default="closed",
        metavar="VERDICTS",
        help="those that make the exit status 1, with commas between them; none of closed, "
        "differs and ignored is also accepted (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    with Stages(sys.stderr, time.monotonic) as stages:
        reports, failing = _migrate(arguments, stages)
        texts = list(_printed(arguments.format, reports))
    print(encodable("\n".join(texts)))
    rows = (row for report in reports for row in report.rows)
    return FOUND if any(row.verdict in failing for row in rows) else FINE


def _migrate(
    arguments: argparse.Namespace, stages: Stages
) -> tuple[list[Report], frozenset[Verdict]]:
    """
    Read, judge and write.

    :return: also the verdicts that are to fail.
    """
    failing = _verdicts(arguments.fail_on)
    _check(arguments)
    cluster = cluster_of(arguments)
    if cluster is not None and arguments.paths:
        raise CannotRun("name files and folders, or a cluster")
    places: Places = {}
    values = read_values(arguments.values, places)
    if cluster is not None:
        outputs = _of_cluster(arguments, cluster, values, stages)
    else:
        outputs = _of_files(arguments, values, stages)
    outputs = [each.with_report(_placed(each.report, places)) for each in outputs]
    stages.begin("writing")
    if arguments.output is not None:
        write(Path(arguments.output), outputs, force=arguments.force)
    return [output.report for output in outputs], failing


_PREFIXES: Final[Mapping[Part, str]] = {
    Part.VALUE: "",
    Part.KEY: "controller.config.",
    Part.FLAG: "controller.extraArgs.",
}
"""Where values are that rows of a part are made of."""


def _placed(report: Report, places: Places) -> Report:
    """:return: the same with file and line of Helm values, and of what only they tell of."""
    if not places:
        return report
    rows = []
    for row in report.rows:
        if row.part in _PREFIXES and not row.line and (row.file or row.part is Part.VALUE):
            name = _PREFIXES[row.part] + row.name.removeprefix("--")
            for known in (name, f"{CHART}.{name}", row.name.replace(" ", ".")):
                if known in places:
                    file, line = places[known]
                    row = replace(row, file=file, line=line)
                    break
        rows.append(row)
    return replace(report, rows=tuple(rows))


def _printed(form: str, reports: Sequence[Report]) -> Iterator[str]:
    """Yield the reports in a form."""
    if form == "json":
        yield as_json([report.as_json() for report in reports])
        return
    for number, report in enumerate(reports):
        if number:
            yield "\n"
        yield from FORMATS[form](report)


FORMATS: Final[Mapping[str, Writer]] = {
    "text": write_text,
    "markdown": write_markdown,
    "html": write_html,
}


def _check(arguments: argparse.Namespace) -> None:
    """:raises CannotRun: for what would write where nobody asked for, or what nothing can run."""
    if arguments.output is not None:
        if not arguments.output:
            raise CannotRun("--output is empty: the name of a folder is accepted")
        if os.path.exists(arguments.output) and not os.path.isdir(arguments.output):
            raise CannotRun(f"{arguments.output} is a file; --output takes a folder")
    if not _IMAGE.fullmatch(arguments.image):
        raise CannotRun(f"--image {arguments.image!r}: NAME:TAG is accepted")


def _verdicts(text: str) -> frozenset[Verdict]:
    if text == "none":
        return frozenset()
    try:
        return frozenset(Verdict(each.strip()) for each in text.split(","))
    except ValueError:
        accepted = ", ".join(Verdict)
        raise CannotRun(
            f"--fail-on {text!r}: {accepted} are accepted, with commas, or none"
        ) from None


# Files.


def _of_files(
    arguments: argparse.Namespace, values: Mapping[str, Any], stages: Stages
) -> list[Output]:
    paths: list[str] = arguments.paths
    if not paths and not arguments.values:
        raise CannotRun(
            "name files or folders with manifests, Helm values (--values FILE), or a cluster "
            "(--kubeconfig, --in-cluster)"
        )
    missing = [path for path in paths if path != STANDARD_INPUT and not os.path.exists(path)]
    if missing:
        raise CannotRun(f"{missing[0]}: there is no such file or folder")
    with readable(paths) as real:
        names = {one: other for one, other in zip(real, paths, strict=True) if one != other}
        stages.begin("looking for ingress-nginx")
        read = read_objects(real, names, stages.tick)
        installations, made = _found(arguments, read.objects, values)
        outputs = []
        for installation, name in _named(installations):
            files = [os.path.abspath(path) for path in real]
            output = Output(
                name, installation, arguments.image, tuple(paths), made, tuple(real),
                copies=read.copies,
            )  # fmt: skip
            offline, made_file = _load_files(output, files, stages)
            stages.begin("judging")
            # What the report shows in place of temporary files.
            shown = {os.path.abspath(one): other for one, other in names.items()}
            shown[made_file] = ", ".join(arguments.values)
            outputs.append(output.with_report(_report(installation, offline, values, shown)))
        return outputs


def _found(
    arguments: argparse.Namespace, objects: list[RawObject], values: Mapping[str, Any]
) -> tuple[list[Installation], tuple[RawObject, ...]]:
    """
    :return: the installations, and the ConfigMaps that only Helm values tell of.
    :raises CannotRun: if there is no installation.
    """
    installations = find_installations(objects)
    if installations or not arguments.values:
        if not installations:
            raise CannotRun(
                "there is no Deployment or DaemonSet of ingress-nginx in what was read, and no "
                "Helm values (--values FILE)"
            )
        return installations, ()
    namespace = arguments.namespace[0] if arguments.namespace else CHART
    made = objects_of(values, namespace, arguments.release, ", ".join(arguments.values))
    there = {(each.kind, each.namespace, each.name) for each in objects}
    further = [each for each in made if (each.kind, each.namespace, each.name) not in there]
    found = find_installations([*objects, *further])
    return found, tuple(each for each in further if each.kind in ("ConfigMap", "IngressClass"))


def _named(installations: Sequence[Installation]) -> Iterator[tuple[Installation, str]]:
    """Yield each with the name of what takes its place: one of its own, if there are several."""
    taken: set[str] = set()
    for each in installations:
        name = NAME
        if len(installations) > 1:
            name = _as_name(f"{NAME}-{each.class_name}")
            if name in taken:
                name = _as_name(f"{NAME}-{each.namespace}-{each.workload.name}")
            if name in taken:
                name = f"{NAME}-{len(taken)}"
        taken.add(name)
        yield each, name


def _as_name(text: str) -> str:
    """:return: text of a file as a name of an object, and of a folder: nothing leads out of it."""
    return _NOT_IN_NAMES.sub("-", text.lower())[:_MAX_NAME].strip("-")


def _load_files(output: Output, files: Sequence[str], stages: Stages) -> tuple[Offline, str]:
    """
    Read what this installation serves, by a configuration that is written for that.

    :return: also the file of what only Helm values tell of, which is gone again.
    :raises CannotRun: if a flag has a value that is none.
    """
    with tempfile.TemporaryDirectory(prefix="txingress-") as folder:
        source = [*files]
        file = Path(folder, "made.yaml")
        if copies := output.made_text():
            file.write_text(copies)
            source.append(str(file))
        config = Path(folder, "ingress.yaml")
        settings = local_settings(output.installation, {"files": source})
        # No message names the temporary folder.
        settings["tls"] = {**settings.get("tls", {}), "secrets": None}
        config.write_text(as_yaml(settings))
        stages.begin("reading what is served, and building it")
        try:
            return load(str(config), (), remark=remarks_of, tick=stages.tick), str(file)
        except CannotRun as error:
            raise CannotRun(_of_flags(error, folder)) from None


def _of_flags(error: IngressError, folder: str) -> str:
    """:return: why the configuration that flags make cannot be read."""
    text = str(error).replace(f"{folder}/ingress.yaml", "what the flags make")
    return f"the flags of ingress-nginx cannot be carried over: {text}"


# A cluster.


def _of_cluster(
    arguments: argparse.Namespace, cluster: Cluster, values: Mapping[str, Any], stages: Stages
) -> list[Output]:
    # The client of the API server takes longer to import than many files to read.
    from ingress.command.migrate_cluster import NAMESPACES, judge_refused, read_installations
    from ingress.command.offline import offline_of

    named = {"kubeconfig": str(cluster.kubeconfig.absolute())} if cluster.kubeconfig else {}
    source = {"kubernetes": {**named, **({"context": cluster.context} if cluster.context else {})}}

    def configure(installation: Installation) -> Config:
        with tempfile.TemporaryDirectory(prefix="txingress-") as folder:
            file = Path(folder, "ingress.yaml")
            file.write_text(as_yaml(local_settings(installation, source)))
            try:
                return load_config(file)
            except ConfigError as error:
                raise CannotRun(_of_flags(error, folder)) from None

    namespaces = arguments.namespace or NAMESPACES
    stages.begin("reading the cluster")
    found, refused = read_installations(cluster, namespaces, configure)
    stages.begin("judging")
    contents = {installation.name: (config, content) for installation, config, content in found}
    outputs = []
    for installation, name in _named([each[0] for each in found]):
        config, content = contents[installation.name]
        offline = offline_of(content, config, remarks_of)
        output = Output(name, installation, arguments.image, source=source)
        report = _report(installation, offline, values)
        rows = judge_refused(refused, installation.namespace)
        outputs.append(output.with_report(replace(report, rows=(*report.rows, *rows))))
    return outputs


# Either.

_OF_FLAGS: Final = "Give migrate what it names as well, or correct the flag."
_NO_NAMES: Final[Mapping[str, str]] = {}


def _report(
    installation: Installation,
    offline: Offline,
    values: Mapping[str, Any],
    shown: Mapping[str, str] = _NO_NAMES,
) -> Report:
    """:param shown: what is shown in place of some files."""
    # The configuration was written into a folder that is gone again.
    flags = str(offline.config.path)
    shown = {**shown, flags: "what the flags name"}
    rows = [
        _with_names(replace(row, action=_OF_FLAGS) if row.name == flags else row, shown)
        for row in judge_ingresses(offline)
    ]
    rows += judge_secrets(offline)
    rows += judge_flags(installation)
    if installation.config_map is not None:
        rows += judge_keys(installation.config_map)
    rows += judge_others(installation)
    rows += judge_values(values, judge_key, judge_flag)
    rows += judge_workload(installation)
    rows += judge_services(installation)
    made = f"{datetime.now(UTC):%Y-%m-%d}"
    return Report(installation.name, installation.class_name, made, tuple(rows))


def _with_names(row: Row, shown: Mapping[str, str]) -> Row:
    follows, name = row.follows, row.name
    if row.file not in shown and not any(each in follows or each in name for each in shown):
        return row
    for file, other in shown.items():
        follows, name = follows.replace(file, other), name.replace(file, other)
    return replace(row, follows=follows, name=name, file=shown.get(row.file, row.file))
