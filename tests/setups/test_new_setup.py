"""A new setup is one literal: with nothing else written, trials are planned and run under it, and judged by it."""

import ast
import csv
import dataclasses
import io
from pathlib import Path

import pytest
from support.device import DEVICE, SECONDS, run_there
from support.quick_cli import SHORT, quick_track, submit

from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.leaderboard.standings.board import make_board
from prunemark.records.executed import pipeline_of
from prunemark.records.load import Loaded
from prunemark.records.record import load
from prunemark.setups.assessment import violations
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import HARNESS_SETUPS, S1, S3_2, SETUPS, ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import OwnRecipe
from prunemark.setups.schedule import parse_schedule

ROOT = Path(__file__).parents[2]

OWN_BASES = ComparisonSetup(
    "S4.1-own-base", S3_2 - {"base_model"} | {"pruning_epochs"},
    "S4.1, but for the base model",
    "each method brings its own base model; pruning epochs and retraining recipe are the track's",
)  # fmt: skip
PRUNED_ALIKE = ComparisonSetup(
    "SX-C", S1 | {"total_epochs", "pruning_epochs", "final_lr"},
    "SX-A and the same pruning epochs",
    "the total number of epochs and the pruning epochs are imposed; when to prune is the method's choice",
)  # fmt: skip
METHOD = '''
from prunemark.benchmark.method import FilterCriterion, OwnRecipe

class OwnBase(FilterCriterion):
    """L1 norm, with recipes of its own."""

    pretraining = OwnRecipe(3, "5e-2")
    retraining = OwnRecipe(4, "0:1e-2,2:1e-3")

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(dim=1)
'''


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """Both literals in the registry, as `setups/comparison.py` would have them."""
    for setup in (OWN_BASES, PRUNED_ALIKE):
        monkeypatch.setitem(HARNESS_SETUPS, setup.id, setup)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "own_base.py"
    path.write_text(METHOD)
    return f"{path}:OwnBase"


def test_its_budget_follows_from_its_factors():
    track = quick_track()
    own = Own(OwnRecipe(3, "5e-2"), OwnRecipe(4, "0:1e-2,2:1e-3"))
    granted = budget_for(track, OWN_BASES, track.level("90%"), "pruned", own)
    assert (granted.base_epochs, str(granted.pretraining.lr)) == (3, "0:5e-2")
    assert (granted.pruning_epochs, granted.pruning_exact, granted.pruning_lr) == (2, True, None)
    assert granted.retraining == track.retraining
    assert budget_for(track, OWN_BASES, track.level("90%"), "scratch").retraining.epochs == 6  # 2 + 2 + 2


def test_it_is_submitted_ranked_and_seen_to_hold(quick_prunemark, source, tmp_path, furnish):
    home = furnish(tmp_path / "home")
    code, out, err = submit(
        quick_prunemark, source, home, "--setup", OWN_BASES.id.lower(), "--format", "csv", seeds="1",
        level=("--level", "50%"),
    )  # fmt: skip
    assert code == 0, err
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(out))}
    assert {row["setup"] for row in rows.values()} == {OWN_BASES.id}
    assert rows["OwnBase"]["holds"] == OWN_BASES.id  # among the ranked rows, as executed
    assert not rows["OwnBase"]["why_unranked"] and "no base model" in rows["Scratch"]["why_unranked"]

    paths = sorted((home / "records").glob("*.json"))
    records = {record.outcome.method.name: record for path in paths for record in [load(path.read_text(), path.name)]}
    assert all(quick_prunemark("verify", path)[0] == 0 for path in paths)
    mine, anchor = records["OwnBase"].outcome, records["L1-norm"].outcome
    assert (mine.base.pretraining.lr, anchor.base.pretraining.lr) == ((0.05,) * 3, (0.1, 0.01))
    assert mine.pruning.epochs == anchor.pruning.epochs == 2
    assert mine.retraining.lr == anchor.retraining.lr == (0.1, 0.01)

    pair = [pipeline_of(records[name]) for name in ("L1-norm", "OwnBase")]
    assert not violations(pair, OWN_BASES)
    assert [finding.factor for finding in violations(pair, SETUPS["S4.1"])] == ["base_model"]


def test_a_record_that_says_otherwise_is_not_ranked_under_it(make_record):
    anchor, mine = make_record(setup=OWN_BASES.id, role="anchor"), make_record("Mine", setup=OWN_BASES.id, base="mine")
    longer = dataclasses.replace(mine.outcome.pruning, epochs=1, lr=(0.1,))
    cheat = dataclasses.replace(mine, outcome=dataclasses.replace(mine.outcome, pruning=longer))
    for record, why in ((mine, None), (cheat, "pruning epochs: 0 against 1")):
        (table,) = make_board(Loaded((anchor, record))).tables
        row = next(row for row in (*table.ranked, *table.unranked) if row.name == "Mine")
        assert (why or "") in (row.why or "") and bool(row.why) == bool(why)


def test_a_setup_over_whole_pipelines_imposes_its_pruning_epochs_too(source, tmp_path):
    """Four epochs and three are seven in all: pruned at epoch 2 after two pruning epochs, three are left."""
    track = quick_track(
        pretraining=dataclasses.replace(SHORT, lr=parse_schedule("0:1e-1,2:1e-3", 4)),
        retraining=dataclasses.replace(SHORT, lr=parse_schedule("0:1e-1,1:1e-3", 3)),
    )
    entrants = [
        Entrant("OwnBase", "pruned", "submission", locate(source)[1], (), "filter", Own(prune_at=2)),
        Entrant("Scratch", "scratch", "reference", None, ()),
    ]
    store = Store(tmp_path / "store")
    request = Request(track, PRUNED_ALIKE, [track.level("50%")], [0], DEVICE, SECONDS)
    trials = make_trials(request, entrants[0], entrants[1:])
    pruned, scratch = (run_there(trial, store) for trial in trials)
    o = pruned.outcome
    assert o.status == scratch.outcome.status == "ok", o.failure
    assert (o.base.pretraining.epochs, o.pruning.epochs, o.retraining.epochs) == (2, 2, 3)
    assert scratch.outcome.retraining.epochs == 7
    assert not violations([pipeline_of(pruned), pipeline_of(pruned)], PRUNED_ALIKE)
    with pytest.raises(InputError, match="pruning at epoch 5 after 2 pruning epochs leaves 0 epochs"):
        budget_for(track, PRUNED_ALIKE, track.level("50%"), "pruned", Own(prune_at=5))
    with pytest.raises(InputError, match="a choice under SX-A, SX-B and SX-C; setup S4.1-own-base fixes"):
        budget_for(track, OWN_BASES, track.level("50%"), "pruned", Own(prune_at=1))


@pytest.mark.parametrize("room", sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"prunemark"}))
def test_no_id_of_a_setup_is_compared(room):
    """What an id stands for is asked of its factors: `setup == "SX-B"` would not know a new setup."""
    found = []
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            texts = [part for side in sides for part in getattr(side, "elts", [side]) if isinstance(part, ast.Constant)]
            found += [f"{path.relative_to(ROOT)}:{part.lineno} {part.value}" for part in texts if part.value in SETUPS]
    assert not found
