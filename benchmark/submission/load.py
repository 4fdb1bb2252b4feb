"""Executing a method's file for its class, and whether the harness can call it. For child processes only."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from prunemark.benchmark.method import PruningMethod
from prunemark.benchmark.submission.covered import HARNESS, import_name
from prunemark.benchmark.submission.locate import MethodSource

NO_INIT = (
    "Leave __init__ out: declare with setting(default, meaning) what users may set, and prepare all else at the "
    "beginning of prune or observe. Or take **settings and call super().__init__(**settings)"
)
BASELINES = f"{HARNESS}.baselines"
CALLS = {"prune": ("model", "context"), "observe": ("model", "context"), "score": ("layer", "context")}
"""What the harness calls of a method, and with what."""


def load_class(source: MethodSource) -> type[Any]:
    """Executes the method's file and returns its class. Only child processes call this.

    Raises TypeError when the class is not a PruningMethod that can be made.
    """
    path = Path(source.path)
    name, root = import_name(path)
    recorded = name.startswith(f"{BASELINES}.")
    _set_baselines(path.parent if recorded else None)
    if not recorded:
        _forget(name.partition(".")[0], root)
        sys.path[:0] = [str(path.parent), str(root)]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    found = getattr(module, source.class_name)
    if not (isinstance(found, type) and issubclass(found, PruningMethod)):
        raise TypeError(f"{source.class_name} is not a FilterCriterion, WeightCriterion or PruningMethod")
    missing = getattr(found, "__abstractmethods__", None)
    if missing:
        raise TypeError(f"{source.class_name} does not implement {', '.join(sorted(missing))}")
    _check_calls(found)
    _check_made(found)
    return found


def _set_baselines(recorded: Path | None) -> None:
    """What `prunemark.baselines` is here: a recorded source of a shipped method finds the helpers of its day first."""
    package = importlib.import_module(BASELINES)
    assert package.__spec__ is not None
    shipped = list(package.__spec__.submodule_search_locations or ())
    places = [str(recorded), *shipped] if recorded else shipped
    if list(package.__path__) != places:
        package.__path__ = places
        for name in [name for name in sys.modules if name.startswith(f"{BASELINES}.")]:
            del sys.modules[name]


def _forget(package: str, root: Path) -> None:
    """Takes out a package of the same name that this process has from another folder, but for an installed one."""
    places = list(getattr(sys.modules.get(package), "__path__", ()))
    if places and str(root / package) not in places and not Path(places[0]).is_relative_to(sys.prefix):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _check_calls(found: type[Any]) -> None:
    """Raises TypeError for what cannot be called so: else every trial would end as failed, and count at chance."""
    for name, given in CALLS.items():
        written = inspect.getattr_static(found, name, None)
        alone = isinstance(written, staticmethod)
        written = written.__func__ if isinstance(written, staticmethod) else written
        if not inspect.isfunction(written):
            continue
        signature = inspect.signature(written)
        try:
            signature.bind(*(() if alone else (found,)), *given)
        except TypeError:
            raise TypeError(
                f"{name} of {found.__name__} is called as {name}({', '.join(given)}); it is written {name}{signature}"
            ) from None


def _check_made(found: type[Any]) -> None:
    """Raises TypeError for a method that the harness cannot make with its settings, or that does not keep them."""
    settings = [field for field in fields(found) if field.init]
    for field in settings:
        if field.default is MISSING and field.default_factory is MISSING:
            raise TypeError(
                f"setting {field.name} of {found.__name__} has no default.\n"
                f'Write {field.name}: float = setting(1.0, "what it means"), or leave the type out'
            )
    if found.__init__.__code__.co_filename == "<string>":  # dataclass made it
        return
    defaults = {field.name: field.default for field in settings if field.default is not MISSING}
    try:
        made = found(**defaults)
    except TypeError as problem:
        raise TypeError(f"__init__ of {found.__name__} does not take its settings: {problem}.\n{NO_INIT}") from None
    if missing := [name for name in defaults if name not in vars(made)]:
        raise TypeError(
            f"__init__ of {found.__name__} does not pass on {', '.join(missing)}: --set would be lost.\n{NO_INIT}"
        )
