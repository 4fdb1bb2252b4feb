"""What a method's class declares, as plain data: its settings, its recipes, what it prunes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from prunemark.benchmark.submission.value_patterns import check_fits
from prunemark.setups.budget import Own
from prunemark.setups.data_classes import recipe_for
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import OwnRecipe
from prunemark.setups.setting_values import numbers_of, text_of
from prunemark.setups.text import LONGEST, LONGEST_NAME, as_given, shown

LONGEST_SUMMARY = 300
"""Characters of a method's first sentence that are kept; the longest of a shipped method has 113."""
MOST_SETTINGS = 100

SettingValue = bool | int | float | str


@dataclass(frozen=True)
class SettingDescription:
    """One declared hyper-parameter. `numbers` is int or float of a tuple of such, whose default is then its text."""

    default: SettingValue
    meaning: str
    allowed: str = ""
    numbers: str = ""


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
        """The inverse of `dataclasses.asdict`, after a round trip through JSON. Raises as `check_described` does."""
        settings = {name: SettingDescription(**setting) for name, setting in data["settings"].items()}
        recipes = {
            stage: tuple(OwnRecipe(**recipe) for recipe in data[stage]) for stage in ("retraining", "pretraining")
        }
        return check_described(cls(**dict(data, settings=settings, **recipes)))

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
            if len(text) > LONGEST or shown(text) != text:
                raise InputError(f"the value of a setting is a line of at most {LONGEST} characters; {name} is longer")
            values[name] = read_setting(name, text, values[name], self.settings[name].numbers)
        for name, setting in self.settings.items():
            fits = not setting.allowed or check_fits(name, setting.allowed, given.get(name, ""))
            if name in given and not fits:
                raise InputError(
                    f"setting {name!r} is {setting.allowed}; given {as_given(given[name])}.\n{shown(setting.meaning)}"
                )
        return values


def check_described(described: MethodDescription) -> MethodDescription:
    """The description, its texts on one line and cut. It was made by a stranger's code.

    Raises InputError for more settings, or longer names and values, than a table and a command line can hold.
    """
    if len(described.settings) > MOST_SETTINGS:
        raise InputError(f"a method has at most {MOST_SETTINGS} settings; this one has {len(described.settings):,}")
    for name, setting in described.settings.items():
        text = setting.default if isinstance(setting.default, str) else ""
        if len(name) > LONGEST_NAME or len(text) > LONGEST or shown(text) != text or not _short(setting.default):
            raise InputError(f"setting {as_given(name)} has a name, or a default, that is too long or cannot be shown")
    settings = {
        name: replace(each, meaning=shown(each.meaning), allowed=each.allowed)
        for name, each in described.settings.items()
    }
    return replace(described, summary=shown(described.summary, LONGEST_SUMMARY), settings=settings)


def _short(value: SettingValue) -> bool:
    return not isinstance(value, int) or abs(value) < 10**18


def read_setting(name: str, text: str, default: SettingValue, numbers: str = "") -> SettingValue:
    """Reads a setting as the type of its default, or as so many numbers. Raises InputError when it cannot be one."""
    if numbers:
        try:
            return text_of(numbers_of(text, numbers), numbers)
        except ValueError:
            raise InputError(
                f"setting {name!r} is {numbers}s with commas between them (default {default}); given {as_given(text)}"
            ) from None
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
            f"setting {name!r} is a {type(default).__name__} (default {default}); given {as_given(text)}"
        ) from None
