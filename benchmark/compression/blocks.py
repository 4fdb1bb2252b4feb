"""Whole residual blocks: which can be taken out of a network without changing a shape, and what stands for them.

A block is a module whose output has the shape of its input, and which gives back its input when all its weights are
zero: then nothing is added to it. It is found out on weights drawn at random, so it does not depend on what was
trained. Taken out, it hands on its input. Blocks of one form are a stage, and any number of them may go. Not covered:
blocks that change the shape, that are called twice, that share weights with others, or whose sum goes through an
activation that changes the input. Dropout of the sum goes with a block: nothing is dropped where nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression.channels import Slice
from prunemark.benchmark.compression.drawn_weights import drawn_weights
from prunemark.benchmark.networks.registry import ImageShape

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


class TakenOut(nn.Module):
    """In the place of a block that was taken out."""

    def forward(self, given: torch.Tensor, *_rest: Any, **_named: Any) -> torch.Tensor:
        """What the block was given."""
        return given


def is_block(model: nn.Module, name: str) -> bool:
    """Whether a name is that of a module with layers inside, which is no layer itself."""
    try:
        return not isinstance(model.get_submodule(name), LAYERS) and bool(layers_in(model, name))
    except AttributeError:
        return False


def layers_in(model: nn.Module, block: str) -> list[str]:
    """The convolutions and linear layers in a block."""
    inside = model.get_submodule(block).named_modules(prefix=block)
    return [name for name, module in inside if isinstance(module, LAYERS)]


def stages_of(model: nn.Module, shape: ImageShape) -> dict[str, tuple[str, ...]]:
    """By the first block of each stage: its blocks, in the order in which they run. Raises what the network raises."""
    copied = drawn_weights(model).eval()
    finding = _Finding(copied)
    images = torch.randn(2, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        copied(images.to(next(copied.parameters()).device))
    stages: dict[Any, list[str]] = {}
    for name in _outermost(copied, list(finding.forms)):
        stages.setdefault(finding.forms[name], []).append(name)
    return {blocks[0]: tuple(blocks) for blocks in stages.values()}


def _outermost(model: nn.Module, names: list[str]) -> list[str]:
    """Those that are not a part of another, where one that is a row of others, and nothing else, counts for none."""
    found = set[str]()
    for name in sorted(names, key=lambda each: each.count("."), reverse=True):
        inside = {other for other in found if other.startswith(f"{name}.")}
        covered = {layer for other in inside for layer in layers_in(model, other)}
        if covered != set(layers_in(model, name)):
            found = found - inside | {name}
    return [name for name in names if name in found]


def _sharing(model: nn.Module) -> set[str]:
    """Modules with weights that others have too: at zero, those would compute something else."""
    names: dict[int, list[str]] = {}
    for path, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(path)
    return {
        name
        for name, module in model.named_modules()
        if any(not path.startswith(f"{name}.") for each in module.parameters() for path in names[id(each)])
    }


class _Finding:
    """Looks at every module of a network as it runs, once. `forms` has the blocks by name; equal forms cost alike."""

    def __init__(self, model: nn.Module) -> None:
        self.forms: dict[str, Any] = {}
        self._busy = False
        self._versions: dict[str, int] = {}
        called = set[str]()
        sharing = _sharing(model)
        for name, module in model.named_modules():
            if name and is_block(model, name) and name not in sharing:
                self._look_at(name, module, called)

    def _look_at(self, name: str, block: nn.Module, called: set[str]) -> None:
        def before(_block: nn.Module, given: tuple[Any, ...]) -> None:
            if not self._busy and given and isinstance(given[0], torch.Tensor):
                self._versions[name] = given[0]._version

        def after(_block: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            if self._busy:
                return
            self.forms.pop(name, None)
            again = name in called
            called.add(name)
            if not again and given and self._unchanged(name, given[0], out):
                self._busy = True
                try:
                    zeros = {key: torch.zeros_like(value) for key, value in block.named_parameters()}
                    still = torch.func.functional_call(block, zeros, given, named)
                finally:
                    self._busy = False
                if torch.equal(still, given[0]) and not torch.equal(out, given[0]):
                    parameters = tuple((key, tuple(value.shape)) for key, value in block.named_parameters())
                    self.forms[name] = (tuple(out.shape), type(block), parameters)

        block.register_forward_pre_hook(before)
        block.register_forward_hook(after, with_kwargs=True)

    def _unchanged(self, name: str, given: Any, out: Any) -> bool:
        """Whether a tensor came out of the shape of the one that went in, and that one is still what it was."""
        if not isinstance(given, torch.Tensor) or not isinstance(out, torch.Tensor):
            return False
        return out.shape == given.shape and given._version == self._versions.get(name)


def slices_of(blocks: Sequence[str]) -> tuple[Slice, ...]:
    """What goes with each block of a stage: the block."""
    return tuple(Slice(path, "block", None, -1, (number,), (number,)) for number, path in enumerate(blocks))
