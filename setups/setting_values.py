"""The values that a method's setting can have: a bool, a number, a text, or a tuple of numbers.

A tuple goes by its text wherever settings are kept, `0.1,0.2`: in keys, records, tables and on the command line. Only
the method's own class gets it as a tuple again.
"""

from __future__ import annotations

import math
from typing import Any

from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given

MOST_NUMBERS = 32
KINDS = {"int": int, "float": float}


def check_default(default: Any) -> Any:
    """The default of a setting. Raises InputError for what nobody could set on a command line."""
    if isinstance(default, list) or (isinstance(default, tuple) and not kind_of(default)):
        numbers = ", ".join(map(str, default[:4])) or "0.1, 0.2"
        raise InputError(
            f"a setting of several values is a tuple of numbers; the default is {as_given(default)}.\n"
            f'Write it as setting(({numbers}), "what it means")'
        )
    if not isinstance(default, bool | int | float | str | tuple):
        raise InputError(
            f"a setting is a bool, a number, a text or a tuple of numbers; the default is {as_given(default)}.\n"
            'Write setting(default, "what it means"), and keep everything else as a plain attribute without a type'
        )
    return default


def kind_of(numbers: object) -> str:
    """`int` or `float` of a tuple of 1 to 32 numbers; "" for anything else."""
    if not isinstance(numbers, tuple) or not 1 <= len(numbers) <= MOST_NUMBERS:
        return ""
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        return ""
    return "int" if all(type(number) is int for number in numbers) else "float"


def text_of(numbers: tuple[Any, ...], kind: str) -> str:
    """The tuple as one text, which `numbers_of` reads back equal."""
    return ",".join(repr(KINDS[kind](number)) for number in numbers)


def numbers_of(text: str, kind: str) -> tuple[Any, ...]:
    """`0.1,0.2` as numbers. Raises ValueError."""
    parts = text.strip().strip("()[]").rstrip(",").split(",")
    if len(parts) > MOST_NUMBERS:
        raise ValueError(text)
    numbers = tuple(KINDS[kind](part) for part in parts)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(text)
    return numbers


def as_declared(text: Any, default: object) -> Any:
    """A setting's value as its class has it: a text becomes a tuple where the default is one."""
    kind = kind_of(default)
    return numbers_of(text, kind) if kind and isinstance(text, str) else text
