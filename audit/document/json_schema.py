"""The JSON Schema of the document, made from what the reader knows; `prunemark audit --schema` prints it.

Editors check documents against it. What a field means, and whether its size can be right, only the reader knows.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from prunemark.audit.document.claims import EXCEPTIONS, ClaimKind, Credit
from prunemark.audit.document.comparison import SCHEMA
from prunemark.audit.document.detail_words import WORDS
from prunemark.audit.document.entry import PIPELINE_KINDS
from prunemark.audit.document.fields import CONFOUNDERS, REPORTED_VALUES
from prunemark.audit.document.lr_schedules import LR_KINDS
from prunemark.audit.document.metrics import METRICS, READ_AS
from prunemark.audit.document.reported_values import PROVENANCE, word
from prunemark.audit.document.stages import STAGE_ROLES

ID = "https://json-schema.org/draft/2020-12/schema"
TEXTS = {name for name, convert in REPORTED_VALUES.items() if convert is word or name.rpartition(".")[2] in WORDS}


def json_schema() -> dict[str, Any]:
    """The schema as plain data."""
    return {
        "$schema": ID,
        "title": SCHEMA,
        "description": "What a paper reports about two or more pruning pipelines, for `prunemark audit`",
        "type": "object",
        "required": ["schema", "claim", "entries"],
        "additionalProperties": False,
        "properties": {
            "schema": {"const": SCHEMA},
            "title": {"type": "string"},
            "notes": {"type": "string"},
            "note": {"type": "string"},
            "claim": {"anyOf": [_claim(), {"type": "array", "minItems": 1, "items": _claim()}]},
            "protocol": _protocol(),
            "entries": {"type": "object", "minProperties": 2, "additionalProperties": {"$ref": "#/$defs/entry"}},
            "cross": {"type": "array", "items": _crossed()},
        },
        "$defs": {"entry": _entry(), "stage": _stage(), "lr": _lr(), "number": _or_form("number", "string", "null"),
                  "text": _or_form("string", "number", "boolean", "null"), "form": _form(),
                  "evidence": {"enum": list(PROVENANCE)}},
    }  # fmt: skip


def dump() -> str:
    """The text that `prunemark audit --schema` prints."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _claim() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["winner", "loser"],
        "properties": {
            "winner": {"type": "string"}, "loser": {"type": "string"},
            "kind": {"enum": list(get_args(ClaimKind))}, "credited_to": {"enum": list(get_args(Credit))},
            "metric": {"enum": [*METRICS, *READ_AS]},
            "margin": {"description": "in units of the metric", "type": "number", "exclusiveMinimum": 0},
            "notes": {"type": "string"},
        },
        "additionalProperties": False,
    }  # fmt: skip


def _protocol() -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "required": ["shared", "locator"],
        "properties": {
            "shared": {"type": "boolean"}, "locator": {"type": "string"}, "notes": {"type": "string"},
            "except": {"type": "array", "items": {"enum": list(EXCEPTIONS)}},
        },
        "additionalProperties": False,
    }  # fmt: skip


def _entry() -> dict[str, Any]:
    properties: dict[str, Any] = {
        "method": {"type": "string"},
        "kind": {"enum": list(PIPELINE_KINDS)},
        "source": {"type": "object", "properties": {"quoted": {"type": "boolean"}}},
        "stages": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/stage"}}, {"$ref": "#/$defs/form"}]},
        "method_owned": {"type": "array", "items": {"enum": sorted(CONFOUNDERS)}},
        "tuning": {"type": ["object", "string"]},
        "evidence": {"anyOf": [{"$ref": "#/$defs/evidence"}, {"type": "object"}]},
        "notes": {"type": "string"},
        "title": {"type": "string"},
    }
    for name in REPORTED_VALUES:
        part, _, inner = name.partition(".")
        kind = {"$ref": "#/$defs/text" if name in TEXTS else "#/$defs/number"}
        if not inner:
            properties[name] = kind
            continue
        group = properties.setdefault(
            part, {"type": ["object", "string", "null"], "properties": {"evidence": {}, "same_as": {}, "notes": {}}}
        )
        group["properties"][inner] = kind
        group["additionalProperties"] = False
    return {"type": "object", "required": ["method"], "properties": properties, "additionalProperties": False}


def _stage() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["stage"],
        "properties": {
            "stage": {"enum": list(STAGE_ROLES)},
            "epochs": {"$ref": "#/$defs/number"},
            "lr": {"$ref": "#/$defs/lr"},
            "repeat": {"type": "integer", "minimum": 1},
            "evidence": {"anyOf": [{"$ref": "#/$defs/evidence"}, {"type": "object"}]},
            "same_as": {"type": "string"},
            "notes": {"type": "string"},
        },
        "additionalProperties": False,
    }


def _lr() -> dict[str, Any]:
    mapping = {
        "type": "object",
        "required": ["kind", "initial"],
        "properties": {
            "kind": {"enum": list(LR_KINDS)}, "initial": {}, "final": {}, "factor": {},
            "milestones": {"type": "array"}, "warmup": {},
        },
    }  # fmt: skip
    return {"anyOf": [{"type": ["string", "number", "null"]}, mapping, {"$ref": "#/$defs/form"}]}


def _or_form(*plain: str) -> dict[str, Any]:
    return {"anyOf": [{"type": list(plain)}, {"$ref": "#/$defs/form"}]}


def _form() -> dict[str, Any]:
    """How a value is written if not plainly."""
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "min": {}, "range": {"type": "array", "minItems": 2, "maxItems": 2},
            "conflict": {"type": "array", "minItems": 2}, "same_as": {"type": "string"}, "value": {},
            "evidence": {"$ref": "#/$defs/evidence"}, "note": {"type": "string"}, "source": {"type": "string"},
        },
        "additionalProperties": False,
    }  # fmt: skip


def _crossed() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["method", "retraining", "result"],
        "properties": {"method": {"type": "string"}, "retraining": {"type": "string"}, "result": {"type": "object"}},
    }
