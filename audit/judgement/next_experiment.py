"""The smallest experiment that would settle a claim, from what is missing or differs."""

from __future__ import annotations

from prunemark.audit.judgement.noise import runs_needed
from prunemark.audit.judgement.reasons import unit_of
from prunemark.audit.judgement.verdict import AuditVerdict, ClaimEvidence
from prunemark.setups.values import State


def next_experiments(e: ClaimEvidence, verdict: AuditVerdict) -> list[str]:
    """What to ask for and to run, in words, the smallest first; empty when nothing is left to settle."""
    if e.contradictions:
        return ["correct the record: nothing can be settled from numbers that contradict each other"]
    if any(e.pair.findings[f].state is State.REFUTED for f in ("dataset", "network")):
        return ["run both methods on one dataset and one network"]
    if e.pair.metric is None or any(d.state is State.REFUTED for d in e.pair.measured.values()):
        return ["measure both methods by one metric, in one way"]
    found = [*_ask(e, verdict), *_noise(e)]
    if e.pair.findings["compression"].state is State.REFUTED:
        found.append(f"prune {e.pair.winner.name} to the compression of {e.pair.loser.name}, within 2 %")
    found += _whole_pipelines(e) if e.pair.whole_pipelines else _stages(e)
    return found


def _ask(e: ClaimEvidence, verdict: AuditVerdict) -> list[str]:
    """What only the authors can say, side by side."""
    wanted: dict[str, list[str]] = {}
    both = (e.pair.winner.name, e.pair.loser.name)
    for name in verdict.presumed:
        for side in e.presumed.get(name, ()) or both:
            wanted.setdefault(side, []).append("sd over two or more runs" if name == "noise" else name)
    return [f"ask the authors of {side} for: {', '.join(names)}" for side, names in sorted(wanted.items())]


def _noise(e: ClaimEvidence) -> list[str]:
    main = e.gap.main
    if e.gap.points is None:
        metric = e.pair.metric.name if e.pair.metric else "top1"
        what = "accuracy" if metric == "top1" else metric
        return [f"report the {what} of {e.pair.winner.name} and {e.pair.loser.name}"]
    if main is None or e.gap.sd is None:
        return ["three or more runs per arm with their standard deviation: the noise of this network is unknown"]
    if e.position != "within":
        return []
    least = e.threshold
    points = min((r.points - least for r in e.gap.readings if r.decisive and r.low <= least <= r.high), key=abs)
    other = e.gap.besides_main(least)
    if other is not None and other.name.startswith("if +- is"):  # more runs would not say what the +- is
        return ["ask the authors what the printed +- is: a standard deviation, a standard error or an interval"]
    chosen = "" if e.pair.metric and e.pair.metric.speed else ", last epoch"
    needed, unit = runs_needed(e.gap.sd, points), unit_of(e.pair.metric)
    if needed is None and other is not None:
        return []
    if needed is None:
        return [f"a gap of {points:+.2f} {unit} needs no experiment: it is too small for any number of runs"]
    return [f"{needed} runs per arm (a gap of {abs(points):.2f} {unit}, sd {e.gap.sd:.2f}, 80 % power){chosen}"]


def _whole_pipelines(e: ClaimEvidence) -> list[str]:
    a, b = e.pair.winner, e.pair.loser
    scratch = next((side for side in (a, b) if side.kind == "scratch"), None)
    found = []
    if not all(_state(e, f).satisfied for f in ("overall_lr", "total_epochs", "final_lr")):
        if scratch is not None:
            other = b if scratch is a else a
            found.append(f"{scratch.name} under the whole LR schedule of {other.name} (SX-A)")
        else:
            found.append(f"{a.name} and {b.name} over the same total epochs and one LR schedule (SX-A)")
    if not _state(e, "total_flops").satisfied:
        found.append(f"{(scratch or b).name} with the same total training FLOPs (SX-B)")
    return found


def _stages(e: ClaimEvidence) -> list[str]:
    a, b = e.pair.winner.name, e.pair.loser.name
    found = []
    if not _state(e, "base_model").satisfied:
        silent = _state(e, "base_model") is State.UNDECIDABLE
        found.append(f"{a} and {b} both on one base model{' (or state which base they had)' if silent else ''}")
    lr, epochs = _state(e, "retraining_lr"), _state(e, "retraining_epochs")
    if e.cross is None and State.REFUTED in (lr, epochs):
        found.append(f"{a} retrained by the recipe of {b}, and {b} by that of {a}")
    elif not (lr.satisfied and epochs.satisfied) and e.cross is None:
        found.append(f"state the retraining epochs and LR schedule of both, or retrain {a} and {b} by one recipe")
    if _state(e, "pruning_epochs") is State.REFUTED:
        spent = e.pair.findings["pruning_epochs"]
        numbers = f"{a} {spent.left}, {b} {spent.right}"
        found.append(f"the arm that prunes in fewer epochs extended to the epochs of the other ({numbers})")
    return found


def _state(e: ClaimEvidence, factor: str) -> State:
    return e.pair.findings[factor].state
