"""Finding a submitted method and learning what it declares, without running it in this process.

A method is given as its name in `prunemark methods` (`L1-norm`), as `path/to/file.py:Class`, or `package.module:Class`.
Its identity is the hash of the code in its file and in every file beside it that it imports, without comments and
docstrings (`records/code.py`); what it reads at run time is not covered.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import math
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from prunemark.benchmark.submission.covered import code_sha256, import_name, parsed, sha256_of
from prunemark.records.about import About
from prunemark.records.card import shipped_methods
from prunemark.setups.budget import Own
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import OwnRecipe

SettingValue = bool | int | float | str


@dataclass(frozen=True)
class MethodSource:
    """Where a method's code lies and what it is: file, class, and the hash of the file and its siblings.

    `code_sha256` leaves out what the file is called. `name` is what `sha256` calls it: see `renamed.py`.
    """

    path: str
    class_name: str
    sha256: str
    code_sha256: str
    name: str


@dataclass(frozen=True)
class SettingDescription:
    """One declared hyper-parameter."""

    default: SettingValue
    meaning: str
    allowed: str = ""


@dataclass(frozen=True)
class MethodDescription:
    """What a method's class declares: plain data that crosses from the child process."""

    name: str
    granularity: str
    settings: dict[str, SettingDescription] = field(default_factory=dict)
    retraining: OwnRecipe | None = None
    pretraining: OwnRecipe | None = None
    prune_at: int | None = None
    summary: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MethodDescription:
        """The inverse of `dataclasses.asdict`, after a round trip through JSON."""
        settings = {name: SettingDescription(**setting) for name, setting in data["settings"].items()}
        recipes = {name: OwnRecipe(**data[name]) if data[name] else None for name in ("retraining", "pretraining")}
        return cls(**dict(data, settings=settings, **recipes))

    @property
    def own(self) -> Own:
        """What the method brings itself, for `budget_for`."""
        return Own(self.pretraining, self.retraining, self.prune_at)

    def with_settings(self, given: dict[str, str]) -> dict[str, SettingValue]:
        """All settings, the given ones read by the type of their default.

        Raises InputError for an unknown name or a value of another type.
        """
        values = {name: setting.default for name, setting in self.settings.items()}
        for name, text in given.items():
            if name not in values:
                raise unknown_name(f"setting of {self.name}", name, values)
            values[name] = read_setting(name, text, values[name])
            allowed = self.settings[name].allowed
            if allowed and not re.fullmatch(allowed, text):
                raise InputError(f"setting {name!r} is {allowed}; given {text!r}.\n{self.settings[name].meaning}")
        return values


def read_setting(name: str, text: str, default: SettingValue) -> SettingValue:
    """Reads a setting as the type of its default. Raises InputError when it cannot be one."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if isinstance(default, bool):
            return words[text.lower()]
        value = type(default)(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(text)
        return value
    except (KeyError, ValueError):
        raise InputError(
            f"setting {name!r} is a {type(default).__name__} (default {default}); given {text!r}"
        ) from None


def locate(spec: str) -> tuple[str, MethodSource]:
    """The display name and the source of a method. Nothing of it is executed.

    Raises InputError for an unknown name, a missing file or module, a syntax error, a missing class.
    """
    if spec.endswith(".py"):
        raise InputError(f"{spec!r} names no class. Write {spec}:ClassName")
    if ":" not in spec and spec not in (shipped := shipped_methods()):
        raise unknown_name("method", spec, shipped)
    place, _, class_name = (spec if ":" in spec else shipped[spec]).rpartition(":")
    path = Path(place) if place.endswith(".py") or "/" in place else module_file(place)
    return class_name if ":" in spec else spec, _source(path, class_name)


def module_file(module: str) -> Path:
    """The file of an installed module, found without running the packages that it lies in."""
    found, path = None, None
    try:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            specs = (finder.find_spec(name, path) for finder in sys.meta_path)
            found = next((spec for spec in specs if spec is not None), None)
            path = list(found.submodule_search_locations or ()) if found else []
    except (ImportError, ValueError, KeyError, AttributeError):
        found = None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        raise InputError(f"no module {module!r} is installed here. Give a file: path/to/method.py:ClassName")
    return Path(found.origin)


def _source(path: Path, class_name: str) -> MethodSource:
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}. Give path/to/method.py:ClassName, or a name from `prunemark methods`")
    classes = [node.name for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    if class_name not in classes:
        raise unknown_name(f"class in {path.name}", class_name, classes)
    path = path.resolve()
    return MethodSource(str(path), class_name, sha256_of(path), code_sha256(path), path.name)


def load_class(source: MethodSource) -> type[Any]:
    """Executes the method's file and returns its class. Only child processes call this.

    Raises TypeError when the class is not a PruningMethod that can be made.
    """
    from prunemark.benchmark.method import PruningMethod

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


CALLS = {"prune": ("model", "context"), "observe": ("model", "context"), "score": ("layer", "context")}
"""What the harness calls of a method, and with what."""


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


def describe(source: MethodSource, name: str) -> MethodDescription:
    """What the class declares. Executes the method's file: only child processes call this."""
    found = load_class(source)
    settings = {
        f.name: SettingDescription(f.default, f.metadata.get("meaning", ""), f.metadata.get("allowed", ""))
        for f in fields(found)
        if f.init and isinstance(f.default, bool | int | float | str)
    }
    summary = (found.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    for recipe in (found.retraining, found.pretraining):
        if not isinstance(recipe, OwnRecipe | None):
            raise TypeError(
                f"retraining and pretraining of {source.class_name} are OwnRecipe(...) or None; got {recipe!r}"
            )
    if not isinstance(found.about, About | None):
        raise TypeError(f"about of {source.class_name} is About(...) or None; got {found.about!r}")
    if isinstance(found.prune_at, bool) or not isinstance(found.prune_at, int | None):
        raise TypeError(f"prune_at of {source.class_name} is a number of epochs or None; got {found.prune_at!r}")
    return MethodDescription(
        name,
        found.granularity,
        settings,
        found.retraining,
        found.pretraining,
        found.prune_at,
        " ".join(summary.split()),
    )
