"""Criteria that look at feature maps: HRank at the rank of each, CHIP at what the others could not replace."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import torch
from torch import nn

from prunemark.benchmark.method import WHOLE_NUMBER, About, FilterCriterion, OwnRecipe, PruningContext, setting


class _FeatureMaps(FilterCriterion):
    """A score of every filter on every image, summed over the first images of one pass, in evaluation mode.

    The maps are those behind batch norm and ReLU, as in the code of both papers' authors.
    """

    images: int = setting(640, "images of the training split whose feature maps are looked at", WHOLE_NUMBER)

    @abstractmethod
    def score_maps(self, maps: torch.Tensor) -> torch.Tensor:
        """Feature maps (batch, filters, height, width) -> scores (batch, filters)."""

    @torch.no_grad()
    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The scores of each layer's filters, (filters,). Raises ValueError for a layer that has no maps."""
        self.scores = {group.layer(model): torch.zeros(group.size) for group in context.groups}
        handles = []
        for group in context.groups:
            layer = group.layer(model)
            if not isinstance(layer, nn.Conv2d):
                raise ValueError(f"layer {group.name} is no convolution: it has no feature maps to look at")
            source = layer if group.batch_norm_name is None else group.batch_norm(model)
            handles.append(source.register_forward_hook(partial(self._add, layer)))
        left = self.images
        for images, _ in context.batches():
            model(images[:left])
            left -= len(images)
            if left <= 0:
                break
        for handle in handles:
            handle.remove()

    def _add(self, layer: nn.Module, _source: nn.Module, _arguments: object, output: torch.Tensor) -> None:
        self.scores[layer] += self.score_maps(output.relu()).sum(dim=0).cpu()

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """What `observe` found of this layer, (filters,)."""
        return self.scores[layer]


class HighRank(_FeatureMaps):
    """Lin et al., CVPR 2020, section 3.2: the filters go first whose feature maps have the lowest rank on average.

    In the paper 500 images are looked at, the ratio of each layer is set by hand, and layers are pruned one after the
    other, each followed by 30 epochs of retraining. Here all layers go at once, by one ratio, and the recipe is one
    such retraining. Small maps have few ranks: on maps of 2x2 many filters tie, and of these the later goes first.

    Not covered: the layer by layer schedule, and networks with an activation other than ReLU.
    """

    about = About(
        paper="Lin et al.: HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020, arXiv:2002.10179",
        formula="mean over images of the rank of the filter's feature map (section 3.2)",
        criterion="rank of the feature map",
        passes=1,
        test="tests/baselines/test_structured_maps.py",
    )
    retraining = (
        OwnRecipe(
            data="small images", epochs=30, lr="0:1e-2,5:1e-3,10:1e-4", batch_size=128, weight_decay=5e-4,
            source="the authors' defaults, for CIFAR-10 (github.com/lmbxmu/HRank, README and main.py): 30 epochs after "
            "each layer; all layers go at once here",
        ),
        OwnRecipe(
            data="ImageNet", epochs=30, lr="0:1e-2,10:1e-3,20:1e-4",
            source="arXiv:2301.05219, Table 3: 30 epochs after each layer; all layers go at once here",
        ),
    )  # fmt: skip
    images: int = setting(500, "images of the training split whose feature maps are looked at", WHOLE_NUMBER)

    def score_maps(self, maps: torch.Tensor) -> torch.Tensor:
        """The rank of each map, (batch, filters)."""
        ranks: torch.Tensor = torch.linalg.matrix_rank(maps)
        return ranks.to(torch.float32)


class ChannelIndependence(_FeatureMaps):
    """Sui et al., NeurIPS 2021, section 3: the filters go first that change the nuclear norm least.

    The feature maps of one image are the rows of a matrix (filters, height * width). A filter is worth what the nuclear
    norm of this matrix loses without its row, on average over images. In the paper five batches of 128 images are
    looked at and the ratio of each layer is set by hand; here one ratio is for all layers.

    Not covered: networks with an activation other than ReLU.
    """

    about = About(
        paper="Sui, Yin, Xie, Phan, Zonouz, Yuan: CHIP: CHannel Independence-based Pruning for Compact Neural "
        "Networks, NeurIPS 2021, arXiv:2110.13981",
        formula="mean over images of ||A||_* - ||A without the filter's row||_*, A the maps as rows (section 3)",
        criterion="independence of the other feature maps, by the nuclear norm",
        passes=1,
        test="tests/baselines/test_structured_maps.py",
    )
    retraining = (
        OwnRecipe(
            data="small images", epochs=200, lr="cosine:1e-2->0+warmup5", batch_size=256, momentum=0.99,
            weight_decay=1e-3,
            source="the authors' command for ResNet-56 on CIFAR-10 (github.com/Eclipsess/CHIP_NeurIPS2021)",
        ),
        OwnRecipe(
            data="ImageNet", epochs=200, lr="cosine:1e-2->0+warmup5", batch_size=256, momentum=0.99, weight_decay=1e-4,
            label_smoothing=0.1,
            source="the authors' command for ResNet-50 on ImageNet (github.com/Eclipsess/CHIP_NeurIPS2021)",
        ),
    )  # fmt: skip

    def score_maps(self, maps: torch.Tensor) -> torch.Tensor:
        """What the nuclear norm loses without each filter, (batch, filters)."""
        rows = maps.flatten(2)  # (batch, filters, height * width)
        others = [torch.cat([rows[:, :one], rows[:, one + 1 :]], dim=1) for one in range(rows.shape[1])]
        return nuclear_norm(rows).unsqueeze(1) - torch.stack([nuclear_norm(rest) for rest in others], dim=1)


def nuclear_norm(matrices: torch.Tensor) -> torch.Tensor:
    """The sum of the singular values of each matrix: (batch, rows, columns) -> (batch,)."""
    values: torch.Tensor = torch.linalg.svdvals(matrices)
    return values.sum(dim=1)
