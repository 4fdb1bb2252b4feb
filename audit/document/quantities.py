"""Numbers as people print them: with a unit where it is plain, and refused with the unit that is wanted where not.

`5e-3`, `90 epochs`, `4.09G` where millions are wanted (4090), `45%` for a share, `2.31x`, and `75,24` with a decimal
comma are read. `1,000` may be a thousand or one, and is refused. Not covered: digits grouped in any way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given

LEAST, MOST, LONGEST_NUMBER = 1e-15, 1e15, 60
"""Numbers between these, and 0, are read: the squares of squares of others leave what a computer can hold."""
_PRINTED = re.compile(r"([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d{1,4})?)\s*(\D*)", re.ASCII)
_MINUS = "\u2212"
_POWER = re.compile(rf"(?:(\d+(?:\.\d*)?)\s*[x\u00d7*\u00b7]\s*)?10\s*\^\s*\{{?([+\-{_MINUS}]?\d{{1,3}})\}}?", re.ASCII)
_A_NUMBER = r"(\d+(?:\.\d*)?)"
_RANGE = re.compile(rf"{_A_NUMBER}\s*(?:-|\u2013|to)\s*{_A_NUMBER}(?:\s*[a-z]+)?", re.ASCII)
_AT_LEAST = re.compile(rf"(?:at least|more than|over|>)\s*{_A_NUMBER}(?:\s*[a-z]+)?", re.ASCII)
_ABOUT = re.compile(rf"(?:~|\u2248|about|around|approximately|roughly|ca\.?)\s*{_A_NUMBER}(?:\s*[a-z]+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d*,\d{3}", re.ASCII)


@dataclass(frozen=True)
class Quantity:
    """A reader of numbers from `low` to `high` (or above `low`) in one unit.

    `wanted` says in an error what is expected. `units` are the suffixes that may follow and what each is worth;
    they do not mind case; `or_none` reads "none" as 0, as of a recipe without label smoothing. Raises InputError for
    anything else.
    """

    wanted: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    units: Mapping[str, float] = field(default_factory=dict)
    or_none: bool = False

    def __call__(self, node: Node) -> float:
        """The number in the unit that is wanted."""
        if self.or_none and node.kind == "scalar" and node.text.strip().lower() in ("none", "no", "off", "false"):
            return 0.0
        value = read_printed(node, self.wanted, self.units)
        if not self.low <= value <= self.high or (self.above and value <= self.low):
            raise InputError(f"{node.where}: {self.wanted} is wanted; given {node.text.strip()[:40]}")
        return value


def read_printed(node: Node, wanted: str, units: Mapping[str, float]) -> float:
    """A printed number in the wanted unit. Raises InputError with the place, what is wanted and what was given."""
    text = as_power(node.text.strip())
    match = _PRINTED.fullmatch(text) if node.kind == "scalar" and len(text) <= LONGEST_NUMBER else None
    unit = (match.group(2) or "").strip().lower() if match else ""
    if match is None or (unit and unit not in units):
        given = as_given(text) if node.kind == "scalar" else f"a {node.kind}"
        raise InputError(f"{node.where}: {wanted} is wanted; given {given}{_as_range(text)}{_as_flops(unit)}")
    if _THOUSANDS.fullmatch(match.group(1)):
        plain = match.group(1)
        raise InputError(
            f"{node.where}: {plain} can be a thousand or a decimal comma. "
            f"Write {plain.replace(',', '')} or {plain.replace(',', '.')}"
        )
    value = float(match.group(1).replace(",", ".")) * units.get(unit, 1.0)
    if value and not LEAST <= abs(value) <= MOST:
        raise InputError(f"{node.where}: {wanted} is wanted; given {as_given(text)}, a size that nothing here has")
    return value


def as_power(text: str) -> str:
    """`1x10^-4` and `10^-4` as `1e-4`; another text as it is."""
    found = _POWER.fullmatch(text) if "10" in text else None
    return f"{found[1] or 1}e{found[2].replace(_MINUS, '-')}" if found else text


def _as_range(text: str) -> str:
    """What to write for `20-30`, `20 to 30`, `at least 20` or `~20`; nothing for another text."""
    if found := _RANGE.fullmatch(text):
        return f". Is it a range? Write {{range: [{found[1]}, {found[2]}]}}"
    if found := _AT_LEAST.fullmatch(text):
        return f". Write {{min: {found[1]}}} for at least {found[1]}"
    return f". If it is about {found[1]}, write the range that it can be" if (found := _ABOUT.fullmatch(text)) else ""


def _as_flops(unit: str) -> str:
    if "flop" not in unit:
        return ""
    return ". Are these multiply-adds? Then leave FLOPs out (4.09G); if each counts two, say flops_convention: FLOPs"


def half_a_unit(text: str, value: float) -> float | None:
    """Half of the last printed digit, in the unit of the value: what rounds to `4.09G` is 4085 to 4095 million."""
    match = _PRINTED.match(as_power(text.strip()))
    if match is None:
        return None
    printed = float(match.group(1).replace(",", "."))
    scale = abs(value / printed) if printed else 1.0
    return float(0.5 * 10.0 ** -printed_decimals(match.group(1), below_one=True) * scale)


def printed_decimals(text: str, below_one: bool = False) -> int:
    """How many decimals a number was printed with: '75.20' has 2, '5e-3' has 3; '12e2' has 0, or -2 `below_one`."""
    match = _PRINTED.match(text.strip())
    if match is None:
        return 0
    mantissa, _, exponent = match.group(1).lower().replace(",", ".").partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return decimals if below_one else max(0, decimals)


def read_number(node: Node) -> float:
    """A number of a usual size, also where YAML saw a string (`5e-3`). Raises InputError with the place."""
    return read_printed(node, "a number, as in 90 or 5e-3,", {})


_MILLIONS = {"m": 1.0, "g": 1e3, "b": 1e3, "k": 1e-3, "t": 1e6}
EPOCHS = Quantity("a number of epochs, as in 90,", 0, units=dict.fromkeys(("epochs", "epoch", "ep", "ep."), 1))
MACS = Quantity(
    "a number of MACs in millions, as in 4089 or 4.09G,", 0, above=True,
    units=_MILLIONS | {f"{unit}macs": worth for unit, worth in _MILLIONS.items()} | {"m macs": 1, "g macs": 1e3},
)  # fmt: skip
PARAMS = Quantity(
    "a number of parameters in millions, as in 25.56 or 25.56M,", 0, above=True,
    units=_MILLIONS | {"m params": 1, "m parameters": 1, "b params": 1e3, "b parameters": 1e3},
)  # fmt: skip
POINTS = Quantity("a number of points, from 0 to 100,", 0, 100, units={"points": 1, "point": 1, "pp": 1, "%": 1})
SIZE = Quantity("a number that is not negative", 0)
RUNS = Quantity(
    "a number of runs, at least 1,", 1, 1e6, units=dict.fromkeys(("runs", "run", "seeds", "seed", "trials", "trial"), 1)
)
BATCH = Quantity("a batch size, at least 1,", 1, units={"images": 1})
PERPLEXITY = Quantity("a perplexity, at least 1, as in 6.42,", 1)
MILLISECONDS = Quantity("a latency in ms, above 0, as in 12.5,", 0, above=True, units={"ms": 1, "s": 1e3, "us": 1e-3})
FPS = Quantity(
    "images a second, above 0, as in 1250,", 0, above=True, 
    units={"fps": 1, "images/s": 1, "img/s": 1, "images a second": 1},
)  # fmt: skip
DECAY = Quantity("a weight decay from 0 to 1, as in 5e-4, or none", 0, 1, or_none=True)
SMOOTHING = Quantity("a label smoothing from 0 to 1, or none", 0, 1, units={"%": 0.01}, or_none=True)
_TIMES = Quantity(
    "dense MACs over pruned MACs, as in 2.31 or 2.31x,", 0, above=True, units={"x": 1, "×": 1, "times": 1}
)


def times(node: Node) -> float:
    """A speed-up of at least 1. Raises InputError for less, which is the share that is kept."""
    value = _TIMES(node)
    if value < 1:
        raise InputError(
            f"{node.where}: a speed-up of {value:g} makes the network slower: do you mean macs_kept: {value:g}? "
            f"A speed-up is dense MACs over pruned MACs, as in {1 / value:.3g}"
        )
    return value


def percent(node: Node) -> float:
    """A value in percent, from 0 to 100. Raises InputError for what looks like a fraction: 0.7524 is 75.24 %."""
    value = read_printed(node, "a percentage from 0 to 100, as in 75.24,", {"%": 1.0})
    text = node.text.strip()
    if not 0 <= value <= 100:
        raise InputError(f"{node.where}: a percentage lies between 0 and 100; given {text[:40]}")
    if 0 < value <= 1 and not text.endswith("%"):
        raise InputError(
            f"{node.where}: {text[:40]} looks like a fraction. Accuracies are in percent: "
            f"write {value * 100:g} (or {value:g}% if it is that low)"
        )
    return value


def share(node: Node) -> float:
    """A share from 0 to 1, from a fraction or a percentage. Raises InputError for 1, which may be either."""
    value = read_printed(node, "a share, as in 0.45 or 45%,", {"%": 1.0})
    text = node.text.strip()
    is_percent = text.endswith("%")
    if value == 1 and not is_percent:
        raise InputError(f"{node.where}: 1 may mean all of it or one percent. Write 100% or 1% (or a fraction, 0.01)")
    found = value / 100 if is_percent or value > 1 else value
    if not 0 <= found <= 1:
        raise InputError(f"{node.where}: a share lies between 0 and 1, or 0% and 100%; given {text[:40]}")
    return found


def kept_parameters(node: Node) -> float:
    """A share (0.45, 45%), or a number above 1, which is a percentage or millions."""
    wanted = "a share of parameters, as in 0.45 or 45%,"
    value = read_printed(node, wanted, {"%": 1.0})
    if value <= 0:
        raise InputError(f"{node.where}: {wanted} is wanted; given {node.text.strip()[:40]}")
    return value / 100 if node.text.strip().endswith("%") else value
