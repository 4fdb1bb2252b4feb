"""The verdict in a sentence that a person would say, and the reasons for it, the weightiest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prunemark.audit.document.metrics import METRICS, Metric
from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.confounders import Confounder
from prunemark.audit.judgement.verdict import VERDICTS
from prunemark.audit.report.factor_words import cleaned, factor_words, label, listed
from prunemark.audit.report.presumed_words import conditions, presumed_words
from prunemark.setups.comparison import chain
from prunemark.setups.factors import FACTORS, plain_name
from prunemark.setups.text import LONGEST_NAME, shown
from prunemark.setups.values import State

MOST_REASONS = 3
SD_SOURCES = {
    "stated": "the scatter of the runs is as reported",
    "prior": "the scatter of the runs is that of published repeats of this network, not of these runs",
    "own-repeats": "the scatter of the runs is that of this project's own repeats",
    "unknown": "how much runs scatter is unknown",
}


@dataclass(frozen=True)
class Sides:
    """What the two sides are called in sentences: their methods, or their entries where both have one method."""

    winner: str
    loser: str


def sides(audit: Audit) -> Sides:
    """The names, as every form can show them."""
    a, b = audit.pair.winner, audit.pair.loser
    apart = plain_name(a.method) != plain_name(b.method)
    names = (a.method, b.method) if apart else (a.name, b.name)
    return Sides(*(shown(name, LONGEST_NAME) for name in names))


def metric_of(audit: Audit) -> Metric:
    """What is compared; top-1 where the two have nothing in common."""
    return audit.pair.metric or METRICS["top1"]


def full_names(audit: Audit) -> tuple[str, str]:
    """The entries with their methods: "A (L1-norm)" and "B (HRank)"."""
    a, b = (
        shown(e.name, LONGEST_NAME) if e.name == e.method else f"{e.name} ({shown(e.method, LONGEST_NAME)})"
        for e in (audit.pair.winner, audit.pair.loser)
    )
    return a, b


def whole_claim(audit: Audit) -> str:
    """The claim with entries and methods, and what it credits: "A (L1-norm) is better than B (HRank)"."""
    metric = "" if metric_of(audit).name == "top1" else f", by {label(metric_of(audit).name)}"
    credit = "" if audit.claim.credited_to == "pruning" else f", credited to the {audit.claim.credited_to}"
    return f"{claim_words(audit, Sides(*full_names(audit)))}{metric}{credit}"


def claim_words(audit: Audit, names: Sides) -> str:
    """The claim, as "A is better than B"."""
    if audit.claim.kind == "better":
        return f"{names.winner} is better than {names.loser}"
    return f"{names.winner} is within {audit.claim.margin:g} {metric_of(audit).unit} of {names.loser}"


def headline(audit: Audit, presumed: Sequence[str] = ()) -> str:
    """The verdict in a sentence. A verdict that this page does not know is said as the table of verdicts has it."""
    names = sides(audit)
    words = _SENTENCES.get(audit.verdict.word)
    if words is None:
        return f"{claim_words(audit, names)}: {VERDICTS.get(audit.verdict.word, audit.verdict.word)}."
    return words(audit, names, presumed)


def gap_words(audit: Audit, names: Sides) -> str:
    """How many points more or fewer the claimed winner has."""
    points = audit.gap.points
    if points is None:
        return f"{names.winner} and {names.loser} report no numbers that can be set against each other"
    if round(abs(points), 2) == 0:
        return f"{names.winner} and {names.loser} have the same number"
    metric = metric_of(audit)
    if audit.gap.main is not None and audit.gap.main.name.startswith("drop"):
        less = "fewer" if points > 0 else "more"
        return f"{names.winner} loses {abs(points):.2f} {metric.unit} {less} than {names.loser}"
    if metric.unit == "points":
        return f"{names.winner} has {abs(points):.2f} points {'more' if points > 0 else 'fewer'} than {names.loser}"
    better = "better" if points > 0 else "worse"
    return f"{names.winner} is {abs(points):.3g} {metric.unit} {better} than {names.loser}"


def _credit(audit: Audit) -> str:
    return {"pruning": "the pruning method", "pipeline": "the pipeline"}.get(
        audit.claim.credited_to, f"the {audit.claim.credited_to}"
    )


def _within(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    if (other := audit.gap.besides_main(audit.evidence.threshold)) is not None:
        return f"Not shown: {gap_words(audit, names)}, but {_READ_AS.get(other.name, other.name)} it is within noise."
    return f"Not shown: {gap_words(audit, names)}, and repeated runs of one method differ by as much."


_READ_AS = {
    "drop": "as a drop from its own base",
    "if +- is a standard error": "if the printed +- is a standard error",
    "if +- is a population sd": "if the printed +- is a population sd",
}


def _attributable(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    return f"Supported: {gap_words(audit, names)}, beyond what runs scatter, and what else could explain it was equal."


def _if_equal(audit: Audit, names: Sides, presumed: Sequence[str]) -> str:
    """A positive verdict that rests on what is not stated."""
    what = conditions(audit, (names.winner, names.loser), presumed)
    if audit.verdict.word == "supported-presumed":
        return f"Supported {what}: {claim_words(audit, names)}."
    return f"Attributable {what}: {gap_words(audit, names)}."


def _a_fortiori(audit: Audit, names: Sides, presumed: Sequence[str]) -> str:
    unsaid = f"; not stated: {presumed_words(audit, (names.winner, names.loser), presumed)}" if presumed else ""
    return (
        f"{gap_words(audit, names)}, although all that differs favours {names.loser}; the comparison is still not an "
        f"equal one{unsaid}."
    )


def _confounded(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    found = against_the_claim(audit)
    against = [label(c.name) for c in found if c.name != "quoted" or len(found) == 1][:MOST_REASONS]
    what = listed(against) or "something else"
    return (
        f"Not shown to come from {_credit(audit)}: {gap_words(audit, names)}, but "
        f"{what} {'differs' if len(against) < 2 else 'differ'} too."
    )


def _contradicted(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    return f"The numbers say the opposite: {gap_words(audit, names)}, beyond what runs scatter."


def _undecided(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    if audit.evidence.position == "below":
        return f"The numbers point the other way, in an unequal comparison: {gap_words(audit, names)}."
    if audit.gap.points is not None and audit.gap.sd_source.endswith("unknown"):
        return f"Open: {gap_words(audit, names)}; nobody knows whether runs scatter by as much."
    return f"Open: {gap_words(audit, names)}; what is reported does not decide where that comes from."


def _not_comparable(audit: Audit, names: Sides, _presumed: Sequence[str]) -> str:
    refuted = [f for f in ("dataset", "network") if audit.pair.findings[f].state is State.REFUTED]
    refuted += [label(d.name) for d in audit.pair.measured.values() if d.state is State.REFUTED]
    return f"{names.winner} and {names.loser} cannot be compared: not the same {listed(refuted) or 'measure'}."


_SENTENCES: dict[str, Callable[[Audit, Sides, Sequence[str]], str]] = {
    "inconsistent-record": lambda a, n, p: "Nothing can rest on this record: its numbers contradict each other.",
    "not-comparable": _not_comparable,
    "supported": lambda a, n, p: f"Supported: {claim_words(a, n)}, in a fair comparison.",
    "supported-presumed": _if_equal,
    "supported-not-attributable": lambda a, n, p: (
        f"True as it stands, {claim_words(a, n)}, but not shown to come from {_credit(a)}."
    ),
    "attributable-cross-validated": lambda a, n, p: (
        f"Supported: {n.winner} beats {n.loser} whichever way the two are retrained."
    ),
    "attributable-presumed": _if_equal,
    "claim-contradicted": _contradicted,
    "retraining-dependent": lambda a, n, p: f"It depends on the retraining whether {n.winner} or {n.loser} is better.",
    "within-noise": _within,
    "not-a-pruning-effect": lambda a, n, p: (
        f"Not an effect of pruning: {n.winner} and {n.loser} prune by one "
        f"method, {shown(a.pair.winner.method, LONGEST_NAME)}."
    ),
    "compression-mismatch": lambda a, n, p: f"Not a fair size: {n.winner} is compressed less than {n.loser}.",
    "attributable": _attributable,
    "confounded": _confounded,
    "a-fortiori": _a_fortiori,
    "undecided": _undecided,
}


def against_the_claim(audit: Audit) -> list[Confounder]:
    """What differs and may favour the claimed winner; who ran the loser is said last."""
    found = [c for c in audit.differing if c.favours != audit.pair.loser.name]
    return sorted(found, key=lambda c: (c.name == "quoted", c.favours is None, _order(c.name)))


def _order(name: str) -> int:
    order = ("base_model", "distillation", "retraining_epochs", "retraining_lr", "selection", "overall_lr")
    return order.index(name) if name in order else len(order)


def reasons(audit: Audit) -> tuple[str, ...]:
    """At most three, in the order of their weight for this verdict."""
    names = sides(audit)
    word = audit.verdict.word
    found: list[str] = []
    if word == "inconsistent-record":
        found = [shown(fault, 300) for fault in audit.evidence.contradictions]
    elif word == "not-comparable":
        found = [
            _factor(audit, f, names) for f in ("dataset", "network") if audit.pair.findings[f].state is State.REFUTED
        ]
        found = found or [audit.verdict.why]
    elif audit.evidence.cross is not None and word in ("retraining-dependent", "attributable-cross-validated"):
        found = [audit.evidence.cross.why]
        found += [audit.evidence.cross.highest] if word == "retraining-dependent" else []
    if word == "compression-mismatch":
        found.append(_factor(audit, "compression", names))
    against = [_confounder(audit, c, names) for c in against_the_claim(audit)]
    gap = _gap(audit, names)
    found += [*against[:2], gap, *against[2:]] if word == "confounded" else [gap, *against]
    found += [_confounder(audit, c, names) for c in audit.differing if c.favours == audit.pair.loser.name]
    found.append(established_words(audit))
    whole = [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in dict.fromkeys(found) if text]
    return tuple(whole[:MOST_REASONS])


def _factor(audit: Audit, id: str, names: Sides) -> str:
    return f"{label(id)}: {factor_words(audit, id, names.winner, names.loser)}"


def _confounder(audit: Audit, found: Confounder, names: Sides) -> str:
    whom = {audit.pair.winner.name: names.winner, audit.pair.loser.name: names.loser}.get(found.favours or "", "")
    favours = f"which favours {whom}" if whom else "and nobody knows whom that favours"
    if found.name in FACTORS:
        what = factor_words(audit, found.name, names.winner, names.loser).rpartition("; must be")[0]
        what = what or factor_words(audit, found.name, names.winner, names.loser)
    else:
        what = cleaned(found.why, names.winner, names.loser)
    if found.name == "quoted":
        quoted = names.loser if whom == names.winner else names.winner
        return f"{quoted} is quoted from another paper and was not run again, {favours}"
    return f"{label(found.name)}: {shown(what, 260)}, {favours}"


def _gap(audit: Audit, names: Sides) -> str:
    main = audit.gap.main
    source = _sources(audit, names)
    if main is None:
        return f"{gap_words(audit, names)}; {source}"
    found = f"{gap_words(audit, names)} (95 % interval {main.low:+.2f} to {main.high:+.2f}"
    other = audit.gap.besides_main(audit.evidence.threshold)
    if other is not None and audit.verdict.word == "within-noise":
        return (
            f"{found}), but {_READ_AS.get(other.name, other.name)} {other.points:+.2f} "
            f"({other.low:+.2f} to {other.high:+.2f}); {source}"
        )
    return f"{found}); {source}"


def _sources(audit: Audit, names: Sides) -> str:
    """Where the scatter is from, side by side where the two differ in that."""
    arms = audit.gap.arms
    if arms is None or arms[0].source == arms[1].source:
        return SD_SOURCES.get(audit.gap.sd_source, audit.gap.sd_source)
    sides = zip((names.winner, names.loser), arms, strict=True)
    return "; ".join(f"for {name} {SD_SOURCES.get(arm.source, arm.source)}" for name, arm in sides)


def established_words(audit: Audit) -> str:
    """How far the two are equal, in words."""
    found = audit.pair.assessment
    if audit.pair.whole_pipelines:
        states = {"the overall LR": audit.pair.findings["overall_lr"].state, "SX-A": found.setups["SX-A"]}
        said = [f"{what} {_STATES[state]}" for what, state in {**states, "SX-B": found.setups["SX-B"]}.items()]
        return f"over the whole pipelines {listed(said)}"
    if found.established is None and found.ceiling is None:
        return "not even dataset, network and compression are the same (S1)"
    sure = (
        f"what {found.established} asks for is known to be equal"
        if found.established
        else "nothing is known to be equal"
    )
    if found.established is not None and found.established == found.ceiling:
        return sure if found.ceiling == chain()[-1] else f"{sure}, and no more than that"
    return f"{sure}; nothing is known to differ up to {found.ceiling}" if found.ceiling else sure


_STATES = {
    State.HOLDS: "holds", State.HOLDS_A_FORTIORI: "holds", State.REFUTED: "does not hold",
    State.UNDECIDABLE: "cannot be decided", State.NOT_APPLICABLE: "does not apply",
}  # fmt: skip
