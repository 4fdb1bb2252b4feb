"""New dataset x network families (E4): tracks averaged within a family, then tested over families, or refused.

Tracks of one family are no independent evidence: to treat 30 tracks of 5 families as 30 has a type I error of .35.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import paired_t

FAMILIES_FOR_E4 = 5


@dataclass(frozen=True)
class OverFamilies:
    """The mean over families of a method's difference to the anchor, in margins, with its 95 % interval.

    `p_holm` is adjusted for all methods that are tested over these families.
    """

    mean_margins: float
    interval: tuple[float, float]
    p_raw: float
    p_holm: float


def family_means(margins: Mapping[str, float], family_of: Mapping[str, str]) -> dict[str, float]:
    """The mean difference of every family, in margins, from those of the tracks."""
    found: dict[str, list[float]] = {}
    for track in sorted(margins):
        found.setdefault(family_of[track], []).append(margins[track])
    return {family: fmean(values) for family, values in sorted(found.items())}


def refusal(families: Sequence[str]) -> str:
    """Why nothing is said of new families, in words; "" if it may be."""
    if "" in families:
        return "E4 cannot be told: some records do not state the family of their track."
    count = len(set(families))
    if count >= FAMILIES_FOR_E4:
        return ""
    are = "there is 1" if count == 1 else f"there are {count}"
    return f"E4 needs {FAMILIES_FOR_E4} dataset x network families; {are}."


def over_families(means: Mapping[str, Mapping[str, float]], quantum_margins: float) -> dict[str, OverFamilies]:
    """Student's t over families of every method against the anchor, with Holm over the methods.

    `means` gives the differences to the anchor in margins, by method and family; `quantum_margins` is the step in
    which they come (see `paired_t`). Raises ValueError for fewer than 5 families, and unless all methods have the
    same ones.
    """
    families = {tuple(sorted(values)) for values in means.values()}
    if len(families) != 1 or any(len(each) < FAMILIES_FOR_E4 for each in families):
        raise ValueError(f"E4 needs every method on the same {FAMILIES_FOR_E4} families or more")
    (names,) = families
    tests = {
        # the unit is margins here: the t-test does not care
        name: paired_t([values[family] for family in names], np.zeros(len(names)), quantum_percent=quantum_margins)
        for name, values in means.items()
    }
    adjusted = holm([test.p_two_sided for test in tests.values()])
    return {
        name: OverFamilies(test.difference_pp, test.interval_pp, test.p_two_sided, p)
        for (name, test), p in zip(tests.items(), adjusted, strict=True)
    }


def in_words(found: Mapping[str, OverFamilies] | None, families: Sequence[str]) -> str:
    """What is said of new families, or why nothing is. `families` are those of the tracks."""
    if refused := refusal(families):
        return refused
    count = len(set(families))
    if found is None:
        return f"E4: no method can be tested on all {count} families."
    results = [
        f"{name} {each.mean_margins:+.2f} [{each.interval[0]:+.2f}, {each.interval[1]:+.2f}], p {each.p_holm:.3g}"
        for name, each in sorted(found.items(), key=lambda item: -item[1].mean_margins)
    ]
    return (
        f"About new dataset x network families (E4), over {count}: mean difference to the anchor in margins "
        f"[95 % CI], Holm over {len(results)}: {'; '.join(results)}."
    )
