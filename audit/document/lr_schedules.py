"""LR schedules of a document: the paper's notation or a mapping, over as many epochs as the stage reports.

A milestone at or past the last epoch is a fault of the record, not of the document: it is noted, and the
schedule counts as not reported, because nobody can have run it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from prunemark.audit.document.lr_words import in_notation
from prunemark.audit.document.quantities import EPOCHS, read_number
from prunemark.audit.document.reported_values import Provenance, ReportedValue, read_value
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.schedule import MAX_EPOCHS, LRSchedule, format_lr, from_vector, halving, parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, Leaf, NotApplicable, known

LR_KINDS = ("constant", "step", "cosine", "one-cycle", "halving", "linear")
_SYNONYMS = {
    "gamma": "factor", "decay": "factor", "warmup_epochs": "warmup", "step_size": "every",
    **dict.fromkeys(("peak", "max", "lr", "max_lr", "base_lr", "initial_lr", "start"), "initial"),
    **dict.fromkeys(("min", "min_lr", "final_lr", "end", "eta_min"), "final"),
}  # fmt: skip
_KIND_WORDS = re.compile(r"lr$|annealing|decay(?:ed)?|schedule|[\s_-]")
_KINDS = {"fixed": "constant", "onecycle": "one-cycle", "1cycle": "one-cycle", "multistep": "step"}
_FIELDS = {
    "kind",
    "initial",
    "final",
    "milestones",
    "every",
    "factor",
    "warmup",
    "notation",
    "evidence",
    "note",
    "notes",
}
_NUM = r"(?:\d+(?:[.,]\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
MOST_CHANGES = 500
_IN_WORDS = re.compile(
    rf"(?P<lr>{_NUM})\s*[,;:]?\s*(?:(?:/|÷|divided by)\s*(?P<over>{_NUM})|(?:x|×|\*|times)\s*(?P<by>{_NUM}))\s*"
    r"(?:every\s*(?P<every>\d{1,6})|at\s*(?:epochs?\s*)?(?P<at>\d{1,6}(?:\s*(?:,|/|and)\s*\d{1,6})*))(?:\s*(?:epochs?|ep))?",
    re.ASCII,
)
_LINEAR = re.compile(rf"linear:({_NUM})->({_NUM})(?:\+warmup(\d{{1,6}}))?", re.ASCII)
_MILESTONE = re.compile(r"(\d{1,9})\s*:")


@dataclass(frozen=True)
class WrittenSchedule:
    """A schedule as written, before the number of epochs is known: `over` gives the schedule or raises."""

    text: str
    last_milestone: int
    over: Callable[[int], LRSchedule]

    def __str__(self) -> str:
        return self.text


def read_schedule(node: Node) -> WrittenSchedule:
    """The schedule that a value spells. Raises InputError with the forms for anything else."""
    if node.kind == "scalar":
        return _of_text(node.text.strip(), node)
    if node.kind != "mapping":
        raise InputError(f"{node.where}: an LR is 0:1e-2,30:1e-3 or {{kind: cosine, initial: 0.01, final: 0}}")
    if node.entries and all(key.strip().isdigit() for key in node.entries):
        listed = ",".join(f"{key.strip()}:{format_lr(_rate(value))}" for key, value in node.entries.items())
        return _of_text(listed, node)
    node = _renamed(node)
    strange = sorted(set(node.entries) - _FIELDS)
    if strange:
        problem = unknown_name("field of an LR schedule", strange[0][:60], _FIELDS)
        raise InputError(f"{node.entries[strange[0]].where}: {problem.args[0]}")
    return _of_mapping(node)


def _renamed(node: Node) -> Node:
    """The mapping with its fields by their names here. Raises InputError where two say one thing."""
    found: dict[str, Node] = {}
    for key, value in node.entries.items():
        name = _SYNONYMS.get(key, key)
        if name in found:
            raise InputError(f"{value.where}: {key[:40]} is another word for {name}, which is given too: keep one")
        found[name] = value
    return Node(node.kind, node.where, entries=found)


def _of_text(text: str, node: Node) -> WrittenSchedule:
    if len(text) > 4000:
        raise InputError(f"{node.where}: an LR schedule of {len(text)} characters is not read")
    text = in_notation(text) if any(letter.isalpha() and letter not in "eE" for letter in text) else text
    if straight := _LINEAR.fullmatch(text):
        return _linear(float(straight[1]), float(straight[2]), int(straight[3] or 0))
    if match := _IN_WORDS.fullmatch(text):
        return _in_words(match, node)
    if re.fullmatch(r"\d+,\d+", text, re.ASCII):
        text = format_lr(_rate(node))
    last = max((int(match) for match in _MILESTONE.findall(text)), default=0)
    try:
        parse_schedule(text, min(max(last + 1, 1000), MAX_EPOCHS))  # only to see whether it can be read
    except (InputError, ValueError, OverflowError) as problem:
        raise InputError(f"{node.where}: {problem}") from None
    return WrittenSchedule(text, last, lambda epochs: parse_schedule(text, epochs))


def _in_words(match: re.Match[str], node: Node) -> WrittenSchedule:
    """`0.01, /10 every 30 epochs`, or `0.1, /10 at 30, 60`: as papers say it in a sentence."""
    initial = _rate(Node("scalar", node.where, match["lr"]))
    by = _rate(Node("scalar", node.where, match["over"] or match["by"]))
    factor = (1 / by if by else 0.0) if match["over"] else by

    def over(epochs: int, milestones: list[int]) -> LRSchedule:
        points = [(0, initial), *((at, float(f"{initial * factor**n:.9g}")) for n, at in enumerate(milestones, 1))]
        return LRSchedule("step", epochs, tuple(points))

    if match["at"]:
        listed = [int(part) for part in re.findall(r"\d+", match["at"])]
        if listed != sorted(set(listed)) or listed[0] == 0:
            raise InputError(f"{node.where}: the epochs at which an LR changes increase, as in 0.1, /10 at 30, 60")
        return WrittenSchedule(match[0], listed[-1], lambda epochs: over(epochs, listed))
    step = int(match["every"])
    if step == 0:
        raise InputError(f"{node.where}: an LR that changes every 0 epochs; write 0.01, /10 every 30 epochs")

    def repeated(epochs: int) -> LRSchedule:
        if epochs > step * MOST_CHANGES:
            raise InputError(f"an LR that changes more than {MOST_CHANGES} times is not read")
        return over(epochs, list(range(step, epochs, step)))

    return WrittenSchedule(match[0], 0, repeated)


def _of_mapping(node: Node) -> WrittenSchedule:
    fields = node.entries
    if "notation" in fields:
        return _of_text(fields["notation"].text.strip(), fields["notation"])
    kind = _KIND_WORDS.sub("", fields["kind"].text.strip().lower()) if "kind" in fields else _guessed(node)
    kind = _KINDS.get(kind, kind)
    if kind not in LR_KINDS:
        problem = unknown_name("kind of LR schedule", kind[:60], LR_KINDS)
        raise InputError(f"{node.where}: {problem.args[0]}")
    if "initial" not in fields:
        raise InputError(f"{node.where}: an LR schedule needs `initial`, the LR it starts from")
    initial = _rate(fields["initial"])
    warmup = round(EPOCHS(fields["warmup"])) if "warmup" in fields else 0
    tail = f"+warmup{warmup}" if warmup else ""
    if kind == "step" and "every" in fields and "factor" in fields and not warmup:
        step = EPOCHS(fields["every"])
        return _of_text(f"{format_lr(initial)} x{format_lr(_rate(fields['factor']))} every {step:g}", node)
    if kind == "step":
        return _of_text(_steps(node, initial) + tail, node)
    final = _rate(fields["final"]) if "final" in fields else None
    if kind == "halving":
        if final is None or final <= 0:
            raise InputError(f"{node.where}: a halving schedule (Rule 2) needs `final`, above 0")
        return _by_halving(node, initial, final)
    if kind == "linear":
        return _linear(initial, final or 0.0, warmup)
    if kind == "constant":
        return _of_text(format_lr(initial) + tail, node)
    end = f"->{format_lr(final or 0.0)}" if kind == "cosine" else ""
    return _of_text(f"{kind}:{format_lr(initial)}{end}{tail}", node)


def _guessed(node: Node) -> str:
    if {"milestones", "every"} & set(node.entries):
        return "step"
    raise InputError(f"{node.where}: an LR schedule needs `kind`: one of {', '.join(LR_KINDS)}")


def _rate(node: Node) -> float:
    value = read_number(node)
    if value < 0:
        raise InputError(f"{node.where}: an LR is not negative; given {node.text[:40]}")
    return value


def _steps(node: Node, initial: float) -> str:
    """`milestones: [30, 60]` with a `factor` (0.1), or with the `final` LR that they lead to."""
    listed = node.entries.get("milestones")
    if listed is None or listed.kind != "sequence":
        raise InputError(f"{node.where}: a step schedule needs `milestones`, as in [30, 60]")
    epochs = [round(EPOCHS(item)) for item in listed.items]
    if "factor" in node.entries:
        factor = _rate(node.entries["factor"])
    elif "final" in node.entries and epochs and initial > 0:
        factor = float((_rate(node.entries["final"]) / initial) ** (1 / len(epochs)))
    else:
        raise InputError(f"{node.where}: a step schedule needs `factor`, or the `final` LR that it reaches")
    points = [f"0:{format_lr(initial)}"]
    points += [f"{epoch}:{format_lr(float(f'{initial * factor**n:.9g}'))}" for n, epoch in enumerate(epochs, 1)]
    return ",".join(points)


def _linear(initial: float, final: float, warmup: int) -> WrittenSchedule:
    def over(epochs: int) -> LRSchedule:
        fall = from_vector(tuple(initial + (final - initial) * epoch / epochs for epoch in range(epochs)))
        return replace(fall, warmup_epochs=warmup)

    tail = f"+warmup{warmup}" if warmup else ""
    return WrittenSchedule(f"linear:{format_lr(initial)}->{format_lr(final)}{tail}", 0, over)


def _by_halving(node: Node, initial: float, final: float) -> WrittenSchedule:
    try:
        halving(initial, final, 10_000)
    except (InputError, ValueError, OverflowError) as problem:
        raise InputError(f"{node.where}: {problem}") from None
    text = f"halving:{format_lr(initial)}->{format_lr(final)}"
    return WrittenSchedule(text, 0, lambda epochs: halving(initial, final, epochs))


def read_lr(
    node: Node | None, epochs: ReportedValue, root: str, provenance: Provenance, contradictions: list[str], stage: str
) -> ReportedValue:
    """The schedule of a stage over the epochs it reports; what contradicts itself is added to `contradictions`."""
    notation = read_value(node, root, read_schedule, provenance)
    if isinstance(notation.value, NotApplicable) or notation.value == NOT_REPORTED:
        trains_not = isinstance(epochs.value, NotApplicable) or known(epochs.value) == 0
        value: Leaf[Any] = NOT_APPLICABLE if trains_not else notation.value
    else:
        value = _stretched(notation.value, epochs.value, contradictions, stage)
    return ReportedValue(value, root, notation.provenance, where=notation.where, first=_first(notation.value))


def _first(notation: Leaf[Any]) -> float | None:
    """The LR of the first epoch where it does not depend on how many epochs there are."""
    one = known(notation)
    if not isinstance(one, WrittenSchedule) or "warmup" in one.text or one.text.startswith("one-cycle"):
        return None
    lr = _over(one, float(max(one.last_milestone + 1, 1000)))
    return lr.initial if isinstance(lr, LRSchedule) else None


def _stretched(notation: Leaf[Any], epochs: Leaf[Any], contradictions: list[str], stage: str) -> Leaf[Any]:
    if known(epochs) == 0:  # an LR without an epoch at which it could act
        return NOT_APPLICABLE
    written = notation.choices if isinstance(notation, Conflict) else (notation,)
    counts = epochs.choices if isinstance(epochs, Conflict) else (epochs,)
    found: list[Any] = []
    wrong: list[str] = []
    for one in written:
        for count in counts:
            longest = count.high if isinstance(count, Between) else count
            if isinstance(one, WrittenSchedule) and isinstance(longest, float) and one.last_milestone >= longest:
                wrong.append(
                    f"{stage}: the LR changes at epoch {one.last_milestone}, but it lasts {_plain(count)} epochs"
                )
                found.append(NOT_REPORTED)
            elif not isinstance(one, WrittenSchedule) or (length := known(count)) is None:
                found.append(one if isinstance(one, NotApplicable) else NOT_REPORTED)
            else:
                found.append(_over(one, float(length)))
    if len(wrong) == len(found):
        contradictions += wrong[:1]
    return found[0] if len(found) == 1 else Conflict(tuple(found))


def _plain(count: Leaf[Any]) -> str:
    return f"{count:g}" if isinstance(count, float) else str(count)


def _over(notation: WrittenSchedule, count: float) -> Leaf[Any]:
    if count > MAX_EPOCHS or count != round(count):
        return NOT_REPORTED
    try:
        return notation.over(round(count))
    except (InputError, ValueError, OverflowError):
        return NOT_REPORTED
