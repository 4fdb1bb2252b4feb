"""Adding seeds: which interim looks at the data are paid for, and what is withheld when there were others.

Testing again and again while seeds are added finds differences where there are none: after every seed from 3 to 10, 17
times in 100. Two interim looks can be paid for, at 5 seeds and at 10. Seeds are added that way, so that a table of ten
seeds is judged at both interim looks, whoever saw the first one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from prunemark.leaderboard.inference.statistics import probability

INTERIM_SEEDS, FINAL_SEEDS = 5, 10
"""The two numbers of seeds at which a comparison that adds seeds may be tested; see `combine_interim`."""

INTERIM_SHARE, FINAL_SHARE = 0.2, 0.8


def combine_interim(p_at_5: float, p_at_10: float | None = None) -> float:
    """One p-value for a comparison looked at with 5 seeds and, if that did not settle it, with 10.

    p = min(1, p5 / .2, p10 / .8): a fifth of alpha is spent on the first interim look. Without the second p it is
    the first interim look's own. Testing after every seed from 3 to 10 instead has a type I error of .17.
    Raises ValueError for a p outside [0, 1].
    """
    probability(p_at_5)
    second = 1.0 if p_at_10 is None else probability(p_at_10) / FINAL_SHARE
    return min(1.0, p_at_5 / INTERIM_SHARE, second)


class Sided(Protocol):
    """A test of "greater" and of "less": of Student's paired t, the crossed t, or a mean over tracks."""

    @property
    def p_two_sided(self) -> float: ...

    @property
    def p_greater(self) -> float: ...

    @property
    def p_less(self) -> float: ...


def p_with_interim(last: Sided, first: Sided | None) -> float:
    """The two-sided p of a difference, over two interim looks if there was a first one.

    Each side by itself, in the direction of the last interim look: a first interim look that pointed the other way must
    not count.
    """
    if first is None:
        return last.p_two_sided
    greater = last.p_greater <= last.p_less
    side = combine_interim(first.p_greater, last.p_greater) if greater else combine_interim(first.p_less, last.p_less)
    return min(1.0, 2 * side)


def p_equivalent_with_interim(last: float, first: float | None) -> float:
    """The p of two one-sided tests of equivalence, over two interim looks if there was a first one.

    All seeds have to show it as well: a first interim look must not leave "equivalent" beside a 90 % interval that
    reaches beyond the margin. That is stricter than `combine_interim` alone, which allows it.
    """
    return last if first is None else max(last, combine_interim(first, last))


def p_at_interim(first: Sided) -> float:
    """The two-sided p of a comparison that has only its first interim look in a field where others have both.

    It pays the same price: p5 / .2. When its other seeds come, `p_with_interim` charges for both, so that the chance of
    a false finding at either of the two is at most alpha.
    """
    return min(1.0, first.p_two_sided / INTERIM_SHARE)


def withheld(seeds: int, shown: Collection[int], *, least: int = INTERIM_SEEDS) -> str:
    """Why a method gets no verdict with this many seeds, in words; "" if it may have one.

    `shown` are the numbers of seeds that earlier releases showed it with. Looks with fewer seeds than `least` gave no
    verdict, so that they cannot have given a wrong one; looks with as many seeds as now, or more, added none.
    """
    before = sorted({count for count in shown if least <= count < seeds})
    if not before or (before, seeds) == ([INTERIM_SEEDS], FINAL_SEEDS):
        return ""
    counts = ", ".join(map(str, before)) + f" and {seeds}"
    return f"looked at with {counts} seeds, which are not the two looks {INTERIM_SEEDS} and {FINAL_SEEDS}: no verdict"


def interim_in_words(seeds: int, some_at_first: bool = False) -> str:
    """What the caption of a table with so many seeds says of its interim looks; "" for one look."""
    if seeds != FINAL_SEEDS:
        return ""
    words = (
        f"Judged at two looks, {INTERIM_SEEDS} and {FINAL_SEEDS} seeds: p = min(1, p5/.2, p10/.8), for "
        "equivalence no less than p10, then Holm."
    )
    if some_at_first:
        words += f" First look: {INTERIM_SEEDS} seeds in all columns, p = min(1, p5/.2). Ranks are among the others."
    return words
