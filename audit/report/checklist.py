"""Twelve questions to a comparison, after the NeurIPS paper checklist and REFORMS: yes, no or not stated, and where.

The numbers are those of the NeurIPS checklist of 2024 and of the modules of REFORMS (Kapoor et al., Science Advances
2024). The answers are about what the document states; nothing else of the paper is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.reported_values import bounds
from prunemark.audit.document.selection_words import BEST_ON_VALIDATION
from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.presumed import by_source
from prunemark.audit.judgement.selection import selection_of
from prunemark.audit.report.factor_words import cleaned, factor_words, label, listed
from prunemark.audit.report.headline import Sides, gap_words, metric_of, sides
from prunemark.audit.report.layout import WIDTH, wrapped
from prunemark.setups.text import shown
from prunemark.setups.values import NOT_REPORTED, State

Reply = Literal["yes", "no", "not stated", "n/a"]
Finding = tuple[Reply, str]


@dataclass(frozen=True)
class Item:
    """A question, where it comes from, the values that answer it, and how."""

    question: str
    source: str
    values: tuple[str, ...]
    decide: Callable[[Audit, Sides], Finding]


@dataclass(frozen=True)
class Answered:
    """One item with its reply, the reason, and the places in the document and its sources."""

    question: str
    source: str
    reply: Reply
    why: str
    where: str


_TO_BE_SURE = {"network": "its dense MACs on both sides", "base_model": "the checkpoint or its hash"}
"""What tells two networks of one name, and two base models of one source, apart."""


def _factors(*ids: str) -> Callable[[Audit, Sides], Finding]:
    """Yes where all hold; no where one is refuted; else not stated."""

    def decide(audit: Audit, names: Sides) -> Finding:
        states = {id: audit.pair.findings[id].state for id in ids}
        wrong = [id for id in ids if states[id] is State.REFUTED]
        unsaid = [id for id in ids if states[id] is State.UNDECIDABLE]
        for reply, found in (("no", wrong), ("not stated", unsaid)):
            if found:
                words = "; ".join(f"{label(id)}: {factor_words(audit, id, names.winner, names.loser)}" for id in found)
                return reply, words  # type: ignore[return-value]
        words = "; ".join(dict.fromkeys(factor_words(audit, id, names.winner, names.loser) for id in ids))
        if all(state is State.NOT_APPLICABLE for state in states.values()):
            return "n/a", words
        by_name = {"network": audit.pair.network_by_name, "base_model": by_source(audit.pair)}
        lacking = [_TO_BE_SURE[id] for id in ids if by_name.get(id)]
        return ("not stated", f"{words}; not stated: {listed(lacking)}") if lacking else ("yes", words)

    return decide


def _details(*ids: str) -> Callable[[Audit, Sides], Finding]:
    """Of details that no setup holds equal, also those that a method declares as its own."""

    def decide(audit: Audit, names: Sides) -> Finding:
        found = [audit.pair.details[id] for id in ids]
        wrong = [d for d in found if d.state is State.REFUTED]
        unsaid = [d.name for d in found if d.state is State.UNDECIDABLE]
        if wrong:
            return "no", "; ".join(f"{label(d.name)}: {cleaned(d.why, names.winner, names.loser)}" for d in wrong)
        if unsaid:
            return "not stated", listed([label(name) for name in unsaid])
        return "yes", "stated, and the same"

    return decide


def _compression(audit: Audit, names: Sides) -> Finding:
    """The compression, and the granularity where that matters to the metric."""
    found = [_factors("compression")(audit, names)]
    if "granularity" in audit.pair.details:
        reply, why = _details("granularity")(audit, names)
        found.append((reply, "granularity: the same" if reply == "yes" else why))
    replies = [reply for reply, _ in found]
    worst: Reply = "no" if "no" in replies else "not stated" if "not stated" in replies else "yes"
    return worst, "; ".join(why for _, why in found)


def _whole(audit: Audit, names: Sides) -> Finding:
    """Epochs and FLOPs of the whole pipeline; through SX its LRs too."""
    lrs = ("overall_lr", "final_lr") if audit.pair.whole_pipelines else ()
    return _factors("total_epochs", "total_flops", *lrs)(audit, names)


def _claim(audit: Audit, names: Sides) -> Finding:
    if audit.gap.points is None:
        return "not stated", "a result is missing"
    return "yes", gap_words(audit, names)


def _selection(audit: Audit, names: Sides) -> Finding:
    chosen = [selection_of(side["result.selection"].value) for side in (audit.pair.winner, audit.pair.loser)]
    said = listed(
        [f"{name}: {word or 'not stated'}" for name, word in zip((names.winner, names.loser), chosen, strict=True)]
    )
    if any(word and word.startswith("best") and word != BEST_ON_VALIDATION for word in chosen):
        return "no", said
    return ("not stated" if None in chosen else "yes"), said


def _runs(audit: Audit, names: Sides) -> Finding:
    counts = [bounds(side["result.runs"].value) for side in (audit.pair.winner, audit.pair.loser)]
    said = listed([
        f"{name}: {f'{ends[0]:g}' if ends else 'not stated'}"
        for name, ends in zip((names.winner, names.loser), counts, strict=True)
    ])  # fmt: skip
    if any(ends and ends[1] < 2 for ends in counts):
        return "no", said
    return ("yes" if all(counts) else "not stated"), said


def _scatter(audit: Audit, names: Sides) -> Finding:
    entries = (audit.pair.winner, audit.pair.loser)
    metric = metric_of(audit).name
    declared = [entry[f"result.{metric}_sd"].value != NOT_REPORTED for entry in entries]
    loose = [entry[f"result.{metric}_plus_minus"].value != NOT_REPORTED for entry in entries]
    if all(declared):
        return "yes", "a standard deviation on both sides"
    if all(d or p for d, p in zip(declared, loose, strict=True)):
        return "no", "a +- is printed without what it is: standard deviation, standard error or interval"
    quiet = [n for n, d, p in zip((names.winner, names.loser), declared, loose, strict=True) if not d and not p]
    return "not stated", f"nothing for {listed(quiet)}"


ITEMS: tuple[Item, ...] = (
    Item("Does the claim say who, over whom, and by how much?", "NeurIPS 1; REFORMS 1", ("result.top1",), _claim),
    Item("Are both on one dataset?", "NeurIPS 6; REFORMS 3", ("dataset",), _factors("dataset")),
    Item("Is it one network, by its dense costs too?", "NeurIPS 6; REFORMS 5",
         ("network.name", "network.dense_macs_millions"), _factors("network")),
    Item("Are compression and granularity stated, and alike?", "NeurIPS 6; REFORMS 7",
         ("speedup", "sparsity", "macs_kept", "params_kept", "granularity"), _compression),
    Item("Is the base model named, and one?", "NeurIPS 4; REFORMS 2", ("base.id", "base.source", "base.top1"),
         _factors("base_model")),
    Item("Are epochs and LR of the retraining stated, and equal?", "NeurIPS 6; REFORMS 5",
         ("retraining.epochs", "retraining.lr"), _factors("retraining_epochs", "retraining_lr")),
    Item("Is the cost of the pruning stage stated, and equal?", "NeurIPS 6; REFORMS 5",
         ("pruning.epochs", "pruning.lr"), _factors("pruning_epochs", "pruning_lr")),
    Item("Is the rest of the recipe stated, and equal, teachers too?", "NeurIPS 6; REFORMS 5",
         ("recipe.batch_size", "recipe.weight_decay", "recipe.label_smoothing", "recipe.distillation",
          "recipe.augmentation"),
         _details("batch_size", "weight_decay", "label_smoothing", "distillation", "augmentation")),
    Item("Were epoch and run chosen without the test split?", "REFORMS 6", ("result.selection",), _selection),
    Item("Are there several runs, and how many?", "NeurIPS 7; REFORMS 7", ("result.runs",), _runs),
    Item("Is the scatter of the runs stated, and what it is?", "NeurIPS 7; REFORMS 7",
         ("result.top1_sd", "result.top1_plus_minus"), _scatter),
    Item("Is the training of the whole pipeline stated, and equal?", "NeurIPS 8; REFORMS 2", ("pretraining.epochs",),
         _whole),
)  # fmt: skip
"""The twelve, in the order of a pipeline."""


def checklist(audit: Audit) -> tuple[Answered, ...]:
    """The twelve items, answered. Never raises."""
    names = sides(audit)
    entries = (audit.pair.winner, audit.pair.loser)
    found = []
    for item in ITEMS:
        reply, why = item.decide(audit, names)
        values = [value.replace("result.top1", f"result.{metric_of(audit).name}") for value in item.values]
        where = "; ".join(place for entry in entries if (place := _where(entry, values)))
        found.append(Answered(item.question, item.source, reply, shown(why), shown(where)))
    return tuple(found)


def _where(entry: Entry, values: Sequence[str]) -> str:
    """Where an entry states it: its source, and line and column of the document."""
    places = [entry[value].where for value in values if entry[value].where]
    if not places:
        return ""
    place = places[0].rpartition("/")[2]
    return f"{entry.source}, {place}" if entry.source else place


def as_checklist(audits: list[Audit]) -> str:
    """The checklists as plain text of 80 columns."""
    made: list[str] = []
    for audit in audits:
        names, found = sides(audit), checklist(audit)
        replies = [item.reply for item in found]
        counts = [f"{replies.count(reply)} {reply}" for reply in ("yes", "no", "not stated")]
        counts += [f"{replies.count('n/a')} not applicable"] if "n/a" in replies else []
        made += wrapped(f"{names.winner} against {names.loser}: {', '.join(counts)}", WIDTH)
        for number, item in enumerate(found, 1):
            made += wrapped(f"{number:>2}. {item.reply:<11}{item.question} ({item.source})", WIDTH, " " * 15)
            made += wrapped(f"{' ' * 15}{item.why}", WIDTH, " " * 15)
            made += wrapped(f"{' ' * 15}where: {item.where}", WIDTH, " " * 15) if item.where else []
        made.append("")
    return "\n".join(made).rstrip("\n") + "\n"
