"""What a method may add to the loss of its own retraining: distillation from the base model, and a regulariser.

Both are declared as texts in `OwnRecipe`, carried out by the harness, and stand on the record. They end with S3.1: from
S3.2 on one retraining is imposed on every method.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.text import as_given

NONE = "none"
_NUMBER = r"((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)"
_DISTILLATION = re.compile(rf"temperature={_NUMBER},\s*weight={_NUMBER}", re.ASCII)
_REGULARISER = re.compile(rf"([\w-]+):{_NUMBER}(?:\s+on\s+([\w-]+))?", re.ASCII)

REGULARISERS = {
    "l1": "weight times the sum of absolute values",
    "l2": "weight times the sum of squares, in the loss: weight decay by another name, where the LR does not scale it",
    "group-lasso": "weight times the sum over filters of the root of their size times their norm (Yuan & Lin 2006)",
}
PARAMETERS = {
    "weights": "the weights of convolutions and linear layers",
    "scales": "the scales of batch norms",
    "all": "every parameter",
}
"""What a regulariser acts on."""


@dataclass(frozen=True)
class Distillation:
    """Hinton, Vinyals, Dean 2015: (1 - weight) * cross entropy + weight * T^2 * KL(teacher / T, student / T).

    The teacher is the trial's base model, unpruned and in evaluation mode. Raises InputError for other numbers than a
    temperature above 0 and a weight from 0 to 1.
    """

    temperature: float
    weight: float

    def __post_init__(self) -> None:
        if not (0 < self.temperature < math.inf and 0 < self.weight <= 1):
            raise InputError(
                f"distillation has a temperature above 0 and a weight above 0, at most 1; given {self.temperature:g} "
                f"and {self.weight:g}"
            )

    def __str__(self) -> str:
        return f"temperature={self.temperature:g},weight={self.weight:g}"


@dataclass(frozen=True)
class Regulariser:
    """A term of the loss over some parameters of the network. Raises InputError for one that is not known."""

    kind: Literal["l1", "l2", "group-lasso"]
    weight: float
    parameters: Literal["weights", "scales", "all"] = "weights"

    def __post_init__(self) -> None:
        if self.kind not in REGULARISERS:
            raise unknown_name("regulariser", self.kind, REGULARISERS)
        if self.parameters not in PARAMETERS:
            raise unknown_name("set of parameters", self.parameters, PARAMETERS)
        if not 0 < self.weight < math.inf:
            raise InputError(f"the weight of a regulariser is a number above 0; given {self.weight:g}")
        if self.kind == "group-lasso" and self.parameters != "weights":
            raise InputError("group-lasso is over the filters of weights.\nWrite group-lasso:1e-4 on weights")

    def __str__(self) -> str:
        return f"{self.kind}:{self.weight:g} on {self.parameters}"


def read_distillation(text: object) -> Distillation:
    """Reads `temperature=4,weight=0.9`. Raises InputError."""
    found = _DISTILLATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        form = 'distillation="temperature=4,weight=0.9"'
        raise InputError(f"cannot read the distillation {as_given(text)}.\nWrite {form}")
    return Distillation(float(found[1]), float(found[2]))


def read_regulariser(text: object) -> Regulariser:
    """Reads `l1:1e-4 on scales`; on weights where nothing else is said. Raises InputError."""
    found = _REGULARISER.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise InputError(
            f"cannot read the regulariser {as_given(text)}.\n"
            f'Write regulariser="l1:1e-4 on scales": one of {", ".join(REGULARISERS)}, on {", ".join(PARAMETERS)}'
        )
    return Regulariser(found[1], float(found[2]), found[3] or "weights")  # type: ignore[arg-type]


READERS = {"distillation": read_distillation, "regulariser": read_regulariser}
