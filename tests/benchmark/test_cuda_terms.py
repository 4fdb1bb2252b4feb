"""On a GPU: terms of execution, pinned memory, and trials that share it. Skips where none is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from support.image_folders import write_tree

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.images.streaming import ImageFiles, file_checksums, images_in_order
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.gpu_room import GpuRoom, card_of
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.training.execution import held, hold_again
from prunemark.benchmark.training.loop import placed, train
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.observed import GPU_FLOAT32
from prunemark.records.record import load
from prunemark.setups.comparison import SETUPS
from prunemark.setups.execution import execution_of
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

CUDA = torch.device("cuda")
RECIPE = Recipe(lr=parse_schedule("1e-2", 2), augmentation="crop-flip")
SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")
TRACK = find_track("digits-resnet8")
DENSE = Entrant("Dense", "dense", "reference", None, ())


def trained(*words: str, dtype: torch.dtype = torch.float32):  # type: ignore[no-untyped-def]
    """Weights on the CPU and what was counted; the last batch is smaller than the others."""
    before, stated = held(), execution_of(words)
    arithmetic.use(None, "cuda", stated)
    pixels = torch.rand(300, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=dtype)
    data = Images(pixels, torch.arange(300) % 10, 10, 0.0).to(CUDA)
    model = placed(build_network("resnet20", ImageShape(3, 32, 32, 10), 0), CUDA, stated).to(dtype)
    meter = Meter(7)
    train(model, data, RECIPE, seed=0, stream="x", meter=meter, execution=stated)
    hold_again(before)
    return {name: value.cpu().double() for name, value in model.state_dict().items()}, meter.stage()


def apart(one, other) -> float:  # type: ignore[no-untyped-def]
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.mark.parametrize("words", [("bf16",), ("tf32", "any-order"), ("bf16", "reduce-overhead"), ("contiguous",)])
def test_what_is_counted_is_the_same_and_weights_stay_numbers(words: tuple[str, ...]) -> None:
    plain, other = trained("float32"), trained(*words)
    assert plain[1] == other[1]
    assert all(torch.isfinite(value).all() for value in other[0].values())
    assert apart(plain[0], other[0]) > 0.0


@pytest.mark.parametrize("word", ["compile", "reduce-overhead"])
def test_compiled_networks_train_as_uncompiled_ones(word: str) -> None:
    assert apart(trained(dtype=torch.float64)[0], trained(word, dtype=torch.float64)[0]) < 1e-8


def test_deterministic_algorithms_give_the_same_bits_twice() -> None:
    assert apart(trained("bf16", "deterministic")[0], trained("bf16", "deterministic")[0]) == 0.0


def test_pinned_batches_have_the_same_pixels(tmp_path: Path) -> None:
    torch.zeros(1, device=CUDA)
    paths = sorted(write_tree(tmp_path / "insects", per_class=3).glob("train/*/*.png"))
    files = ImageFiles(tuple(map(str, paths)), file_checksums(paths), (3, 16, 16), 1)
    found = list(images_in_order(files, 4))
    assert all(batch.is_pinned() for batch in found)
    onto = torch.cat([batch.to(CUDA, non_blocking=True) for batch in found])
    assert torch.equal(onto.cpu(), torch.cat(list(images_in_order(dataclasses.replace(files, workers=0), 4))))


def test_trials_share_a_gpu_by_what_the_first_was_seen_to_take(tmp_path: Path) -> None:
    """The memory of a real trial is noted; the others start while one runs."""
    short = dataclasses.replace(TRACK, name="short", pretraining=SHORT, retraining=SHORT)
    trials = make_trials(Request(short, SETUPS["S3.2"], short.levels[:1], range(4), "cuda"), DENSE)
    jobs = [Job(f"trial {t.seed}", "prunemark.benchmark.run.worker:trial_job", (t, tmp_path / "store")) for t in trials]
    said: list = []  # type: ignore[type-arg]
    room = GpuRoom(("0",), tmp_path / "gpu-memory")
    LocalProcesses(4, devices=("0",), shared=room).run(jobs, said.append)
    done = [load(event.value) for event in said if event.kind == "done"]
    assert [record.outcome.status for record in done] == ["ok"] * 4
    assert {record.observed.versions[GPU_FLOAT32] for record in done} == {"TF32 in convolutions"}
    noted = [json.loads(file.read_text())["bytes"] for file in (tmp_path / "gpu-memory").iterdir()]
    assert all(100 * 2**20 < size < card_of("0").total_bytes for size in noted) and noted
