"""Which epoch and which run a printed number is of, in the words of papers."""

from __future__ import annotations

import re
from functools import lru_cache

LAST, BEST_EPOCH, BEST_ON_VALIDATION, BEST_OF_RUNS = "last", "best_epoch_on_test", "best_on_validation", "best_of_runs"
BEST_OF_K = re.compile(r"best_of_(\d{1,4})", re.ASCII)
_COUNTS = {word: k for k, word in enumerate(("two", "three", "four", "five"), 2)}
_BEST_OF = re.compile(rf"(?:best|max|maximum)[\s_-]+(?:of|over|from)[\s_-]+(\d{{1,4}}|{'|'.join(_COUNTS)})\b", re.ASCII)
_TOP = re.compile(r"top[\s_-]*[15]\b", re.ASCII)
_SAYS_NOTHING = frozenset((
    "a", "the", "of", "on", "over", "at", "in", "from", "for", "and", "epoch", "epochs", "checkpoint",
    "checkpoints", "model", "models", "accuracy", "acc", "result", "results", "number", "reported", "value",
    "set", "split", "score", "performance", "training", "independent", "random", "different", "across", "per",
    "is",
))  # fmt: skip
_EPOCHS = frozenset(["epoch", "epochs", "checkpoint", "checkpoints"])
_RUNS = frozenset((
    "run", "runs", "seed", "seeds", "trial", "trials", "repeat", "repeats", "repetition", "repetitions",
    "times",
))  # fmt: skip
_BEST = frozenset(["best", "max", "maximum", "peak", "highest"])
_MEAN = frozenset(["mean", "average", "averaged", "avg", "median"])
_LAST = frozenset(["last", "final", "end", "lastepoch", "finalepoch"])
_TEST, _VALIDATION = frozenset(["test", "testing"]), frozenset(["val", "validation", "dev"])


@lru_cache(maxsize=4096)
def selection_word(text: str) -> str:
    """last (also a mean of last epochs), best_epoch_on_test, best_on_validation, best_of_runs, best_of_3, or itself."""
    plain = text.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in (BEST_OF_RUNS, BEST_EPOCH, BEST_ON_VALIDATION):
        return plain
    written = set(re.findall(r"[a-z]+", _TOP.sub(" ", text.lower())))
    core = written - _SAYS_NOTHING - set(_COUNTS)
    if not core & _BEST:
        return LAST if core & (_LAST | _MEAN) and core <= _LAST | _MEAN | _RUNS else plain
    if core <= _BEST | _RUNS | _LAST and (of := _BEST_OF.search(text.lower().replace("_", " "))):
        return f"best_of_{_COUNTS.get(of[1]) or int(of[1])}"
    if core <= _BEST | _RUNS and core & _RUNS and not written & _EPOCHS:
        return BEST_OF_RUNS
    for where, chosen in ((_TEST, BEST_EPOCH), (_VALIDATION, BEST_ON_VALIDATION)):
        if core <= _BEST | _RUNS | _MEAN | where:
            return chosen
    return plain
