"""On a GPU: what it must have in common with a CPU, and that a trial gives the same bits twice. Skips where none is."""

import dataclasses
import sys

import pytest
import torch
from support.device import run_there

from prunemark.benchmark.images.augmentation import augment
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.training.loop import train
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="crop-flip")
TRACK = dataclasses.replace(
    find_track("digits-resnet8"), name="short", pretraining=SHORT, pruning=SHORT, retraining=SHORT,
    pruning_epochs_limit=2,
)  # fmt: skip
TRAIN_TWICE = """
import torch
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.training.loop import placed, train
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
arithmetic.use(None, "cuda")
pixels = torch.randint(0, 256, (1024, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
data = Images(pixels, torch.arange(1024) % 10, 10, 0.0, (0.5,) * 3, (0.25,) * 3).to(torch.device("cuda"))
model = placed(build_network("NETWORK", ImageShape(3, 32, 32, 10), 0), torch.device("cuda"))
train(model, data, Recipe(lr=parse_schedule("1e-2", 2), augmentation="crop-flip"), seed=0, stream="x", meter=Meter(0))
print(weights_sha256(model.state_dict()))
"""

TRAIN_TOGETHER = """
import pathlib, tempfile, torch
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.training.loop import placed, train
from prunemark.benchmark.training.processes import here
from prunemark.benchmark.training.together import run_together
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
arithmetic.use(None, "cuda")
def work(path):
    pixels = torch.randint(0, 256, (500, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = Images(pixels, torch.arange(500) % 10, 10, 0.0, (0.5,) * 3, (0.25,) * 3).to(torch.device("cuda"))
    model = placed(build_network("resnet20", ImageShape(3, 32, 32, 10), 0), torch.device("cuda"))
    recipe = Recipe(lr=parse_schedule("1e-3", 1), augmentation="crop-flip")
    train(model, data, recipe, seed=0, stream="x", meter=Meter(0), validation=data)
    if here().first:
        torch.save({name: tensor.cpu() for name, tensor in model.state_dict().items()}, path)
with tempfile.TemporaryDirectory() as folder:
    for count in (1, 2):
        run_together(count, "cuda", "a test", work, pathlib.Path(folder) / str(count))
    one, two = (torch.load(pathlib.Path(folder) / str(count)) for count in (1, 2))
print(max(float((one[name] - two[name]).abs().max()) for name in one))
"""


def trial(name, device, setup="S3.2"):
    _, source = locate(name)
    entrant = Entrant(name, "pruned", "submission", source, (), "filter")
    return make_trials(Request(TRACK, SETUPS[setup], [TRACK.level("50%")], [0], device, 60.0), entrant)[0]


def on_gpu(name, root, setup="S3.2"):
    return run_there(trial(name, "cuda", setup), Store(root))


@pytest.fixture(autouse=True)
def _trials_in_processes_of_their_own(monkeypatch):
    """This process uses CUDA itself, so it must not fork pruning stages."""
    monkeypatch.setattr("where.DEVICE", "cuda")


@pytest.mark.parametrize("setup", ["S3.2", "S4.2"])
def test_a_trial_gives_the_same_bits_twice(tmp_path, setup):
    first, second = (on_gpu("L1-norm", tmp_path / name, setup).outcome for name in ("a", "b"))
    assert first.status == "ok", first.failure
    assert first == second


@pytest.mark.parametrize("network", ["resnet20", "vgg16", "mobilenetv2"])
def test_training_gives_the_same_bits_twice(network):
    import subprocess

    script = TRAIN_TWICE.replace("NETWORK", network)
    hashes = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert hashes[0].stdout == hashes[1].stdout != ""


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch sees fewer than two GPUs")
def test_two_gpus_that_train_together_give_what_one_gives():
    import subprocess

    command = [sys.executable, "-W", "ignore", "-c", TRAIN_TOGETHER]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(said) < 1e-3, said


def test_gpu_and_cpu_spend_the_same_budget(tmp_path):
    gpu = on_gpu("GReg-1", tmp_path / "gpu", "S4.2").outcome
    cpu = run_there(trial("GReg-1", "cpu", "S4.2"), Store(tmp_path / "cpu")).outcome
    assert gpu.status == cpu.status == "ok", gpu.failure
    assert gpu.base.pretraining == cpu.base.pretraining
    assert (gpu.pruning, gpu.retraining) == (cpu.pruning, cpu.retraining)
    assert gpu.compression.speedup_macs == cpu.compression.speedup_macs


def test_what_the_final_model_takes_is_measured_on_the_gpu(tmp_path):
    observed = on_gpu("L1-norm", tmp_path).observed
    assert observed.device == "cuda" and observed.hardware == torch.cuda.get_device_name()
    assert 0 < observed.peak_memory_bytes < 2**30


@pytest.mark.parametrize("kind", ["shift1", "crop-flip", "resized-crop"])
def test_images_are_augmented_alike_on_both(kind):
    pixels = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = [
        augment(pixels.to(device), kind, 0.0, torch.Generator().manual_seed(1)).cpu().int()
        for device in ("cpu", "cuda")
    ]
    rounding = 1 if kind == "resized-crop" else 0  # interpolated, then rounded
    assert (made[0] - made[1]).abs().max() <= rounding


def test_a_first_step_is_that_of_a_cpu():
    """In float64, where rounding does not hide a difference."""
    pixels = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = Images(pixels, torch.arange(32) % 10, 10, 0.0)
    after = []
    for device in ("cpu", "cuda"):
        model = build_network("resnet20", ImageShape(3, 32, 32, 10), 0).double().to(device)
        recipe = Recipe(lr=parse_schedule("1e-1", 1), augmentation="crop-flip")
        train(model, images.to(torch.device(device)), recipe, seed=0, stream="x", meter=Meter(0))
        after.append({name: value.cpu() for name, value in model.state_dict().items()})
    for name, value in after[0].items():
        torch.testing.assert_close(after[1][name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["resnet56", "vgg19", "mobilenetv2", "timm:deit_tiny_patch16_224"])
def test_costs_are_those_counted_on_a_cpu(name):
    shape = ImageShape(3, 224, 224, 1000) if ":" in name else ImageShape(3, 32, 32, 10)
    model = build_network(name, shape, 0)
    on_cpu = cost.count(model, shape)
    assert cost.count(model.cuda(), shape) == on_cpu
