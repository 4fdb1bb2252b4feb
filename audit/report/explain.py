"""What a factor is, where it comes from and how it is decided: the same objects that decide it."""

from __future__ import annotations

from prunemark.audit.document.fields import CONFOUNDERS
from prunemark.audit.judgement.revised import VALUES_OF_FACTOR
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import unknown_name
from prunemark.setups.factors import FACTORS

RULES: dict[str, str] = {
    "dataset": "Equal when the names are, whatever their case and hyphens. Differing data are never comparable.",
    "network": "Equal when the names are and dense MACs agree within 3 %. One VGG-19 skips a pooling layer and costs "
    "513 M MACs instead of 400 M at the same parameter count. A ratio of two suggests FLOPs printed for MACs.",
    "compression": "Speed-up (dense over pruned MACs) within 2 %, else weights left. When the claimed winner is the "
    "more compressed one, the setup holds a fortiori: its task was the harder one.",
    "base_accuracy": "Within 0.10 points. For methods that cannot share a checkpoint (setup S1-acc).",
    "base_model": "The same id; else the same declared source. Accuracies more than 0.10 points apart refute it "
    "unless the ids are equal. Equal accuracies do not show that it is one model.",
    "retraining_epochs": "The same number. In iterative pruning only the last retraining counts; earlier cycles are "
    "pruning epochs.",
    "retraining_lr": "The LR of every epoch within 0.02 in log10, however the schedule is written. Mystery 1: a larger "
    "LR looks like a better method.",
    "pruning_epochs": "The same number of epochs of training between the base model and the sparsified network. This "
    "is unfair to methods whose point is longer pruning: compare those by SX-A and SX-B.",
    "pruning_lr": "The LR of every pruning epoch within 0.02 in log10; one-shot pruning has none, and n/a equals n/a.",
    "total_epochs": "Pretraining, pruning and retraining together, within 1 %. Not reported as soon as one is not.",
    "total_flops": "Epochs times MACs of the network that is trained, summed over the stages, within 5 %.",
    "final_lr": "Rule 1: compared runs end at one LR, within 0.02 in log10. Left open where a stage is not reported.",
    "overall_lr": "The LR of every epoch of the whole pipeline, laid end to end: what pruning and scratch training "
    "share when the method only chooses when to prune.",
}
"""How each factor is decided, in words; the numbers stand in `setups/factors.py`."""

DETAILS: dict[str, str] = {
    "batch_size": "part of the retraining recipe; whom a difference favours is not known in advance",
    "weight_decay": "part of the retraining recipe; for some methods it is the method: see method_owned",
    "label_smoothing": "part of the retraining recipe; label smoothing favours the side that has it",
    "distillation": "a teacher favours the side that has one",
    "augmentation": "more than the standard one favours the side that has it",
    "selection": "the best epoch on the test split, or the best of k runs, favours its side",
    "granularity": "single weights leave more choice than filters; a finer granularity favours the side that has it",
    "quoted": "a result copied from another paper was not run together with the other one",
    "flops_convention": "two FLOPs to a multiply-add in one source, one in another",
}
"""The confounders that are not a factor of any setup."""


def explain(name: str) -> str:
    """The text of `--explain NAME`. Raises InputError with the valid names."""
    wanted = name.strip().lower().replace("-", "_")
    if wanted in FACTORS:
        return _factor(wanted)
    if wanted in DETAILS:
        return f"{wanted}: a possible confounder, not a factor of any setup\n  {DETAILS[wanted]}\n"
    raise unknown_name("factor", name, {*FACTORS, *CONFOUNDERS})


def _factor(id: str) -> str:
    factor = FACTORS[id]
    setups = ", ".join(setup.id for setup in SETUPS.values() if id in setup.factors) or "none; reported by itself"
    values = ", ".join(VALUES_OF_FACTOR.get(id, ())) or "see the schema: audit --schema"
    scratch = "does not apply" if factor.of_the_pruned else "applies"
    return (
        f"{id}: {factor.title}\n  source: {factor.source} (arXiv:2301.05219)\n  part of: {setups}\n"
        f"  against scratch training: {scratch}\n  read from: {values}\n  {RULES[id]}\n"
    )
