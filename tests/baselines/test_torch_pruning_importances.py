"""torch-pruning's importances as submissions: their scores are those of the library called by hand."""

import ast
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch_pruning as tp
from torch.nn import functional as F

from prunemark.baselines.peers import torch_pruning_importances as peers
from prunemark.benchmark.compression.surgery import prunable_groups
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.names import check_name
from prunemark.records.card import known_methods, peer_cards, shipped_methods
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import find_track

TRACK, SHAPE = find_track("digits-resnet8"), ImageShape(1, 8, 8, 10)
CLASSES = [name.removeprefix("torch-pruning.") for name in peer_cards()]
NOT_COVERED = {"Importance", "OBDCImportance"}


@pytest.fixture
def model():
    made = build_network(TRACK.network, SHAPE, 3).eval()
    for module in made.modules():  # as built, the scales of a batch norm are all one
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.2, 2.0, generator=torch.Generator().manual_seed(1))
    return made


def batches():
    draw = torch.Generator().manual_seed(0)
    for _ in range(2):
        yield torch.randn(16, 1, 8, 8, generator=draw), torch.randint(10, (16,), generator=draw)


def context_of(model):
    return SimpleNamespace(groups=prunable_groups(model, TRACK, SHAPE), image_shape=(1, 8, 8), batches=batches)


def by_hand(name, model):
    """As the library's documentation does it, without Prunemark."""
    importance = getattr(tp.importance, name)()
    if "Taylor" in name:
        for images, labels in batches():
            F.cross_entropy(model(images), labels).backward()
    if "Hessian" in name:
        for images, labels in batches():
            for loss in F.cross_entropy(model(images), labels, reduction="none"):
                model.zero_grad()
                loss.backward(retain_graph=True)
                importance.accumulate_grad(model)
    if name == "ActivationImportance":
        with importance.compute_importance(model), torch.no_grad():
            model(next(batches())[0])
    graph = tp.DependencyGraph().build_dependency(model, torch.zeros(1, 1, 8, 8))
    found = {}
    for layer in TRACK.prunable:
        module = model.get_submodule(layer)
        filters = list(range(module.out_channels))
        found[layer] = importance(graph.get_pruning_group(module, tp.prune_conv_out_channels, filters))
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_the_scores_are_the_library_s_own(name, model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method, context = getattr(peers, name)(), context_of(model)
    torch.manual_seed(5)
    method.observe(model, context)
    scores = {group.name: method.score(group.layer(model), context) for group in context.groups}
    torch.manual_seed(5)
    expected = by_hand(name, model)
    assert list(scores) == list(expected)
    for layer, found in scores.items():
        torch.testing.assert_close(found, expected[layer])
        assert len(found) == model.get_submodule(layer).out_channels and len(found.unique()) > 1
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_settings_reach_the_library(model):
    context = context_of(model)
    for name, settings in (("GroupMagnitudeImportance", {"p": 1, "normalizer": "none", "group_reduction": "first"}),
                           ("GroupTaylorImportance", {"multivariable": True})):  # fmt: skip
        plain, other = getattr(peers, name)(), getattr(peers, name)(**settings)
        plain.observe(model, context)
        other.observe(model, context)
        assert any(not torch.allclose(plain.scores[layer], other.scores[layer]) for layer in plain.scores)
    first = context.groups[0].layer(model)
    method = peers.GroupMagnitudeImportance(p=1, normalizer="none", group_reduction="first")
    method.observe(model, context)
    torch.testing.assert_close(method.scores[first], first.weight.detach().abs().flatten(1).sum(1))


def test_every_importance_of_the_installed_version_is_there_or_named_as_left_out():
    """A new version with a new class, or without one of these, is noticed here."""
    library = inspect.getsourcefile(tp.importance.GroupMagnitudeImportance)
    theirs = {node.name for node in ast.parse(Path(library).read_text()).body if isinstance(node, ast.ClassDef)}
    assert theirs - NOT_COVERED == set(CLASSES)
    assert all(name in peers.__doc__ for name in NOT_COVERED - {"Importance"})


def test_they_are_found_by_the_library_s_name_and_nobody_else_has_it(tmp_path):
    name, source = locate("torch-pruning:LAMPImportance")
    assert (name, source.class_name) == ("torch-pruning.LAMPImportance", "LAMPImportance")
    assert locate(name) == (name, source) and name in known_methods() and name not in shipped_methods()
    with pytest.raises(InputError, match=r"unknown method of torch-pruning 'LAMP'(.|\n)*Valid: ActivationImportance"):
        locate("torch-pruning:LAMP")
    check_name(name, source)
    path = tmp_path / "mine.py"
    path.write_text("class torch_pruning_LAMPImportance: ...\n")
    with pytest.raises(InputError, match="reads like 'torch-pruning.LAMPImportance'"):
        check_name(*locate(f"{path}:torch_pruning_LAMPImportance"))


def test_one_is_shown_with_whose_it_is_and_in_which_version(prunemark):
    code, out, _ = prunemark("methods", "show", "torch-pruning:GroupTaylorImportance", "--format", "json")
    assert code == 0 and '"library": "torch-pruning 1.' in out and "arXiv:2301.12900, is the library's paper" in out
    assert "PAPER" not in out and "the library's own code computes the scores" in out


def test_an_older_library_without_it_is_said(monkeypatch, model):
    monkeypatch.delattr(tp.importance, "FPGMImportance")
    with pytest.raises(ImportError, match="the installed torch-pruning has no FPGMImportance"):
        peers.FPGMImportance().observe(model, context_of(model))
