"""What was found of each factor, in words that read one way: both values, and what must be the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.schedule_words import against, named
from prunemark.setups.factors import FactorFinding
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.text import shown
from prunemark.setups.values import Leaf, State

LABELS: dict[str, str] = {
    "dataset": "dataset", "network": "network", "compression": "compression", "base_accuracy": "base accuracy",
    "base_model": "base model", "retraining_epochs": "retraining epochs", "retraining_lr": "retraining LR",
    "pruning_epochs": "pruning epochs", "pruning_lr": "pruning LR", "total_epochs": "total epochs",
    "total_flops": "training FLOPs", "final_lr": "final LR", "overall_lr": "overall LR", "batch_size": "batch size",
    "weight_decay": "weight decay", "label_smoothing": "label smoothing", "distillation": "teacher",
    "augmentation": "augmentation", "selection": "choice of epoch and run", "granularity": "granularity",
    "quoted": "who ran it", "flops_convention": "MACs or FLOPs", "noise": "scatter of the runs",
    "runs": "number of runs", "top1": "accuracy", "top1_sd": "standard deviation", "top5": "top-5 accuracy",
    "map": "mAP", "f1": "F1", "latency_ms": "latency", "fps": "throughput", "iou": "IoU threshold",
    "calibration": "calibration set",
}  # fmt: skip
"""Names of factors, details and fields as people say them."""

MUST: dict[str, str] = {
    "compression": "must be within 2 %", "base_accuracy": "must be within 0.10 points",
    "total_epochs": "must be within 1 %", "total_flops": "must be within 5 %", "final_lr": "must be the same",
}  # fmt: skip
SIDES, LONGEST_REASON = 40, 120  # characters of a value, and of a reason
_SUMS = ("total_epochs", "total_flops", "overall_lr")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII)
_RULE = re.compile(
    r" \((?:same number|per-epoch vector[^()]*|within [^()]*|by [^()]*|0\.02 in log10|structural[^()]*)\)"
)
_SCHEDULES: dict[str, Callable[[Pipeline], Leaf[LRSchedule]]] = {
    "retraining_lr": lambda p: p.retraining.lr,
    "pruning_lr": lambda p: p.pruning.lr,
    "overall_lr": lambda p: p.overall_lr,
}


def label(name: str) -> str:
    """A factor or field as people say it."""
    return LABELS.get(name, name.replace("_", " "))


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    *most, last = words or ("",)
    return f"{', '.join(most)} and {last}" if most else last


def cleaned(why: str, winner: str, loser: str) -> str:
    """A reason of the rulebook without its rule in brackets, and with names for left and right."""
    text = _RULE.sub("", why).replace("on the left and right", "by either side")
    return text.replace("on the left", f"for {winner}").replace("on the right", f"for {loser}")


def factor_words(audit: Audit, id: str, winner: str, loser: str) -> str:
    """One factor between the two sides. Never raises."""
    finding = audit.pair.findings[id]
    if id in _SCHEDULES:
        left, right = (_SCHEDULES[id](side) for side in (audit.pair.left, audit.pair.right))
        if finding.state is State.REFUTED and _plainly(finding):
            return shown(f"{against(left, right)}; must be the same", 400)
        if finding.state is State.UNDECIDABLE and not finding.why.startswith("not reported"):
            return shown(_open_schedules(finding, left, right), 400)
        values = (named(left), named(right))
    else:
        values = (_value(id, finding.left), _value(id, finding.right))
    return shown(_WORDS[finding.state](id, finding, values, winner, loser), 400)


def _open_schedules(finding: FactorFinding, left: Leaf[LRSchedule], right: Leaf[LRSchedule]) -> str:
    """Both by name, and what keeps them from being compared where that is said without printing them."""
    reason = finding.why.rpartition(", but ")[2]
    plain = "" if len(reason) > LONGEST_REASON or re.search(r"\d:\d", reason) else f": {reason}"
    return f"{named(left)}; against {named(right)}; open{plain}"


def _value(id: str, text: str) -> str:
    """With its unit; a number of many digits is rounded."""
    if text in ("not reported", "n/a"):
        return {"not reported": "not stated", "n/a": "none"}[text]
    unit = {"compression": "x", "base_accuracy": " %"}.get(id, "")
    if id.endswith("_epochs"):
        unit = " epoch" if text == "1" else " epochs"
    if id in ("compression", "total_flops"):
        text = _NUMBER.sub(lambda number: f"{float(number.group(0)):.4g}", text) if id == "total_flops" else text
        text = f"{float(text):.3g}" if _NUMBER.fullmatch(text) and id == "compression" else text
    plain = re.fullmatch(r"[\d.e+-]+|at least .*|.* to .*", text)  # "90.9 M MACs kept" has its unit
    return f"{shown(text, SIDES)}{unit if plain else ''}"


def _holds(id: str, finding: FactorFinding, values: tuple[str, str], _winner: str, _loser: str) -> str:
    if "vacuously" in finding.why:
        return "applies to neither side"
    if "declared" in finding.why and "not reported" in finding.why:
        return "the same, as is declared; the value is not stated"
    if finding.why.startswith("not known as a number"):
        return "the same stage by stage"
    how = {"by name": " (by name)", "by declared source": " (by source, not by file)", "by id": " (by file)"}
    found = next((words for rule, words in how.items() if rule in finding.why), "")
    same = values[0] == values[1]
    return f"the same: {values[0]}{found}" if same else f"{values[0]} against {values[1]}: counts as the same{found}"


def _a_fortiori(id: str, finding: FactorFinding, values: tuple[str, str], winner: str, _loser: str) -> str:
    return f"{_pair(values)}; {winner} is compressed more, which makes its task harder"


def _refuted(id: str, finding: FactorFinding, values: tuple[str, str], winner: str, loser: str) -> str:
    if not _plainly(finding) and "structural" not in finding.why:
        return cleaned(finding.why, winner, loser)
    return f"{_times(finding, values, winner, loser) or _pair(values)}; {MUST.get(id, 'must be the same')}"


def _times(finding: FactorFinding, values: tuple[str, str], winner: str, loser: str) -> str:
    """Of training FLOPs only the ratio says anything to a reader."""
    if finding.factor != "total_flops" or not all(_NUMBER.fullmatch(value) for value in values):
        return ""
    a, b = map(float, values)
    return (
        f"{winner} trains {a / b:.3g} times as much"
        if a > b > 0
        else f"{loser} trains {b / max(a, 1e-300):.3g} times as much"
    )


def _undecidable(id: str, finding: FactorFinding, values: tuple[str, str], winner: str, loser: str) -> str:
    if not finding.why.startswith("not reported"):
        return f"open: {cleaned(finding.why, winner, loser)}"
    silent = [value == "not stated" for value in values]
    if id in _SUMS and all(silent):
        return "not every stage is stated by either"
    if all(silent):
        return "not stated by either"
    stated, quiet = (values[1], winner) if silent[0] else (values[0], loser)
    return f"{stated} for {loser if silent[0] else winner}; not stated for {quiet}"


def _not_applicable(_id: str, _finding: FactorFinding, _values: tuple[str, str], _winner: str, _loser: str) -> str:
    return "does not apply: scratch training has no such stage"


def _plainly(finding: FactorFinding) -> bool:
    """Whether the reason is only that the two values differ."""
    return bool(_RULE.search(finding.why)) and " against " in finding.why


def _pair(values: tuple[str, str]) -> str:
    """`90 against 30 epochs`: a unit that both have is said once."""
    a, b = values
    for unit in (" epochs", " %", "x"):
        if a.endswith(unit) and b.endswith(unit) and unit != "x":
            a = a.removesuffix(unit)
    return f"{a} against {b}"


_WORDS: dict[State, Callable[[str, FactorFinding, tuple[str, str], str, str], str]] = {
    State.HOLDS: _holds,
    State.HOLDS_A_FORTIORI: _a_fortiori,
    State.REFUTED: _refuted,
    State.UNDECIDABLE: _undecidable,
    State.NOT_APPLICABLE: _not_applicable,
}
