"""Findings and verdicts worked out from scores that are known: no training."""

import dataclasses

import pytest

from prunemark.leaderboard.formats.crossing import cross_markdown, cross_verdict, expected_best
from prunemark.leaderboard.formats.reproduction import reproduction_markdown
from prunemark.leaderboard.standings import reproduction
from prunemark.leaderboard.standings.reproduction import reproduce, row_id
from prunemark.records.outcome import Diagnostics
from prunemark.setups.paper_tables import find_grid, reference_of

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


def test_every_cell_is_a_finding_and_none_is_left_out(table):
    """By hand from the paper's numbers: three signs of twelve are turned, one difference is level."""
    paper = {
        (row_id(row), level): value for row in M2.rows for level, value in zip(LEVELS, row.paper_percent, strict=True)
    }

    def means(row, level):
        if row.scratch:
            return 90.0
        wanted = 1 if paper[row_id(row), level] > paper["scratch, 120 epochs (all)", level] else -1
        if (row.setup, level) in {("SX-A", "10%"), ("SX-B", "30%")}:
            return 90.0 - 3.0 * wanted
        return 90.0 + (0.0 if (row.setup, level) == ("SX-B", "95%") else 3.0 * wanted)

    found = reproduce(M2, table(M2, means))
    assert len(found.findings) == 12 and {f.reference for f in found.findings} == {"scratch, 120 epochs (all)"}
    words = {(f.row, f.level): f.word for f in found.findings}
    assert words["P30F90, 1e-1 (SX-A)", "10%"] == words["P30/kF90, 1e-1 (SX-B)", "30%"] == "opposite"
    assert words["P30/kF90, 1e-1 (SX-B)", "95%"] == "equivalent" and words["P30F90, 1e-1 (SX-A)", "95%"] == "confirmed"
    assert found.summary == (
        "9 of 12 signs agree; 2 are significantly opposite. After Holm over all 12, 9 are confirmed, 2 opposite, "
        "1 equivalent within 1 pp and 0 open"
    )
    assert found.findings[0].paper_difference_pp == pytest.approx(85.27 - 83.68)


def test_what_nothing_decides_is_open(table):
    found = reproduce(M2, [r for r in table(M2, lambda row, level: 90.0) if r.outcome.seed == 0])
    assert {f.word for f in found.findings} == {"open"} and found.count("open") == 12


def test_p_values_are_adjusted_for_all_cells_of_the_table(table):
    records = table(M2, lambda row, level: 90.4 if row.setup == "SX-A" and level == "50%" else 90.0)
    alone = reproduction.paired_t(
        [round(90.4 - n, 1) for n in NOISE], [90 + n for n in NOISE], quantum_percent=0.2
    ).p_two_sided
    (found,) = (f for f in reproduce(M2, records).findings if (f.row, f.level) == ("P30F90, 1e-1 (SX-A)", "50%"))
    assert found.p_raw == pytest.approx(alone) and found.p == pytest.approx(min(1.0, 12 * alone))


def test_the_table_has_the_papers_layout(table):
    text = reproduction_markdown(reproduce(M2, table(M2, lambda row, level: 90.0)))
    assert "| scratch, 120 epochs | all | 90.00 ± 0.20 [83.68] |" in text
    assert text.count("\n| P30") == 2 + 12 and "of 12 signs agree" in text and "trainability" not in text
    table5 = find_grid("table5")
    text = reproduction_markdown(reproduce(table5, table(table5, lambda row, level: 90.0)))
    assert "| 89.00 [88.00] |" in text  # trainability accuracy, and the paper's
    assert "exceeds its final accuracy (88.00 against 79.57 for P30F90, 1e-1)" in text
    table1 = find_grid("table1")
    text = reproduction_markdown(reproduce(table1, table(table1, lambda row, level: 90.0)))
    assert "trained from scratch" in text and "not run here: SFP 74.61 (1.72x)" in text and "of 4 signs agree" in text


def test_a_missing_trial_is_said(table):
    records = table(M2, lambda row, level: 90.0)
    with pytest.raises(ValueError, match="no result for scratch, 120 epochs"):
        reproduce(M2, records[1:])


@pytest.mark.parametrize(
    ("id", "cells"),
    [("m1", 4), ("m2", 12), ("table1", 4), ("table4", 66), ("table5", 11), ("table6", 16), ("table7", 16)],
)
def test_every_row_has_its_reference(id, cells):
    grid = find_grid(id)
    pairs = [(row, other) for row in grid.rows if (other := reference_of(grid, row))]
    assert len(pairs) * len(grid.ratios) == cells
    assert all(other in grid.rows and reference_of(grid, other) is None for _, other in pairs)
    if id in ("table6", "table7"):
        assert all(row.name.rpartition(", ")[2] == other.name.rpartition(", ")[2] for row, other in pairs)


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
