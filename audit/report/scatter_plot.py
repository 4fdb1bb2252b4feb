"""Accuracy against speed-up as an SVG: one point a result, lines between points that can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from prunemark.setups.comparison import S3_1, S3_2, SETUPS

Scale = Callable[[float], float]
Tick = tuple[float, str]
Box = tuple[float, float, float, float]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 860, 460, 60, 50, 20, 20
LETTER = 6.6
"""How wide a letter of a name is about, in pixels."""


@dataclass(frozen=True)
class Point:
    """One result: compression (times), accuracy (percent), the words to show, and whether it is a control."""

    id: str
    speedup: float
    top1: float
    words: str
    control: bool = False


@dataclass(frozen=True)
class Join:
    """Two results that can be compared, under this setup."""

    a: str
    b: str
    setup: str


def _colour(setup: str) -> str:
    """Green from S3.2 on, the least that the founding paper recommends, and over whole pipelines; amber for S3.1."""
    found = SETUPS[setup]
    if found.whole_pipeline or found.factors >= S3_2:
        return "#1a7f37"
    return "#9a6700" if found.factors >= S3_1 else "#999"


def scatter(points: Sequence[Point], joins: Sequence[Join]) -> str:
    """The figure; nothing for fewer than two points. A line has the colour of its setup: see `_colour`."""
    if len(points) < 2:
        return ""
    x_of, y_of, ticks = _scales(points)
    place = {point.id: (x_of(point.speedup), y_of(point.top1)) for point in points}
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="accuracy against speed-up">']
    parts += _axes(ticks)
    for join in joins:
        if join.a in place and join.b in place:
            (xa, ya), (xb, yb) = place[join.a], place[join.b]
            colour = _colour(join.setup)
            parts.append(
                f'<line x1="{xa}" y1="{ya}" x2="{xb}" y2="{yb}" stroke="{colour}" stroke-width="1.2" opacity="0.7">'
                f"<title>{escape(join.setup)}: {escape(join.a)} and {escape(join.b)}</title></line>"
            )
    for point in points:
        x, y = place[point.id]
        fill = "#b35900" if point.control else "#0b5cad"
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}"><title>{escape(point.words)}</title></circle>')
    if len(points) <= 30:
        parts += _labels([(*place[point.id], point.words.split(",")[0][:28]) for point in points])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _labels(points: Sequence[tuple[float, float, str]]) -> list[str]:
    """The names of points at (x, y), each where it covers no point and no other name; where there is no room, none."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y, _ in points]
    parts = []
    for x, y, text in points:
        wide = LETTER * len(text)
        for left, low in ((x + 6, y - 5), (x - 6 - wide, y - 5), (x + 6, y + 13), (x - 6 - wide, y + 13)):
            box = (left, low - 10, left + wide, low + 3)
            inside = left >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                parts.append(f'<text x="{left:.1f}" y="{low:.1f}">{escape(text)}</text>')
                break
    return parts


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _scales(points: Sequence[Point]) -> tuple[Scale, Scale, tuple[list[Tick], list[Tick]]]:
    """(x of a speed-up on a logarithmic axis, y of an accuracy, ticks as (x or y, text) pairs)."""
    logs = [math.log(point.speedup) for point in points]
    tops = [point.top1 for point in points]
    low_x, high_x = min(logs), max(logs)
    low_y, high_y = min(tops), max(tops)
    wide, tall = max(high_x - low_x, 0.05), max(high_y - low_y, 0.1)

    def x_of(speedup: float) -> float:
        return round(LEFT + (math.log(speedup) - low_x + 0.04 * wide) / (1.16 * wide) * (WIDTH - LEFT - RIGHT), 1)

    def y_of(top1: float) -> float:
        return round(HEIGHT - BOTTOM - (top1 - low_y + 0.05 * tall) / (1.1 * tall) * (HEIGHT - BOTTOM - TOP), 1)

    x_ticks = [(x_of(math.exp(low_x + wide * n / 5)), f"{math.exp(low_x + wide * n / 5):.2f}x") for n in range(6)]
    y_ticks = [(y_of(low_y + tall * n / 5), f"{low_y + tall * n / 5:.1f}") for n in range(6)]
    return x_of, y_of, (x_ticks, y_ticks)


def _axes(ticks: tuple[list[Tick], list[Tick]]) -> list[str]:
    floor = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT},{TOP} V{floor} H{WIDTH - RIGHT}" fill="none" stroke="#444"/>']
    parts += [f'<text x="{x}" y="{floor + 18}" text-anchor="middle">{text}</text>' for x, text in ticks[0]]
    parts += [f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{text}</text>' for y, text in ticks[1]]
    parts.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">speed-up (log)</text>')
    parts.append(f'<text x="14" y="{TOP + 4}">top-1 %</text>')
    return parts
