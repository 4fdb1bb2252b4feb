"""Which setup a table says verifiably holds: the highest of the order, or the one beside it that the methods ran in."""

from prunemark.leaderboard.formats import captions
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.load import Loaded


def table(*groups):
    return make_board(Loaded(tuple(record for group in groups for record in group))).tables[0]


def test_a_setup_beside_the_order_is_named_where_it_holds(make_records):
    """Two methods with bases of their own share S1 and no more of the order; with equal totals and final LR, SX too."""
    anchor = make_records("L1-norm", [90, 91, 92], role="anchor", setup="SX-A")
    own_base = make_records("New", [91, 92, 93], setup="SX-A", base="its own")
    found = table(anchor, own_base)
    assert len(found.ranked) == 2 and found.holds == "SX-A"
    assert "run under SX-A; SX-A verifiably holds among the ranked rows" in captions.caption(found)
    same_base = make_records("New", [91, 92, 93], setup="SX-A")
    assert table(anchor, same_base).holds == "S4.2", "which says more than SX-A"
    longer = make_records("New", [91, 92, 93], setup="SX-A", base="its own", lr=(0.1, 0.1, 0.01))
    alone = table(anchor, longer)
    assert [row.name for row in alone.ranked] == ["L1-norm"] and alone.holds is None


def test_no_setup_beside_the_order_is_named_that_holds_with_the_anchor_alone(make_records):
    """Equality within a tolerance is not transitive: both are near enough to the anchor and not to each other."""
    anchor = make_records("L1-norm", [90, 91, 92], role="anchor", setup="S1-acc", base_percent=98.0)
    near = [
        make_records(name, [91, 92, 93], setup="S1-acc", base=name, base_percent=percent)
        for name, percent in (("Above", 98.08), ("Below", 97.92))
    ]
    assert table(anchor, near[0]).holds == "S1-acc"
    found = table(anchor, *near)
    assert len(found.ranked) == 3 and found.holds == "S1"
