"""Whether two runs of one trial gave the same bits, where they differ first, and whether the machines explain it.

Nothing here has a tolerance. A value that differs in its last bit differs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from prunemark.records.observed import GPU_FLOAT32, INSTRUCTIONS, PROCESSOR_KIND, Observed
from prunemark.records.outcome import Outcome
from prunemark.records.record import canonical_json

NUMERIC_PACKAGES = ("python", "torch", "torchvision", "timm", "torch-pruning", "numpy", "scikit-learn")
SHOWN = 24  # characters of a long value


@dataclass(frozen=True)
class Difference:
    """The first field, in the order of the record, that two outcomes do not share."""

    field: str
    recorded: str
    here: str

    def __str__(self) -> str:
        return f"{self.field} differs: recorded {self.recorded}, here {self.here}"


def first_difference(recorded: Outcome, here: Outcome) -> Difference | None:
    """Where the numbers of two outcomes differ first; None for the same bits."""
    plain = [json.loads(json.dumps(asdict(outcome.numbers))) for outcome in (recorded, here)]  # tuples as lists
    for name in plain[0]:
        if found := _compare(name, plain[0][name], plain[1][name]):
            return found
    return None


def _compare(field: str, recorded: Any, here: Any) -> Difference | None:
    if isinstance(recorded, dict) and isinstance(here, dict):
        for key in [*recorded, *(key for key in here if key not in recorded)]:
            if found := _compare(f"{field}.{key}", recorded.get(key), here.get(key)):
                return found
        return None
    if isinstance(recorded, list) and isinstance(here, list) and len(recorded) == len(here):
        parts = (_compare(f"{field}[{i}]", a, b) for i, (a, b) in enumerate(zip(recorded, here, strict=True)))
        return next((found for found in parts if found), None)
    if type(recorded) is type(here) and recorded == here:
        return None
    return Difference(field, *_shown(recorded, here))


def _shown(recorded: Any, here: Any) -> tuple[str, str]:
    """Both values, long ones from where they part."""
    first, second = canonical_json(recorded), canonical_json(here)
    common = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    begin = max(0, common - SHOWN // 2) if max(len(first), len(second)) > 2 * SHOWN else 0
    return _cut(first, begin), _cut(second, begin)


def _cut(text: str, begin: int) -> str:
    end = begin + 2 * SHOWN
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"


def other_machine(recorded: Observed, here: Observed) -> str:
    """In words, what of processor and numeric versions is not the same; '' where nothing is known to differ."""
    then, now = recorded.versions, here.versions
    pairs = [("processor", recorded.hardware, here.hardware), ("device", recorded.device, here.device)]
    pairs += [(name, then.get(name, "none"), now.get(name, "none")) for name in NUMERIC_PACKAGES]
    pairs += [("processes", str(recorded.processes), str(here.processes))]
    said = [name for name in (PROCESSOR_KIND, INSTRUCTIONS, GPU_FLOAT32) if name in then and name in now]
    pairs += [(name, then[name], now[name]) for name in said]  # older records do not say, and that explains nothing
    return "; ".join(f"{name}: recorded {old}, here {new}" for name, old, new in pairs if old != new)


def other_lane(recorded: Observed, here: Observed) -> str:
    """In words, that two runs of a trial took different lanes; '' where they did not, or where one does not say."""
    then, now = recorded.pruning_process, here.pruning_process
    if then is None or now is None or then.lane == now.lane:
        return ""
    return f"its lane differs: recorded {then.lane}, here {now.lane}"
