"""The whole answer in words, in the order in which it is read: every form of the report shows these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.factor_words import factor_words, label, listed
from prunemark.audit.report.headline import (
    claim_words,
    established_words,
    headline,
    metric_of,
    reasons,
    sides,
    whole_claim,
)
from prunemark.audit.report.remarks import remarks
from prunemark.setups.comparison import SETUPS, chain
from prunemark.setups.factors import FACTORS
from prunemark.setups.text import MOST_OF_A_TEXT, shown
from prunemark.setups.values import NOT_REPORTED, State

MARKS = {"holds": "●", "holds_a_fortiori": "●", "undecidable": "◐", "refuted": "○", "not_applicable": "–"}
LEGEND = "● equal  ◐ cannot be decided  ○ differs  – does not apply"
MOST_ASKED = 7
CHECKLIST = ": see --format checklist"  # left out where there is no command line
ASKING = "ask the authors"
"""How a step begins that is a question, and no experiment: it stands among the questions."""

RECIPE, MEASURED = "recipe", "how it was measured"
"""Two questions that list what is not stated of them."""

ASK: dict[str, str] = {
    "base_model": "which base model was pruned: a checkpoint or its hash",
    "base_accuracy": "the accuracy of the base model",
    "runs": "the number of runs, and their standard deviation",
    "top1_sd": "the number of runs, and their standard deviation",
    "noise": "the number of runs, and their standard deviation",
    "top1": "the accuracy after retraining",
    "retraining_epochs": "epochs and LR schedule of the retraining",
    "retraining_lr": "epochs and LR schedule of the retraining",
    "pruning_epochs": "epochs and LR of the pruning stage (0 for one-shot)",
    "pruning_lr": "epochs and LR of the pruning stage (0 for one-shot)",
    "total_epochs": "the epochs of every stage",
    "total_flops": "the epochs of every stage",
    "overall_lr": "the LR schedule of every stage",
    "final_lr": "the LR schedule of every stage",
    "dataset": "which dataset it is",
    "network": "which network it is: its dense MACs",
    "compression": "the speed-up, or MACs before and after",
    "selection": "which epoch and run is reported: the last, or the best on the test split",
    "distillation": "whether a teacher was used",
    "augmentation": RECIPE,
    "label_smoothing": RECIPE,
    "weight_decay": RECIPE,
    "batch_size": RECIPE,
    "granularity": "what is pruned: filters, blocks or single weights",
    "flops_convention": "whether costs are MACs or FLOPs",
}
"""What to ask the authors for, by what is not stated."""

STATED_AS: dict[str, tuple[str, ...]] = {
    "base_model": ("base.id", "base.source"), "base_accuracy": ("base.top1",), "runs": ("result.runs",),
    "noise": ("result.top1_sd", "result.top1_plus_minus"), "top1_sd": ("result.top1_sd",), "top1": ("result.top1",),
    "retraining_epochs": ("retraining.epochs",), "retraining_lr": ("retraining.lr",),
    "pruning_epochs": ("pruning.epochs",), "pruning_lr": ("pruning.lr",), "selection": ("result.selection",),
    "distillation": ("recipe.distillation",), "label_smoothing": ("recipe.label_smoothing",),
    "weight_decay": ("recipe.weight_decay",), "batch_size": ("recipe.batch_size",),
    "augmentation": ("recipe.augmentation",), "granularity": ("granularity",), "dataset": ("dataset",),
    "network": ("network.dense_macs_millions",), "compression": ("speedup", "sparsity", "macs_kept", "params_kept"),
    "flops_convention": ("flops_convention",),
}  # fmt: skip
"""The values of an entry that say it; of any of them one is enough."""


@dataclass(frozen=True)
class FactorLine:
    """One factor: its mark, its state, its name, and what was found."""

    mark: str
    state: str
    name: str
    words: str


@dataclass(frozen=True)
class Answer:
    """The parts of a report, in the order in which they are read."""

    word: str
    exit_code: int
    claim: str
    whole_claim: str
    sentence: str
    reasons: tuple[str, ...]
    ask: tuple[str, ...]
    experiment: tuple[str, ...]
    setups: str
    interval: str
    factors: tuple[FactorLine, ...]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


def answer(audit: Audit) -> Answer:
    """The audit in words. Names of strangers are shown as every form can show them."""
    found, names = audit.pair.assessment, sides(audit)
    row = chain()
    states = {id: found.setups[id] for id in (*row, *(id for id in SETUPS if id not in row))}
    whole = Answer(
        word=audit.verdict.word,
        exit_code=audit.verdict.exit_code,
        claim=claim_words(audit, names),
        whole_claim=whole_claim(audit),
        sentence=headline(audit, audit.presumed),
        reasons=reasons(audit),
        ask=questions(audit),
        experiment=tuple(step for step in audit.next_experiments if not step.startswith(ASKING)),
        setups="  ".join(f"{id} {MARKS[state]}" for id, state in states.items()),
        interval=established_words(audit),
        factors=tuple(
            FactorLine(
                MARKS[audit.pair.findings[id].state], audit.pair.findings[id].state, label(id),
                factor_words(audit, id, names.winner, names.loser),
            )
            for id in FACTORS
        ),
        remarks=remarks(audit.pair.winner, audit.pair.loser),
        notes=audit.notes,
    )  # fmt: skip
    return Answer(**{part.name: _seen(getattr(whole, part.name)) for part in fields(whole)})


def _seen(part: Any) -> Any:
    """Texts that may have names of strangers in them, on one line each."""
    if isinstance(part, str):
        return shown(part, MOST_OF_A_TEXT)
    return tuple(_seen(each) for each in part) if isinstance(part, tuple) else part


def questions(audit: Audit) -> tuple[str, ...]:
    """What to ask the authors: first what the verdict rests on, then what would close it, then the other details."""
    unsaid = [c.name for c in audit.undisclosed]
    wanted: dict[str, dict[str, Sequence[str]]] = {}
    for name in (
        *audit.presumed,
        *audit.missing,
        *sorted(unsaid, key=lambda n: n in ("flops_convention", "total_flops")),
    ):
        if name in ASK or name in (*audit.presumed, *audit.missing):
            wanted.setdefault(_question(audit, name), {})[name] = _silent(audit, name)
    what = [step for step in audit.next_experiments if step.startswith(f"{ASKING} what ")]
    names = sides(audit)
    order = (audit.pair.winner.name, audit.pair.loser.name)
    found = [step.removeprefix(f"{ASKING} ") for step in what]
    for question, by_name in wanted.items():
        quiet = {entry for silent in by_name.values() for entry in silent}
        of = {frozenset(order): "both", frozenset(order[:1]): names.winner, frozenset(order[1:]): names.loser}
        whom = of.get(frozenset(quiet), "")
        found.append(f"{_listing(question, list(by_name))}{f' ({whom})' if whom else ''}")
    if len(found) > MOST_ASKED:
        found = [*found[: MOST_ASKED - 1], f"and {len(found) - MOST_ASKED + 1} further details{CHECKLIST}"]
    return tuple(found)


def _listing(question: str, names: list[str]) -> str:
    """A question with what it asks for."""
    if question not in (RECIPE, MEASURED):
        return question
    what = listed([label(name) for name in sorted(names)])
    return f"{MEASURED}: {what}" if question == MEASURED else what


def _question(audit: Audit, name: str) -> str:
    """What is asked for by this name; a metric's own fields have no line in the table."""
    if name in audit.presumed and (how := audit.pair.measured.get(name)) and how.state is State.UNDECIDABLE:
        return MEASURED
    if name in ASK:
        return ASK[name]
    return ASK["top1_sd"] if name.endswith("_sd") else f"the {label(name)}"


def _silent(audit: Audit, name: str) -> Sequence[str]:
    """The sides that do not state it."""
    if name in audit.presumed:
        return audit.evidence.presumed.get(name, ())
    metric = metric_of(audit).name
    values = (f"result.{name}",) if name in (metric, f"{metric}_sd") else STATED_AS.get(name, ())
    return [
        entry.name
        for entry in (audit.pair.winner, audit.pair.loser)
        if values and all(entry[value].value == NOT_REPORTED for value in values)
    ]
