"""A job that another machine carries out: what has to be the same there, and what is said of it."""

import dataclasses
import pickle
import sys
from pathlib import Path

import pytest
from support.clusters import HERE, home_in, job
from support.here import planned

from prunemark.benchmark.run import elsewhere
from prunemark.benchmark.run.elsewhere import carry_out, check_common, in_common
from prunemark.benchmark.run.executor import Processes, default_workers, visible_devices
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.sandbox.run_folder import run_folder
from prunemark.setups.errors import InputError, WorkFailed


@pytest.fixture
def common(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    return in_common(home_in(tmp_path / "home").root)


def said(common, asked, **processes):
    with run_folder() as scratch:
        return list(carry_out(asked, common, Processes(1, scratch, **processes)))


def test_what_a_job_says_comes_back_as_words(common):
    assert said(common, job("a", "double", 21)) == [("started", None), ("report", ("half way", 21)), ("done", 42)]
    begun, (kind, problem) = said(common, job("a", "fails"))
    assert begun[0] == "started" and kind == "error" and isinstance(problem, InputError)
    assert isinstance(said(common, job("a", "dies_always"))[-1][1], WorkFailed)


def test_another_home_is_refused_and_the_same_one_is_not(common, tmp_path):
    check_common(common)
    assert in_common(Path(common.home)) == common
    other = in_common(home_in(tmp_path / "other").root)
    for wrong in (dataclasses.replace(common, token=other.token), dataclasses.replace(common, home="/nowhere")):
        with pytest.raises(InputError, match=r"does not see the home .*\nPut --home on a file system"):
            check_common(wrong)
        ((kind, problem),) = said(wrong, job("a", "double", 1))
        assert kind == "error" and isinstance(problem, InputError)


def test_other_libraries_are_refused(common, monkeypatch):
    monkeypatch.setattr(elsewhere, "package_versions", lambda names: dict.fromkeys(names, "0.0.1"))
    with pytest.raises(InputError, match=r"other libraries .* prunemark .*, here 0\.0\.1"):
        check_common(common)


def test_a_method_whose_file_is_missing_or_another_is_refused_and_not_blamed(common, tmp_path):
    first, second = planned("digits-resnet8", "L1-norm", "50%")
    check_common(common, Job("a", "x:y", (first, tmp_path)))
    for changed in ({"path": str(tmp_path / "gone.py")}, {"sha256": "0" * 64}):
        source = dataclasses.replace(first.entrant.source, **changed)
        entrant = dataclasses.replace(first.entrant, source=source)
        as_control = dataclasses.replace(second, submission=entrant)
        for arguments in ((source, "L1-norm"), (dataclasses.replace(first, entrant=entrant),), (as_control,)):
            with pytest.raises(InputError, match="does not have .*as the machine that submits has it"):
                check_common(common, Job("a", "x:y", arguments))


def test_a_job_crosses_as_data_of_the_harness(tmp_path):
    """No class that is pickled is of a method: its code is found by the path of its file, in a confined process."""
    names = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            names.add(module)
            return super().find_class(module, name)

    import io

    trial = planned("digits-resnet8", f"{HERE / 'submissions' / 'escapes.py'}:CallsHome", "50%")[0]
    Reader(io.BytesIO(pickle.dumps(Job("a", "x:y", (trial, tmp_path))))).load()
    ours = {name for name in names if not name.startswith(("pathlib", "builtins", "copyreg", "collections"))}
    assert ours and all(
        name.startswith(("prunemark.setups", "prunemark.benchmark", "prunemark.records")) for name in ours
    )


def test_jobs_are_spread_over_the_devices(common, monkeypatch):
    """With a count of devices that is made up: each job sees one, the least used, whatever the driver saw."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "9")
    with run_folder() as scratch:
        processes, seen = Processes(4, scratch, ("2", "GPU-5")), []
        assert processes.start([job(f"{n}", "sees_devices", 0.3) for n in range(4)]) == []
        while processes.running():
            processes.listen(lambda event: seen.append(event.value) if event.kind == "done" else None, 10)
    assert sorted(seen) == ["2", "2", "GPU-5", "GPU-5"]


@pytest.mark.parametrize(
    ("device", "variables", "found"),
    [
        ("cuda", {}, ("0", "1", "2")),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "3,1"}, ("3", "1")),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "GPU-aa, MIG-bb"}, ("GPU-aa", "MIG-bb")),
        ("cuda", {"CUDA_VISIBLE_DEVICES": ""}, ()),
        ("cuda:1", {}, ()),
        ("cpu", {}, ()),
    ],
)
def test_the_devices_are_those_that_are_visible(device, variables, found):
    assert visible_devices(device, variables, lambda: 3) == found
    assert device == "cpu" or default_workers(device, found) == max(len(found), 1)
