"""The one kind of error a user's input can cause: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterable

from prunemark.setups.text import LONGEST_NAME, shown

# What a light install lacks: the imports of each extra of pyproject.toml.
EXTRAS = {
    "run": ("torch", "torchvision", "timm", "torch_pruning", "mlflow", "safetensors", "sklearn", "PIL"),
    "export": ("onnx", "onnxscript"),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "s3": ("fsspec", "s3fs"),
    "gs": ("fsspec", "gcsfs"),
    "parquet": ("pyarrow",),
}
MOST_SHOWN = 4000  # characters of the valid names


class InputError(Exception):
    """The input is wrong (exit code 2). The message is written for the user, in one or two lines."""


class WorkFailed(Exception):
    """The input is fine but the work could not be done (exit code 1): a full disk, a dead server."""


class Diverged(WorkFailed):
    """A base model has weights that are not numbers. Trying again gives the same, and no method has a part in it."""


class RuleBroken(Exception):
    """A rule of the benchmark is broken (exit code 3): unfair, disqualified, tampered with."""


def need(extra: str, what: str) -> None:
    """Raises InputError, with the command that installs it, where a package of this extra is not installed.

    `what` says what asks for it and reads on as "... needs", such as "running trials". Nothing is imported.
    """
    if missing := lacking(extra):
        raise _install(extra, what, missing)


def lacking(extra: str) -> list[str]:
    """The modules of this extra that are not installed."""
    return [name for name in EXTRAS[extra] if not _installed(name)]


def not_installed(problem: ModuleNotFoundError, what: str = "this") -> InputError | None:
    """The same of an import that failed; None where no extra has the module."""
    module = (problem.name or "").split(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    return _install(extra, what, [module]) if extra else None


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _install(extra: str, what: str, missing: list[str]) -> InputError:
    said = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    return InputError(
        f"{what} needs packages that a light install leaves out ({said}).\n"
        f"Install them: pip install 'prunemark[{extra}]', or from a clone: pip install -e '.[{extra}]'"
    )


def unknown_name(what: str, given: str, valid: Iterable[str]) -> InputError:
    """Builds the error for a name that is not in a registry, with the nearest match and the valid ones."""
    names = sorted(valid)
    word = shown(given, LONGEST_NAME)  # to compare millions of letters with each name takes hours
    hint = f" Did you mean {close!r}?" if (close := _nearest(word, names)) else ""
    return InputError(f"unknown {what} {word!r}.{hint}\nValid: {shown(', '.join(names), MOST_SHOWN) or '(none)'}")


def _nearest(given: str, names: list[str]) -> str | None:
    """The nearest by size where all are numbers, as 50% is to 55% and not 95%; else by letters, if one is near."""
    sizes = {name: _size(name) for name in (given, *names)}
    if names and None not in sizes.values():
        return min(names, key=lambda name: abs((sizes[name] or 0.0) - (sizes[given] or 0.0)))
    return next(iter(difflib.get_close_matches(given, names, n=1, cutoff=0.5)), None)


def _size(name: str) -> float | None:
    """The number in a name such as 50%, 2x or 1.32."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)[%x]?", name, re.ASCII)
    return float(found[1]) if found else None
