"""No number of a stage changes under the key that it had: stored results would be taken for what they are not."""

import copy
import json
import os
import subprocess
import sys

import pytest
from support.golden_stages import GOLDEN, REFRESH, changes

from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.trial.versions import STAGES

ONE = {"cases": {"L1-norm": {stage: [f"key of {stage}", f"numbers of {stage}"] for stage in STAGES}}}


@pytest.mark.skipif(not arithmetic.can_be_portable(), reason="this processor has no AVX2: portable arithmetic needs it")
def test_no_number_changed_without_a_raised_version():
    variables = {name: value for name, value in os.environ.items() if name not in arithmetic.VARIABLES}
    script = GOLDEN.parents[1] / "support" / "golden_stages.py"
    said = subprocess.run([sys.executable, script], env=variables, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    here, golden = json.loads(said.stdout), json.loads(GOLDEN.read_text())
    if here["libraries"] != golden["libraries"]:
        pytest.skip(f"the hashes are of {golden['libraries']}: run {REFRESH}")
    numbers, keyed = changes(golden, here)
    assert numbers == []
    assert keyed == []  # of a control, also where other numbers of its submission give other layer ratios


def changed(stages, part):
    """That case with other keys (0) or numbers (1) of some stages."""
    found = copy.deepcopy(ONE)
    for stage in stages:
        found["cases"]["L1-norm"][stage][part] = "other"
    return found


def test_the_first_stage_whose_numbers_changed_is_named_with_what_to_do():
    (words,), keyed = changes(ONE, changed(["prune", "retrain", "evaluate"], 1))
    assert keyed == []
    assert words.startswith(
        'prune: numbers changed: raise STAGES["prune"] in benchmark/trial/versions.py and run python'
    )
    assert words.endswith("golden_stages.py --refresh (L1-norm)")


def test_other_keys_are_named_and_excuse_other_numbers():
    other = changed(["prune", "retrain", "evaluate"], 0)
    other["cases"]["L1-norm"]["prune"][1] = "other"
    numbers, (words,) = changes(ONE, other)
    assert numbers == [] and words.startswith("prune: another key, as after a raised version")
    assert REFRESH in words


def test_a_case_that_is_new_or_gone_is_named():
    assert changes({"cases": {}}, ONE)[1] and changes(ONE, {"cases": {}})[1]
    assert changes(ONE, ONE) == ([], [])
