"""Attacks by what a class says of itself: names, docstrings, settings, and classes that lie about them."""

from prunemark import FilterCriterion, setting
from prunemark.benchmark.method import PruningMethod


class Plain(FilterCriterion):
    """Scores by the L1 norm."""

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(1)


class HRank(Plain):
    """Rule: names. Won: a shipped method's name for other code."""


class MarkupEverywhere(Plain):
    """<script>alert(1)</script><img src=x onerror="alert(1)"> [a](javascript:alert(1)) | =1+1 \x1b[31m \u202e"""

    word: str = setting('=HYPERLINK("x")\n\x1b[2J| a \u202egnp', "<b onmouseover=alert(1)>meaning</b>")


class WideDocstring(Plain):
    __doc__ = "very " * 600_000


class EndlessPattern(Plain):
    """Rule: bounded. Won: the harness matches a pattern for ever."""

    word: str = setting("a" * 30 + "!", "m", allowed="(a+)+$")


class ManySettings(Plain):
    """Rule: bounded. Won: a description of megabytes."""

    first: int = setting(1, "m")
    for number in range(3000):
        locals()[f"setting_{number}"] = setting(number, "m" * 100)
        __annotations__[f"setting_{number}"] = int


class LongNames(Plain):
    """Rule: bounded. Won: a setting whose name fills a screen."""

    first: int = setting(1, "m")
    locals()["a" * 100_000] = setting(1, "m")
    __annotations__["a" * 100_000] = int


class NoNumber(Plain):
    """Rule: settings are numbers and short texts. Won: NaN on a record."""

    share: float = setting(float("nan"), "m")


class Lies(type(PruningMethod)):
    """A class of classes that answers otherwise each time."""

    asked = 0

    @property
    def granularity(cls):
        Lies.asked += 1
        return "filter" if Lies.asked % 2 else "<script>"

    @property
    def prune_at(cls):
        return type("Number", (float,), {"__repr__": lambda self: "<script>"})(0.5)


class LyingClass(Plain, metaclass=Lies):
    """Rule: what is declared is data. Won: a declaration that changes between two looks."""


class LeavesItsOwn(Plain):
    """Rule: a description is the harness's. Won: one of its own making, by the end of the process."""

    import json as _json
    import os as _os

    with open("description.json", "w") as _file:
        _json.dump({"name": "<script>", "granularity": "filter", "settings": {}, "summary": "x" * 200_000}, _file)
