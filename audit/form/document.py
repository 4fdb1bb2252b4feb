"""What was filled in, as a comparison document: the text that the page offers and that `prunemark audit` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from prunemark.audit.document.comparison import SCHEMA
from prunemark.audit.document.yaml_nodes import parse
from prunemark.audit.form.questions import METRIC, Field, questions
from prunemark.setups.errors import InputError

SIDES = ("A", "B")
SAME = "same"
"""What a reader writes where a source says that a value is the other side's, and not what it is."""

STAGES = ("pretraining", "training", "pruning", "retraining")
DEFAULT_METRIC = "top1"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]*", re.ASCII)
"""Texts that mean themselves in YAML between braces; any other one is quoted."""

Answers = Mapping[str, str]


@dataclass(frozen=True)
class Written:
    """A document and, line by line from the first, the places in the form that fill the line."""

    text: str
    places: tuple[tuple[str, ...], ...]


def hidden(answers: Answers) -> list[str]:
    """The fields that are not asked, because another answer makes them needless."""
    return [field.id for question in questions() for field in question.fields if not _asked(field, answers)]


def _asked(field: Field, answers: Answers) -> bool:
    if field.when is None:
        return True
    other, values = field.when
    return any(_given(answers, place) in values for place in (other, *(f"{side}.{other}" for side in SIDES)))


def _given(answers: Answers, place: str) -> str:
    return answers.get(place, "").strip()


def document(answers: Answers) -> Written:
    """The document. What was left empty is left out: it is not reported. Never raises."""
    metric = _given(answers, "claim.metric") or DEFAULT_METRIC
    asked = [field for question in questions() for field in question.fields if _asked(field, answers)]
    of_sides = {
        side: {field.id.replace(METRIC, metric): _value(answers, side, field.id) for field in asked if field.of_both}
        for side in SIDES
    }
    places = {field.id.replace(METRIC, metric): field.id for field in asked}
    lines: list[tuple[str, tuple[str, ...]]] = [(f"schema: {SCHEMA}", ())]
    lines += _claim({field.id: _given(answers, field.id) for field in asked if field.id.startswith("claim.")})
    lines += _protocol(answers)
    lines.append(("entries:", ()))
    for side in SIDES:
        lines.append((f"  {side}:", (f"{side}.method",)))
        lines += _entry(side, {name: value for name, value in of_sides[side].items() if value}, places)
    return Written("".join(f"{text}\n" for text, _ in lines), tuple(filled for _, filled in lines))


def _value(answers: Answers, side: str, id: str) -> str:
    """A value as YAML, "" where nothing is said. Of two sides that only point at each other one stays silent."""
    given = _given(answers, f"{side}.{id}") or (side if id == "method" else "")
    if given.lower() != SAME or id in ("method", "kind"):
        return _scalar(given)
    other = SIDES[1 - SIDES.index(side)]
    both = _given(answers, f"{other}.{id}").lower() == SAME
    return "" if both and side == SIDES[0] else f"{{same_as: {other}}}"


def _scalar(text: str) -> str:
    """A text as YAML that reads back as it is; `{min: 1}` and the other forms in braces as what they are."""
    if not text or _PLAIN.fullmatch(text):
        return text
    if text.startswith("{"):
        try:
            if parse(f"[{text}]".encode("utf-8", "surrogatepass"), "value").items[0].kind == "mapping":
                return " ".join(text.split())
        except InputError:
            pass
    return json.dumps(text, ensure_ascii=False)


def _claim(given: Answers) -> list[tuple[str, tuple[str, ...]]]:
    said = {"winner": SIDES[0], "loser": SIDES[1]}
    said |= {id.partition(".")[2]: _scalar(value) for id, value in given.items() if value}
    return [(f"claim: {_flow(said)}", tuple(given))]


def _protocol(answers: Answers) -> list[tuple[str, tuple[str, ...]]]:
    places = ("protocol.locator", "protocol.except")
    locator, but = (_given(answers, place) for place in places)
    if not (locator or but):
        return []
    listed = ", ".join(_scalar(name.strip()) for name in but.split(",") if name.strip())
    said = {"shared": "true"} | ({"locator": json.dumps(locator, ensure_ascii=False)} if locator else {})
    return [(f"protocol: {_flow(said | ({'except': f'[{listed}]'} if listed else {}))}", places)]


def _entry(side: str, values: Mapping[str, str], places: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """The lines of one side: plain values, parts in braces, and the stages in order."""
    parts: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        part, _, inner = name.partition(".")
        parts.setdefault(part, {})[inner] = value
    stages = [(stage, parts.pop(stage)) for stage in STAGES if stage in parts]
    lines = []
    for part, held in parts.items():
        filled = tuple(f"{side}.{places[f'{part}.{key}' if key else part]}" for key in held)
        lines.append((f"    {part}: {held['']}" if "" in held else f"    {part}: {_flow(held)}", filled))
    lines += [("    stages:", ())] if stages else []
    for stage, held in stages:
        filled = tuple(f"{side}.{stage}.{key}" for key in held)
        lines.append((f"      - {_flow({'stage': stage} | held)}", filled))
    return lines


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"
