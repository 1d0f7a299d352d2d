"""
Tests of the data path once more, over another version of HTTP.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wire import Wire


def with_wire(name: str, wire: type[Wire]) -> ModuleType:
    """:return: a second copy of a module of tests, which has another `Wire`."""
    found = find_spec(name)
    assert found is not None
    spec = spec_from_file_location(f"{name}_with_{wire.__name__}", found.origin)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Wire = wire  # type: ignore[attr-defined]
    return module


def cases_with_wire(
    name: str, wire: type[Wire], left_out: set[str], module_name: str
) -> dict[str, type[SynchronousTestCase]]:
    """
    :param name: a module of tests.
    :param left_out: names of tests, or of ``CLASS.TEST``, that are not run.
    :param module_name: of the module that the classes are for.
    :return: its classes by name, which have other clients or endpoints.
    :raises ValueError: if a test that is left out does not exist.
    """
    module = with_wire(name, wire)
    title = f"{wire.__name__}_{name.removeprefix('tests.').replace('.', '_')}_"
    made: dict[str, type[SynchronousTestCase]] = {}
    unknown = set(left_out)
    for case in list(vars(module).values()):
        if not (
            isinstance(case, type)
            and issubclass(case, SynchronousTestCase)
            and case.__module__ == module.__name__
        ):
            continue
        for test in [each for each in vars(case) if each.startswith("test")]:
            names = {test, f"{case.__name__}.{test}"} & left_out
            if names:
                unknown -= names
                # The module is a copy, which nobody else has.
                delattr(case, test)
        name_there = f"{title}{case.__name__}"
        made[name_there] = type(name_there, (case,), {"__module__": module_name})
    if unknown:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}")
    return made
