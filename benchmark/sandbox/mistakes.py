"""What a method's author can do about an error of Python or torch that says what happened and not what to do.

Each entry is a kind of mistake that beginners make: the error by its type and words, or by the line of the method that
raised it, and one sentence of advice. An error that says what to do itself has none here.
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from prunemark.setups.recipe import OwnRecipe

LONGEST_ADVICE = 300
DEVICE = "Create tensors where the weights are: device=layer.weight.device. The device of a trial is that of --device"
NETWORK = (
    "A method has no network and downloads nothing: images come from context.batches(), numbers go into the source"
)
ALONE = "A method has one process and starts no program"
ANSWER = "Nobody can answer in a trial: give values with --set, and use prunemark.debug(...) to stop in prune and look"
PLOTS = f"{ALONE}: leave plots out of it, and draw them afterwards or in prunemark.debug(...)"
SETTING = 'name: float = setting(2.0, "what it means")'
GRADIENT = (
    "Its gradient is missing: call backward() on a loss of this very model, and not of a copy, before reading .grad"
)


@dataclass(frozen=True)
class Mistake:
    """A kind of error: `said` is looked for in type and message, `line` in the line of the method that raised it."""

    said: str
    advice: str
    line: str = ""


MISTAKES = (
    Mistake(r"NVIDIA driver|not compiled with CUDA|No CUDA GPUs|same device|meta tensor", DEVICE),
    Mistake(r"leaf Variable that requires grad is being used", "Change weights inside `with torch.no_grad():`"),
    Mistake(r"modified by an inplace operation", "Where a gradient goes through x, write `x = x * 2` and not `x *= 2`"),
    Mistake(
        r"does not require grad and does not have a grad_fn",
        "Gradients are off here: take torch.no_grad() or .detach() away from what the loss comes from",
    ),
    Mistake(r"backward through the graph a second time", "Compute the loss anew before each backward()"),
    Mistake(r"NoneType", GRADIENT, r"\.grad\b"),
    Mistake(r"NoneType", "Some layers have no bias: layer.bias is None there", r"\.bias\b"),
    Mistake(r"numpy\(\) on Tensor that requires grad", "Write weight.detach().numpy()"),
    Mistake(r"setting\(\) missing", f"Write {SETTING}"),
    Mistake(r"is a field but has no type annotation", f"Write the type too: {SETTING}"),
    Mistake(r"mutable default", 'A setting of several values is a tuple: setting((0.1, 0.2), "what it means")'),
    Mistake(
        r"OwnRecipe\.__init__", f"OwnRecipe has {', '.join(OwnRecipe.__dataclass_fields__)}; the track has the rest"
    ),
    Mistake(r"TrialContext\.train\(\) takes", "Name what you give: context.train(model, epochs=5, lr='0:1e-2')"),
    Mistake(r"TrialContext\.\w+\(\)", "benchmark/method.py has all that context can do, and with which arguments"),
    Mistake(
        r"AttributeError: '(Conv2d|Linear)'",
        "A layer is a Conv2d or a Linear: both have weight, with the filters in dimension 0",
    ),
    Mistake(
        r"expected input\[|mat1 and mat2|Expected .*D .*input to conv",
        "Images are (batch, channels, height, width), with context.image_shape",
    ),
    Mistake(r"SystemExit", "A method returns a Decision or raises an error: leave exit() and sys.exit() out"),
    Mistake(r"Bad file descriptor|EOFError|BdbQuit", ANSWER, r"input\(|breakpoint\(|set_trace\(|stdin"),
    Mistake(r"File too large", "It printed, or wrote into one file, more than a trial takes: write less"),
    Mistake(r"relative import", "Put an __init__.py into the folder, or leave the dot out: from helpers import ..."),
    Mistake(r"name resolution|Name or service|URLError|ConnectionError|is unreachable|use the network", NETWORK),
    Mistake(r"start a process", f"{ALONE}: compute it in Python and torch"),
    Mistake(
        r"import of prunemark|No module named 'prunemark",
        "A method imports prunemark.benchmark.method and nothing else of Prunemark",
    ),
    Mistake(
        r"No module named",
        "Install the package here, or leave it out: a method imports installed packages, and .py files of its folder",
    ),
    Mistake(r"RecursionError", "A function of the method calls itself without end"),
)

OF_LIBRARIES = {
    "torch/utils/data/dataloader.py": f"{ALONE}: DataLoader(..., num_workers=0), or better context.batches()",
    "multiprocessing": f"{ALONE}: threads work, processes do not",
    "matplotlib": PLOTS,
    "torch/_dynamo": "torch.compile does not work in a method's process: call the model itself",
    "torchvision/datasets": NETWORK,
}
"""In whose code the error came about; the first that is found counts."""

OURS = "/prunemark/"


def advice_on(problem: BaseException, own: str) -> str:
    """One sentence on what to do, or "". `own` is part of every path of the method's files."""
    frames = traceback.extract_tb(problem.__traceback__)
    mine = [frame for frame in frames if own in frame.filename]
    line = mine[-1].line or "" if mine else ""
    if frames and OURS in frames[-1].filename and "\n" in str(problem):  # it says what to do itself
        return ""
    for part, advice in OF_LIBRARIES.items():
        if any(f"/{part}" in frame.filename for frame in frames):
            return advice
    if isinstance(problem, AttributeError) and (found := _what_it_has(problem)):
        return found
    said = f"{type(problem).__name__}: {problem}"
    for mistake in MISTAKES:
        if re.search(mistake.said, said) and re.search(mistake.line, line):
            return mistake.advice
    return ""


def _what_it_has(problem: AttributeError) -> str:
    """Of the contract's own objects: what they have, since their classes are not the author's."""
    thing, name = getattr(problem, "obj", None), str(getattr(problem, "name", ""))
    known = _attributes(thing)
    if not known:
        return ""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if isinstance(thing, SimpleNamespace) and re.search(r"load|data|images", name):
        close = ["batches"]
    hint = f"Did you mean {close[0]}? " if close else ""
    what = "context" if isinstance(thing, SimpleNamespace) else type(thing).__name__
    return f"{hint}{what} has {', '.join(known)}"[:LONGEST_ADVICE]


def _attributes(thing: object) -> list[str]:
    fields: Mapping[str, object] = getattr(type(thing), "__dataclass_fields__", {})
    if isinstance(thing, SimpleNamespace):
        return list(vars(thing))
    if type(thing).__module__ == "prunemark.benchmark.method":
        return [*fields, *(name for name in vars(type(thing)) if not name.startswith("_") and name not in fields)]
    return [name for name in fields if name not in ("about",)] if hasattr(type(thing), "granularity") else []
