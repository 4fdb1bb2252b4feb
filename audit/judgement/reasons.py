"""The parts of a verdict's reason: the interval, what holds, at what cost, what is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prunemark.audit.document.claims import Credit
from prunemark.audit.document.metrics import Metric
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.confounders import Confounder
from prunemark.audit.judgement.noise import Gap, Position
from prunemark.setups.values import State, known


def interval(gap: Gap, metric: Metric | None) -> str:
    """`+1.50 points, 95 % interval +1.20 to +1.80,`, in the unit of the metric."""
    main, unit = gap.main, unit_of(metric)
    return f"{main.points:+.2f} {unit}, {span(main.low, main.high)}," if main else "the gap"


def unit_of(metric: Metric | None) -> str:
    """In what a gap is counted; points where the two sides have no metric in common."""
    return metric.unit if metric else "points"


def reading_name(name: str, metric: Metric | None) -> str:
    """How a reading is called: a value that is no accuracy by its metric."""
    return name if metric is None or metric.name == "top1" else name.replace("accuracy", metric.name, 1)


def span(low: float, high: float) -> str:
    """An interval with its confidence."""
    return f"95 % interval {low:+.2f} to {high:+.2f}"


def listed(found: Sequence[Confounder]) -> str:
    """Confounders with why, and whom each favours."""
    return "; ".join(f"{c.name} ({c.why}; favours {c.favours or 'not known'})" for c in found)


def at_equal_cost(pair: AssessedPair) -> str:
    """What may be said of the cost: equal pruning cost from S4.1 on, equal compute only with SX-B."""
    if pair.whole_pipelines:
        equal = pair.assessment.setups["SX-B"].satisfied
        return ", at equal compute (SX-B)" if equal else ", at equal epochs; not shown at equal compute (SX-B)"
    cost = pair.findings["pruning_epochs"].state
    if cost.satisfied:
        return ", at equal pruning cost" if pair.assessment.setups["S4.1"].satisfied else ""
    differs = "differs" if cost is State.REFUTED else "is not reported"
    return f"; what pruning cost {differs} (S4.1). Methods whose point is longer pruning: see SX-A and SX-B"


def basis(pair: AssessedPair, credited_to: Credit, needed: Iterable[str]) -> str:
    """What a positive verdict rests on."""
    if pair.whole_pipelines and credited_to != "pipeline":
        return "overall LR and SX-A hold"
    if credited_to != "pruning":
        return f"what else could explain it is equal ({', '.join(sorted(needed))})"
    return f"{pair.assessment.established} holds"


def why_undecided(pair: AssessedPair, gap: Gap, position: Position) -> str:
    """What is missing for a verdict."""
    parts = []
    name = pair.metric.name if pair.metric else "result"
    if gap.points is None:
        parts.append(f"{'an accuracy' if name == 'top1' else name} is not reported")
    elif position == "unknown":
        parts.append(f"no noise prior for {name} on {_where(pair)}: undecided; the run-to-run noise is unknown")
    elif position == "mixed":
        parts.append("accuracy and drop point in opposite directions")
    unknown = [f.factor for f in pair.findings.values() if f.state is State.UNDECIDABLE]
    if unknown:
        parts.append(f"not reported or left open: {', '.join(unknown)}")
    questions = [pair.findings[f].why for f in ("dataset", "network") if pair.findings[f].why.endswith("?")]
    return "; ".join([*questions, *parts]) or "nothing differs, but what the claim needs is not established"


def _where(pair: AssessedPair) -> str:
    dataset, network = (known(pair.winner[name].value) or "?" for name in ("dataset", "network.name"))
    return f"{dataset}/{network}"
