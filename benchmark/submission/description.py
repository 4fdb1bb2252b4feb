"""What a method's class declares, as plain data: its settings, its recipes, what it prunes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from prunemark.setups.budget import Own
from prunemark.setups.data_classes import recipe_for
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import OwnRecipe

SettingValue = bool | int | float | str


@dataclass(frozen=True)
class SettingDescription:
    """One declared hyper-parameter."""

    default: SettingValue
    meaning: str
    allowed: str = ""


@dataclass(frozen=True)
class MethodDescription:
    """What a method's class declares: plain data that crosses from the child process."""

    name: str
    granularity: str
    settings: dict[str, SettingDescription] = field(default_factory=dict)
    retraining: tuple[OwnRecipe, ...] = ()
    pretraining: tuple[OwnRecipe, ...] = ()
    prune_at: int | float | None = None
    summary: str = ""
    pruning_share: float | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MethodDescription:
        """The inverse of `dataclasses.asdict`, after a round trip through JSON."""
        settings = {name: SettingDescription(**setting) for name, setting in data["settings"].items()}
        recipes = {
            stage: tuple(OwnRecipe(**recipe) for recipe in data[stage]) for stage in ("retraining", "pretraining")
        }
        return cls(**dict(data, settings=settings, **recipes))

    def own_on(self, dataset: str) -> Own:
        """What the method brings itself to a track of this dataset, for `budget_for`."""
        pretraining, retraining = (recipe_for(recipes, dataset) for recipes in (self.pretraining, self.retraining))
        return Own(pretraining, retraining, self.prune_at, self.pruning_share)

    def with_settings(self, given: dict[str, str]) -> dict[str, SettingValue]:
        """All settings, the given ones read by the type of their default.

        Raises InputError for an unknown name or a value of another type.
        """
        values = {name: setting.default for name, setting in self.settings.items()}
        for name, text in given.items():
            if name not in values:
                raise unknown_name(f"setting of {self.name}", name, values)
            values[name] = read_setting(name, text, values[name])
            allowed = self.settings[name].allowed
            if allowed and not re.fullmatch(allowed, text):
                raise InputError(f"setting {name!r} is {allowed}; given {text!r}.\n{self.settings[name].meaning}")
        return values


def read_setting(name: str, text: str, default: SettingValue) -> SettingValue:
    """Reads a setting as the type of its default. Raises InputError when it cannot be one."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if isinstance(default, bool):
            return words[text.lower()]
        value = type(default)(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(text)
        return value
    except (KeyError, ValueError):
        raise InputError(
            f"setting {name!r} is a {type(default).__name__} (default {default}); given {text!r}"
        ) from None
