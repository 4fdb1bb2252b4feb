"""What could favour the winner and is not stated as equal, though nothing says that it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunemark.audit.document.claims import Credit
from prunemark.audit.document.entry import Entry
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.compressed import one_sided
from prunemark.audit.judgement.confounders import CREDITED
from prunemark.audit.judgement.noise import Arm, Gap
from prunemark.setups.values import State, known

Presumed = Mapping[str, tuple[str, ...]]
"""By name, the entries that do not say it; empty where neither side is the one to say it."""


def presumed(pair: AssessedPair, gap: Gap, arms: Sequence[Arm], credited_to: Credit) -> Presumed:
    """What a positive verdict presumes, by name in order. Nothing that a method owns or the claim credits."""
    found: dict[str, tuple[str, ...]] = {
        name: detail.silent
        for name, detail in (*pair.measured.items(), *pair.details.items())
        if detail.state is State.UNDECIDABLE
    }
    if pair.network_by_name:
        found["network"] = silent_of(pair, "network.dense_macs_millions")
    if by_source(pair) and not pair.whole_pipelines:
        found["base_model"] = silent_of(pair, "base.id")
    lacking = tuple(e.name for e, arm in zip((pair.winner, pair.loser), arms, strict=True) if not arm.stated_sd)
    if lacking:
        found["noise"] = lacking
    if gap.without_drop:
        found["base_accuracy"] = silent_of(pair, "base.top1")
    left_out = pair.winner.method_owned | pair.loser.method_owned | CREDITED[credited_to]
    kept = {name for name, detail in pair.measured.items() if detail.state is State.UNDECIDABLE}
    kept |= {"batch_size"} if _compares_lrs(pair, credited_to) else set()
    named = {name: found[name] for name in sorted(found) if name not in left_out or name in kept}
    return named or compression_presumed(pair)


def compression_presumed(pair: AssessedPair) -> dict[str, tuple[str, ...]]:
    """A measure of compression that one side states only, where nothing else keeps a claim from being supported.

    By that measure the winner may be the less compressed: it has to be stated, as silence never pays.
    """
    silent = one_sided(pair.winner, pair.loser)
    return {"compression": silent} if silent else {}


def _compares_lrs(pair: AssessedPair, credited_to: Credit) -> bool:
    """Whether what has to be equal has an LR in it, which is only as equal as the batch sizes are."""
    if pair.whole_pipelines and credited_to != "pipeline":
        return True
    stages = {"pruning": ("retraining",), "retraining": ("pruning",), "base": ("pruning", "retraining"), "pipeline": ()}
    return any(known(getattr(pair.left, stage).lr) is not None for stage in stages[credited_to])


def by_source(pair: AssessedPair) -> bool:
    """Whether the base is one only because its source and its accuracy are."""
    ids = [known(side.base.id) for side in (pair.left, pair.right)]
    holds = pair.findings["base_model"].state is State.HOLDS
    return holds and None in ids and known(pair.left.base.source) is not None


def silent_of(pair: AssessedPair, field: str) -> tuple[str, ...]:
    """The entries that do not state a field."""
    entries: tuple[Entry, Entry] = (pair.winner, pair.loser)
    return tuple(entry.name for entry in entries if not entry[field].stated)


def is_open(pair: AssessedPair, name: str) -> bool:
    """Whether both sides state a detail, in words that can mean one thing."""
    found = pair.measured.get(name) or pair.details.get(name)
    return found is not None and found.state is State.UNDECIDABLE and not found.silent


def in_words(found: Presumed, pair: AssessedPair) -> str:
    """`distillation, which A does not report, and batch_size, which neither reports`."""
    both = {pair.winner.name, pair.loser.name}
    by_side: dict[str, list[str]] = {}
    for name, silent in found.items():
        who = "neither reports" if set(silent) == both or not silent else f"{silent[0]} does not report"
        who = "the two do not clearly state as the same" if is_open(pair, name) else who
        by_side.setdefault(who, []).append(name)
    return ", and ".join(f"{', '.join(names)}, which {who}" for who, names in by_side.items())
