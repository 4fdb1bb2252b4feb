"""Networks that another library has cut or masked: which filters stayed is found, and proven by cutting again."""

from pathlib import Path

import pytest
import torch

from prunemark.benchmark.compression.cut_already import found_in
from prunemark.benchmark.compression.left_weights import BadWeights
from prunemark.benchmark.compression.surgery import prunable_groups, rebuild
from prunemark.benchmark.method import Decision
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.run.check import check_method
from prunemark.benchmark.run.debug import debug
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.store import Store
from prunemark.setups.track_files import find_track

SUBMISSIONS = Path(__file__).parents[1] / "submissions" / "adopting.py"
TRACK, SHAPE = find_track("digits-resnet8"), ImageShape(1, 8, 8, 10)


def run(name):
    return debug(f"{SUBMISSIONS}:{name}", base_epochs=0)


def kept(found):
    return {layer: indices.tolist() for layer, indices in found.decision.kept.items()}


@pytest.fixture(scope="module")
def by_scores():
    """What the same scores give by the contract's own way: the library and `decide` agree at half of each layer."""
    return kept(debug("torch-pruning:GroupMagnitudeImportance", base_epochs=0))


@pytest.mark.parametrize("name", ["CutInPlace", "CutACopy", "CutAfterTraining"])
def test_what_torch_pruning_cut_is_the_decision(name, by_scores):
    found = run(name)
    assert {layer: len(indices) for layer, indices in kept(found).items()} == {
        "blocks.0.conv1": 4, "blocks.1.conv1": 8, "blocks.2.conv1": 16,
    }  # fmt: skip
    if name != "CutAfterTraining":
        assert kept(found) == by_scores
    assert found.metered.epochs == (0 if name == "CutInPlace" else 1)


def test_the_lane_is_that_of_what_was_done(tmp_path):
    """Cutting makes no weights: the base model's come back, or those that the harness trained."""
    for name, lane in (("CutInPlace", "decision"), ("CutAfterTraining", "harness"), ("Masked", "decision")):
        finding = check_method(*locate(f"{SUBMISSIONS}:{name}"), {}, None, Store(tmp_path))[2]
        assert finding.state == "fine" and f"lane {lane}" in finding.found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CutTooMuch", "was cut to .* blocks.0.conv1, blocks.1.conv1, blocks.2.conv1: all other"),
        ("CutAndTuned", r"classifier.weight was changed after the network was cut.\nCall Decision.from_pruned right"),
        ("TunedAfterwards", r"changed after Decision.from_pruned was called, .*\nTrain with context.train\(keep=decis"),
        (
            "CutAndScored",
            r"has the shape \(4, 8, 3, 3\), and .* base network.\nFor a network that a library",
        ),
        ("Twins", r"filters 0, 1, 2, 3 have equal weights; nobody can tell which stayed.\nWrite the decision yourself"),
        ("MaskedInParts", r"the mask keeps a part of filter 0, .*\nMask along dimension 0"),
        ("MaskLeft", r"layer blocks.0.conv1 still has a mask of torch.nn.utils.prune.*\nReturn Decision.from_masks"),
    ],
)
def test_what_cannot_be_taken_is_said(name, words):
    with pytest.raises(BadWeights, match=f"(?s){words}"):
        run(name)


def test_a_model_without_masks_has_no_decision():
    with pytest.raises(ValueError, match="no weight in this model has a mask"):
        run("NoMasks")


def test_masks_of_torch_are_the_decision():
    filters = run("MaskedFilters")
    weights = {name: len(indices) for name, indices in filters.decision.kept.items()}
    assert weights == {"blocks.0.conv1": 4, "blocks.1.conv1": 8, "blocks.2.conv1": 16} and not filters.decision.masks
    norms = {n: filters.model.get_submodule(n).weight.detach().flatten(1).abs().sum(1) for n in weights}
    for name, indices in filters.decision.kept.items():
        assert sorted(indices.tolist()) == sorted(norms[name].topk(len(indices)).indices.tolist())
    found = run("Masked")
    dropped = sum(int((~mask).sum()) for mask in found.decision.masks.values())
    assert dropped / sum(mask.numel() for mask in found.decision.masks.values()) == pytest.approx(0.9, abs=1e-3)
    assert "stem.weight_orig" not in found.model.state_dict()


def test_filters_are_found_whatever_stays_and_in_every_layer_at_once():
    """Property: whatever is kept, the cut network leads back to it, also with duplicates told apart by batch norms."""
    model = build_network(TRACK.network, SHAPE, 1)
    groups = prunable_groups(model, TRACK, SHAPE)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.bias)
    with torch.no_grad():
        model.blocks[0].conv1.weight[1] = model.blocks[0].conv1.weight[0]  # equal, but for their batch norm
    whole = model.state_dict()
    draw = torch.Generator().manual_seed(0)
    for _ in range(5):
        counts = {g.name: int(torch.randint(1, g.size + 1, (1,), generator=draw)) for g in groups}
        keep = {g.name: torch.randperm(g.size, generator=draw)[: counts[g.name]].sort().values for g in groups}
        cut = rebuild(TRACK, SHAPE, whole, Decision(keep, {}), 0).state_dict()
        found = found_in(cut, [whole], TRACK, SHAPE, groups)
        assert {n: i.tolist() for n, i in found.decision.kept.items()} == {n: i.tolist() for n, i in keep.items()}


def test_a_track_of_weights_has_no_cut_networks():
    model = build_network(TRACK.network, SHAPE, 1)
    with pytest.raises(BadWeights, match="prunes single weights"):
        found_in(model.state_dict(), [model.state_dict()], find_track("digits-resnet8-weights"), SHAPE, ())
