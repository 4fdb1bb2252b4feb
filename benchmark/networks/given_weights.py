"""Given weights into a track's network: by the loading code of torchvision or timm, or from a file.

Whatever is read, all of it has to fit: a missing layer, a head for other classes or a remainder is refused by name.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.networks.checkpoint_files import State, check_begins_well, read_state
from prunemark.benchmark.networks.library_tags import Tag, tag_of
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import FILE, GivenBase
from prunemark.setups.text import shown

MOST_NAMED = 3
COUNTERS = "num_batches_tracked"
"""What batch norms of before PyTorch 0.4.1 have not: torch sets them to 0, and nothing here reads them."""
WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
Mean = tuple[float, ...]


def load_given(
    network: str, shape: ImageShape, given: GivenBase, path: Path, mean: Mean = (), sd: Mean = ()
) -> nn.Module:
    """The track's network with the given weights, in float32. `path` is their file, whose hash is known to be right.

    `mean` and `sd` are what the track's images are normalised by, one number for each channel: a library's weights
    have to have been trained on the same. Raises InputError.
    """
    check_begins_well(path)
    if given.library == FILE:
        model = build_network(network, shape, 0)
        return filled(model, read_state(path, model.state_dict()), f"the file {path.name}", shape)
    tag = tag_of(network, given)
    _check_made_for(tag, shape, mean, sd)
    called = f"{given.weights} of {network}"
    with _quietly(), _weights_only():
        try:
            read = LOADERS[given.library](network.partition(":")[2], given.tag, path, shape, tag)
        except Exception as problem:  # a library's own, of many kinds
            lines = " ".join(str(problem).split())
            raise InputError(
                f"{given.library} could not read {called} from {path.name}: {type(problem).__name__}: "
                f"{shown(lines, 200)}"
            ) from None
    return filled(build_network(network, shape, 0), read.state_dict(), called, shape)


def _check_made_for(tag: Tag, shape: ImageShape, mean: Mean, sd: Mean) -> None:
    """A library would take another head for other classes, and draw it at random."""
    if tag.classes != shape.classes:
        raise InputError(f"{tag.name} is for {tag.classes:,} classes; the track's images have {shape.classes:,}")
    if tag.channels != shape.channels:
        raise InputError(f"{tag.name} is for images of {tag.channels} channels; the track's have {shape.channels}")
    if mean and sd and not _alike((*tag.mean, *tag.sd), (*mean, *sd)):
        raise InputError(
            f"{tag.name} was trained on images normalised by mean {_listed(tag.mean)}, deviation {_listed(tag.sd)};\n"
            f"the track's are normalised by {_listed(mean)} and {_listed(sd)}. Choose other weights or another dataset"
        )


def _alike(one: Mean, other: Mean) -> bool:
    return len(one) == len(other) and all(abs(a - b) < 1e-3 for a, b in zip(one, other, strict=True))


def _listed(values: Mean) -> str:
    return "/".join(f"{value:g}" for value in values)


def _from_torchvision(name: str, tag: str, path: Path, _shape: ImageShape, about: Tag) -> nn.Module:
    """`path` has the name of torchvision's own file and lies in a folder called `checkpoints`, as in torch's hub."""
    from torchvision import models

    before = torch.hub.get_dir()
    torch.hub.set_dir(path.parent.parent)
    try:
        model = models.get_model(name, weights=models.get_model_weights(name)[tag], progress=False)
    finally:
        torch.hub.set_dir(before)
    assert isinstance(model, nn.Module) and path.name in about.files
    return model


def _from_timm(name: str, tag: str, path: Path, shape: ImageShape, about: Tag) -> nn.Module:
    import timm

    terms: dict[str, Any] = {"img_size": (shape.height, shape.width)} if about.fixed_size else {}
    made: nn.Module = timm.create_model(
        f"{name}.{tag}", pretrained=True, pretrained_cfg_overlay={"file": str(path)}, num_classes=shape.classes,
        in_chans=shape.channels, **terms,
    )  # fmt: skip
    return made


LOADERS: dict[str, Callable[[str, str, Path, ImageShape, Tag], nn.Module]] = {
    "torchvision": _from_torchvision,
    "timm": _from_timm,
}


def filled(model: nn.Module, state: State, called: str, shape: ImageShape) -> nn.Module:
    """The network with these weights, and no others. Raises InputError for what does not fit."""
    needed = model.state_dict()
    missing = [name for name in needed if name not in state and not name.endswith(COUNTERS)]
    more = [name for name in state if name not in needed]
    if missing:
        has = f"; it has {_some(more)} instead" if more else ""
        raise InputError(f"{called} lacks {_some(missing)} of the network{has}.\n{_advice(missing, more)}")
    if more:
        raise InputError(f"{called} has {_some(more)}, which the network has not.\nGive weights of this very network")
    for name, tensor in state.items():
        if tensor.shape != needed[name].shape:
            raise InputError(_other_shape(called, name, tensor, needed, shape))
    model.load_state_dict(state | {name: needed[name] for name in needed.keys() - state.keys()})
    if broken := [n for n, t in model.state_dict().items() if t.is_floating_point() and not torch.isfinite(t).all()]:
        raise InputError(f"{called} has values that are not finite, in {_some(broken)}")
    return model


def _advice(missing: Collection[str], more: Collection[str]) -> str:
    """Where a training wrapper saved the network under a name of its own, next to its loss: save the network only."""
    for beginning in dict.fromkeys(name.partition(".")[0] for name in more):
        if all(f"{beginning}.{name}" in more for name in missing):
            others = [name for name in more if not name.startswith(f"{beginning}.")]
            return (
                f"The network is there as {beginning!r}, next to {_some(others)}: save it without what trained it, "
                f"torch.save(wrapper.{beginning}.state_dict(), PATH)"
            )
    return "Give weights of this very network"


def _other_shape(
    called: str, name: str, tensor: torch.Tensor, needed: Mapping[str, torch.Tensor], shape: ImageShape
) -> str:
    mine, theirs = tuple(needed[name].shape), tuple(tensor.shape)
    if mine[:1] == (shape.classes,) and mine[1:] == theirs[1:]:
        return f"{called} is for {theirs[0]:,} classes ({name}); the track's images have {shape.classes:,}"
    return f"{called} has {name} of shape {theirs}; the track's network has {mine}.\nGive weights of this very network"


def _some(names: Collection[str]) -> str:
    listed = list(names)[:MOST_NAMED]
    rest = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return shown(", ".join(listed), 200) + rest


@contextmanager
def _weights_only() -> Iterator[None]:
    """torchvision reads its files by `torch.load` as whole pickles: here it must not run what is in them."""
    before = os.environ.get(WEIGHTS_ONLY)
    os.environ[WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[WEIGHTS_ONLY]
        else:
            os.environ[WEIGHTS_ONLY] = before


@contextmanager
def _quietly() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
