"""How many seeds it takes: the power of the paired t-test, planned at the first Holm level of a family."""

from __future__ import annotations

import math

from prunemark.leaderboard.inference.statistics import positive


def paired_power(seeds: float, effect: float, alpha: float = 0.05) -> float:
    """The chance that the two-sided paired t-test is significant when the true difference is `effect` sds.

    `effect` is the difference over the standard deviation of the differences, of either sign. `seeds` need
    not be whole. By the noncentral t (Cohen 1988, chapter 2).
    Raises ValueError for fewer than two seeds or alpha outside (0, 1).
    """
    from scipy.special import stdtrit

    if not seeds >= 2:
        raise ValueError(f"a paired test needs at least 2 seeds, not {seeds}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    df, shift = seeds - 1, abs(effect) * math.sqrt(seeds)
    critical = float(stdtrit(df, 1 - alpha / 2))
    return _beyond(critical, df, shift) + _beyond(critical, df, -shift)


def _beyond(critical: float, df: float, shift: float) -> float:
    """The chance that a noncentral t lies above the critical value, which is not negative."""
    from scipy.special import nctdtr

    if shift < -6:  # less than that of a standard normal above 6, 1e-9; nctdtr often fails here
        return 0.0
    below = float(nctdtr(df, shift, critical))
    if math.isnan(below):  # as for one in a hundred; the survival function is a hundred times slower, and sound there
        from scipy.stats import nct

        return float(nct.sf(critical, df, shift))
    return 1 - below


def needed_seeds(
    sd_pp: float,
    margin_pp: float,
    tests: int,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    max_seeds: int = 10_000,
) -> int | None:
    """The fewest seeds with which a true difference as large as the margin is found with this power.

    `sd_pp` is the standard deviation of the per-seed differences in points, `tests` the size of the family:
    the test is made at alpha / tests, its first Holm level. None if `max_seeds` do not suffice (or if the
    sd is infinite). Raises ValueError for an sd or margin that is not positive, fewer than one test,
    a power outside (alpha, 1) or fewer than two `max_seeds`.
    """
    from scipy.special import ndtri

    if not sd_pp > 0:
        raise ValueError(f"the standard deviation in points must be positive, not {sd_pp}")
    positive(margin_pp, "the margin in points")
    if tests < 1:
        raise ValueError(f"a family has at least 1 test, not {tests}")
    if not alpha < power < 1:
        raise ValueError(f"power must lie between alpha ({alpha}) and 1, not {power}")
    level = alpha / tests
    effect = margin_pp / sd_pp

    def suffice(seeds: int) -> bool:
        return paired_power(seeds, effect, level) >= power

    critical = float(ndtri(1 - level / 2))
    # the normal approximation with Guenther's correction (1981) is mostly exact, and else a step or two away
    guess = ((critical + float(ndtri(power))) / effect) ** 2 + critical**2 / 2 if effect > 0 else math.inf
    enough = math.ceil(max(2, min(guess, max_seeds)))
    while not suffice(enough):
        if enough == max_seeds:
            return None
        enough += 1
    while enough > 2 and suffice(enough - 1):
        enough -= 1
    return enough
