"""
The rules of the layout: who may import whom, how large a module may be, where its tests are.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.import_circles import find_circles

CHECKOUT = Path(__file__).resolve().parent.parent

MAX_LINES = {"ingress": 400, "examples": 400, "etc": 400, "benchmarks": 400, "tests": 1000}
"""By folder; a module of tests has all of those of one module."""

MAX_FUNCTION = 40
"""Lines of a function behind its docstring."""

LONG_FUNCTIONS = {
    "ingress.admin.html.explanation_view._steps",
    "ingress.admin.html.figures.figures",
    "ingress.command.shadow_command.add_arguments",
    "ingress.config_file._read_config",
    "ingress.explain.as_json.as_json",
    "ingress.explain.explanation.explain",
    "ingress.http2.stream.__init__",
    "ingress.kube.cluster.source.__init__",
    "ingress.kube.writing.cluster_writer.__init__",
    "ingress.message.__init__",
    "ingress.migration.controller._installation",
    "ingress.routing.build._update",
    "ingress.tap.makeService",
}
"""Those that are longer: one value or one order of steps each. None may join them."""

FORBIDDEN = [
    # Whose modules        must not import          but for
    ("ingress.routing", "ingress.downstream", ()),
    ("ingress.routing", "ingress.exchange", ()),
    ("ingress.routing", "ingress.upstream", ()),
    ("ingress.routing", "ingress.kube", ("ingress.routing.build",)),
    ("ingress.routing", "twisted.internet", ()),
    ("ingress.policy", "ingress.routing", ()),
    ("ingress.policy", "ingress.downstream", ()),
    ("ingress.policy", "ingress.exchange", ()),
    ("ingress.policy", "ingress.upstream", ()),
    ("ingress.downstream", "ingress.kube", ()),
    ("ingress.exchange", "ingress.kube", ()),
    ("ingress.exchange", "ingress.downstream", ()),
    ("ingress.upstream", "ingress.kube", ()),
    ("ingress.upstream", "ingress.downstream", ()),
    ("ingress.upstream", "ingress.exchange", ()),
    ("ingress.relay", "ingress.kube", ()),
    ("ingress.relay", "ingress.downstream", ()),
    ("ingress.relay", "ingress.exchange", ()),
    ("ingress.kube", "ingress.routing", ()),
    *(
        ("ingress.dns", f"ingress.{name}", ())
        for name in ("kube", "routing", "downstream", "exchange", "upstream")
    ),
    ("ingress.telemetry", "ingress.downstream", ()),
    ("ingress.telemetry", "ingress.exchange", ()),
    ("ingress.telemetry", "ingress.upstream", ()),
    ("ingress.telemetry", "ingress.kube", ()),
    ("ingress.routing", "ingress.telemetry", ()),
    (
        "ingress",
        "ingress.controller",
        (
            "ingress.control_plane",
            "ingress.control_side",
            "ingress.tap",
            "ingress.command.shadow_rules",
        ),
    ),
    (
        "ingress",
        "ingress.control_plane",
        ("ingress.control_side", "ingress.service", "ingress.tap"),
    ),
    ("ingress", "ingress.control_side", ("ingress.tap",)),
    ("ingress", "ingress.service", ("ingress.tap",)),
    ("ingress", "ingress.tap", ()),
    ("ingress", "twisted.internet.reactor", ("ingress.tap", "ingress.command.api_run")),
    ("ingress", "tests", ()),
]

TESTS_OF_MANY_MODULES = {"chart", "data_path", "e2e", "fake_api", "fuzz", "real_cluster"}
"""
The data path from client to endpoint without sockets, whole processes, both codecs, and what
is no module of ours: the Helm chart, also in a real cluster, and the API server of the tests.
"""

TESTS_WITHOUT_MODULE = {
    "test_admin_api",
    "test_build",
    "test_cert_manager_page",
    "test_metric_page",
    "test_ci_example",
    "test_comparison",
    "test_conformance",
    "test_container",
    "test_contributing",
    "test_demo",
    "test_deploy",
    "test_documentation",
    "test_examples",
    "test_findings",
    "test_golden",
    "test_guard",
    "test_layers",
    "test_packaging",
    "test_parts",
    "test_site",
    "test_twisted_internals",
}
"""Those of no module in particular, or of one outside of the package."""


class Imports:
    """What each module of a folder imports, at its top or anywhere else in it."""

    def __init__(self, folder: Path, package: str) -> None:
        self.of: dict[str, set[str]] = {}
        for file in sorted(folder.rglob("*.py")):
            parts = (package, *file.relative_to(folder).with_suffix("").parts)
            name = ".".join(parts).removesuffix(".__init__")
            self.of[name] = set(_imported(ast.parse(file.read_bytes(), str(file))))

    def violations(self, whose: str, what: str, but_for: tuple[str, ...]) -> list[str]:
        """:return: a line for each import that is not allowed."""
        return [
            f"{module} imports {name}"
            for module, names in self.of.items()
            for name in sorted(names)
            if _is_below(module, whose)
            and _is_below(name, what)
            and module != what
            and not any(_is_below(module, allowed) for allowed in but_for)
        ]


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            # What is imported may be a module or a name in one: the longer form covers both.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _long_functions(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                behind = 1 if ast.get_docstring(node, clean=False) is not None else 0
                body = node.body[behind:]
                if body and (body[-1].end_lineno or 0) - body[0].lineno >= MAX_FUNCTION:
                    place = file.relative_to(folder.parent).with_suffix("")
                    yield f"{'.'.join(place.parts).removesuffix('.__init__')}.{node.name}"


def _is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


class LayerTests(SynchronousTestCase):
    """Imports go one way."""

    def setUp(self) -> None:
        self.imports = Imports(CHECKOUT / "ingress", "ingress")

    def test_forbidden(self) -> None:
        """No module imports what is above it or beside it."""
        found = [line for rule in FORBIDDEN for line in self.imports.violations(*rule)]
        self.assertEqual(found, [])

    def test_build(self) -> None:
        """The build knows the types of objects, and nothing else that knows manifests."""
        for module, names in self.imports.of.items():
            if _is_below(module, "ingress.routing.build"):
                for name in names:
                    if _is_below(name, "ingress.kube"):
                        self.assertTrue(_is_below(name, "ingress.kube.objects"), (module, name))

    def test_transports(self) -> None:
        """The transports can be used without the rest."""
        used = {
            name
            for module, names in self.imports.of.items()
            if _is_below(module, "ingress.transports")
            for name in names
            if _is_below(name, "ingress") and not _is_below(name, "ingress.transports")
        }
        self.assertEqual(used, set())

    def test_joined(self) -> None:
        """Only the controller, who makes it, and who builds once see store and build."""
        both = {
            module
            for module, names in self.imports.of.items()
            if any(_is_below(name, "ingress.kube.store") for name in names)
            and any(_is_below(name, "ingress.routing.build") for name in names)
        }
        readers = ("cluster_reading", "offline", "shadow_rules")
        command = {f"ingress.command.{name}" for name in readers}
        others = {"ingress.controller", "ingress.control_side", "ingress.embedding"}
        self.assertLessEqual(both, command | others)

    def test_circles(self) -> None:
        """No two parts of a package import each other, for types alone or through others."""
        self.assertEqual(find_circles(self.imports.of), set())

    def test_circles_are_found(self) -> None:
        """Circles of packages, of modules, and of a package and what is in it are found."""
        for imports, circles in (
            ({"p.a": ["p.b.name"], "p.b": ["p.c"], "p.c": ["os"]}, []),
            ({"p.a": ["p.b.name"], "p.b": ["p.c"], "p.c": ["p.a"]}, [["p.a", "p.b", "p.c"]]),
            ({"p.a.x": ["p.b.y"], "p.a.z": [], "p.b.y": ["p.a.z"]}, [["p.a", "p.b"]]),
            ({"p.a": ["p.a.x"], "p.a.x": ["p.a.Name"]}, [["p.a.__init__", "p.a.x"]]),
        ):
            self.assertEqual(sorted(map(sorted, find_circles(imports))), circles)

    def test_rules_bite(self) -> None:
        """The rules see an import in whatever form it has."""
        for form in (
            "import twisted.internet.reactor",
            "import os, twisted.internet.reactor as reactor",
            "from twisted.internet import reactor",
            "def later():\n    from twisted.internet import defer, reactor",
        ):
            folder = Path(self.mktemp())
            folder.mkdir()
            folder.joinpath("module.py").write_text(form)
            rule = ("ingress", "twisted.internet.reactor", ("ingress.tap",))
            self.assertEqual(
                Imports(folder, "ingress").violations(*rule),
                ["ingress.module imports twisted.internet.reactor"],
                form,
            )

    def test_no_reactor(self) -> None:
        """No import of ours, nor one that it leads to, chooses the reactor; tap's choice counts."""
        modules = [module for module in self.imports.of if module != "ingress.tap"]
        lines = [
            "import importlib, sys",
            f"for module in {modules!r}:",
            "    importlib.import_module(module)",
            "    assert 'twisted.internet.reactor' not in sys.modules, module",
        ]
        ended = subprocess.run(
            [sys.executable, "-c", "\n".join(lines)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
        )
        self.assertEqual(ended.stderr, "")


class LayoutTests(SynchronousTestCase):
    """Modules are small, and their tests are where one looks for them."""

    def test_size(self) -> None:
        """No module has more lines than one can take in."""
        too_large = [
            f"{file.relative_to(CHECKOUT)} has {size} lines"
            for folder, most in MAX_LINES.items()
            for file in (CHECKOUT / folder).rglob("*.py")
            if (size := file.read_text().count("\n")) > most
        ]
        self.assertEqual(too_large, [])

    def test_map(self) -> None:
        """ARCHITECTURE.md says of each module and package at the top what it is for."""
        text = (CHECKOUT / "ARCHITECTURE.md").read_text()
        text = re.sub("```.*?```", "", text, flags=re.DOTALL)
        names = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", text))))
        parts = {each.stem for each in (CHECKOUT / "ingress").iterdir() if each.stem[0] not in "._"}
        self.assertEqual(parts - names - {"py"}, set())

    def test_functions(self) -> None:
        """No function is longer than one can take in, but for those that are known."""
        self.assertEqual(set(_long_functions(CHECKOUT / "ingress")), LONG_FUNCTIONS)

    def test_mirror(self) -> None:
        """Each module of tests has the name and the place of the module that it tests."""
        tests = CHECKOUT / "tests"
        for file in tests.rglob("test_*.py"):
            place = file.relative_to(tests)
            if place.parts[0] in TESTS_OF_MANY_MODULES or file.stem in TESTS_WITHOUT_MODULE:
                continue
            tested = CHECKOUT / "ingress" / place.parent / file.stem.removeprefix("test_")
            self.assertTrue(
                tested.with_suffix(".py").exists() or tested.is_dir(), f"{place} tests no module"
            )
