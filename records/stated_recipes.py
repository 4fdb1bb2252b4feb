"""The recipes that a method's class states, read off its source: nothing of it is executed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from prunemark.records.python_files import unparsed
from prunemark.setups.data_classes import CLASSES
from prunemark.setups.recipe import ALL_IMAGES

if TYPE_CHECKING:  # it loads numpy
    from prunemark.records.source import MethodFiles

TRACKS = "none: the track's"
TOLD = {
    "batch_size": "batch",
    "momentum": "momentum",
    "weight_decay": "weight decay",
    "label_smoothing": "smoothing",
    "distillation": "distillation",
    "regulariser": "regulariser",
}


def recipes_stated(value: ast.expr | None) -> dict[str, str]:
    """Class of data -> its recipe in words; `TRACKS` for a class that has none. What is not literal stays as written.

    `value` is what the class sets `retraining` (or `pretraining`) to; None where it sets nothing.
    """
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return {ALL_IMAGES: TRACKS}
    found = {}
    for call in value.elts if isinstance(value, ast.Tuple) else [value]:
        given = _given(call)
        found[str(given.get("data", ALL_IMAGES))] = _told(given) if {"epochs", "lr"} <= given.keys() else unparsed(call)
    left = () if ALL_IMAGES in found else (name for name in CLASSES if name not in found)
    return found | dict.fromkeys(left, TRACKS)


def _given(call: ast.expr) -> dict[str, object]:
    """The literal values that the call of `OwnRecipe` names; the first two may come without a name."""
    if not isinstance(call, ast.Call):
        return {}
    named = [(k.arg, k.value) for k in call.keywords if k.arg]
    values = [*zip(("epochs", "lr"), call.args, strict=False), *named]
    return {name: value.value for name, value in values if isinstance(value, ast.Constant)}


def _told(given: dict[str, object]) -> str:
    rest = "".join(f", {words} {given[name]}" for name, words in TOLD.items() if name in given)
    source = f" ({given['source']})" if given.get("source") else ""
    return f"{given['epochs']} epochs, LR {given['lr']}{rest}{source}"


def stated(method: MethodFiles, class_name: str, name: str) -> ast.expr | None:
    """What the class, or the nearest one of the same files that it derives from, sets `name` to; None for nothing."""
    classes = {node.name: node for tree in method.trees for node in tree.body if isinstance(node, ast.ClassDef)}
    seen: set[str] = set()
    while class_name in classes and class_name not in seen:
        seen.add(class_name)
        for statement in classes[class_name].body:
            if isinstance(statement, ast.Assign) and [unparsed(target) for target in statement.targets] == [name]:
                return statement.value
        class_name = next((b for base in classes[class_name].bases if (b := unparsed(base)) in classes), "")
    return None
