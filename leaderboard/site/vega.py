"""Pieces of Vega specifications that the figures share (vega.github.io/vega/docs), as plain dictionaries.

Colours are names of the style sheet's, so that one figure serves light, dark and print. Texts that come from records
are data of a figure, never part of an expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunemark.leaderboard.site.style import Style

Spec = dict[str, Any]
FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
CONFIG: Spec = {
    "font": FONT,
    "axis": {
        "domain": False, "ticks": False, "gridColor": "var(--line)", "labelColor": "var(--faint)", "labelFontSize": 12,
        "labelPadding": 6, "titleColor": "var(--faint)", "titleFontSize": 12, "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "text": {"fill": "var(--ink)", "fontSize": 12},
}  # fmt: skip


def figure(
    description: str,
    *,
    height: int,
    data: Sequence[Spec],
    scales: Sequence[Spec],
    axes: Sequence[Spec],
    marks: Sequence[Spec],
    signals: Sequence[Spec] = (),
    right: str = "8",
    bottom: str = "2",
) -> Spec:
    """A whole figure, as wide as the place it is put in; sizes in pixels. `description` is for screen readers.

    `right` and `bottom` are expressions for the room on these sides; `space` in them is the width of the place.
    """
    measured = "max(containerSize()[0], 200)"
    space = {"name": "space", "init": measured, "on": [{"events": "window:resize", "update": measured}]}
    width = {"name": "width", "update": "space"}
    return {
        "description": description, "config": CONFIG, "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"signal": f"{{left: 2, right: {right}, top: 8, bottom: {bottom}}}"}, "height": height,
        "signals": [space, width, *signals],
        "data": list(data), "scales": list(scales), "axes": list(axes), "marks": list(marks),
    }  # fmt: skip


def values(name: str, rows: Sequence[Mapping[str, Any]]) -> Spec:
    """A data set of its own."""
    return {"name": name, "values": list(rows)}


def linear(name: str, domain: Any, range: str, **more: Any) -> Spec:
    """A linear scale over `range`, width or height."""
    return {"name": name, "type": "linear", "domain": domain, "range": range, "zero": False, "nice": True} | more


def x_axis(title: str, **more: Any) -> Spec:
    """Below the figure, with its title."""
    return {"orient": "bottom", "scale": "x", "title": title, "tickCount": {"signal": "ceil(width / 90)"}} | more


def y_axis(title: str, **more: Any) -> Spec:
    """At the left, with grid lines; its title lies above the figure, where it is read without turning one's head."""
    above = {"titleAngle": 0, "titleAlign": "left", "titleBaseline": "bottom", "titleX": 0, "titleY": -8}
    return {"orient": "left", "scale": "y", "title": title, "grid": True, "tickCount": 6} | above | more


SIGNED: Spec = {
    "labels": {"update": {"text": {"signal": "datum.value === 0 ? '0' : format(datum.value, '+')"}}},
}
"""Labels of an axis of differences."""


def at(scale: str, field: str, **more: Any) -> Spec:
    """A position: a field on a scale."""
    return {"scale": scale, "field": field} | more


def mark(kind: str, source: str | None, *, seen: bool = False, clip: bool = False, **encoding: Any) -> Spec:
    """Marks of one kind, one a row of a data set. Unless `seen`, the mouse does not notice them.

    Encodings are Vega's; anything else, such as a number, stands for itself.
    """
    channels = {name: c if _is_rule(c) else {"value": c} for name, c in encoding.items()}
    place = {"from": {"data": source}} if source else {}
    # a screen reader gets the description of the figure and the table beside it, not hundreds of dots
    return {"type": kind, "encode": {"update": channels}, "interactive": seen, "clip": clip, "aria": False} | place


def _is_rule(encoding: Any) -> bool:
    """Whether it is in Vega's form already: one rule, or several to be tried in turn."""
    return isinstance(encoding, dict) or (isinstance(encoding, list) and all(isinstance(e, dict) for e in encoding))


def style_scales(names: Sequence[str], styles: Mapping[str, Style]) -> list[Spec]:
    """Scales from the number of a method in `names` to its name, colour, outline and dashes."""
    shown = [styles[name] for name in names]
    ranges = {
        "name": list(names),
        "colour": [style.colour for style in shown],
        "shape": [style.shape for style in shown],
        "dash": [list(style.dash) for style in shown],
    }
    return [
        {"name": name, "type": "ordinal", "domain": list(range(len(names))), "range": range_}
        for name, range_ in ranges.items()
    ]


def by_method(*marks: Spec, source: str) -> Spec:
    """Marks drawn once a method, from the rows of `source` with its number in `m`; they name their data `method`."""
    return {
        "type": "group",
        "from": {"facet": {"name": "method", "data": source, "groupby": "m"}},
        "marks": list(marks),
    }
