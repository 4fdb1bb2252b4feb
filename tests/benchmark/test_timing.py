"""Which networks are timed, when, on what; one real pass; and that backends which are not there say what to do."""

import dataclasses
import datetime
import importlib.util
import itertools

import pytest
import torch

from prunemark.benchmark.metering import backends, in_turns
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.run import timing
from prunemark.benchmark.run.quiet import alone, trials_running
from prunemark.benchmark.run.timing import Taken, Task, architectures_of, built, execute, image_shape, plan, take
from prunemark.records.speed import speed_of
from prunemark.records.timing import Architecture
from prunemark.setups.errors import WorkFailed

PRUNED = Architecture("resnet8", "digits", 10, {"blocks.0.conv1": 1, "blocks.1.conv1": 2, "blocks.2.conv1": 3})
NOW = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(in_turns, "BLOCKS", 12)
    monkeypatch.setattr(in_turns, "VISIT_SECONDS", 0.0)
    monkeypatch.setattr(timing, "TRIES", 1)


def kept(record, filters):
    compression = dataclasses.replace(record.outcome.compression, kept={"a": filters})
    return dataclasses.replace(record, outcome=dataclasses.replace(record.outcome, compression=compression))


def the_task(backend="eager", batches=(2,), architecture=PRUNED):
    return Task(timing.Architected(architecture, 1, "digits-resnet8@1 90%", ""), backend, batches)


def ticking(step=0.001):
    ticks = itertools.count()
    return lambda: step * next(ticks)


def test_records_of_one_architecture_are_timed_once(make_records):
    records = [*make_records("A", [90, 91, 92]), *make_records("B", [90, 91]), kept(make_records("C", [90])[0], 3)]
    failed = make_records("D", [90], status="failed")
    found = architectures_of([*records, *failed])
    assert [(each.records, each.architecture.filters_kept) for each in found] == [(5, {"a": 4}), (1, {"a": 3})]
    assert found[0].where == "digits-resnet8@1 90%"
    tasks = plan(found, ["eager", "2to4"], (1, 64), "cpu", [])
    assert [(task.backend, task.batches) for task in tasks] == [("eager", (1, 64))] * 2, "no 2:4 track, no 2:4 kernels"


def test_what_is_timed_is_not_timed_again_unless_it_was_withheld_or_is_asked_for(short):
    of = the_task().of
    (done,) = take(the_task(), "cpu", ticking(), lambda: NOW).timings
    assert speed_of(done.blocks).withheld == ""
    assert plan([of], ["eager"], (2,), "cpu", [done]) == []
    assert plan([of], ["eager"], (2, 4), "cpu", [done])[0].batches == (4,)
    assert plan([of], ["eager"], (2,), "cpu", [done], again=True)[0].batches == (2,)
    noisy = dataclasses.replace(done, blocks=dataclasses.replace(done.blocks, again_ms=(9.0,) * 12))
    assert plan([of], ["eager"], (2,), "cpu", [noisy])[0].batches == (2,)


def test_a_pass_that_is_not_quiet_is_repeated_a_few_times(short, monkeypatch):
    monkeypatch.setattr(timing, "TRIES", 3)
    passes = []
    noisy = dataclasses.replace(take(the_task(), "cpu", ticking(), lambda: NOW).timings[0].blocks, again_ms=(9.0,) * 12)
    monkeypatch.setattr(timing, "time_in_turns", lambda *_: passes.append(1) or (noisy, 3))
    (found,) = take(the_task(), "cpu", ticking(), lambda: NOW).timings
    assert len(passes) == 3 and speed_of(found.blocks).withheld


def test_a_timing_says_where_and_when_it_was_taken(short):
    (found,) = take(the_task(), "cpu", ticking(), lambda: NOW).timings
    assert (found.batch_size, found.backend, found.architecture) == (2, "eager", PRUNED)
    assert found.measured_at == "2026-12-01T00:00:00+00:00"
    assert found.conditions.hardware and found.conditions.threads == 1 and "torch" in found.conditions.versions


def test_the_networks_are_those_of_the_record():
    shape = image_shape(PRUNED)
    pruned, dense = (count(built("resnet8", shape, filters), shape).macs for filters in (PRUNED.filters_kept, {}))
    assert dense == 193_344 and dense / pruned == pytest.approx(6.373, abs=0.001)


def test_one_real_pass(short):
    """By the real clock: whether this machine is quiet is not asked here."""
    import time

    torch.set_num_threads(1)
    (found,) = take(the_task(), "cpu", time.perf_counter, lambda: NOW).timings
    assert len(found.blocks.dense_ms) == 12 and found.blocks.why_unusable == ""
    assert 0.01 < speed_of(found.blocks).dense_ms < 1000


def test_after_the_seconds_that_are_given_no_task_is_begun():
    begun = []

    class Executor:
        def run(self, jobs, listen):
            begun.append(jobs[0].id)
            from prunemark.benchmark.run.drive import Event

            listen(Event(jobs[0], "done", Taken(jobs[0].arguments[0])))

    tasks = [the_task(batches=(n,)) for n in (1, 2, 3)]
    now = iter([0.0, 0.0, 5.0, 11.0])
    assert len(list(execute(tasks, "cpu", Executor(), most_seconds=10.0, clock=lambda: next(now)))) == 2
    assert len(begun) == 2


def test_times_are_not_taken_while_trials_of_the_home_run(tmp_path):
    (tmp_path / "store").mkdir()
    refused = pytest.raises(WorkFailed, match="trials are running")
    with trials_running(tmp_path), trials_running(tmp_path), refused, alone(tmp_path):
        pytest.fail("it must not begin")
    with alone(tmp_path):
        pass
    with alone(tmp_path / "no home"):
        pass


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is not None, reason="ONNX Runtime is installed here")
def test_without_onnx_runtime_its_column_is_withheld_with_the_command_that_installs_it(short):
    found = take(the_task("onnx"), "cpu", ticking(), lambda: NOW)
    assert found.timings == ()
    assert found.unavailable == "ONNX Runtime is not installed (onnxruntime): pip install 'prunemark[onnx]'"


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="ONNX Runtime is not installed")
def test_onnx_runtime_computes_what_torch_computes():
    model, images = built("resnet8", image_shape(PRUNED), PRUNED.filters_kept), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        ours = model(images)
        theirs = torch.as_tensor(backends.onnx_runtime(model, images)()[0])
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")
def test_without_a_gpu_the_2_4_kernels_are_withheld(short):
    assert "compute capability 8.0" in take(the_task("2to4"), "cpu", ticking(), lambda: NOW).unavailable


@pytest.mark.skipif(not torch.cuda.is_available(), reason="2:4 kernels need a GPU")
def test_2_4_kernels_compute_what_the_masked_layer_computes():
    layer = torch.nn.Linear(128, 64, bias=False).cuda()
    images = torch.rand(64, 128, device="cuda")
    mask = torch.tensor([True, True, False, False], device="cuda").repeat(32)
    expected = images.half() @ (layer.weight.detach() * mask).half().T
    with torch.no_grad():
        assert torch.allclose(backends.two_of_four(layer, images)(), expected, atol=1e-2)


def test_a_network_that_torch_compile_cannot_take_is_said(monkeypatch):
    def refuse(model, dynamic):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(backends.Unavailable, match=r"\(no compiler here\). On a CPU it needs g\+\+"):
        backends.compiled(torch.nn.Identity(), torch.zeros(1))


@pytest.mark.slow
def test_torch_compile_computes_what_torch_computes():
    model, images = built("resnet8", image_shape(PRUNED), PRUNED.filters_kept), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.allclose(backends.compiled(model, images)(), model(images), atol=1e-4)
