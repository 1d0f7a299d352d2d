"""
The example of examples/ci: its steps run as GitHub runs them, on a repository with two branches.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator
from twisted.trial.unittest import SynchronousTestCase

from tests.support.manifest import ingress_manifest, service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT

WORKFLOW = CHECKOUT / "examples" / "ci" / "github-workflow.yaml"
GUARDED = {"whitelist-source-range": "192.0.2.0/24"}


class WorkflowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.repository = self.folder / "repository"
        for name in ("repository/k8s", "bin", "temp"):
            (self.folder / name).mkdir(parents=True)
        self.program("txingress", f'exec "{sys.executable}" -m ingress "$@"')
        self.program("gh", f'echo "$@" >> "{self.folder}/comments"')
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({})

    def program(self, name: str, command: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{command}\n")
        file.chmod(0o755)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *arguments], cwd=self.repository, check=True)

    def commit(self, annotations: dict[str, str]) -> None:
        """Commit an Ingress with these annotations."""
        web = ingress_manifest("web", "a.example", {"/": "web"}, annotations=annotations)
        text = yaml.safe_dump_all([web, service_manifest("web")])
        (self.repository / "k8s" / "web.yaml").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")

    def run_steps(self) -> dict[str, subprocess.CompletedProcess[str]]:
        """:return: by name, how each step ended that is a command; nothing is installed."""
        environment = {
            **ENVIRONMENT,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_BASE_REF": "main",
            "NUMBER": "7",
        }
        ended = {}
        for step in self.workflow()["jobs"]["ingress"]["steps"]:
            if "run" in step and step["name"] != "Install":
                ended[step["name"]] = subprocess.run(
                    ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                    cwd=self.repository,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
        return ended

    @staticmethod
    def workflow() -> Any:
        return yaml.safe_load(WORKFLOW.read_text())

    def test_schema(self) -> None:
        """It is a workflow as GitHub reads it."""
        workflow = self.workflow()
        workflow["on"] = workflow.pop(True)  # YAML 1.1 reads the key as a boolean, GitHub does not.
        schema = get_builtin_schema("vendor.github-workflows")
        self.assertEqual(list(Draft7Validator(schema).iter_errors(workflow)), [])

    def test_pull_request(self) -> None:
        """A pull request that opens access fails, with a finding and a comment that say why."""
        self.commit(GUARDED)
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.commit({"proxy-body-size": "big"})
        ended = self.run_steps()
        self.assertEqual(
            {name: step.returncode for name, step in ended.items()},
            {
                "Check": 1,
                "Compare with the base branch": 0,
                "Comment": 0,
                "Refuse what may open access": 1,
            },
        )
        self.assertIn("::warning file=k8s/web.yaml,line=", ended["Check"].stdout)
        self.assertIn("access: a.example", (self.folder / "summary").read_text())
        self.assertIn("pr comment 7", (self.folder / "comments").read_text())
        self.assertIn("! a.example", ended["Refuse what may open access"].stdout)
