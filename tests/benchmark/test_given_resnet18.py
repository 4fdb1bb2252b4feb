"""torchvision's ResNet-18, trained here on some of the real CIFAR-10 in JPEG, as a given base in both kinds of file."""

import pytest
from support import given
from support.here import Here

from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import home_at, open_home
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.setups.comparison import SETUPS
from prunemark.setups.track_files import track_from_file

DENSE = Entrant("Dense", "dense", "reference", None, ())
RESNET18, CIFAR = "torchvision:resnet18", "folder:cifar@32"


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_it_is_pruned_and_retrained_from_its_file(ending, tmp_path, monkeypatch):
    if not given.write_cifar(tmp_path):
        pytest.skip("the real images are not on this machine")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    data = given.prepared(tmp_path / "prepared", CIFAR)
    model = given.trained(data["train"], steps=20, network=RESNET18)
    path = given.save(model, tmp_path / f"net{ending}")
    stated = given.base(path, given.percent_of(model, data["test"]))
    track = track_from_file(given.track(tmp_path, stated, network=RESNET18, dataset=CIFAR, classes=10))
    fpgm = Entrant("FPGM", "pruned", "submission", locate("FPGM")[1], (("allocation", "uniform"),))
    trials = make_trials(Request(track, SETUPS["S3.2"], track.levels, (0,)), fpgm, (DENSE,))
    records = submit.execute(trials, open_home(home_at(tmp_path / "home")), Here(), [])
    for record in records.values():
        base = record.outcome.base
        assert (record.outcome.status, base.given, base.file_sha256) == ("ok", "file", given.sha256(path))
        assert base.test_percent == given.percent_of(model, data["test"]) and base.pretraining.epochs == 0
    reached = [r.outcome.compression.speedup_macs for r in records.values() if r.outcome.method.name == "FPGM"]
    assert len(reached) == 1 and abs(reached[0] / 1.32 - 1) < 0.01
