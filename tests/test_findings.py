"""
The pages of ``docs/findings``: one for each code, with examples that are what they say.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.offline import load
from ingress.command.remarks import remarks_of
from ingress.problem_code import KINDS, Code
from tests.support.process import CHECKOUT

FOLDER = CHECKOUT / "docs" / "findings"
_YAML = re.compile(r"This is (found|not):\n\n```yaml\n(.*?)```", re.DOTALL)


class PageTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """Each code has a page with its title and severity, and a line of the list."""
        listed = (FOLDER / "README.md").read_text()
        for code in Code:
            kind, text = KINDS[code], (FOLDER / f"{code}.md").read_text()
            self.assertTrue(
                text.startswith(f"# {code}: {kind.title}\n\nSeverity: {kind.severity}\n")
            )
            self.assertIn(f"| [{code}]({code}.md) | {kind.severity} | {kind.title} |", listed)
        self.assertEqual(len(list(FOLDER.glob("*.md"))), len(Code) + 1)

    def test_examples(self) -> None:
        """An example has the Problem, and its correction has not."""
        for code in Code:
            for kind, text in _YAML.findall((FOLDER / f"{code}.md").read_text()):
                file = Path(self.mktemp()).with_suffix(".yaml")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                offline = load(None, [str(file)], remark=remarks_of)
                found = {problem.code for problem in (*offline.problems, *offline.remarks)}
                with self.subTest(code=code, kind=kind):
                    self.assertEqual(code in found, kind == "found", (code, found, text))
