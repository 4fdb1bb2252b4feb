"""Executing a method's file for its class, and whether the harness can call it. For child processes only."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from prunemark.benchmark.method import PruningMethod
from prunemark.benchmark.submission.covered import import_name
from prunemark.benchmark.submission.locate import MethodSource

CALLS = {"prune": ("model", "context"), "observe": ("model", "context"), "score": ("layer", "context")}
"""What the harness calls of a method, and with what."""


def load_class(source: MethodSource) -> type[Any]:
    """Executes the method's file and returns its class. Only child processes call this.

    Raises TypeError when the class is not a PruningMethod that can be made.
    """
    path = Path(source.path)
    name, root = import_name(path)
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
    return found


def _check_calls(found: type[Any]) -> None:
    """Raises TypeError for what cannot be called so: else every trial would end as failed, and count at chance."""
    for name, given in CALLS.items():
        if not inspect.isfunction(written := inspect.getattr_static(found, name, None)):
            continue
        signature = inspect.signature(written)
        try:
            signature.bind(found, *given)
        except TypeError:
            raise TypeError(
                f"{name} of {found.__name__} is called as {name}({', '.join(given)}); it is written {name}{signature}"
            ) from None
