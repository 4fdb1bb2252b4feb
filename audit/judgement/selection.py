"""How a printed number was chosen among epochs and runs, and how much that inflates it."""

from __future__ import annotations

from typing import Any

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.selection_words import BEST_EPOCH, BEST_OF_K, BEST_OF_RUNS, selection_word
from prunemark.setups.values import Between, Conflict, known

BEST_OF: dict[int, float] = {2: 0.56, 3: 0.85, 4: 1.03, 5: 1.16, 6: 1.27, 7: 1.35, 8: 1.42, 9: 1.49, 10: 1.54}
"""Expected maximum of k standard normal numbers: how many sds the best of k runs lies above the mean of one."""
BEST_EPOCH_GAIN_PP = 0.29
"""The most that choosing the epoch on the test split added in eight logged runs (the least was 0.01)."""


def selection_of(value: Any) -> str | None:
    """How the reported number was chosen: last, best_epoch_on_test, best_of_3, or another word as it stands."""
    text = known(value)
    return None if text is None else selection_word(str(text))


def is_best_of(value: Any) -> bool:
    """Whether it is the best of some number of runs."""
    found = selection_of(value) or ""
    return found == BEST_OF_RUNS or BEST_OF_K.fullmatch(found) is not None


def counted(value: Any) -> float | None:
    """The k of a selection that is called best of k."""
    match = BEST_OF_K.fullmatch(selection_of(value) or "")
    return float(match.group(1)) if match else None


def best_of_sds(value: Any, runs: float | None) -> float:
    """How many sds the best of k lies above the mean; of an unknown number of runs, ten are assumed."""
    if not is_best_of(value):
        return 0.0
    k = counted(value) or runs
    count = round(k) if k else 10
    return 0.0 if count <= 1 else BEST_OF.get(count, BEST_OF[10])


def with_its_k(value: Any, entry: Entry) -> str:
    """As `selection_of`, with the k of the best of k where the entry says how many runs there were."""
    found = selection_of(value) or ""
    runs = known(entry["result.runs"].value)
    return f"best_of_{round(runs)}" if found == BEST_OF_RUNS and runs is not None else found


def open_k(a: str, b: str) -> bool:
    """Whether both are the best of k, and of one of them nobody says the k."""
    return BEST_OF_RUNS in (a, b) and is_best_of(a) and is_best_of(b)


def more_inflated(a: str, b: str) -> bool | None:
    """Whether the first inflates more: mean or last, then the best epoch on test or the best of k, more for a larger k.

    None where nobody knows: another word, or the best epoch against the best of k.
    """
    if "last" in (a, b) and all(found in ("last", BEST_EPOCH) or is_best_of(found) for found in (a, b)):
        return b == "last"
    first, second = counted(a), counted(b)
    return None if first is None or second is None or first == second else first > second


def runs_of(value: Any) -> float | None:
    """How many runs there were at least."""
    if isinstance(value, Between):
        return max(value.low, 1.0)
    if isinstance(value, Conflict):
        return min((runs for choice in value.choices if (runs := runs_of(choice)) is not None), default=None)
    return known(value)
