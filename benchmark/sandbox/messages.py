"""What a method's process and the trainer of its trial send each other: words as JSON, tensors as safetensors.

Either is parsed strictly, and by nothing that could execute it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import torch
from safetensors.torch import save

from prunemark.benchmark.method import Decision
from prunemark.benchmark.sandbox.received import JSON_BYTES, NotReadable, parsed_tensors, strict_json

LENGTH_BYTES = 8
WORDS_BYTES = 16 * JSON_BYTES
MOST_DECISIONS = 1000
Words = dict[str, Any]
Tensors = dict[str, torch.Tensor]


def send(pipe: Connection, words: Mapping[str, Any], tensors: Mapping[str, torch.Tensor] = {}) -> None:
    """Sends one message. Raises BrokenPipeError when nobody is there to read it."""
    said = json.dumps(words, allow_nan=False).encode()
    carried = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}) if tensors else b""
    pipe.send_bytes(len(said).to_bytes(LENGTH_BYTES, "little") + said + carried)


def receive(pipe: Connection, most_bytes: int) -> tuple[Words, Tensors]:
    """The next message. Raises EOFError when the other side is gone, OSError for one that is too long, NotReadable."""
    content = pipe.recv_bytes(most_bytes)
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    said, carried = content[LENGTH_BYTES : LENGTH_BYTES + length], content[LENGTH_BYTES + length :]
    if len(said) != length or length > WORDS_BYTES:
        raise NotReadable("a message is shorter than it says")
    words = strict_json(said, "a message")
    if not isinstance(words, dict):
        raise NotReadable("a message is no object")
    return words, parsed_tensors(carried, "a message") if carried else {}


def plain_decisions(decisions: Sequence[Decision]) -> tuple[list[Words], Tensors]:
    """Decisions as words and tensors."""
    words: list[Words] = []
    tensors: Tensors = {}
    for number, decision in enumerate(decisions):
        words.append({"kept": {name: torch.as_tensor(index).tolist() for name, index in decision.kept.items()}})
        for name, mask in decision.masks.items():
            tensors[f"{number}/{name}"] = torch.as_tensor(mask).to(torch.uint8)
    return words, tensors


def read_decisions(words: Any, tensors: Mapping[str, torch.Tensor]) -> list[Decision]:
    """The inverse, from a stranger. Raises NotReadable; that it fits the network is for `check_decision`."""
    if not isinstance(words, list) or len(words) > MOST_DECISIONS:
        raise NotReadable(f"decisions are a list of at most {MOST_DECISIONS:,}")
    masks: dict[str, Tensors] = {str(number): {} for number in range(len(words))}
    for name, mask in tensors.items():
        number, _, layer = name.partition("/")
        if number not in masks or mask.dtype != torch.uint8:
            raise NotReadable("a mask is one of a decision's, as bytes")
        masks[number][layer] = mask.to(torch.bool)
    kept = [kept_indices(plain.get("kept") if isinstance(plain, dict) else None) for plain in words]
    return [Decision(indices, masks[str(number)]) for number, indices in enumerate(kept)]


def kept_indices(plain: Any) -> dict[str, torch.Tensor]:
    """Filters that stay, as JSON has them: lists of whole numbers by layer. Raises NotReadable."""
    if not isinstance(plain, dict) or not all(isinstance(indices, list) for indices in plain.values()):
        raise NotReadable("kept filters are lists by layer")
    if not all(type(index) is int and 0 <= index < 2**31 for indices in plain.values() for index in indices):
        raise NotReadable("kept filters are whole numbers from 0 on")
    return {name: torch.tensor(indices, dtype=torch.int64) for name, indices in plain.items()}
