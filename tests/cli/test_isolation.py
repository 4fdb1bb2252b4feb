"""--isolation: the word reaches the trials, a wrong one is refused, and separation only is said loudly and once."""

import pytest

from prunemark.benchmark.sandbox import confinement
from prunemark.benchmark.trial.plan import make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.cli import isolation, requests

LOUD = "isolation: process. Submitted code can read and write what you can"


def test_separation_only_is_said_once_and_goes_on(prunemark):
    code, out, said = prunemark("submit", "L1-norm", "--track", "digits-resnet8", "--dry-run", "--isolation", "process")
    assert code == 0 and said.count(LOUD) == 1 and LOUD not in out
    assert "A public board refuses such results" in said


def test_a_machine_without_landlock_says_so_unasked(monkeypatch, capsys):
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    assert isolation.settled("") == "process"
    assert LOUD in capsys.readouterr().err


@pytest.mark.skipif(confinement.isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")
def test_the_sandbox_is_the_default_and_needs_no_words(capsys):
    assert isolation.settled("") == isolation.settled("landlock") == "landlock"
    assert not capsys.readouterr().err


@pytest.mark.parametrize("command", ["submit L1-norm --track digits-resnet8", "check L1-norm", "fill --hours 1"])
def test_a_word_that_is_none_is_refused_before_anything_runs(prunemark, command):
    code, _, said = prunemark(*command.split(), "--isolation", "landlok")
    assert code == 2 and "unknown isolation 'landlok'" in said and "Valid: container, landlock, process" in said


def test_every_trial_of_a_request_has_it():
    request = requests.read("digits-resnet8", "S3.2", None, "2", "cpu", None, isolation="process")
    trials = make_trials(request, Entrant("Mine", "pruned", "submission", None, ()))
    assert trials and {trial.isolation for trial in trials} == {"process"}
    assert {trial.of(trial.entrant).isolation for trial in trials} == {"process"}
