"""
The build backend of the package, for its own tests and for tests that depend on what it can do.
"""

from __future__ import annotations

import ast
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast

CHECKOUT = Path(__file__).resolve().parents[2]

BUILD = CHECKOUT / "etc" / "build" / "txingress_build.py"


def load_build() -> Any:
    """:return: the module, which is not on the import path."""
    spec = spec_from_file_location("txingress_build", BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled_modules() -> tuple[str, ...]:
    """:return: the paths that setup.py lists; importing setup.py would run it."""
    for node in ast.parse((CHECKOUT / "setup.py").read_bytes()).body:
        match node:
            case ast.Assign(targets=[ast.Name("COMPILED")], value=value):
                return cast(tuple[str, ...], ast.literal_eval(value))
    raise AssertionError("setup.py has no COMPILED")
