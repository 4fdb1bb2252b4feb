"""Every field that an entry may have, how its value is read, and which of them are details or can confound.

The reader, the JSON Schema, the template and the errors about unknown fields all take them from here.
"""

from __future__ import annotations

from prunemark.audit.document.detail_words import detail
from prunemark.audit.document.metrics import MEASURED, METRICS, READ_AS, RESULT_NAMES
from prunemark.audit.document.quantities import (
    BATCH,
    DECAY,
    FPS,
    MACS,
    MILLISECONDS,
    PARAMS,
    PERPLEXITY,
    POINTS,
    RUNS,
    SIZE,
    SMOOTHING,
    Quantity,
    kept_parameters,
    percent,
    share,
    times,
)
from prunemark.audit.document.reported_values import Convert, word
from prunemark.audit.document.stages import MAX_REPEAT
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError

REPEAT = Quantity(f"a whole number of cycles, 1 to {MAX_REPEAT},", 1, MAX_REPEAT)
_DROP_IN_POINTS = Quantity("a drop in points, from -100 to 100,", -100, 100, units={"points": 1, "pp": 1, "%": 1})
_VALUES: dict[str, Convert] = {"perplexity": PERPLEXITY, "latency_ms": MILLISECONDS, "fps": FPS}
_ANY = Quantity("a number")


def described(node: Node) -> str:
    """A word, or a few named facts in braces as one text: `calibration: {set: C4, samples: 128}`."""
    if node.kind != "mapping":
        return word(node)
    if any(inner.kind != "scalar" for inner in node.entries.values()):
        raise InputError(f"{node.where}: a word is wanted, or facts such as {{set: C4, samples: 128}}")
    return ", ".join(f"{key} {word(inner)}" for key, inner in sorted(node.entries.items()))


def _of_metric(name: str) -> dict[str, Convert]:
    """What an entry can say of one metric: of the pruned network, and of its base."""
    in_percent = METRICS[READ_AS.get(name, name)].percent
    value, spread, drop = (percent, POINTS, _DROP_IN_POINTS) if in_percent else (_VALUES[name], SIZE, _ANY)
    return {
        f"base.{name}": value,
        f"result.{name}": value,
        f"result.{name}_sd": spread,
        f"result.{name}_plus_minus": spread,
        f"result.{name}_drop_printed": drop,
    }


REPORTED_VALUES: dict[str, Convert] = {
    "dataset": word,
    "network.name": word,
    "network.dense_macs_millions": MACS,
    "network.dense_params_millions": PARAMS,
    "granularity": detail("granularity"),
    "speedup": times,
    "params_kept": kept_parameters,
    "params_kept_millions": PARAMS,
    "sparsity": share,
    "macs_kept_millions": MACS,
    "macs_kept": share,
    "flops_convention": word,
    "base.id": word,
    "base.source": word,
    "recipe.batch_size": BATCH,
    "recipe.weight_decay": DECAY,
    "recipe.label_smoothing": SMOOTHING,
    "recipe.distillation": detail("distillation"),
    "recipe.augmentation": detail("augmentation"),
    "result.runs": RUNS,
    "result.selection": detail("selection"),
    **{field: convert for name in RESULT_NAMES for field, convert in _of_metric(name).items()},
    **{f"measured.{name}": described for name in MEASURED},
}
"""Every value that an entry may report outside its stages, and how it is read."""

SYNONYMS = {
    "pruned_macs_millions": "macs_kept_millions",
    "pruned_params_millions": "params_kept_millions",
    "network.macs_kept_millions": "macs_kept_millions",
    "network.pruned_macs_millions": "macs_kept_millions",
    "network.pruned_params_millions": "params_kept_millions",
    "network.params_kept_millions": "params_kept_millions",
    "network.flops_convention": "flops_convention",
}
FACTOR_CONFOUNDERS = (
    "network", "base_model", "retraining_epochs", "retraining_lr", "pruning_epochs", "pruning_lr", "overall_lr",
    "total_epochs", "total_flops",
)  # fmt: skip
RECIPE_DETAILS = ("batch_size", "weight_decay", "label_smoothing", "distillation", "augmentation")
DETAILS = (*RECIPE_DETAILS, "selection", "granularity")
"""What no setup holds equal and a referee asks about."""
DETAIL_FIELDS = {
    **{name: f"recipe.{name}" for name in RECIPE_DETAILS},
    "selection": "result.selection",
    "granularity": "granularity",
}
CONFOUNDERS = (*FACTOR_CONFOUNDERS, *DETAILS, "quoted", "flops_convention")
"""What may differ and explain a gap; `method_owned` names those that are the method itself."""

PARTS = ("network", "base", "recipe", "result", "measured")
REMARKS = ("note", "notes")
_EVIDENCE = ("evidence", *REMARKS)
OTHER_KEYS = ("method", "kind", "source", "stages", "method_owned", "tuning", "title")
STAGE_KEYS = ("stage", "epochs", "lr", "repeat", "same_as", *_EVIDENCE)
SOURCE_KEYS = ("paper", "locator", "quoted", "url", "year", *REMARKS)
TUNING_KEYS = ("configs_tried", *REMARKS)


_SPELLINGS = (*REPORTED_VALUES, *SYNONYMS)
INNER_KEYS: dict[str, tuple[str, ...]] = {
    part: (*(n.partition(".")[2] for n in _SPELLINGS if n.startswith(f"{part}.")), "same_as", *_EVIDENCE)
    for part in PARTS
}
"""What may stand in each part of an entry."""
ENTRY_KEYS = tuple(dict.fromkeys((*(name.partition(".")[0] for name in _SPELLINGS), *OTHER_KEYS, *_EVIDENCE)))
"""What may stand in an entry."""
OF_STAGES = tuple(f"{s}.{what}" for s in ("pretraining", "pruning", "retraining") for what in ("epochs", "lr"))
GRADABLE = (*REPORTED_VALUES, *OF_STAGES, *PARTS, "stages", *(n.partition(".")[2] for n in REPORTED_VALUES if "." in n))
"""What the `evidence` of an entry may grade."""
