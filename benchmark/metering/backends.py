"""What runs a network when it is timed: PyTorch itself, torch.compile, ONNX Runtime, and kernels for 2:4 sparsity.

Each backend takes a network and a batch and returns one forward pass to repeat. Packages that only one of them needs
are imported there. The 2:4 kernels were written without a GPU at hand: their own test skips where there is none.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.metering.in_turns import Run
from prunemark.setups.errors import lacking

SPARSE_CAPABILITY = (8, 0)
"""The least compute capability of an NVIDIA GPU with sparse tensor cores."""
SPARSE_ROWS, SPARSE_COLUMNS = 32, 64
"""The weight of a layer, (outputs, inputs), needs multiples of these for torch's 2:4 kernels in half precision."""


class Unavailable(Exception):
    """This backend cannot run this network here. The message is one line: why, and what to do."""


def eager(model: nn.Module, images: torch.Tensor) -> Run:
    """PyTorch as it is."""
    return lambda: _done(model(images))


def compiled(model: nn.Module, images: torch.Tensor) -> Run:
    """torch.compile with its default settings; compiling is not timed."""
    try:
        fast = compile_network(model)
        fast(images)
    except Exception as problem:  # no C++ compiler, or whatever torch cannot compile in a stranger's network
        why = first_line(problem)
        raise Unavailable(f"torch.compile cannot take this network here ({why}). On a CPU it needs g++") from None
    return lambda: _done(fast(images))


def compile_network(model: nn.Module, mode: str = "default") -> Callable[[torch.Tensor], torch.Tensor]:
    """The network compiled, once for each size of batch.

    Layers that draw (dropout) draw as torch does uncompiled, so that a seed means the same.
    """
    import torch._inductor.config as inductor

    inductor.compile_threads = 1  # no pool of processes for one small network
    inductor.fallback_random = True
    how: dict[str, Any] = {} if mode == "default" else {"mode": mode}
    return torch.compile(model, dynamic=False, **how)


def first_line(problem: Exception) -> str:
    """What an error says, on one line."""
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__


def onnx_runtime(model: nn.Module, images: torch.Tensor) -> Run:
    """ONNX Runtime on one thread, on the CPU; or on the GPU where its CUDA build is installed."""
    if missing := lacking("onnx"):
        raise Unavailable(f"ONNX Runtime is not installed ({', '.join(missing)}): pip install 'prunemark[onnx]'")
    runtime: Any = importlib.import_module("onnxruntime")
    provider = "CPUExecutionProvider" if images.device.type == "cpu" else "CUDAExecutionProvider"
    if provider not in runtime.get_available_providers():
        raise Unavailable("this ONNX Runtime has no CUDA: pip install onnxruntime-gpu in place of onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(_as_onnx(model, images), options, providers=[provider])
    given = images.cpu().numpy()
    if provider == "CPUExecutionProvider":
        return lambda: session.run(None, {"images": given})
    binding = session.io_binding()  # the batch stays on the GPU, as for the other backends
    binding.bind_ortvalue_input("images", runtime.OrtValue.ortvalue_from_numpy(given, "cuda", images.device.index or 0))
    binding.bind_output("logits", "cuda", images.device.index or 0)
    return lambda: session.run_with_iobinding(binding)


def _as_onnx(model: nn.Module, images: torch.Tensor) -> bytes:
    into = io.BytesIO()
    try:
        program = torch.onnx.export(
            model, (images,), dynamo=True, verbose=False, input_names=["images"], output_names=["logits"]
        )
        assert program is not None
        program.save(into)  # type: ignore[arg-type]
    except Exception as problem:
        why = first_line(problem)
        raise Unavailable(f"this network cannot be written as ONNX ({why})") from None
    return into.getvalue()


def two_of_four(model: nn.Module, images: torch.Tensor) -> Run:
    """2:4 kernels of torch in half precision, for linear layers whose shapes they take. Changes the model.

    Which two of four weights are kept does not change the cost: the first two are. Torch has no such kernel for
    convolutions, so those stay dense.
    """
    half = half_precision(model, images)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear) and _fits(layer.weight)]
    if not layers:
        raise Unavailable(
            "no layer has a shape that torch's 2:4 kernels take: a linear layer with "
            f"multiples of {SPARSE_ROWS} outputs and {SPARSE_COLUMNS} inputs"
        )
    from torch.sparse import to_sparse_semi_structured

    for layer in layers:
        mask = torch.tensor([True, True, False, False], device=layer.weight.device).repeat(layer.weight.shape[1] // 4)
        sparse = to_sparse_semi_structured(layer.weight.detach() * mask)
        layer.weight = nn.Parameter(sparse, requires_grad=False)
    return half


def half_precision(model: nn.Module, images: torch.Tensor) -> Run:
    """Half precision on a GPU: what the 2:4 kernels are compared with. Changes the model."""
    if images.device.type != "cuda" or torch.cuda.get_device_capability(images.device) < SPARSE_CAPABILITY:
        raise Unavailable("2:4 kernels need an NVIDIA GPU of compute capability 8.0 or higher: give --device cuda")
    return eager(model.half(), images.half())


def _fits(weight: torch.Tensor) -> bool:
    return weight.shape[0] % SPARSE_ROWS == 0 and weight.shape[1] % SPARSE_COLUMNS == 0


def _done(out: torch.Tensor) -> torch.Tensor:
    if out.device.type == "cuda":
        torch.cuda.synchronize(out.device)
    return out


Prepare = Callable[[nn.Module, torch.Tensor], Run]
BACKENDS: dict[str, tuple[Prepare, Prepare]] = {
    "eager": (eager, eager),
    "compile": (compiled, compiled),
    "onnx": (onnx_runtime, onnx_runtime),
    "2to4": (half_precision, two_of_four),
}
"""By the word of `--backend`: what prepares the dense network, and what prepares the other one."""
