"""The command that runs a record again: read back by the command line's own reader, it asks for that very trial."""

import dataclasses
import shlex

import pytest

from prunemark.cli import requests
from prunemark.leaderboard.site.command import reproduce
from prunemark.records.source import MethodFiles

SOURCE = MethodFiles("Mine", (("helper.py", "x = 1\n"), ("mine.py", "class Mine(FilterCriterion):\n    pass\n")))


def changed(record, *, device=None, **method):
    settings = dataclasses.replace(record.outcome.method, **method)
    observed = dataclasses.replace(record.observed, device=device or record.observed.device)
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, method=settings), observed=observed)


def options(command):
    """A command's words by option, and what stands before the options."""
    words = shlex.split(command.line)
    given = {}
    for name, value in zip(words[3::2], words[4::2], strict=True):
        given.setdefault(name, []).append(value)
    return words[:3], given


def test_it_asks_for_the_trial_of_the_record(make_record):
    record = make_record("L1-norm", 3, level="95%", setup="S4.2", role="anchor")
    start, given = options(reproduce(record, {}))
    assert start == ["prunemark", "submit", "L1-norm"]
    request = requests.read(
        given["--track"][0], given["--setup"][0], given["--level"], given["--seeds"][0], "cpu", None
    )
    assert (request.track.id, request.setup.id, request.seeds) == ("digits-resnet8@1", "S4.2", (3,))
    assert [level.name for level in request.levels] == ["95%"]


def test_settings_are_given_so_that_they_are_read_back(make_record):
    record = make_record("FPGM", 0, settings={"power": 1.5, "epochs": 2, "note": "a 'quoted' word; rm -rf ."})
    _, given = options(reproduce(record, {}))
    assert requests.read_settings(given["--set"]) == {
        "power": "1.5", "epochs": "2", "note": "a 'quoted' word; rm -rf .",
    }  # fmt: skip


def test_a_published_source_is_named_by_file_and_class(make_record):
    record = make_record("Mine", 0, source=SOURCE.source_sha256)
    command = reproduce(record, {SOURCE.source_sha256: SOURCE})
    assert options(command)[0][2] == "mine.py:Mine" and "page of the method" in command.note
    renamed = reproduce(changed(record, name="Registered-name"), {SOURCE.source_sha256: SOURCE})
    assert options(renamed)[0][2] == "Registered-name" and renamed.note == ""


def test_an_unpublished_source_is_asked_for(make_record):
    assert "path/to/file.py:Mine" in reproduce(make_record("Mine", 0), {}).note


@pytest.mark.parametrize(("role", "asked"), [("submission", ["2"]), ("anchor", None)])
def test_the_pruning_epoch_is_given_where_it_is_a_choice(make_record, role, asked):
    record = make_record("FPGM", 0, setup="SX-A", role=role)
    assert options(reproduce(record, {}))[1].get("--prune-at") == asked
    assert "--prune-at" not in options(reproduce(make_record("FPGM", 0, setup="S3.2"), {}))[1]


def test_a_control_names_what_it_ran_beside_or_says_that_it_cannot(make_record):
    named = changed(
        make_record("Random", 1, role="control"),
        settings={"layer_ratios_of": "Mine 0123abcd (allocation=global, epochs=0)"},
    )
    command = reproduce(named, {})
    assert options(command)[0][2] == "Mine" and "allocation=global" in command.note
    command = reproduce(make_record("Random", 1, role="control"), {})
    assert options(command)[0][2] == "L1-norm" and "does not name the submission" in command.note


def test_the_references_run_beside_the_anchor(make_record):
    dense = reproduce(make_record("Dense", 1, level="dense", kind="dense", role="reference"), {})
    assert "--level" not in options(dense)[1] and options(dense)[0][2] == "L1-norm"
    scratch = reproduce(make_record("Scratch", 1, kind="scratch", role="reference"), {})
    assert scratch.note.startswith("Scratch training runs with every submission")


def test_a_gpu_and_equal_tuning_are_said(make_record):
    assert options(reproduce(changed(make_record("FPGM", 0), device="cuda"), {}))[1]["--device"] == ["cuda"]
    tuned = options(reproduce(make_record("FPGM", 0, setup="S3.1-tuned"), {}))
    assert tuned[0] == ["prunemark", "tune", "FPGM"] and "--setup" not in tuned[1]
