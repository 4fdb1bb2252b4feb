"""torch-pruning's dependency graph of a network, as much of it as it can make."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError


def dependencies(model: nn.Module, shape: ImageShape) -> Any:
    """The network's dependency graph. Raises InputError for a network that cannot be traced.

    Where torch-pruning fails at a place that rearranges channels, that place is left as if it did not: the layers that
    meet it then do not compute what they should when they are cut, and are refused for it (`properties.refusal`).
    """
    import torch_pruning

    example, was_training = as_example(shape, next(model.parameters()).device), model.training
    graph = torch_pruning.DependencyGraph()
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:  # the graph is read off autograd's
        parameter.requires_grad_(parameter.is_floating_point())
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # parameters outside layers, such as a class token, are found and handled
            graph.build_dependency(model, example_inputs=example, verbose=False)
    except Exception as problem:  # whatever a stranger's network does when it is traced
        if not getattr(graph, "module2node", None):
            where = _running(model, problem.__traceback__)
            if why := _fails(model, example.expand(2, -1, -1, -1)):
                size = f"{shape.channels}x{shape.height}x{shape.width}"
                raise InputError(f"this network does not run on images of {size}{where}: {why}") from None
            raise InputError(
                f"torch-pruning could not trace this network{where}: its operations are not those of one image that "
                "runs through layers.\nIts filters cannot be pruned here; use a track that prunes single weights"
            ) from None
        _place_by_place(graph)
    finally:
        model.train(was_training)
        for parameter in frozen:
            parameter.requires_grad_(False)
    return graph


def _fails(model: nn.Module, example: torch.Tensor) -> str:
    """What ends a plain forward pass, on one line; '' where nothing does, and only tracing fails."""
    try:
        with torch.no_grad():
            model.eval()(example)
    except Exception as problem:  # whatever a stranger's network does
        return f"{type(problem).__name__}: {(str(problem).splitlines() or [''])[0][:200]}"
    return ""


def _place_by_place(graph: Any) -> None:
    """What torch-pruning does last, for one place at a time: where it fails, channels count as they come."""
    from torch_pruning.dependency import index_mapping, shape_infer

    places = graph.module2node
    try:
        for step in (shape_infer.init_shape_information, index_mapping.update_index_mapping):
            for module, node in places.items():
                graph.module2node = {module: node}
                try:
                    step(graph)
                except Exception:
                    continue
    finally:
        graph.module2node = places


def _running(model: nn.Module, trace: TracebackType | None) -> str:
    """' in layer ...', the innermost module whose forward pass was running; '' where none was."""
    names = {module: name for name, module in model.named_modules()}
    inside = [
        names[here] for frame in _frames(trace) if (here := _module(frame.tb_frame.f_locals.get("self"))) in names
    ]
    return f" in layer {inside[-1]!r}" if inside and inside[-1] else ""


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _module(candidate: Any) -> Any:
    return candidate if isinstance(candidate, nn.Module) else None
