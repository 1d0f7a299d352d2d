"""
Build the documentation as a site: python .ci/site.py [FOLDER, else build/site]

The pages are Markdown that is also read where it lies, with links to files of the checkout that
are no pages. So Sphinx gets copies of the pages in which each such link leads to a page with that
file, or with what is in that folder. Whatever Sphinx warns of is an error: the exit status is 1.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

PAGES = ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/**/*.md")
FRONT = "docs/index.md"
ALWAYS = ("etc/ingress.yaml", "docs/adr")
"""What the navigation leads to, and no page has to."""

ORPHAN = "---\norphan: true\n---\n"
"""How a page begins that is not in the navigation."""

_LITERAL = re.compile(r"^```+\{literalinclude\} (\S+)")
_FENCE = re.compile(r"^ *(```+)")
_LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".json": "json", ".toml": "toml"}
_MOST = 100_000
"""Bytes; a longer file of a folder is named, and has no page."""


class Pages:
    """Copies of the pages, and pages for the files and folders that they link to."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._checkout = checkout
        self._folder = folder
        self._made: set[str] = set()

    def write(self) -> None:
        """Write every page below the folder."""
        for pattern in PAGES:
            for file in sorted(self._checkout.glob(pattern)):
                path = file.relative_to(self._checkout).as_posix()
                text = self.converted(path, file.read_text(encoding="utf-8"))
                self._put(page_of(path), f"{ORPHAN if self._is_listed(path) else ''}{text}")
        for path in ALWAYS:
            self.target(path)

    def _is_listed(self, path: str) -> bool:
        """Whether another page lists a page, so that the navigation does not, which is on each."""
        folder, _, name = path.rpartition("/")
        readme = self._checkout / folder / "README.md"
        return folder in ALWAYS or bool(folder and name != "README.md" and readme.exists())

    def converted(self, path: str, text: str) -> str:
        """The text of a page, with links that begin at the root of the site."""
        lines = []
        fence = ""
        for line in text.splitlines(keepends=True):
            if opening := _FENCE.match(line):
                if not fence:
                    fence = opening[1]
                    if literal := _LITERAL.match(line):
                        self._copy(beside(path, literal[1]))
                elif opening[1].startswith(fence):
                    fence = ""
            elif not fence:
                line = re.sub(r"\]\(([^)\s]+)\)", lambda link: self._link(path, link[1]), line)
            lines.append(line)
        return "".join(lines)

    def _link(self, path: str, link: str) -> str:
        file, mark, anchor = link.partition("#")
        if not file or ":" in file:
            return f"]({link})"
        return f"]({self.target(beside(path, file))}{mark}{anchor})"

    def target(self, path: str) -> str:
        """Where a link to a file or folder leads; to what is not there, it stays a fault."""
        file = self._checkout / path
        if file.is_dir():
            if (file / "README.md").exists():
                return f"/{path}/README.md"
            return self._page(f"{path}/index.md", lambda: self._listing(path))
        if not file.exists():
            return f"/{path}"
        if file.suffix == ".md":
            return f"/{page_of(path)}"
        if file.suffix in {".png", ".svg"}:
            self._copy(path)
            return f"/{path}"
        return self._page(f"{path}.md", lambda: literal_page(path, file))

    def _page(self, name: str, text: Callable[[], str]) -> str:
        if name not in self._made:
            self._made.add(name)
            self._put(name, text())
        return f"/{name}"

    def _listing(self, path: str) -> str:
        entries = []
        for file in sorted((self._checkout / path).rglob("*")):
            name = file.relative_to(self._checkout).as_posix()
            shown = file.relative_to(self._checkout / path)
            if file.is_dir() or "__pycache__" in file.parts:
                continue
            if file.suffix == ".md":
                entries.append(f"- [](/{name})")  # by its title
            elif file.stat().st_size <= _MOST and is_text(file):
                entries.append(f"- [{shown}]({self.target(name)})")
            else:
                entries.append(f"- {shown}")
        title = "Decisions" if path == "docs/adr" else f"`{path}`"
        orphan = "" if path in ALWAYS else ORPHAN
        return f"{orphan}# {title}\n\n" + "\n".join(entries) + "\n"

    def _copy(self, path: str) -> None:
        if (self._checkout / path).is_file():
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._checkout / path, self._folder / path)

    def _put(self, path: str, text: str) -> None:
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / path).write_text(text, encoding="utf-8")


def page_of(path: str) -> str:
    """The place of a page of the checkout within the site."""
    return "index.md" if path == FRONT else path


def beside(path: str, link: str) -> str:
    """The path of what a page links to, from the root of the checkout."""
    return os.path.normpath(os.path.join(os.path.dirname(path), link)).replace(os.sep, "/")


def is_text(file: Path) -> bool:
    """Whether a file is text in UTF-8."""
    try:
        return "\0" not in file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False


def literal_page(path: str, file: Path) -> str:
    """A page with a file as it is."""
    text = file.read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    orphan = "" if path in ALWAYS else ORPHAN
    language = _LANGUAGES.get(file.suffix, "none")
    return f"{orphan}# `{path}`\n\n{fence}{language}\n{text}\n{fence}\n"


def build(checkout: Path, target: Path) -> int:
    """Build the site into a folder, which is emptied first; the result is an exit status."""
    from sphinx.cmd.build import main

    source = target.with_name(f"{target.name}-source")
    for folder in (source, target):
        shutil.rmtree(folder, ignore_errors=True)
    Pages(checkout, source).write()
    options = ["-W", "--keep-going", "-q", "-j", "auto", "-b", "html", "-c", str(checkout / "docs")]
    doctrees = str(target.with_name(f"{target.name}-doctrees"))
    return main([*options, "-d", doctrees, str(source), str(target)])


if __name__ == "__main__":
    checkout = Path(__file__).parent.parent
    target = Path(sys.argv[1]) if sys.argv[1:] else checkout / "build" / "site"
    status = build(checkout, target.absolute())
    if not status:
        print(f"The site is in {target}; open {target}/index.html")
    sys.exit(status)
