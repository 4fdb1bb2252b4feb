"""Two entries of a comparison that agree in everything, to be changed a value at a time."""

from __future__ import annotations

from typing import Any

import yaml

from prunemark.audit.document.comparison import SCHEMA, loads
from prunemark.audit.judgement.audit_claim import Audit, audit_comparison

STEPS = "0:1e-2,30:1e-3,60:1e-4,75:1e-5"
SCRATCH = "0:1e-1,30:1e-2,60:1e-3,90:1e-4,105:1e-5"


def entry(method: str, top1: float, **changes: Any) -> dict[str, Any]:
    """A pruned ResNet-50 of which all is known; `a__b=x` changes the value a.b."""
    made: dict[str, Any] = {
        "method": method,
        "dataset": "ImageNet",
        "network": {"name": "ResNet-50", "dense_macs_millions": 4089},
        "granularity": "filter",
        "speedup": 2.31,
        "base": {"id": "torchvision-v1", "top1": 76.13},
        "stages": [
            {"stage": "pretraining", "epochs": 90, "lr": "0:1e-1,30:1e-2,60:1e-3"},
            {"stage": "pruning", "epochs": 0},
            {"stage": "retraining", "epochs": 90, "lr": STEPS},
        ],
        "recipe": {
            "batch_size": 256, "weight_decay": "1e-4", "label_smoothing": 0,
            "distillation": "none", "augmentation": "standard",
        },
        "result": {"top1": top1, "top1_sd": 0.1, "runs": 5, "selection": "last"},
    }  # fmt: skip
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = made
        for part in parts:
            place = next(s for s in made["stages"] if s["stage"] == part) if part.endswith("ing") else place[part]
        place[last] = value
    return made


def judge(a: dict[str, Any], b: dict[str, Any], cross: Any = None, protocol: Any = None, **claim: Any) -> Audit:
    claim = {"winner": "A", "loser": "B", **claim}
    document = {"schema": SCHEMA, "claim": claim, "entries": {"A": a, "B": b}, "cross": cross or []}
    document |= {"protocol": protocol} if protocol else {}
    return audit_comparison(loads(yaml.safe_dump(document, sort_keys=False)))


def names(found: Audit) -> dict[str, str | None]:
    return {c.name: c.favours for c in found.differing}


def setups(found: Audit) -> str:
    return " ".join(f"{id}:{found.pair.assessment.setups[id]}" for id in ("S1", "S2", "S3.1", "S3.2", "S4.1", "S4.2"))


_LONGER = ("retraining_epochs", "retraining_lr", "total_epochs")
RETRAINING_OF_A: dict[str, str | None] = dict.fromkeys((*_LONGER, "total_flops"), "A")
LESS_OF_A: dict[str, str | None] = dict.fromkeys(_LONGER, "B")
PRUNING_OF_A: dict[str, str | None] = dict.fromkeys(("pruning_epochs", "total_epochs", "total_flops"), "A")

GREG, L1 = entry("GReg-2", 76.0), entry("L1-norm", 75.0)
