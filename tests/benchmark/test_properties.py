"""What a check has to notice: channels that are mixed, counted or rearranged, whatever the weights are."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.compression.properties import check_costs
from prunemark.benchmark.compression.prunable import check_prunable, propose
from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError
from prunemark.setups.track import Track
from prunemark.setups.track_files import find_track

TINY = ImageShape(3, 32, 32, 7)


def track_of(network: str, *layers: str) -> Track:
    return dataclasses.replace(find_track("digits-resnet8"), network=network, prunable=layers)


class Folded(nn.Module):
    """Works on patches that lie in the batch, four of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 12, 1)
        self.outer = nn.Conv2d(12, 8, 1)
        self.head = nn.Linear(8, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.patch(images))
        n, channels, height, width = x.shape
        patches = x.unfold(2, height // 2, height // 2).unfold(3, width // 2, width // 2)
        patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(4 * n, channels, height // 2, width // 2)
        y = self.outer(F.relu(self.inner(patches)))
        logits: torch.Tensor = self.head(y.reshape(n, 4, channels, -1).mean(dim=(1, 3)))
        return logits


def test_patches_in_the_batch_cost_what_they_cost() -> None:
    counted = count(Folded(), TINY)
    assert counted.macs_of_layer["inner"] == 4 * 16 * 16 * 8 * 12 and counted.outside == 0
    assert counted.macs == sum(counted.macs_of_layer.values())
    check_costs(Folded(), track_of("folded", "inner"), TINY)


class Mixing(nn.Module):
    """A softmax over channels, or a norm that somebody wrote with parameters that start at 0."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.scale = kind, nn.Parameter(torch.zeros(1, 12, 1, 1))
        self.a, self.b, self.head = nn.Conv2d(3, 12, 3), nn.Conv2d(12, 8, 3), nn.Linear(8, 7)
        nn.init.zeros_(self.head.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.a(images))
        if self.kind == "softmax":
            x = F.softmax(x, 1)
        elif self.kind == "response":
            norm = x.norm(dim=(2, 3), keepdim=True)
            x = x + self.scale * x * norm / (norm.mean(dim=1, keepdim=True) + 1e-6)
        elif self.kind == "brightness" and float(images.mean()) > 0.5:
            x = x[:, torch.arange(x.shape[1] - 1, -1, -1)]
        logits: torch.Tensor = self.head(F.relu(self.b(x)).mean(dim=(2, 3)))
        return logits


@pytest.mark.parametrize("kind", ["softmax", "response", "brightness"])
def test_what_mixes_channels_is_refused_whatever_the_weights_and_the_images_are(kind: str) -> None:
    with pytest.raises(InputError, match="layer 'a' cannot be pruned: without some of its filters"):
        check_prunable(Mixing(kind), ["a"], TINY)
    check_prunable(Mixing("none"), ["a", "b"], TINY)


def test_a_weight_that_is_computed_is_refused_in_words() -> None:
    model = Mixing("none")
    nn.utils.parametrizations.weight_norm(model.b)
    with pytest.raises(InputError, match=r"the weight of 'b' is computed from others \(a parametrization"):
        check_prunable(model, ["a"], TINY)


def test_words_are_said_once() -> None:
    with pytest.raises(InputError) as told:
        check_prunable(Mixing("softmax"), ["a"], TINY)
    assert str(told.value).count("cannot be pruned") == 1 and ".." not in str(told.value)


class Quarrel(nn.Module):
    """Three layers that may be pruned one by one, and the last two not together: they must keep as many."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3), nn.Conv2d(8, 12, 3)
        self.c, self.head = nn.Conv2d(24, 8, 3), nn.Linear(8, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(images))
        a, b = F.relu(self.a(x)), F.relu(self.b(x))
        if a.shape[1] != 12 and b.shape[1] != 12:
            raise ValueError("only one of the two")
        logits: torch.Tensor = self.head(F.relu(self.c(torch.cat([a, b], dim=1))).mean(dim=(2, 3)))
        return logits


def test_what_is_proposed_passes_together() -> None:
    found = propose(Quarrel(), TINY)
    check_prunable(Quarrel(), found, TINY)
    assert "c" in found and len({"a", "b"} & set(found)) == 1


class Damped(nn.Module):
    """Mixes channels on a branch that hardly reaches the logits: single precision could not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 12, 3), nn.Conv2d(12, 8, 3), nn.Conv2d(3, 8, 5)
        self.head = nn.Linear(8, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mixed = self.b(F.softmax(self.a(images), 1))
        logits: torch.Tensor = self.head((1e-4 * mixed + self.c(images)).mean(dim=(2, 3)))
        return logits


def test_what_hardly_reaches_the_logits_is_told_apart_all_the_same() -> None:
    with pytest.raises(
        InputError, match="layer 'a' cannot be pruned: without some of its filters the network is anoth"
    ):
        check_prunable(Damped(), ["a"], TINY)
    check_prunable(Damped(), ["b"], TINY)
    assert torch.get_default_dtype() == torch.float32


def test_layers_that_have_to_keep_as_many_are_refused_together() -> None:
    """`outer` is folded back by the channels of `patch`, and no graph knows it: any two numbers of each are tried."""
    with pytest.raises(InputError, match="cannot be pruned"):
        check_prunable(Folded(), ["patch", "outer"], TINY)


class Tied(nn.Module):
    """Two layers have one weight; one more is apart from them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.apart = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1)
        self.one, self.other, self.head = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1), nn.Linear(6, 7)
        self.other.weight = self.one.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.other(F.relu(self.one(F.relu(self.apart(F.relu(self.stem(images)))))))
        return self.head(F.relu(x).mean((2, 3)))  # type: ignore[no-any-return]


def test_layers_that_share_a_weight_are_not_taken_apart() -> None:
    assert propose(Tied(), TINY, streams=True) == ("stem",)
    with pytest.raises(InputError, match="layer 'one' cannot be pruned: its channels meet 'one' and 'other', .* share"):
        check_prunable(Tied(), ["one"], TINY)


class Dark(nn.Module):
    """Dark images go another way than the others."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.light = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1)
        self.dark, self.head = nn.Conv2d(8, 6, 1), nn.Linear(6, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.inner(images))
        x = self.dark(x) if images.mean() < -1 else self.light(x)
        return self.head(F.relu(x).mean((2, 3)))  # type: ignore[no-any-return]


def test_dark_images_are_tried_too() -> None:
    with pytest.raises(InputError, match="layer 'inner' cannot be pruned"):
        check_prunable(Dark(), ["inner"], TINY)


def test_frozen_layers_are_found_and_stay_frozen() -> None:
    model = Folded()
    for parameter in (*model.patch.parameters(), *model.inner.parameters()):
        parameter.requires_grad_(False)
    check_prunable(model, ["inner"], TINY)
    cut(model, {"inner": torch.arange(2)}, TINY)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(model.inner.weight) == 2 and trained == ["outer.weight", "outer.bias", "head.weight", "head.bias"]


class OwnNorm(nn.Module):
    """Norms as labs write them: over the first or the last axis of an image's, and what only looks like one."""

    def __init__(self, kind: str, channels: int = 8) -> None:
        super().__init__()
        shape = (1, channels, 1, 1) if kind == "GRN" else (channels,)
        self.weight, self.kind, self.normalized_shape = nn.Parameter(torch.ones(shape)), kind, (channels,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "RMS":
            return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * self.weight[:, None, None]
        if self.kind == "last":
            return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight).permute(0, 3, 1, 2)
        if self.kind == "GRN":
            size = x.norm(dim=(2, 3), keepdim=True)
            return x + self.weight * x * size / (size.mean(1, keepdim=True) + 1e-6)
        return x * self.weight[:, None, None] * x[:, :4].mean(1, keepdim=True)  # the first four, whichever they are


@pytest.mark.parametrize("kind", ["RMS", "last", "GRN"])
def test_norms_of_a_labs_own_run_over_the_channels_that_stay(kind: str) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), OwnNorm(kind), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=9), nn.Flatten(), nn.Linear(128, 7)
    )
    check_prunable(model, ["0"], TINY)
    small = cut(model, {"0": torch.tensor([1, 2, 6])}, TINY)
    assert small[1].weight.numel() == 3 == small[1].normalized_shape[0]
    assert small(torch.randn(2, 3, 32, 32)).shape == (2, 7)


class AsManyTokens(nn.Module):
    """Sixteen patches of sixteen channels: the sizes do not say which axis has the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm, self.fc = nn.Conv2d(3, 16, 8, stride=8), nn.RMSNorm(16), nn.Linear(16, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.norm(self.patch(images).flatten(2).transpose(1, 2)).mean(1))
        return logits


def test_a_norm_runs_over_channels_where_there_are_as_many_tokens() -> None:
    check_prunable(AsManyTokens(), ["patch"], TINY)


def test_what_only_looks_like_a_norm_is_refused() -> None:
    parts = [nn.Conv2d(3, 8, 3), OwnNorm("first"), nn.Conv2d(8, 8, 3, stride=9), nn.Flatten(), nn.Linear(128, 7)]
    with pytest.raises(InputError, match="the norm OwnNorm treats channels by their place"):
        check_prunable(nn.Sequential(*parts), ["0"], TINY)
