"""
The checkout once more, so that nothing is built in it.

An extension beside its source would go before it, and what an earlier build left in
`build/` could be taken for what is there now.
"""

import shutil
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "_trial_temp*"),
    *("*.egg-info", "dropin.cache", "*.so"),
)


def copy_checkout(target: Path) -> None:
    """:param target: a folder that is made; what is there already is removed."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        # Further down folders of these names are ours.
        made = {"build", "dist"} if Path(folder) == CHECKOUT else set()
        return _LEFT_OUT(folder, names) | made

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(CHECKOUT, target, ignore=ignore)
