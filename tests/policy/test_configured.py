"""Tests of `ingress.policy.configured`: the key ``policies`` of the configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, ConfiguredPolicy
from ingress.config_file import ConfigError, load_config
from ingress.policy.chosen import POLICIES_ANNOTATION
from ingress.policy.guard import GuardedPolicy
from ingress.routing.build import Built
from ingress.routing.match import find_route
from tests.support.objects import built, ingress, problems_of, served
from tests.support.own_policies import Plain, Stamp

OWN = "tests.support.own_policies"


class ConfiguredCase(SynchronousTestCase):
    def load(self, policies: str) -> Config:
        """Load a configuration with these lines below ``policies``."""
        folder = Path(self.mktemp())
        (folder / "manifests").mkdir(parents=True)
        self.folder = folder.absolute()
        lines = "".join(f"  {line}\n" for line in policies.splitlines())
        file = folder / "ingress.yaml"
        file.write_text(f"source: {{files: manifests}}\npolicies:\n{lines}")
        return load_config(file)

    def mistake(self, policies: str) -> str:
        """The one mistake of such a configuration, from its line on."""
        with self.assertRaises(ConfigError) as raised:
            self.load(policies)
        (mistake,) = raised.exception.mistakes
        self.assertTrue(mistake.file.endswith("ingress.yaml"))
        return str(mistake).partition("ingress.yaml, ")[2]


class ReadTests(ConfiguredCase):
    def test_forms(self) -> None:
        """A policy is a class, or a class with its options."""
        config = self.load(
            f"plain: {OWN}.Plain\n"
            f"stamp: {{class: {OWN}.Stamp, value: x, file: a/b, for-all: true}}\n"
            f"other-stamp:\n  class: {OWN}.Stamp\n  value: y"
        )
        stamp = Stamp("x", file=self.folder / "a/b")
        self.assertEqual(
            config.policies,
            (
                ConfiguredPolicy("plain", GuardedPolicy.around("plain", Plain())),
                ConfiguredPolicy("stamp", GuardedPolicy.around("stamp", stamp), True),
                ConfiguredPolicy("other-stamp", GuardedPolicy.around("other-stamp", Stamp("y"))),
            ),
        )

    def test_none(self) -> None:
        """There may be none."""
        self.assertEqual(self.load("{}").policies, ())

    def test_class(self) -> None:
        """A class that cannot be used is a mistake with its line, its key and the reason."""
        for written, reason in (
            (f"{OWN}.Missing", f"a class that exists; {OWN} has no Missing"),
            (f"{OWN}.NoPolicy", "a subclass of ingress.policy.policy.Policy; NoPolicy is not one"),
            (f"{OWN}.not_a_class", "a subclass of ingress.policy.policy.Policy"),
            (f"{OWN}.Thawed", "a frozen dataclass"),
            (f"{OWN}.Unpicklable", "can be sent to workers"),
            (f"{OWN}.Reserved", "a class without a field for_all"),
            (f"{OWN}.BadEdits", "its edits must be FieldEdits, not tuple"),
            ("missing_package.a.B", "missing_package.a cannot: ModuleNotFoundError: No module"),
            ("missing_package.a.B", "PYTHONPATH"),
            ("Plain", "a class of policies as package.module.Class"),
            ("..x", "a class of policies as package.module.Class"),
        ):
            mistake = self.mistake(f"plain: {OWN}.Plain\nmine: {written}")
            self.assertTrue(mistake.startswith("line 4: policies.mine.class: "), mistake)
            self.assertIn(reason, mistake)

    def test_module_fails(self) -> None:
        """A module that fails while it is imported is a mistake, not a crash."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, line in (("raising_module", "1 / 0"), ("leaving_module", "raise SystemExit")):
            (folder / f"{name}.py").write_text(line)
            self.patch(sys, "path", [*sys.path, str(folder.absolute())])
            self.assertIn(f"{name} cannot: ", self.mistake(f"mine: {name}.Policy"))

    def test_options(self) -> None:
        """A mistake in an option has the line and the key of that option."""
        written = f"mine:\n  class: {OWN}.Stamp\n  value: x\n  count: many"
        self.assertEqual(
            self.mistake(written), 'line 6: policies.mine.count: "many": a whole number'
        )
        self.assertIn("line 3: policies.mine.value: is missing", self.mistake(f"mine: {OWN}.Stamp"))

    def test_other_forms(self) -> None:
        """What is neither a class nor a mapping, or a name that cannot be one, is a mistake."""
        for written, expected in (
            ("mine: 1", "line 3: policies.mine: 1: package.module.Class, or a mapping"),
            ("mine: {value: x}", "line 3: policies.mine.class: is missing: package.module.Class"),
            (f"A,b: {OWN}.Plain", "line 3: policies.A,b: "),
            (f"mine: {{class: {OWN}.Plain, for-all: 1}}", "policies.mine.for-all: 1: true or"),
            (f"mine: {{class: {OWN}.Plain, for-al: true}}", "did you mean for-all?"),
        ):
            self.assertIn(expected, self.mistake(written))

    def test_secret(self) -> None:
        """A secret option is quoted in no mistake."""
        mistake = self.mistake(f"mine: {{class: {OWN}.Stamp, value: x, secret: 12345}}")
        self.assertNotIn("12345", mistake)


class ServedTests(ConfiguredCase):
    """From the configuration to a Route."""

    def built(
        self, config: Config, value: str | None = None, previous: Built | None = None
    ) -> Built:
        web = ingress("a.example", {"/": "web:80"})
        if value is not None:
            web.metadata.annotations[POLICIES_ANNOTATION] = value
        return built(web, served("web"), config=config, previous=previous)

    def names(self, result: Built) -> list[str]:
        route = find_route(result.snapshot, b"a.example", b"/")
        assert route is not None
        return [policy.label for policy in route.policies]

    def test_chosen(self) -> None:
        """A rule has the policies that it chooses, and those for all."""
        config = self.load(
            f"one: {{class: {OWN}.Plain}}\ntwo: {{class: {OWN}.Plain, for-all: true}}"
        )
        self.assertEqual(self.names(self.built(config)), ["two"])
        self.assertEqual(self.names(self.built(config, "one")), ["one", "two"])

    def test_unknown(self) -> None:
        """A rule that chooses a policy that is not configured is closed, with a Problem."""
        result = self.built(self.load(f"one: {OWN}.Plain"), "one, tow")
        self.assertEqual(self.names(result), ["refusal"])
        (problem,) = problems_of(result)
        self.assertIn('no policy "tow" is configured (`policies` has one)', problem)

    def test_changed(self) -> None:
        """A change of options, of names and of the order applies with the next build."""
        first = self.built(self.load(f"one: {{class: {OWN}.Stamp, value: a}}"), "one")
        config = self.load(f"one: {{class: {OWN}.Stamp, value: b}}")
        second = self.built(config, "one", first)
        route = find_route(second.snapshot, b"a.example", b"/")
        assert route is not None
        assert route.response_edits is not None
        self.assertEqual(route.response_edits.http.add, ((b"X-Stamp", b"b"),))
        third = self.built(self.load("{}"), "one", second)
        self.assertEqual(self.names(third), ["refusal"])

    def test_guarding(self) -> None:
        """
        A policy of the phase access guards: ambiguous paths of its host are refused, and an
        Ingress with a fault elsewhere keeps its paths closed.
        """
        config = self.load(f"one: {OWN}.Plain\ntwo: {{class: {OWN}.Stamp, value: x}}")
        for name, is_guard in (("one", True), ("two", False)):
            result = self.built(config, name)
            route = find_route(result.snapshot, b"a.example", b"/")
            assert route is not None
            self.assertEqual(route.paths is not None and route.paths.is_guarded, is_guard)
            web = ingress("a.example", {"/": "web:80"})
            web.metadata.annotations[POLICIES_ANNOTATION] = name
            faulty = msgspec.structs.replace(web, only_guards=True)
            closed = find_route(built(faulty, config=config).snapshot, b"a.example", b"/")
            names = [] if closed is None else [policy.label for policy in closed.policies]
            self.assertEqual(names, ["refusal"] if is_guard else [])

    def test_unchanged(self) -> None:
        """A build without any change keeps what there is."""
        config = self.load(f"one: {OWN}.Plain")
        web, service = ingress("a.example", {"/": "web:80"}), served("web")
        first = built(web, service, config=config)
        self.assertIs(built(web, service, config=config, previous=first).snapshot, first.snapshot)

    def test_environment(self) -> None:
        """Relative paths of options start at the folder of the configuration."""
        config = self.load(f"one: {{class: {OWN}.Stamp, value: a, file: x}}")
        file = config.policies[0].policy.policy.file
        self.assertEqual(os.fspath(file), os.fspath(self.folder / "x"))
