"""The paper's grids: schedules as the paper has them, scaled without losing Rule 1, and what is shared."""

import pytest

from prunemark.setups.errors import InputError
from prunemark.setups.paper_tables import GRIDS, SCRATCH, find_grid, rest_of, scaled
from prunemark.setups.schedule import parse_schedule


def test_the_rest_of_the_scratch_schedule_is_what_the_s42_rows_follow():
    assert str(rest_of(SCRATCH, 30)) == "0:1e-2,30:1e-3,60:1e-4,75:1e-5"  # Table 1's retraining, 90 epochs
    assert str(rest_of(SCRATCH, 45)) == "0:1e-2,15:1e-3,45:1e-4,60:1e-5"
    assert str(rest_of(SCRATCH, 90, longer=60)) == "0:1e-4,75:1e-5" and rest_of(SCRATCH, 90, longer=60).epochs == 90


@pytest.mark.parametrize("grid", GRIDS.values(), ids=lambda grid: grid.id)
def test_rows_agree_with_their_names(grid):
    for row in grid.rows:
        assert len(row.paper_percent) == len(grid.ratios)
        if row.name.startswith("P"):
            stages, lr = row.name.split(", ")[:2]
            prune_at, epochs = stages.lstrip("P").split("F")
            longer = int(row.name.split("+")[1]) if "+" in row.name else 0
            assert row.prune_at == int(prune_at.removesuffix("/k"))
            assert row.retraining.epochs == int(epochs) + longer and row.retraining.initial == float(lr)
            assert row.retraining.final == grid.rows[0].retraining.final  # Rule 1
        if row.setup == "S4.2":
            whole = SCRATCH.vector[: row.prune_at] + row.retraining.vector
            assert whole == SCRATCH.vector


@pytest.mark.parametrize("factor", [1.0, 0.4, 0.1, 0.05, 0.01])
def test_scaling_keeps_the_final_lr_and_the_order(factor):
    for grid in GRIDS.values():
        for row in grid.rows:
            short = scaled(row.retraining, factor)
            assert short.epochs == max(1, round(row.retraining.epochs * factor))
            assert list(short.vector) == sorted(short.vector, reverse=True)
            if row.retraining.kind == "step":
                assert short.final == row.retraining.final
    assert scaled(SCRATCH, 1.0) == SCRATCH
    assert str(scaled(SCRATCH, 0.4)) == "0:1e-1,12:1e-2,24:1e-3,36:1e-4,42:1e-5"
    assert scaled(parse_schedule("cosine:1e-1->1e-4", 200), 0.15) == parse_schedule("cosine:1e-1->1e-4", 30)


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="table4"):
        find_grid("table44")
