"""`prunemark check`: what is wrong with a submission, found in seconds and said at the line it comes from."""

from pathlib import Path

import pytest

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.setups.errors import InputError

HERE = Path(__file__).parents[1]
SUBMISSIONS = HERE / "submissions" / "samples.py"


def check(name, settings=None, track=None):
    spec = name if ":" in name or "-" in name else f"{SUBMISSIONS}:{name}"
    return {f.what: f for f in submit.check(spec, settings or {}, track, LocalProcesses(1))}


@pytest.mark.parametrize("name", ["Fine", "UsesData", "Chatty", "FineWeights", "Magnitude-layerwise"])
def test_a_sound_method_is_fine(name):
    findings = check(name)
    assert all(f.state != "broken" for f in findings.values())
    assert [f.state for what, f in findings.items() if what.startswith("level")] == ["fine"] * 3


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("Raises", "level 50%", "the Hessian is singular (line 30, in score)"),
        ("WrongShape", "level 50%", "must have shape"),
        ("NotANumber", "level 50%", "contain NaN"),
        ("TooFewFilters", "level 50%", "the decision reaches"),
        ("OtherLayer", "level 50%", "may not be pruned"),
        ("ReturnsNothing", "level 50%", "must return the Decision"),
        ("NotAMethod", "contract", "is not a FilterCriterion"),
        ("Abstract", "contract", "does not implement score"),
    ],
)
def test_what_is_wrong_is_explained(name, where, words):
    finding = check(name)[where]
    assert finding.state == "broken" and words in finding.found and (finding.advice or where == "contract")


def test_a_method_that_forgets_its_seed_is_told_so(tmp_path):
    path = tmp_path / "careless.py"
    path.write_text(
        "import os, torch\nfrom prunemark.benchmark.method import FilterCriterion\n"
        "class Careless(FilterCriterion):\n"
        "    def score(self, layer, context):\n"
        "        return torch.tensor([int.from_bytes(os.urandom(4), 'big') for _ in layer.weight])\n"
    )
    finding = check(f"{path}:Careless")["level 50%"]
    assert finding.state == "note" and "context.generator" in finding.advice


def test_the_wrong_granularity_is_said_with_a_track_that_fits():
    finding = check("Fine", track="digits-resnet8-weights")["track"]
    assert finding.state == "broken" and "digits-resnet8" in finding.advice


def test_unknown_settings_and_tracks_are_input_errors():
    with pytest.raises(InputError, match="unknown setting"):
        check("Fine", {"colour": "red"})
    with pytest.raises(InputError, match="unknown track"):
        check("Fine", track="imagenet")
