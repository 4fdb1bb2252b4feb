"""The factors: each is one thing that two pipelines can share, with the rule that decides whether they do.

Table 2 of arXiv:2301.05219 names them; the tolerances are this project's and stand here once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from prunemark.setups.pipeline import Pipeline
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.values import Leaf, NotApplicable, NotReported, State, compare, known, mapped

COMPRESSION_TOLERANCE = 0.02  # relative
DENSE_MACS_TOLERANCE = 0.03  # relative: one VGG-19 skips a pooling layer and is 28 % dearer under the same name
BASE_ACCURACY_TOLERANCE_PP = 0.10
TOTAL_EPOCHS_TOLERANCE = 0.01
TOTAL_FLOPS_TOLERANCE = 0.05
LR_TOLERANCE_LOG10 = 0.02


@dataclass(frozen=True)
class FactorFinding:
    """What one factor says about two pipelines, with both values and the reason in words."""

    factor: str
    state: State
    why: str
    left: str
    right: str


StateWithReason = tuple[State, str]


@dataclass(frozen=True)
class Factor:
    """One thing that two pipelines can share.

    `extract` reads its value from a pipeline; `decide` compares two pipelines and gives the state and why.
    `of_the_pruned` marks factors that have no meaning against scratch training. `reads` gives all that `decide`
    looks at, where that is more than the value.
    """

    id: str
    title: str
    source: str
    extract: Callable[[Pipeline], Leaf[Any]]
    decide: Callable[[Pipeline, Pipeline], StateWithReason]
    of_the_pruned: bool = False
    reads: Callable[[Pipeline], Hashable] | None = None

    def reading(self, pipeline: Pipeline) -> Hashable:
        """All that this factor looks at: pipelines of one reading are alike to it."""
        return pipeline.kind == "scratch", (self.reads or self.extract)(pipeline)

    def judge(self, left: Pipeline, right: Pipeline) -> StateWithReason:
        """Decides this factor between two pipelines: the state and why. Never raises."""
        if self.of_the_pruned and (left.kind == "scratch") != (right.kind == "scratch"):
            return State.NOT_APPLICABLE, "scratch training has no such stage"
        return self.decide(left, right)

    def compare(self, left: Pipeline, right: Pipeline) -> FactorFinding:
        """As `judge`, with both values as people read them."""
        state, why = self.judge(left, right)
        return FactorFinding(self.id, state, why, show(self.extract(left)), show(self.extract(right)))


def show(leaf: Leaf[Any]) -> str:
    """A value as people read it."""
    if isinstance(leaf, float):
        return f"{leaf:.6g}"
    return str(leaf)


def _relative(tolerance: float) -> Callable[[float, float], bool]:
    return lambda a, b: abs(a - b) <= tolerance * max(abs(a), abs(b))


def _by_value(
    extract: Callable[[Pipeline], Leaf[Any]], equal: Callable[[Any, Any], bool], rule: str
) -> Callable[[Pipeline, Pipeline], StateWithReason]:
    """The common rule: compare one leaf of each side."""

    def decide(left: Pipeline, right: Pipeline) -> StateWithReason:
        a, b = extract(left), extract(right)
        return (state := compare(a, b, equal)), _why(state, a, b, rule)

    return decide


def _why(state: State, a: Leaf[Any], b: Leaf[Any], rule: str) -> str:
    if state is State.HOLDS:
        if isinstance(a, NotReported):
            return "not reported, but declared to be the same on both sides"
        return f"equal ({rule})" if known(a) is not None else f"both are {show(a)}: holds vacuously"
    if state is State.UNDECIDABLE:
        silent = [side for side, leaf in (("left", a), ("right", b)) if isinstance(leaf, NotReported)]
        return f"not reported on the {' and '.join(silent)}" if silent else "what is reported leaves it open"
    structural = isinstance(a, NotApplicable) or isinstance(b, NotApplicable)
    return f"{show(a)} against {show(b)} ({'structural: one side has no such thing' if structural else rule})"


def _network(left: Pipeline, right: Pipeline) -> StateWithReason:
    state = compare(left.network, right.network, _same_name)
    macs = compare(left.dense_macs, right.dense_macs, _relative(DENSE_MACS_TOLERANCE))
    if state is State.HOLDS and macs is State.REFUTED:
        a, b = show(left.dense_macs), show(right.dense_macs)
        return State.REFUTED, f"one name, but {a} against {b} dense MACs: different networks"
    return state, _why(state, left.network, right.network, "by name; dense MACs within 3 %")


def _same_name(a: str, b: str) -> bool:
    return a == b or plain_name(a) == plain_name(b)


def plain_name(name: str) -> str:
    """A name without what people spell differently: case, hyphens, spaces and underscores."""
    return name.replace("-", "").replace("_", "").replace(" ", "").lower()


def compression(pipeline: Pipeline) -> Leaf[float]:
    """Speed-up where one is stated, else dense weights over remaining ones: 1 / (1 - sparsity)."""
    return remaining(pipeline) if _silent(pipeline.speedup) else pipeline.speedup


def remaining(pipeline: Pipeline) -> Leaf[float]:
    """Dense weights over those that remain, from the sparsity."""
    sparsity = known(pipeline.sparsity)
    if sparsity is not None and sparsity >= 1:
        return NotReported()
    return mapped(pipeline.sparsity, lambda share: 1.0 / (1.0 - share) if share < 1 else math.inf)


def _silent(leaf: Leaf[float]) -> bool:
    """Whether nothing is said, not even that it is the same as elsewhere."""
    return isinstance(leaf, NotReported) and leaf.token is None


def _compression(left: Pipeline, right: Pipeline) -> StateWithReason:
    """By a quantity that both sides state, the speed-up first: a speed-up and a sparsity cannot be compared."""
    for a, b in ((left.speedup, right.speedup), (remaining(left), remaining(right))):
        if not (_silent(a) or _silent(b)):
            return (state := compare(a, b, _relative(COMPRESSION_TOLERANCE))), _why(state, a, b, "within 2 %")
    a, b = compression(left), compression(right)
    if _silent(a) or _silent(b):
        return State.UNDECIDABLE, _why(State.UNDECIDABLE, a, b, "within 2 %")
    return State.UNDECIDABLE, "one side states a speed-up, the other a sparsity"


def _base_accuracy(pipeline: Pipeline) -> Leaf[float]:
    return pipeline.base.top1_percent


def _within_base_tolerance(a: float, b: float) -> bool:
    return abs(a - b) <= BASE_ACCURACY_TOLERANCE_PP + 1e-9  # 76.15 - 76.05 is 0.1 on paper, not in binary


def _base_model(left: Pipeline, right: Pipeline) -> StateWithReason:
    """Same id; else the same declared source and accuracies that agree: a source has more than one model.

    Accuracies too far apart refute it unless the ids are equal.
    """
    a, b = left.base, right.base
    by_id = compare(a.id, b.id, lambda x, y: x == y)
    if by_id is not State.UNDECIDABLE:
        return by_id, _why(by_id, a.id, b.id, "by id")
    accuracy = compare(a.top1_percent, b.top1_percent, _within_base_tolerance)
    if accuracy is State.REFUTED:
        return State.REFUTED, f"base accuracy {show(a.top1_percent)} against {show(b.top1_percent)} %"
    by_source = compare(a.source, b.source, _same_name)
    if by_source is State.HOLDS and known(a.source) is not None and accuracy is State.UNDECIDABLE:
        return State.UNDECIDABLE, "one declared source, but not both base accuracies: it may have more than one model"
    return by_source, _why(by_source, a.source, b.source, "by declared source")


def _base_id(pipeline: Pipeline) -> Leaf[str]:
    return pipeline.base.source if isinstance(pipeline.base.id, NotReported) else pipeline.base.id


def _close_schedules(a: LRSchedule, b: LRSchedule) -> bool:
    return a.close_to(b, tolerance_log10=LR_TOLERANCE_LOG10)


def _final_lr(pipeline: Pipeline) -> Leaf[float]:
    """The LR of the last epoch of the whole pipeline: of the last stage that trains."""
    trains = (s for s in reversed(pipeline.stages) if known(s.epochs) != 0 and not isinstance(s.epochs, NotApplicable))
    last = next(trains, pipeline.retraining)
    return mapped(last.lr, lambda lr: lr.final)


def _same_final_lr(a: float, b: float) -> bool:
    return a == b or (a > 0 and b > 0 and abs(a - b) <= (10**LR_TOLERANCE_LOG10 - 1) * min(a, b))


def plain_factor(
    id: str,
    title: str,
    source: str,
    extract: Callable[[Pipeline], Leaf[Any]],
    equal: Callable[[Any, Any], bool],
    rule: str,
    of_the_pruned: bool = False,
) -> Factor:
    """A factor of one leaf; `rule` says in words what `equal` asks for."""
    return Factor(id, title, source, extract, _by_value(extract, equal, rule), of_the_pruned)


def same(a: object, b: object) -> bool:
    """Equality without a tolerance."""
    return a == b


_FACTORS = (
    plain_factor("dataset", "dataset", "Table 2, S1", lambda p: p.dataset, _same_name, "by name"),
    Factor("network", "network", "Table 2, S1", lambda p: p.network, _network,
           reads=lambda p: (p.network, p.dense_macs)),
    Factor("compression", "compression or speed-up", "Table 2, S1", compression, _compression,
           reads=lambda p: (p.speedup, p.sparsity)),
    plain_factor("base_accuracy", "accuracy of the base model", "this project", _base_accuracy,
                  _within_base_tolerance, "within 0.10 points", True),
    Factor("base_model", "base model", "Table 2, S2", _base_id, _base_model, True, reads=lambda p: p.base),
    plain_factor("retraining_epochs", "retraining epochs", "Table 2, S3.1", lambda p: p.retraining.epochs,
                  same, "same number", True),
    plain_factor("retraining_lr", "retraining LR schedule", "Table 2, S3.2", lambda p: p.retraining.lr,
                  _close_schedules, "per-epoch vector, 0.02 in log10", True),
    plain_factor("pruning_epochs", "pruning epochs", "Table 2, S4.1", lambda p: p.pruning.epochs, same,
                  "same number", True),
    plain_factor("pruning_lr", "pruning LR schedule", "Table 2, S4.2", lambda p: p.pruning.lr,
                  _close_schedules, "per-epoch vector, 0.02 in log10", True),
    plain_factor("total_epochs", "epochs of pretraining, pruning and retraining", "Table 2, SX-A",
                  lambda p: p.total_epochs, _relative(TOTAL_EPOCHS_TOLERANCE), "within 1 %"),
    plain_factor("total_flops", "training FLOPs of the whole pipeline", "Table 2, SX-B",
                  lambda p: p.training_flops, _relative(TOTAL_FLOPS_TOLERANCE), "within 5 %"),
    plain_factor("final_lr", "final LR (Rule 1)", "appendix A", _final_lr, _same_final_lr, "0.02 in log10"),
    plain_factor("overall_lr", "LR schedule of the whole pipeline", "section 4", lambda p: p.overall_lr,
                  _close_schedules, "per-epoch vector, 0.02 in log10"),
)  # fmt: skip
FACTORS: dict[str, Factor] = {factor.id: factor for factor in _FACTORS}
