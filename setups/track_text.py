"""A track as the text of its file: the inverse of `track_files.track_from_file`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from prunemark.setups.track import RECIPES, Track

PARAGRAPHS = ("granularity", "anchor")
"""The fields before which a line is left empty."""
SAID = ("epochs", "lr", "batch_size", "weight_decay", "augmentation")
"""What is stated of every recipe; the rest where it is not the usual."""
LONGEST_LINE = 110
INDENTED: dict[str, Any] = {
    "initial_indent": "  ",
    "subsequent_indent": "  ",
    "break_long_words": False,
    "break_on_hyphens": False,
}


def as_toml(track: Track, comments: Mapping[str, str] | None = None) -> str:
    """The TOML that states this track, recipes last. `comments` are said above the field of their name, '' at the top.

    Not covered: a track with a prior, which no user's file has.
    """
    said = dict(comments or {})
    lines = _comment(said.get("", ""))
    stated = track.as_dict()
    for field in fields(Track):
        name = field.name
        if name in RECIPES or stated.get(name) is None or (stated[name] == field.default):
            continue
        lines += [""] if name in PARAGRAPHS else []
        lines += _comment(said.get(name, ""))
        lines += _levels(track) if name == "levels" else [_line(name, stated[name])]
    for name in RECIPES if not track.base else RECIPES[1:]:
        lines += ["", f"[{name}]", *_comment(said.get(name, ""))]
        recipe = getattr(track, name)
        usual = {field.name: field.default for field in fields(recipe)}
        stated = {key: value for key, value in recipe.as_dict().items() if key in SAID or value != usual.get(key)}
        lines += [_line(key, value) for key, value in stated.items()]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in text.splitlines()]


def _levels(track: Track) -> list[str]:
    def inline(level: Mapping[str, Any]) -> str:
        stated = {name: value for name, value in level.items() if value is not None}
        return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in stated.items()) + " }"

    return ["levels = [", *(f"  {inline(level.as_dict())}," for level in track.levels), "]"]


def _line(name: str, value: Any) -> str:
    text = f"{name} = {_value(value)}"
    if len(text) <= LONGEST_LINE or not isinstance(value, list | tuple):
        return text
    if any(isinstance(item, Mapping) for item in value):
        return "\n".join([f"{name} = [", *(f"  {_value(item)}," for item in value), "]"])
    return "\n".join([f"{name} = [", *textwrap.wrap(_value(value)[1:-1] + ",", LONGEST_LINE, **INDENTED), "]"])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
