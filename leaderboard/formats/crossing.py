"""What crossing two methods with two recipes shows, and what equal tuning does (arXiv:2301.05219, section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from prunemark.leaderboard.formats.markdown import interval, markdown_table
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import PairedComparison, paired_t
from prunemark.records.record import Record

ALPHA = 0.05


@dataclass(frozen=True)
class CrossVerdict:
    """Of methods A and B at one level: A minus B under each recipe, and how much that depends on the recipe.

    `word` is 'consistent winner', 'interaction' or 'not separable'; `detail` names who, or which pair was highest.
    p-values are adjusted by Holm over the three comparisons.
    """

    level: str
    word: str
    detail: str
    means: Mapping[tuple[str, str], float]
    under: Mapping[str, PairedComparison]
    interaction: PairedComparison
    p: Mapping[str, float]


def cross_verdict(
    level: str, methods: tuple[str, str], scores: Mapping[tuple[str, str], Sequence[float]], quantum_percent: float
) -> CrossVerdict:
    """The paper's verdict. `scores` by (method, recipe's owner): test accuracies in percent, (seeds,).

    A consistent winner is better under both recipes; it is an interaction when the winner changes with the
    recipe, or when the difference itself does; anything else is not separable.
    """
    a, b = methods
    under = {r: paired_t(scores[a, r], scores[b, r], quantum_percent=quantum_percent) for r in methods}
    # (A - B under FT_A) - (A - B under FT_B) = (A+FT_A + B+FT_B) - (B+FT_A + A+FT_B)
    own = [x + y for x, y in zip(scores[a, a], scores[b, b], strict=True)]
    other = [x + y for x, y in zip(scores[b, a], scores[a, b], strict=True)]
    interaction = paired_t(own, other, quantum_percent=quantum_percent)
    adjusted = holm([under[a].p_two_sided, under[b].p_two_sided, interaction.p_two_sided])
    p = dict(zip((f"under FT({a})", f"under FT({b})", "interaction"), adjusted, strict=True))
    signs = [
        0 if p_here > ALPHA else 1 if under[r].difference_pp > 0 else -1
        for r, p_here in zip(methods, adjusted[:2], strict=True)
    ]
    means = {pair: fmean(values) for pair, values in scores.items()}
    method, recipe = max(means, key=lambda pair: means[pair])
    if signs[0] == signs[1] != 0:
        word, detail = "consistent winner", a if signs[0] > 0 else b
    elif signs[0] * signs[1] < 0 or adjusted[2] <= ALPHA:
        word, detail = "interaction", f"the highest pair is {method} + FT({recipe})"
    else:
        word, detail = "not separable", "with these seeds"
    return CrossVerdict(level, word, detail, means, under, interaction, p)


def cross_markdown(methods: tuple[str, str], recipes: Mapping[str, str], records: Sequence[Record]) -> str:
    """The four pairs at every level, with the verdict. Raises ValueError for a missing trial."""
    found = {(r.outcome.method.name, r.outcome.level, r.outcome.seed): r for r in records if r.outcome.accuracy}
    seeds = sorted({seed for _, _, seed in found})
    levels = list(dict.fromkeys(r.outcome.level for r in records))
    parts = [f"# {methods[0]} and {methods[1]}, each retrained by both recipes\n"]
    parts += [f"FT({name}): {recipe}\n" for name, recipe in recipes.items()]
    for level in levels:
        scores: dict[tuple[str, str], list[float]] = {}
        quantum = 1.0
        for method in methods:
            for owner in methods:
                name = f"{method} + FT({owner})"
                missing = [seed for seed in seeds if (name, level, seed) not in found]
                if missing:
                    raise ValueError(f"no result of {name} at {level}, seed {missing[0]}")
                accuracies = [found[name, level, seed].outcome.accuracy for seed in seeds]
                scores[method, owner] = [x.test_percent for x in accuracies if x]
                quantum = 100 / next(x.test_examples for x in accuracies if x)
        parts.append(_level_text(cross_verdict(level, methods, scores, quantum), methods, seeds))
    return "\n".join(parts)


def _level_text(v: CrossVerdict, methods: tuple[str, str], seeds: Sequence[int]) -> str:
    a, b = methods
    head = ["recipe", a, b, f"{a} - {b}, pp [95 % CI]", "p (Holm)"]
    lines = [
        [f"FT({r})", *(f"{v.means[m, r]:.2f}" for m in methods), interval(v.under[r]), f"{v.p[f'under FT({r})']:.3g}"]
        for r in methods
    ]
    lines.append(["change with the recipe", "", "", interval(v.interaction), f"{v.p['interaction']:.3g}"])
    said = f"## {v.level}: {v.word} ({v.detail})\n\n{markdown_table(head, lines)}"
    return f"{said}\nSeeds {', '.join(map(str, seeds))}, paired.\n"


def expected_best(values: Sequence[float]) -> list[float]:
    """The expected best of n configurations drawn from these, for n = 1 to len(values) (Dodge et al. 2019, eq. 2).

    Of the empirical distribution, with replacement: what a smaller budget for tuning would have found on average.
    """
    ordered, count = sorted(values), len(values)
    return [
        sum(value * ((rank / count) ** n - ((rank - 1) / count) ** n) for rank, value in enumerate(ordered, 1))
        for n in range(1, count + 1)
    ]


def tuning_markdown(records: Sequence[Record]) -> str:
    """Of each method and level: the expected best validation accuracy by the number of configurations tried."""
    groups: dict[tuple[str, str], list[list[float]]] = {}
    chosen: dict[tuple[str, str], list[str]] = {}
    for record in records:
        outcome = record.outcome
        if outcome.tuning and outcome.retraining_recipe:
            place = (outcome.level, outcome.method.name)
            groups.setdefault(place, []).append(
                expected_best([tried.validation_last_percent for tried in outcome.tuning])
            )
            chosen.setdefault(place, []).append(str(outcome.retraining_recipe["lr"]))
    if not groups:
        return ""
    count = len(next(iter(groups.values()))[0])
    head = ["level", "method", *(f"n={n}" for n in range(1, count + 1)), "chosen"]
    lines = []
    for (level, name), curves in groups.items():
        means = [f"{fmean(curve[n] for curve in curves):.2f}" for n in range(count)]
        lines.append([level, name, *means, ", ".join(sorted(set(chosen[level, name])))])
    said = "Expected best validation accuracy (%) of n LR configurations, mean over seeds:"
    return f"{said}\n\n{markdown_table(head, lines)}"
