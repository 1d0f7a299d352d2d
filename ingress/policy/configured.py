"""
Policies of one's own, as the key ``policies`` of the configuration names them::

    policies:
      served-by: shop.policies.ServedBy       # a class that needs no options
      token:
        class: shop.policies.TokenFile
        for-all: true                         # every rule has it, chosen or not
        file: tokens.txt                      # an option: a field of the class
"""

from __future__ import annotations

import importlib
import pickle
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from ingress.config import ConfiguredPolicy
from ingress.config import value as accept
from ingress.config.section import NotAccepted, Section
from ingress.policy.guard import GuardedPolicy
from ingress.policy.options import RESERVED, make_policy, option_key
from ingress.policy.policy import Policy
from ingress.problem import printable

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""Names stand in annotations, in a list with commas, and in labels of metrics."""

_CLASS: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)

_FORM: Final = "package.module.Class, or a mapping with class and the options of the class"


def read_policies(root: Section, folder: Path) -> tuple[ConfiguredPolicy, ...]:
    """
    Import the classes and make the policies, in their order; mistakes are noted.

    :param folder: where relative paths start.
    """
    found = []
    with root.section("policies", "a mapping of names to classes") as section:
        for name in section.all_keys():
            if _NAME.fullmatch(name) is None:
                section.refuse(name, "a name has lower-case letters, digits and - within")
                continue
            with section.section(name, _FORM, short_for="class") as options:
                policy = _read_policy(name, options, folder)
            if policy is not None:
                found.append(policy)
    return tuple(found)


def _read_policy(name: str, options: Section, folder: Path) -> ConfiguredPolicy | None:
    is_for_all = options.take("for-all", accept.boolean, False)
    if not options.has("class"):
        if not options.is_faulty:
            options.miss("class", f"is missing: {_FORM}")
        options.all_keys()
        return None
    kind = options.take("class", policy_class, None)
    if kind is None:
        options.all_keys()
        return None
    policy = make_policy(kind, options, folder)
    if policy is None:
        return None
    try:
        _check_pickled(policy)
        return ConfiguredPolicy(name, GuardedPolicy.around(name, policy), is_for_all)
    except NotAccepted as error:
        options.refuse("class", str(error))
    except Exception as error:
        options.refuse("class", f"the class cannot be used: {_described(error)}")
    return None


def policy_class(value: object) -> type[Policy]:
    """
    Import a class of policies by its name: ``package.module.Class``.

    :raises NotAccepted: if it cannot be imported, or cannot be used as a policy.
    """
    if not isinstance(value, str) or _CLASS.fullmatch(value) is None:
        raise NotAccepted("a class of policies as package.module.Class")
    module_name, _, name = value.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            hint = " (install its package, or put its folder into PYTHONPATH)"
        raise NotAccepted(
            f"a class that can be imported; {module_name} cannot: {_described(error)}{hint}"
        ) from None
    kind: Any = getattr(module, name, None)
    if kind is None:
        raise NotAccepted(f"a class that exists; {module_name} has no {name}")
    if not isinstance(kind, type) or not issubclass(kind, Policy):
        raise NotAccepted(f"a subclass of ingress.policy.policy.Policy; {name} is not one")
    found: type[Policy] = kind
    if not getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        raise NotAccepted(
            "a frozen dataclass, because policies are compared and sent to workers; "
            f"{name} is not one"
        )
    reserved = [field.name for field in fields(kind) if option_key(field.name) in RESERVED]  # type: ignore[arg-type]
    if reserved:
        raise NotAccepted(f"a class without a field {reserved[0]}, a key that has a meaning here")
    return found


def _check_pickled(policy: Policy) -> None:
    try:
        is_same = pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 (its own dump)
    except Exception as error:
        raise NotAccepted(
            f"a class whose policies can be sent to workers (pickle): {_described(error)}"
        ) from None
    if not is_same:
        raise NotAccepted("a class whose policies are the same after they are sent (pickle)")


def _described(error: BaseException) -> str:
    return printable(f"{type(error).__name__}: {error}")
