"""Which comparison setups hold between pipelines, which are refuted, and which cannot be decided."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from prunemark.setups.comparison import SETUPS, ComparisonSetup, chain
from prunemark.setups.factors import FACTORS, Factor, FactorFinding
from prunemark.setups.harness_factors import HARNESS_FACTORS
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.values import State


@dataclass(frozen=True)
class Assessment:
    """What holds between two or more pipelines.

    `findings` has one entry per factor and pair; `setups` one state per setup; `established` is the
    highest setup of the chain up to which every one holds, `ceiling` the highest that is not refuted
    (None when not even the first holds, or when it is refuted). `differing` names the refuted factors.
    """

    findings: tuple[FactorFinding, ...]
    setups: dict[str, State]
    established: str | None
    ceiling: str | None
    differing: tuple[str, ...]
    unknown: tuple[str, ...]


def assess(pipelines: Sequence[Pipeline], *, setups: dict[str, ComparisonSetup] | None = None) -> Assessment:
    """Compares every pair of the pipelines by every factor and reads the setups off the findings.

    Raises ValueError for fewer than two pipelines. Between more than two, a factor holds only if it does for every
    pair, because equality within a tolerance is not transitive.
    """
    if len(pipelines) < 2:
        raise ValueError("an assessment needs at least two pipelines")
    pairs = [{id: factor.compare(*pair) for id, factor in FACTORS.items()} for pair in combinations(pipelines, 2)]
    states = tuple([combine([pair[id].state for pair in pairs]) for id in FACTORS])
    return _assessment(tuple(finding for pair in pairs for finding in pair.values()), _read(states, setups or SETUPS))


def assessed(findings: Mapping[str, FactorFinding]) -> Assessment:
    """The same for two pipelines of which the findings are there, by factor in the order of `FACTORS`."""
    states = tuple([findings[id].state for id in FACTORS])
    return _assessment(tuple(findings.values()), _read_cached(states))


_Read = tuple[dict[str, State], str | None, str | None, tuple[str, ...], tuple[str, ...]]


def _assessment(findings: tuple[FactorFinding, ...], read: _Read) -> Assessment:
    setups, highest, ceiling, differing, unknown = read
    return Assessment(findings, dict(setups), highest, ceiling, differing, unknown)


@lru_cache(maxsize=2**16)
def _read_cached(states: tuple[State, ...]) -> _Read:
    return _read(states, SETUPS)


def _read(states: tuple[State, ...], registry: dict[str, ComparisonSetup]) -> _Read:
    """What an assessment says beyond the findings: setups, established, ceiling, differing and unknown."""
    by_factor = dict(zip(FACTORS, states, strict=True))
    found = {id: combine(by_factor[f] for f in setup.factors) for id, setup in registry.items()}
    return (
        found, *_interval(found, chain(registry)),
        tuple(id for id, state in by_factor.items() if state is State.REFUTED),
        tuple(id for id, state in by_factor.items() if state is State.UNDECIDABLE),
    )  # fmt: skip


_WEAKEST_FIRST = (State.REFUTED, State.NOT_APPLICABLE, State.UNDECIDABLE, State.HOLDS_A_FORTIORI, State.HOLDS)
_RANK = {state: rank for rank, state in enumerate(_WEAKEST_FIRST)}


def combine(states: Iterable[State]) -> State:
    """Three-valued AND: refuted beats undecidable beats holds. Nothing to combine holds.

    A factor that does not apply makes the setup not applicable, unless another one refutes it.
    """
    return min(states, key=_RANK.__getitem__, default=State.HOLDS)


def _interval(states: dict[str, State], row: tuple[str, ...]) -> tuple[str | None, str | None]:
    established = ceiling = None
    unbroken = True
    for id in row:
        if states[id] in (State.REFUTED, State.NOT_APPLICABLE):
            break
        ceiling = id
        unbroken = unbroken and states[id].satisfied
        established = id if unbroken else established
    return established, ceiling


def established(pipelines: Sequence[Pipeline], *, setups: dict[str, ComparisonSetup] | None = None) -> str | None:
    """The highest setup of the chain up to which all that is `verified` holds: what a field of many records asks for.

    Of pipelines that are no records it is `assess(...).established`, without the findings.

    Of pipelines that are alike to a factor one is compared with the others, so that its cost does not grow with the
    square of the field. Raises ValueError for fewer than two pipelines.
    """
    if len(pipelines) < 2:
        raise ValueError("an assessment needs at least two pipelines")
    registry = setups or SETUPS
    row = chain(registry)
    factors = {id for setup in row for id in registry[setup].verified}
    by_factor = {id: _among(HARNESS_FACTORS[id], pipelines) for id in factors}
    states = {id: combine(by_factor[f] for f in registry[id].verified) for id in row}
    return _interval(states, row)[0]


def _among(factor: Factor, pipelines: Sequence[Pipeline]) -> State:
    """The state of one factor between all pairs."""
    alike: dict[Hashable, list[Pipeline]] = {}
    for pipeline in pipelines:
        alike.setdefault(factor.reading(pipeline), []).append(pipeline)
    firsts = [group[0] for group in alike.values()]
    # not even those that are alike need agree: not reported never equals not reported
    pairs = [*combinations(firsts, 2), *((group[0], group[1]) for group in alike.values() if len(group) > 1)]
    return combine(factor.judge(*pair)[0] for pair in pairs)


def holds(pipelines: Sequence[Pipeline], setup: ComparisonSetup) -> bool:
    """Whether all that a setup imposes holds between all pairs of two or more pipelines."""
    if len(pipelines) < 2:
        raise ValueError("an assessment needs at least two pipelines")
    return combine(_among(HARNESS_FACTORS[id], pipelines) for id in setup.verified).satisfied


def admits_scratch(setup: ComparisonSetup) -> bool:
    """Whether scratch training can be compared under it: no factor is of a stage that scratch training lacks."""
    return not any(HARNESS_FACTORS[id].of_the_pruned for id in setup.factors)


def violations(pipelines: Sequence[Pipeline], setup: ComparisonSetup) -> list[FactorFinding]:
    """The findings that keep a setup from holding between the first pipeline and each of the others.

    The first is the reference (the leaderboard's anchor); a pipeline that shares everything with it is fair.
    """
    first, *others = pipelines
    factors = [HARNESS_FACTORS[id] for id in sorted(setup.verified)]
    return [
        factor.compare(first, other)
        for other in others
        for factor in factors
        if not factor.judge(first, other)[0].satisfied
    ]
