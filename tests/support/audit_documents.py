"""Comparison documents made up at random: from two entries of which all is stated, with some of it changed.

The values lie on both sides of every rule, so that each verdict comes up. `deletions` are the leaves and parts that a
source can leave unsaid, as the decision procedure has them ("silence never pays").
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from prunemark.audit.document.comparison import SCHEMA, read
from prunemark.audit.document.yaml_nodes import node_of
from prunemark.audit.judgement.audit_claim import Audit, audit_comparison

Place = tuple[Any, ...]
QUALIFIERS = {
    "evidence",
    "flops_convention",
    "repeat",
    "quoted",
    "kind",
    "except",
    "notes",
    "stage",
    "source",
    "tuning",
}
COMPRESSION = {"speedup", "sparsity", "macs_kept", "macs_kept_millions", "params_kept", "params_kept_millions"}
STEPS = "0:1e-2,30:1e-3,60:1e-4"

CHANGES: dict[str, list[Any]] = {
    "method": ["X", "Y"],
    "kind": ["scratch", "sparse_training", "dense_to_sparse", "pruned_at_init", "dense"],
    "dataset": ["ILSVRC2012", "CIFAR-10", "ImageNet (subset?)"],
    "network.name": ["resnet50", "ResNet-50 v1", "VGG-16", {"conflict": ["ResNet-50", "resnet50"]}],
    "network.dense_macs_millions": ["4.1G", 4089, 4800, 8178],
    "granularity": ["weight", "channel", "2:4", "block", "layer"],
    "speedup": ["2.31x", "2.0", "2.3", 2.29, {"range": [2.2, 2.4]}, {"min": 2}],
    "macs_kept": ["43%", "43.3%", 0.44],
    "macs_kept_millions": [1770, "1.77G", "1.8G"],
    "sparsity": ["80%", 0.8, "81.27%"],
    "base.id": ["sha-2", {"same_as": "B"}],
    "base.source": ["own", "Torchvision"],
    "base.top1": [76.13, 76.2, 76.5, 75.0, {"conflict": [76.13, 76.5]}],
    "stages.0.epochs": [10, 100, {"same_as": "B"}],
    "stages.0.lr": ["1e-1", "0:1e-1,5:1e-2"],
    "stages.1.epochs": [0, 10, {"min": 1}],
    "stages.1.lr": ["1e-3", "n/a"],
    "stages.2.epochs": [60, 120, "90 epochs", {"range": [80, 100]}, {"conflict": [90, 100]}, 0],
    "stages.2.lr": [
        "0:2e-2,30:2e-3,60:2e-4", "1e-2", {"conflict": [STEPS, "1e-2"]}, {"value": STEPS, "evidence": "log"},
    ],
    "recipe.batch_size": [128, 512, {"same_as": "B"}, {"conflict": [256, 512]}],
    "recipe.weight_decay": [5e-4, "none", {"value": 1e-4, "evidence": "code_default"}],
    "recipe.label_smoothing": [0.1, "none"],
    "recipe.distillation": ["ResNet-101", "none", "n/a"],
    "recipe.augmentation": ["none", "mixup", "standard"],
    "result.top1": [75.5, 75.2, 74.2, 74.0, 73.0, "75.5 ± 0.2", {"conflict": [75.5, 74.5]}],
    "result.error": [24.5, 26.0],
    "result.top1_sd": [0.05, 0.9, 0.15, {"range": [0.1, 1.5]}],
    "result.runs": [1, 3, 10, {"min": 3}],
    "result.selection": ["mean", "best_epoch_on_test", "best_of_runs", "best of 5", "on a validation split"],
    "result.top1_drop_printed": [0.63, 1.5, -0.2],
    "result.perplexity": [6.0, 6.5],
    "method_owned": [["weight_decay"], ["distillation", "pruning_epochs"]],
}  # fmt: skip
CROSSED = [(76.5, 74.0), (74.0, 75.0), (73.0, 76.0), (75.4, 73.9)]
PROTOCOLS = [
    {"shared": True, "locator": "Section 4"},
    {"shared": True, "locator": "4", "except": ["selection", "distillation"]},
]


def entry(method: str, top1: float) -> dict[str, Any]:
    """A pruned ResNet-50 of which everything that matters is stated."""
    return {
        "method": method, "kind": "pruned", "dataset": "ImageNet", "granularity": "filter", "speedup": 2.31,
        "network": {"name": "ResNet-50", "dense_macs_millions": 4089},
        "base": {"id": "sha-1", "source": "torchvision", "top1": 76.13},
        "stages": [
            {"stage": "pretraining", "epochs": 90, "lr": "0:1e-1,30:1e-2,60:1e-3"},
            {"stage": "pruning", "epochs": 0},
            {"stage": "retraining", "epochs": 90, "lr": STEPS},
        ],
        "recipe": {
            "batch_size": 256, "weight_decay": "1e-4", "label_smoothing": 0, "distillation": "none",
            "augmentation": "standard",
        },
        "result": {"top1": top1, "top1_sd": 0.15, "runs": 3, "selection": "last"},
    }  # fmt: skip


def put(where: dict[str, Any], path: str, value: Any) -> None:
    """Sets the value at a place such as `stages.2.lr`; None takes it away."""
    *parts, last = path.split(".")
    here: Any = where
    for part in parts:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    if value is None:
        here.pop(last, None)
    else:
        here[last] = copy.deepcopy(value)


def made_up(seed: int, most: int = 4) -> dict[str, Any]:
    """A document of two entries that differ in up to `most` places; the same for the same seed."""
    chance = random.Random(seed)
    entries = {"A": entry("X", 75.5), "B": entry("Y", 74.0)}
    if chance.random() < 0.25:
        _of_kind(entries, chance.choice(CHANGES["kind"]))
    for _ in range(chance.randint(0, most)):
        _change(entries, chance)
    claim: dict[str, Any] = {"winner": "A", "loser": "B"}
    if chance.random() < 0.15:
        claim |= {"kind": "at_least_as_good", "margin": chance.choice([0.5, 2.0])}
    if chance.random() < 0.15:
        claim["credited_to"] = chance.choice(["base", "retraining", "pipeline"])
    document = {"schema": SCHEMA, "claim": claim, "entries": entries}
    if chance.random() < 0.15:
        document["protocol"] = copy.deepcopy(chance.choice(PROTOCOLS))
    if chance.random() < 0.15:
        both = zip(("A", "B"), ("B", "A"), chance.choice(CROSSED), strict=True)
        document["cross"] = [
            {"method": x, "retraining": y, "result": {"top1": top1, "top1_sd": 0.1, "runs": 3}} for x, y, top1 in both
        ]
    return document


def _of_kind(entries: dict[str, Any], kind: str) -> None:
    for one in entries.values():
        put(one, "kind", kind)
        put(one, "speedup", 1.0 if kind == "dense" else 2.31)
        if kind != "dense":
            one["stages"] = [{"stage": "training", "epochs": 90, "lr": STEPS}]


def _change(entries: dict[str, Any], chance: random.Random) -> None:
    """One value on one side, or on both."""
    path = chance.choice(sorted(CHANGES))
    value = chance.choice([*CHANGES[path], None])
    for name in chance.choice([["A"], ["B"], ["A", "B"]]):
        required = path == "method" and value is None
        no_such_stage = path.startswith("stages") and len(entries[name]["stages"]) < 3
        of_itself = isinstance(value, dict) and value.get("same_as") == name
        if not (required or no_such_stage or of_itself):
            put(entries[name], path, value)


documents = st.integers(0, 2**32).map(made_up)


def judged(document: Any) -> Audit:
    """The audit of a document as data. Raises InputError where it cannot be read."""
    return audit_comparison(read(node_of(document, "document")))


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every leaf and part below an entry that a source can leave unsaid; of a list only through its items."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in QUALIFIERS:
                yield (*path, key)
            if key != "source":
                yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if isinstance(inner, dict):
                yield from places(inner, (*path, number))


def without(document: dict[str, Any], gone: list[Place]) -> dict[str, Any]:
    """The document less these places; a place that is not there is skipped."""
    found = copy.deepcopy(document)
    for path in gone:
        part: Any = found
        try:
            for key in path[:-1]:
                part = part[key]
            del part[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    return found


def deletions(document: dict[str, Any]) -> Iterator[list[Place]]:
    """Each leaf and part on its side alone, and on both sides; and the protocol.

    Not a measure of compression: at equal sparsity is another claim than at equal speed-up.
    """
    entries = document["entries"]
    for name, one in entries.items():
        for path in places(one):
            here: Place = ("entries", name, *path)
            if not COMPRESSION & set(path):
                yield [here]
                if name == next(iter(entries)):
                    yield [("entries", other, *path) for other in entries]
            elif _last_measure(entries, name, path[0]):
                yield [here]
    if "protocol" in document:
        yield [("protocol",)]


def _last_measure(entries: dict[str, Any], name: str, field: str) -> bool:
    """Whether no other measure is left to compare by, so that compression is left open."""
    return all(not (COMPRESSION - {field}) & set(one) for one in entries.values())
