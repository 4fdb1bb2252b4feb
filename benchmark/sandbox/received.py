"""Reading what a child left in its scratch folder: a stranger's data, whatever it is called.

A file is opened once, without following a link and without waiting for a writer; it must be a plain file with one name
and no larger than what the harness itself would have written. Its bytes are copied before anything looks at them.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

JSON_BYTES = 1 << 20
MOST_PARTS = 1 << 20
"""Lists and objects in one text: each takes thirty times the memory of its two brackets."""


class NotReadable(ValueError):
    """What a child left is not what was agreed. The message says what, in words."""


def left_there(scratch: Path, name: str) -> bool:
    """Whether the child left anything by that name."""
    return os.path.lexists(scratch / name)


def bytes_of(scratch: Path, name: str, most: int) -> bytes:
    """The content of a file directly in the scratch folder. Raises NotReadable."""
    try:
        descriptor = os.open(scratch / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise NotReadable(f"{name} cannot be opened: {problem.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            raise NotReadable(f"{name} is not a plain file")
        if about.st_size > most:
            raise NotReadable(f"{name} has {about.st_size:,} bytes; at most {most:,} are read")
        content = file.read(most + 1)
    if len(content) > most:
        raise NotReadable(f"{name} grew while it was read, beyond {most:,} bytes")
    return content


def json_of(scratch: Path, name: str, most: int = JSON_BYTES) -> Any:
    """What a file says as JSON: no NaN, no name twice, no depth or number that Python cannot take."""
    return strict_json(bytes_of(scratch, name, most), name)


def strict_json(content: bytes, name: str) -> Any:
    """JSON as it is defined. Raises NotReadable."""
    if content.count(b"[") + content.count(b"{") > MOST_PARTS:
        raise NotReadable(f"{name} has more than {MOST_PARTS:,} lists and objects")
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refused, object_pairs_hook=_once)
    except (ValueError, RecursionError, MemoryError) as problem:
        raise NotReadable(f"{name} is not JSON that can be read: {str(problem)[:200]}") from None


def tensors_of(scratch: Path, name: str, most: int) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file. Raises NotReadable."""
    return parsed_tensors(bytes_of(scratch, name, most), name)


def parsed_tensors(content: bytes, name: str) -> dict[str, torch.Tensor]:
    """The tensors in these bytes, each with memory of its own. Raises NotReadable."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as problem:
        raise NotReadable(f"{name} holds no tensors that can be read: {str(problem)[:200]}") from None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found
