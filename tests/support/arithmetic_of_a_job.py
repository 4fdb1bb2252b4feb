"""A script that test_arithmetic.py runs: trains a short base model as a job of the executor and prints its hash."""

import dataclasses
import sys
from pathlib import Path

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.home import home_at, open_home
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

if __name__ == "__main__":
    short = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2))
    track = dataclasses.replace(
        find_track("digits-mlp7@1"), name="short", arithmetic=sys.argv[1] or None, pretraining=short, retraining=short
    )
    dense = Entrant("Dense", "dense", "reference", None, ())
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, track.levels[0], "dense")
    trial = Trial(track, track.levels[0], setup, 0, dense, budget, "cpu", 60.0)
    records = submit.execute([trial], open_home(home_at(Path(sys.argv[2]))), LocalProcesses(1), [])
    print(records[trial].outcome.base.sha256)
