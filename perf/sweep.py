"""What Prunemark makes of many public classifiers, and torch-pruning next to it: the table of docs/sweep.md.

    python perf/sweep.py ours LIST FOUND [NAME ...]     runs what FOUND (JSON lines) does not have yet
    python perf/sweep.py theirs LIST FOUND [NAME ...]   the same for torch-pruning
    python perf/sweep.py table FOUND > docs/sweep.md

LIST has a network a line, `timm:NAME` or `torchvision:NAME`. Each runs in a process of its own, one at a time, for 60
seconds of processor time at most: `propose` with streams (which ends with the check that a track gets), the check
of costs, every group cut to half, a count, and a comparison of outputs at keeps that the check has not tried.
torch-pruning's MagnitudePruner removes half of every layer but the classifier, in as many seconds.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

SECONDS, SIZES, CLASSES = 60, (64, 128, 224, 240, 256), 10
OTHER_KEEPS = ((1, 10, True), (2, 5, True), (7, 8, True))


def main() -> None:
    """See the module."""
    what, *rest = sys.argv[1:]
    if what == "table":
        print(table([json.loads(line) for line in Path(rest[0]).read_text().splitlines()]))
    else:
        for library in ("timm", "torch_pruning", "torchvision", "prunemark.benchmark.compression.prunable"):
            importlib.import_module(library)
        names, found = Path(rest[0]).read_text().split(), Path(rest[1])
        rows = [json.loads(line) for line in found.read_text().splitlines()] if found.exists() else []
        done = {row["network"] for row in rows if row["what"] == what}
        for name in rest[2:] or [name for name in names if name not in done]:
            row = {"network": name, "what": what} | _child(what, name)
            with found.open("a") as lines:
                print(json.dumps(row), file=lines)
            print(json.dumps(row), flush=True)


def _child(what: str, name: str) -> dict[str, Any]:
    """What a process of its own found, or how it ended. The libraries are imported before, once."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(what, name, there))
    child.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError:
        child.join()
        late = child.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)
        return {"end": "over a minute" if late else "crash", "words": f"ended with {child.exitcode}"}
    child.join()
    return found


def _in_child(what: str, name: str, out: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    warnings.simplefilter("ignore")
    try:
        out.send({"ours": ours, "theirs": theirs}[what](name))
    except Exception as problem:
        out.send({"end": "crash", "words": f"{type(problem).__name__}: {problem}"[:200]})


def _build(name: str) -> tuple[Any, Any]:
    """The network and the smallest images that it takes. Raises InputError when it takes none."""
    import torch

    from prunemark.benchmark.networks.registry import ImageShape, as_example, build_network
    from prunemark.setups.errors import InputError

    for size in SIZES:
        shape = ImageShape(3, size, size, CLASSES)
        try:
            model = build_network(name, shape, 0).eval()
            with torch.no_grad():
                model(as_example(shape))
        except Exception:  # whatever it has to say about images that are too small
            continue
        return model, shape
    raise InputError(f"{name} takes no images of {', '.join(map(str, SIZES))} pixels")


def ours(name: str) -> dict[str, Any]:
    """How it ended, and what was found on the way."""
    import torch

    from prunemark.benchmark.compression import drawn, properties, prunable, surgery
    from prunemark.benchmark.networks.cost import count
    from prunemark.setups.errors import InputError
    from prunemark.setups.track_files import find_track

    model, shape = _build(name)
    begun = time.process_time()
    try:
        names = prunable.propose(model, shape, streams=True)
        track = find_track("digits-resnet8")
        track = dataclasses.replace(track, network=name, prunable=names)
        properties.check_costs(model, track, shape)
    except InputError as problem:
        return {"end": "refused", "words": str(problem), "seconds": time.process_time() - begun}
    seconds = time.process_time() - begun
    cost, wrong = surgery.cost_model(model, track, shape), []
    groups = {group.name: group for group in surgery.prunable_groups(model, track, shape)}
    kept = {n: _half(groups[n]) for n in names}
    predicted = cost.macs({n: len(k) for n, k in kept.items()})
    small = surgery.cut(copy.deepcopy(model), kept, shape)
    left = count(small, shape).macs
    if left != predicted:
        wrong.append(f"the cost model says {predicted:,} MACs, and {left:,} are left")
    if small(torch.randn(2, 3, shape.height, shape.width)).shape != (2, CLASSES):
        wrong.append("no logits")
    if (why := properties.refusal(drawn.Drawn(model, shape), names, OTHER_KEEPS)) is not None:
        wrong.append(why)
    return {
        "end": "wrong" if wrong else "prunable", "words": "; ".join(wrong), "seconds": seconds, "pixels": shape.height,
        "layers": len(names), "left": left / count(model, shape).macs,
        "steps": sum(groups[n].steps is not None for n in names),
    }  # fmt: skip


def _half(group: Any) -> Any:
    """Half of the filters, the first ones, in whole steps."""
    from prunemark.benchmark.compression.steps import first, step_of

    step = step_of(group.name, {group.name: group.steps} if group.steps else {})
    return first(max(1, group.size // step // 2) * step, group.steps)


def theirs(name: str) -> dict[str, Any]:
    """The same of torch-pruning, as its README has it."""
    import torch
    import torch_pruning
    from torch import nn

    from prunemark.benchmark.networks.cost import count
    from prunemark.benchmark.networks.registry import as_example

    model, shape = _build(name)
    dense, begun = count(model, shape).macs, time.process_time()
    try:
        spared = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d) and m.weight.shape[0] == CLASSES]
        heads = {m.qkv: m.num_heads for m in model.modules() if hasattr(m, "qkv") and hasattr(m, "num_heads")}
        pruner = torch_pruning.pruner.MagnitudePruner(
            model, as_example(shape), importance=torch_pruning.importance.MagnitudeImportance(p=2),
            pruning_ratio=0.5, ignored_layers=spared, num_heads=heads,
        )  # fmt: skip
        pruner.step()
        for attention in model.modules():  # as its README does for timm's transformers
            if hasattr(attention, "qkv") and attention.qkv in heads and isinstance(attention.qkv, nn.Linear):
                attention.head_dim = attention.qkv.out_features // (3 * attention.num_heads)
                attention.attn_dim = attention.qkv.out_features // 3
        with torch.no_grad():
            assert model(torch.randn(2, 3, shape.height, shape.width)).shape == (2, CLASSES)
        left = count(model, shape).macs / dense
    except Exception as problem:
        return {"end": "crash", "words": f"{type(problem).__name__}: {problem}"[:120]}
    return {"end": "prunable", "left": left, "seconds": time.process_time() - begun}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: counts, then a line a network."""
    here = {row["network"]: row for row in rows if row["what"] == "ours"}
    there = {row["network"]: row for row in rows if row["what"] == "theirs"}
    ends = Counter(row["end"] for row in here.values())
    ahead = sum(_as_many(row, there.get(name, {})) for name, row in here.items())
    lines = [
        "# What can be pruned of public classifiers",
        "",
        "Written by `perf/sweep.py`, which says what it tries. Images have 64 pixels a side, or the next size that a "
        "network takes.",
        "*Layers* are those that `propose(..., streams=True)` finds, in brackets how many of them go in steps. *MACs "
        "left* is the share",
        "of the dense network that is left when half of every layer goes, next to torch-pruning's own pruner at 0.5.",
        "",
        f"Of {len(here)} networks: " + ", ".join(f"{count} {end}" for end, count in ends.most_common()) + ". "
        f"As many MACs removed as torch-pruning, or more: {ahead}.",
        "",
        "| network | end | layers (in steps) | MACs left at half | torch-pruning | CPU seconds | words |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in here.items():
        other = there.get(name, {"end": "not run"})
        layers = f"{row['layers']} ({row['steps']})" if "layers" in row else ""
        lines.append(
            f"| {name} | {row['end']} | {layers} | {_number(row.get('left'), 3)} | "
            f"{_number(other.get('left'), 3) or other['end']} | {_number(row.get('seconds'), 1)} | "
            f"{row.get('words', '').replace(chr(10), ' ')} |"
        )
    return "\n".join(lines)


def _as_many(here: dict[str, Any], there: dict[str, Any]) -> bool:
    """Removed as far as three decimals tell; where torch-pruning leaves no network, what is pruned is more."""
    return "left" in here and ("left" not in there or round(here["left"], 3) <= round(there["left"], 3))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
