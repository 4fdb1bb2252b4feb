"""What a method's class declares, read off its source: nothing is executed, no torch is loaded."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from prunemark.benchmark.submission.covered import imports_in, parsed
from prunemark.benchmark.submission.locate import module_file
from prunemark.records.about import About
from prunemark.records.python_files import unparsed
from prunemark.setups.errors import InputError


def lineage(path: Path, class_name: str, seen: frozenset[tuple[Path, str]] = frozenset()) -> list[ast.ClassDef]:
    """The class and those it derives from, nearest first, as far as their files are found."""
    if (path, class_name) in seen:
        return []
    tree, seen = parsed(path), seen | {(path, class_name)}
    elsewhere = dict(_imported(tree, path.parent))
    here = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name]
    if not here:  # handed on from another file
        return lineage(*elsewhere[class_name], seen) if class_name in elsewhere else []
    found = [here[-1]]
    for base in here[-1].bases:
        name = unparsed(base)
        found += lineage(*elsewhere.get(name, (path, name)), seen)
    return found


def _imported(tree: ast.Module, folder: Path) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Of each name that is imported: the file it comes from, and its name there."""
    for node in imports_in(tree):  # `prunemark` itself names what it has for type checkers, below an `if`
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            beside = folder / f"{node.module}.py"
            with contextlib.suppress(InputError):
                file = beside if beside.is_file() else module_file(node.module)
                yield from ((alias.asname or alias.name, (file, alias.name)) for alias in node.names)


def class_values(classes: list[ast.ClassDef]) -> dict[str, ast.expr]:
    """Of every name that the class or one it derives from sets: the expression; the nearest counts."""
    values: dict[str, ast.expr] = {}
    for node in classes:
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and statement.value is not None:
                values.setdefault(unparsed(statement.target), statement.value)
            elif isinstance(statement, ast.Assign):
                values.setdefault(unparsed(statement.targets[0]), statement.value)
    return values


def settings_of(values: dict[str, ast.expr]) -> dict[str, str]:
    """Of every setting: its default and what it means."""
    found = {}
    for name, default in defaults_of(values).items():
        call = values[name]
        meaning = call.args[1:] if isinstance(call, ast.Call) else []
        found[name] = f"{default}: {literal(meaning[0]) if meaning else ''}"
    return found


def defaults_of(values: dict[str, ast.expr]) -> dict[str, Any]:
    """The default of every setting, where it is a literal."""
    calls = {name: value for name, value in values.items() if isinstance(value, ast.Call) and value.args}
    return {
        name: literal(call.args[0]) for name, call in calls.items() if unparsed(call.func).split(".")[-1] == "setting"
    }


def about_of(values: dict[str, ast.expr]) -> dict[str, Any] | None:
    """Every field of `about = About(...)`, or None where the class says nothing of itself."""
    call = values.get("about")
    if not isinstance(call, ast.Call):
        return None
    given = {keyword.arg: literal(keyword.value) for keyword in call.keywords}
    defaults = {field.name: "" if field.default is MISSING else field.default for field in fields(About)}
    return {name: given.get(name, default) for name, default in defaults.items()}


def literal(value: ast.expr) -> Any:
    """The value of a literal; of anything else its source."""
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):  # TypeError: a list as the key of a dict
        return unparsed(value)
