"""
How ``pip install`` builds txingress: with extensions that mypyc compiles, where that can be.

The hooks of PEP 517 are those of setuptools, except that one of them asks for mypyc only
where it is going to compile. setup.py has the list of modules, and asks the same question.
Everything that is only needed for an answer is imported for that: most builds need no mypy.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Before distutils, which it replaces.
from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 (all other hooks)
from setuptools.command.build_ext import build_ext

VARIABLE = "TXINGRESS_COMPILE"
"""Environment variable: ``auto``, as if it were not set, where it can be; ``yes``; ``no``."""

REQUIREMENTS = ("Twisted>=26.10", "msgspec>=0.19", "mypy==2.4.*")
"""
What compiling needs. Of mypy one minor release, since each of them may complain of other
types and generate other code; ``make test`` compiles with whatever mypy it has.
"""

GROUP = "txingress"
"""Whose shared library it is that lies beside the packages: ``txingress__mypyc``."""

_COMPILING = frozenset(("bdist_wheel", "build", "build_ext", "install"))
"""
Commands of setuptools that need the extensions. Not ``editable_wheel`` and ``develop``: an
extension in the checkout would go before its source, which could then be edited in vain.
"""


# The hook, see PEP 517.


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What pip installs into the environment in which it builds."""
    required: list[str] = build_meta.get_requires_for_build_wheel(config_settings)
    return [*required, *(REQUIREMENTS if shall_compile(os.environ, find_obstacle) else ())]


# For setup.py.


def extensions(modules: Sequence[str]) -> list[Any]:
    """
    :param modules: paths of all modules to be compiled.
    :return: extensions for ``setup``; none where a build is to be interpreted.
    :raises SystemExit: if there ought to be some and cannot be, or at an error of types.
    """
    if not _COMPILING.intersection(sys.argv[1:]):
        return []
    if not shall_compile(os.environ, lambda: find_obstacle() or find_missing()):
        return []
    from mypyc.build import mypycify

    made = mypycify(
        ["--config-file=mypyc.ini", f"--cache-dir={os.devnull}", *modules],
        opt_level="3",
        debug_level="0",
        group_name=GROUP,
    )
    for extension in made:
        # mypyc has warnings be errors; a compiler that is newer than it may have others.
        # A new list, for they have one in common.
        extension.extra_compile_args = [*extension.extra_compile_args, "-Wno-error"]
    return made


class BuildExtensions(build_ext):
    """Builds them, and nothing else is left in the folder that is packed."""

    def run(self) -> None:
        """What an earlier build left of a module that is not compiled any more goes."""
        wanted = {Path(self.get_ext_fullpath(each.name)).resolve() for each in self.extensions}
        for found in Path(self.build_lib).resolve().rglob("*.so"):
            if found not in wanted:
                found.unlink()
        super().run()


# Whether to.


def shall_compile(environment: Mapping[str, str], find: Callable[[], str | None]) -> bool:
    """
    :param find: returns what is in the way, if anything is.
    :raises SystemExit: for a value that is none, and if it must be but cannot.
    """
    wish = environment.get(VARIABLE, "").strip().lower() or "auto"
    if wish not in ("auto", "yes", "no"):
        raise SystemExit(f"txingress: {VARIABLE}: {wish!r}: must be auto, yes or no")
    if wish == "no":
        return False
    obstacle = find()
    if obstacle is None:
        return True
    if wish == "yes":
        raise SystemExit(f"txingress: {VARIABLE} is yes, but {obstacle}")
    print(
        f"txingress: will be slower than it could be, for it is not compiled: {obstacle}",
        file=sys.stderr,
    )
    return False


def find_obstacle() -> str | None:
    """What this machine lacks."""
    if sys.implementation.name != "cpython":
        return f"mypyc compiles for CPython only, and this is {sys.implementation.name}"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return f"the headers of Python are missing (there is no {header}; python3-dev has it)"
    return _try_compiler(header.parent)


def _try_compiler(headers: Path) -> str | None:
    from distutils.ccompiler import new_compiler
    from distutils.errors import CCompilerError, DistutilsError
    from distutils.sysconfig import customize_compiler

    compiler: Any = new_compiler()
    customize_compiler(compiler)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\nint probe(void) { return PY_VERSION_HEX; }\n")
        try:
            objects = compiler.compile([str(source)], folder, include_dirs=[str(headers)])
            compiler.link_shared_object(objects, str(Path(folder, "probe.so")))
        except (CCompilerError, DistutilsError) as error:
            return f"there is no C compiler that works (gcc is one): {error}"
    return None


def find_missing() -> str | None:
    """What this environment lacks; pip provides it unless it is told not to."""
    missing = [name for name in ("mypyc", "msgspec", "twisted") if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} cannot be imported here ({', '.join(REQUIREMENTS)})"
    return None
