"""
What builds the package, for tests of it and for those that need to know what it can do.
"""

from __future__ import annotations

import ast
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast

CHECKOUT = Path(__file__).resolve().parents[2]

BUILD = CHECKOUT / "etc" / "build" / "txingress_build.py"


def load_build() -> Any:
    """:return: the module, which is on nobody's path."""
    spec = spec_from_file_location("txingress_build", BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled_modules() -> tuple[str, ...]:
    """:return: the paths that setup.py lists; to import it would run it."""
    for node in ast.parse((CHECKOUT / "setup.py").read_bytes()).body:
        match node:
            case ast.Assign(targets=[ast.Name("COMPILED")], value=value):
                return cast(tuple[str, ...], ast.literal_eval(value))
    raise AssertionError("setup.py has no COMPILED")
