"""Where the public names of `prunemark` lie. Each is imported when it is first asked for."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect

CONTRACT, VERBS = "prunemark.benchmark.method", "prunemark.cli.api"
PLACES = {
    "About": CONTRACT,
    "Decision": CONTRACT,
    "FilterCriterion": CONTRACT,
    "OwnRecipe": CONTRACT,
    "PruningMethod": CONTRACT,
    "WeightCriterion": CONTRACT,
    "setting": CONTRACT,
    "audit": f"{VERBS}.audits",
    "debug": "prunemark.benchmark.run.debug",
    "leaderboard": f"{VERBS}.frames",
    "results": f"{VERBS}.frames",
    "submit": f"{VERBS}.submission",
}
ROOMS = ("audit", "leaderboard")
"""Verbs with the name of a room. `prunemark.audit` has to be both: a function, and the package with its modules."""


def found(name: str) -> Any:
    """The public name. Raises AttributeError for another, InputError where an extra has to be installed first."""
    if name == "__version__":
        from importlib.metadata import version

        return version("prunemark")
    if name in ROOMS:
        return importlib.import_module(f"prunemark.{name}")
    if name in PLACES:
        return _verb(name)
    raise AttributeError(f"module 'prunemark' has no attribute {name!r}")


def _verb(name: str) -> Any:
    try:
        return getattr(importlib.import_module(PLACES[name]), name)
    except ModuleNotFoundError as problem:
        from prunemark.setups.errors import not_installed

        raise (not_installed(problem, f"prunemark.{name}") or problem) from None


class _Room(ModuleType):
    """A room that is a verb too: `prunemark.audit(...)` works, and `prunemark.audit.run` is still its module."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return _verb(self.__name__.rpartition(".")[2])(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        import inspect

        return inspect.signature(_verb(self.__name__.rpartition(".")[2]))


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        """Also called by Python when it has imported a room."""
        if name in ROOMS and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)


def make_rooms_callable() -> None:
    """From now on, in whatever order they are imported."""
    sys.modules["prunemark"].__class__ = _Package
