"""Files of weights that somebody else wrote: safetensors, or what `torch.save` wrote, read without running any of it.

Not covered: NumPy archives, TensorFlow, ONNX, and pickles of whole modules, which can only be read by running them.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from prunemark.setups.bounded_files import open_plain
from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

State = dict[str, torch.Tensor]
PREFERRED = ("state_dict_ema", "model_ema", "ema", "state_dict", "model")
"""Which entry of a checkpoint is the model, where several could be: averaged weights first, as timm takes them."""
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
SAFETENSORS = ".safetensors"
SAVE_ANEW = "Save its weights only: torch.save(model.state_dict(), PATH), or safetensors.torch.save_file"


def check_begins_well(path: Path) -> None:
    """Raises InputError for a file that is not one of weights at first sight, in words that say what it is."""
    with open_plain(path) as file:
        head = file.read(256)
    if not head:
        raise InputError(f"{path.name} is empty: a download or a copy was cut off. Get it again")
    if head.startswith(LFS_POINTER):
        raise InputError(f"{path.name} is a pointer of Git LFS, and not the weights. `git lfs pull` gets them")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise InputError(
            f"{path.name} is a web page, and not the weights: the link that was saved is not that of the file"
        )


def read_state(path: Path, names: Iterable[str]) -> State:
    """The weights in a file, by their names in the network; `names` are those of the network.

    A checkpoint may hold its model in an entry (`state_dict`, `model`, `state_dict_ema`), with other things beside it.
    Where all names begin alike and a network's do not (`module.` of DataParallel, `_orig_mod.`, `model.`), the
    beginning is left out. Raises InputError for whatever holds no weights, in one or two lines.
    """
    check_begins_well(path)
    content = _safetensors(path) if path.suffix == SAFETENSORS else _torch_file(path)
    state = _model_in(content, path)
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.is_meta:
            raise InputError(f"{path.name}: {shown(name, 80)} is not a plain tensor of numbers ({_kind(tensor)})")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(
                f"{path.name}: {shown(name, 80)} has values that are not finite. Such a base cannot be pruned"
            )
    return _named_alike(state, set(names))


def _kind(tensor: torch.Tensor) -> str:
    return f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"


def _safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError) as problem:
        raise InputError(f"{path.name} is not a safetensors file: {shown(str(problem), 120)}") from None


def _torch_file(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        why = _what_it_holds(str(problem))
        raise InputError(
            f"{path.name} cannot be read without running code of it: it holds {why}.\n{SAVE_ANEW}"
        ) from None
    except Exception as problem:  # of a damaged file, whatever its parts are read by
        words = f"{type(problem).__name__}: {shown(str(problem).splitlines()[0] if str(problem) else '', 120)}"
        raise InputError(
            f"{path.name} is no file that torch.save wrote, or is cut off ({words}).\n{SAVE_ANEW}"
        ) from None


def _what_it_holds(words: str) -> str:
    """Of torch's explanation, the class that it would have to import."""
    for before in ("Unsupported global: GLOBAL ", "unsupported GLOBAL ", "Unsupported class "):
        if before in words:
            return shown(words.partition(before)[2].split()[0], 80)
    return "more than tensors"


def _model_in(content: Any, path: Path) -> State:
    """The content, where it is weights, or its entry that is."""
    if _is_state(content):
        return dict(content)
    if not isinstance(content, Mapping):
        raise InputError(f"{path.name} holds a {type(content).__name__}, and not weights by name.\n{SAVE_ANEW}")
    found = [str(name) for name, part in content.items() if _is_state(part)]
    chosen = next((name for name in PREFERRED if name in found), found[0] if len(found) == 1 else None)
    if chosen is None:
        entries = shown(", ".join(str(name) for name in content), 120) or "nothing"
        what = f"several sets of weights: {', '.join(found)}" if found else f"no weights by name, but {entries}"
        raise InputError(f"{path.name} holds {shown(what, 200)}.\n{SAVE_ANEW}")
    return dict(content[chosen])


def _is_state(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and bool(part)
        and all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in part.items())
    )


def _named_alike(state: State, names: set[str]) -> State:
    """Without what all names begin with, until one of them is a name of the network."""
    while not names & state.keys():
        beginnings = {name.partition(".")[0] for name in state}
        if len(beginnings) != 1 or not all("." in name for name in state):
            break
        state = {name.partition(".")[2]: tensor for name, tensor in state.items()}
    return state
