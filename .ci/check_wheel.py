"""
Install as a user would, from an sdist, and look whether what is installed works.

Not among the tests, because it downloads every dependency. An editable install and the
checkout itself on the path would both hide a package that setup.cfg leaves out, and a
build in the checkout a file that MANIFEST.in leaves out. It must be compiled, unless
TXINGRESS_COMPILE says otherwise.
"""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from checkout_copy import copy_checkout

from tests.support.build import compiled_modules
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import IngressProcess

NAMES = (("txingress",), ("kubectl-txingress",), ("python", "-m", "ingress"))
"""What the command can be called by."""

MAKE_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


def main() -> int:
    choice = os.environ.get("TXINGRESS_COMPILE", "yes")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["TXINGRESS_COMPILE"] = choice
    with tempfile.TemporaryDirectory(prefix="txingress ") as folder:
        installed = Installation(Path(folder), environment)
        installed.install()
        faults = list(installed.find_faults(choice == "yes"))
    print("\n".join(faults) or "the wheel is whole: it has the plugin, and serves")
    return 1 if faults else 0


class Installation:
    """A virtual environment, and what was installed into it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._venv = folder / "venv"

    def install(self) -> None:
        source = self._folder / "source"
        copy_checkout(source)
        subprocess.run(
            [sys.executable, "-c", MAKE_SDIST, self._folder],
            cwd=source,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        [sdist] = self._folder.glob("*.tar.gz")
        venv.create(self._venv, with_pip=True)
        pip = [self._venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
        install = [*pip, "install", "--quiet", "--no-cache-dir", sdist]
        subprocess.run(install, env=self._environment, check=True)

    def find_faults(self, must_be_compiled: bool) -> Iterator[str]:
        """What is not as it should be, a line each."""
        [packages] = self._venv.glob("lib/python3*/site-packages")
        for module in compiled_modules():
            if not (packages / module).exists():
                yield f"{module} is not there"
            if must_be_compiled and not _has_extension(packages / module):
                yield f"{module} is not compiled"
        if any(packages.glob("mypy*")):
            yield "mypy is installed, which is for building alone"
        if not (self._venv / "share" / "txingress" / "ingress.yaml").exists():
            yield "share/txingress/ingress.yaml is not there"
        if not (self._venv / "share" / "man" / "man1" / "txingress.1").exists():
            yield "share/man/man1/txingress.1 is not there"
        if not (self._venv / "share" / "txingress" / "systemd" / "txingress.service").exists():
            yield "share/txingress/systemd/txingress.service is not there"
        versions = set(map(self._version_of, NAMES))
        if len(versions) != 1:
            yield f"{' and '.join(map(' '.join, NAMES))} have different versions: {versions}"
        if not self._lists_plugin():
            yield "twistd does not list the plugin"
        log = self._serve()
        kind = "compiled" if must_be_compiled else ""
        if f"data path {kind}" not in log:
            yield f"the process does not say that its data path is {kind}:\n{log}"

    def _version_of(self, command: tuple[str, ...]) -> str:
        name, *arguments = command
        return subprocess.run(
            [self._venv / "bin" / name, *arguments, "--version"],
            cwd=self._folder,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _lists_plugin(self) -> bool:
        listed = subprocess.run(
            [self._venv / "bin" / "twistd", "--help"],
            cwd=self._folder,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [line.split()[:1] for line in listed.splitlines()].count(["ingress"]) == 1

    def _serve(self) -> str:
        """
        :return: the log of a process that has served a request.
        :raises AssertionError: if it does not.
        """
        endpoint = EchoEndpoint("web")
        process = IngressProcess(self._folder / "etc")
        process.command = (str(self._venv / "bin" / "twistd"),)
        process.environment = self._environment
        manifests = served_manifests("web", endpoint.port)
        process.write("web.yaml", ingress_manifest("web", "a.example", {"/": "web"}), *manifests)
        try:
            process.start()
            with HTTPClient(process.port("http")) as client:
                assert client.request().echo["name"] == "web"
            with HTTPClient(process.port("admin")) as client:
                page = client.request("/", "localhost", fields="Accept: text/html\r\n")
                assert "a.example" in page.text, page
                assert client.request("/assets/page.css", "localhost").status == 200
        finally:
            process.stop()
            endpoint.stop()
        return process.log


def _has_extension(source: Path) -> bool:
    return any(source.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES)


if __name__ == "__main__":
    sys.exit(main())
