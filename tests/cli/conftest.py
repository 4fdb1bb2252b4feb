"""A finished home to be damaged and tidied, and the verbs of `prunemark home` on it."""

import shutil
from pathlib import Path

import pytest
from support.here import Here
from support.homes import TRIALS, Verb

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home, open_home
from prunemark.records.source import MethodFiles, write_method


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a submission and its control, and a method's source."""
    home = open_home(Home(tmp_path_factory.mktemp("finished") / "home"))
    submit.execute(TRIALS, home, Here(), [])
    write_method(MethodFiles("Mine", (("mine.py", "class Mine:\n    pass\n"),)), home.root / "methods")
    return home.root


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Home:
    shutil.copytree(finished, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def verb(home: Home, prunemark: Verb) -> Verb:
    """`prunemark home VERB` on that home: its code, and what it printed on both streams."""
    return lambda *words: prunemark("home", *words, "--home", str(home.root))


@pytest.fixture
def plan_of_two():
    from prunemark.benchmark.submission.locate import locate
    from prunemark.benchmark.trial.trial import Entrant, Trial
    from prunemark.setups.budget import budget_for
    from prunemark.setups.comparison import find_setup
    from prunemark.setups.track_files import find_track

    track, setup = find_track("digits-resnet8"), find_setup("S3.2")
    name, source = locate("L1-norm")
    level = track.levels[0]
    entrant = Entrant(name, "pruned", "submission", source, (), "filter")
    budget = budget_for(track, setup, level, "pruned")
    return [Trial(track, level, setup, seed, entrant, budget, "cpu", 60.0) for seed in (0, 1)]
