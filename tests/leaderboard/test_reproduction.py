"""Findings and verdicts worked out from scores that are known: no training."""

import dataclasses

import pytest

from prunemark.leaderboard.formats.crossing import cross_markdown, cross_verdict, expected_best
from prunemark.leaderboard.formats.reproduction import reproduction_markdown
from prunemark.leaderboard.standings import reproduction
from prunemark.leaderboard.standings.reproduction import claims, reproduce, row_id
from prunemark.records.outcome import Diagnostics
from prunemark.setups.paper_tables import find_grid

M2 = find_grid("m2")
LEVELS = tuple(f"{100 * ratio:g}%" for ratio in M2.ratios)
NOISE = (0.0, 0.2, -0.2, 0.2, -0.2)


@pytest.fixture
def table(make_record):
    """Records of the grid with given means by row and level, five seeds."""

    def make(grid, means):
        found = []
        for row in grid.rows:
            for level in (f"{100 * ratio:g}%" for ratio in grid.ratios):
                for seed, noise in enumerate(NOISE):
                    percent = round(means(row, level) + noise * (1 if row.scratch else -1), 1)
                    kind = "scratch" if row.scratch else "pruned"
                    record = make_record(row_id(row), seed, percent, level=level, kind=kind, setup="SX-A")
                    ta = Diagnostics(percent - 1, 3, 0.5, None, None, None, 0.0)
                    found.append(
                        dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, diagnostics=ta))
                    )
        return found

    return make


def test_a_finding_holds_does_not_hold_or_is_not_decided(table):
    def means(row, level):
        if row.scratch:
            return 90.0
        return {"SX-A": 93.0, "SX-B": 87.0 if level == "10%" else 90.0}[row.setup]

    found = {f.claim: f for f in reproduce(M2, table(M2, means)).findings}
    assert found["M2: under SX-A, P30F90, 1e-1 beats scratch (50%)"].word == "held"
    assert found["M2: under SX-A, P30F90, 1e-1 beats scratch (50%)"].difference_pp == pytest.approx(3.0)
    assert found["M2: under SX-B, P30/kF90, 1e-1 beats scratch (10%)"].word == "did not hold"
    assert found["M2: under SX-B, P30/kF90, 1e-1 beats scratch (30%)"].word == "not decided"
    assert found["M2: under SX-B, P30/kF90, 1e-1 does not beat scratch (95%)"].word == "held"  # as far, within 1 pp


def test_p_values_are_adjusted_for_all_findings_of_the_table(table):
    records = table(M2, lambda row, level: 90.3 if row.setup == "SX-A" and level == "50%" else 90.0)
    alone = reproduction.paired_t(
        [round(90.3 - n, 1) for n in NOISE], [90 + n for n in NOISE], quantum_percent=0.2
    ).p_greater
    found = {f.claim: f for f in reproduce(M2, records).findings}
    assert found["M2: under SX-A, P30F90, 1e-1 beats scratch (50%)"].p > alone


def test_the_table_has_the_papers_layout(table):
    text = reproduction_markdown(reproduce(M2, table(M2, lambda row, level: 90.0)))
    assert "| scratch, 120 epochs | all | 90.00 ± 0.20 [83.68] |" in text
    assert text.count("\n| P30") == 2 and "not decided" in text
    table5 = find_grid("table5")
    text = reproduction_markdown(reproduce(table5, table(table5, lambda row, level: 90.0)))
    assert "| 89.00 [88.00] |" in text  # trainability accuracy, and the paper's


def test_a_missing_trial_is_said(table):
    records = table(M2, lambda row, level: 90.0)
    with pytest.raises(ValueError, match="no result for scratch, 120 epochs"):
        reproduce(M2, records[1:])


@pytest.mark.parametrize("id", ["m1", "m2", "table4", "table5", "table6"])
def test_every_claim_is_about_rows_that_are_there(id):
    grid = find_grid(id)
    levels = [f"{100 * ratio:g}%" for ratio in grid.ratios]
    rows = {row_id(row) for row in grid.rows}
    found = claims(grid, levels)
    assert found and all(a in rows and b in rows and level in levels for _, level, a, b, _ in found)


def scores(aa, ab, ba, bb):
    """By (method, recipe), around these means."""
    means = {("A", "A"): aa, ("A", "B"): ab, ("B", "A"): ba, ("B", "B"): bb}
    return {pair: [mean + noise * (1 if pair[0] == "A" else -1) / 2 for noise in NOISE] for pair, mean in means.items()}


@pytest.mark.parametrize(
    ("means", "word", "detail"),
    [
        ((95, 93, 92, 90), "consistent winner", "A"),
        ((92, 90, 95, 93), "consistent winner", "B"),
        ((95, 90, 92, 93), "interaction", "the highest pair is A + FT(A)"),
        ((92, 92, 92, 92), "not separable", "with these seeds"),
        ((92, 95, 92, 92), "interaction", "the highest pair is A + FT(B)"),  # better under one recipe alone
    ],
)
def test_the_verdict_of_crossed_recipes(means, word, detail):
    verdict = cross_verdict("90%", ("A", "B"), scores(*means), 0.2)
    assert (verdict.word, verdict.detail) == (word, detail)
    assert verdict.interaction.difference_pp == pytest.approx((means[0] - means[2]) - (means[1] - means[3]))


def test_crossing_needs_every_pair(make_record):
    records = [make_record("A + FT(A)", 0, 90.0)]
    with pytest.raises(ValueError, match=r"no result of A \+ FT\(B\)"):
        cross_markdown(("A", "B"), {"A": "x", "B": "y"}, records)


def test_the_expected_best_of_n_by_hand():
    """Of 1, 2 and 6 with replacement: one draw 3; two draws (1*1 + 2*3 + 6*5) / 9."""
    assert expected_best([6.0, 1.0, 2.0]) == pytest.approx([3.0, 37 / 9, (1 * 1 + 2 * 7 + 6 * 19) / 27])
    assert expected_best([4.0]) == [4.0]
