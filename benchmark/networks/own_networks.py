"""A network of the track's author: how it is built, and what it has to be.

The contract: a function that gets channels, height, width and classes, by name or in this order, and returns an
`nn.Module` whose forward takes (examples, channels, height, width) and returns logits (examples, classes). It is built
many times, and each time has to have the same names in its state dict.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from prunemark.benchmark.networks.own_modules import own_function
from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

if TYPE_CHECKING:
    from prunemark.benchmark.networks.registry import ImageShape

GIVEN = ("channels", "height", "width", "classes")
ADVICE = "docs/networks-and-data.md has the contract"
NO_FILES = "It is built many times, where nothing can be written: leave files to the code that calls it"
PRUNED = (nn.Conv1d, nn.Conv2d, nn.Linear)
SEED, EXAMPLES = 0, 3
NEARLY = 1e-3
"""Of the largest logit: what single precision may change when an image comes in another batch."""


def build_own(name: str, shape: ImageShape) -> nn.Module:
    """The network, its weights drawn by its own code from the global generators. Raises InputError in one or two lines.

    Not covered: what `forward` does; `check_own` tries that.
    """
    function = name.rpartition(":")[2]
    with in_words(f"{function} of the network"):
        modules, build = own_function(name)
    if not callable(build):
        raise InputError(f"{function} of the network is a {type(build).__name__}, no function.\n{ADVICE}")
    with modules.found(), in_words(f"{function} of the network"), _seeded():
        model = _called(build, function, shape)
    if not isinstance(model, nn.Module):
        raise InputError(f"{function} returns a {type(model).__name__}, not an nn.Module.\n{ADVICE}")
    _check_parts(model, function)
    return model


def _called(build: Callable[..., Any], function: str, shape: ImageShape) -> Any:
    """By name where it takes these names, or some of them; else in their order."""
    values = {"channels": shape.channels, "height": shape.height, "width": shape.width, "classes": shape.classes}
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):
        return build(**values)
    kinds = [each.kind for each in signature.parameters.values()]
    every = inspect.Parameter.VAR_KEYWORD in kinds
    named = {name: value for name, value in values.items() if every or name in signature.parameters}
    for positional, by_name in ((), named), (tuple(values.values()), {}):
        if not positional and not by_name:
            continue
        try:
            signature.bind(*positional, **by_name)
        except TypeError:
            continue
        return build(*positional, **by_name)
    raise InputError(f"{function} is called as {function}({', '.join(GIVEN)}); it is written {function}{signature}")


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Python's and NumPy's generators as torch's: by a seed, and afterwards as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextlib.contextmanager
def in_words(what: str) -> Iterator[None]:
    """Whatever a stranger's code raises, as an InputError with the line that it came from."""
    try:
        yield
    except InputError:
        raise
    except Exception as problem:
        said = shown(f"{type(problem).__name__}: {problem}".splitlines()[0], 300)
        raise InputError(f"{what} raises {said}{_place(problem)}{_hint(said)}") from None


def _place(problem: BaseException) -> str:
    """The last line of the author's own code that the error came through."""
    own = [each for each in traceback.extract_tb(problem.__traceback__) if not each.filename.startswith("/")]
    return f", at {shown(own[-1].line or '', 120)!r} in {own[-1].name} of {own[-1].filename}" if own else ""


def _hint(said: str) -> str:
    if "CUDA" in said or "cuda" in said or "NVIDIA" in said:
        return ".\nA network has to run on a CPU too: leave devices to Prunemark, without .cuda() or .to(...)"
    if ("conv1d" in said and "4" in said) or "3D (batched) input to conv1d" in said:
        return ".\nA signal comes as (examples, channels, 1, length): begin forward with x = x.squeeze(2)"
    if said.startswith("PermissionError"):
        return f".\n{NO_FILES}"
    if said.startswith("FileNotFoundError"):
        return ".\nThe code runs from a copy, without the files next to it: it can import them, and not open them"
    return ""


def _check_parts(model: nn.Module, function: str) -> None:
    """Raises InputError for parameters that are not there yet, not on a CPU, or of another type."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if isinstance(tensor, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer):
            raise InputError(
                f"parameter {name!r} of the network has no shape yet: it is of a lazy layer.\n"
                "Give the layer its number of inputs, or run one image through the network before returning it"
            )
        if tensor.device.type != "cpu":
            raise InputError(
                f"{name!r} of the network is on {tensor.device}: {function} returns a network on the CPU. "
                "Leave devices to Prunemark"
            )
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise InputError(f"{name!r} of the network is {tensor.dtype}; weights are torch.float32")
        if tensor.is_complex() or tensor.is_quantized:
            raise InputError(f"{name!r} of the network is {tensor.dtype}; weights are torch.float32")


def check_own(build: Callable[[int], nn.Module], shape: ImageShape) -> None:
    """Raises InputError, in one or two lines, for a network that no trial could train, or would train as another one.

    `build` builds it from a seed. Tried are: layers to prune, the same weights twice, logits, in evaluation each
    image for itself, the same logits of another build with these weights, and a step forward and backward. Not
    covered: a forward that changes after many calls.
    """
    before_it = _files_here()
    model = build(SEED)
    if written := sorted(_files_here() - before_it):
        raise InputError(f"the network's code writes a file, {written[0]!r}.\n{NO_FILES}")
    if not any(isinstance(module, PRUNED) for module in model.modules()):
        raise InputError("the network has no Conv1d, Conv2d or Linear layer: there is nothing to prune")
    _check_same(model, build(SEED))
    model.eval()
    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(EXAMPLES, shape.channels, shape.height, shape.width, generator=generator)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad(), in_words("forward of the network"):
        together = _logits(model(images), EXAMPLES, shape)
        again = model(images)
        apart = torch.cat([_logits(model(image[None]), 1, shape) for image in images])
    if not torch.isfinite(together).all():
        raise InputError("the network's logits of an untrained network are not finite")
    near = NEARLY * max(float(together.abs().max()), 1e-6)
    if float((together - again).abs().max()) > near:
        raise InputError("the network gives other logits for the same images: in evaluation it draws random numbers")
    if float((together - apart).abs().max()) > near:
        raise InputError(
            "the logits of an image depend on the other images of its batch, in evaluation too.\n"
            "A network judges each image for itself: use batch norm's running statistics, and no sums over examples"
        )
    if any(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()):
        raise InputError("the network's weights or buffers change when it evaluates images")
    _check_whole(build(SEED + 1), model, images, together, near)
    with in_words("a training step of the network"), torch.enable_grad():
        _logits(model.train()(images), EXAMPLES, shape).sum().backward()


def _files_here() -> set[str]:
    """Of the child's own folder, the only place where code of a network can write; none where it cannot be read."""
    with contextlib.suppress(OSError):
        return {each.name for each in Path().iterdir()}
    return set()


def _check_whole(other: nn.Module, model: nn.Module, images: torch.Tensor, logits: torch.Tensor, near: float) -> None:
    """Trained weights go into a network that is built anew: from another seed, it has to be the same function."""
    if other.state_dict().keys() == model.state_dict().keys():
        with torch.no_grad(), in_words("forward of the network"):
            other.load_state_dict(model.state_dict())
            now = other.eval()(images)
        if now.shape == logits.shape and float((now - logits).abs().max()) <= near:
            return
    raise InputError(
        "not all that the network draws is in its state dict: built from another seed, it is another function of the "
        "same weights.\nRegister what is drawn as a parameter or a persistent buffer"
    )


def _check_same(first: nn.Module, second: nn.Module) -> None:
    one, other = first.state_dict(), second.state_dict()
    if odd := sorted(one.keys() ^ other.keys()):
        raise InputError(f"the network has other names in its state dict each time it is built: {odd[0]!r}")
    for name, tensor in one.items():
        if not isinstance(tensor, torch.Tensor):
            raise InputError(f"{name!r} in the network's state dict is a {type(tensor).__name__}, no tensor")
        if tensor.shape != other[name].shape:
            raise InputError(f"{name!r} of the network has another shape each time it is built: it is not one network")
        if not torch.equal(tensor, other[name]):
            raise InputError(
                f"{name!r} of the network has other weights each time it is built from one seed.\n"
                "Draw them from torch's global generator, which is seeded, and from no clock and no torch.Generator()"
            )


def _logits(out: object, examples: int, shape: ImageShape) -> torch.Tensor:
    if isinstance(out, tuple | list | dict):
        raise InputError(
            f"forward of the network returns a {type(out).__name__}, not logits ({examples}, {shape.classes}).\n"
            "Return the tensor of the last classifier only, in training too"
        )
    if not isinstance(out, torch.Tensor):
        raise InputError(f"forward of the network returns a {type(out).__name__}, not a tensor of logits")
    if out.shape != (examples, shape.classes):
        raise InputError(
            f"forward of the network returns {tuple(out.shape)} for {examples} images of {shape.classes} classes; "
            f"logits are ({examples}, {shape.classes})"
        )
    if out.dtype != torch.float32:
        raise InputError(f"forward of the network returns {out.dtype}; logits are torch.float32")
    return out
