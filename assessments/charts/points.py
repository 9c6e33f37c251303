"""The rule that turns a rate into points, as a picture (SCO-1)."""

from collections.abc import Sequence
from itertools import pairwise

from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from assessments.charts.frame import (
    BREACH,
    CONTROL,
    GRID,
    LINE,
    MUTED,
    OK,
    Number,
    Rate,
    Size,
    el,
    figure,
    join,
    text,
    trim,
    words,
)
from assessments.charts.trend import mark


def points_rule(
    target: Number,
    limit: Number,
    zero: Number,
    value: Rate,
    lower_is_better: bool,
    title: str = "",
    desc: str = "",
    unit: str = "%",
) -> SafeString:
    """100 points at the target, 60 at the limit, 0 at `zero`, straight between; `value` (0..1 or None) is marked."""
    best = min(float(target), 0.0) if lower_is_better else max(float(target), 1.0)
    reach = abs(float(zero) - float(target))
    end = float(zero) + reach * 0.12 if lower_is_better else float(zero) - reach * 0.12
    end = max(0.0, end)

    def draw(size: Size) -> SafeString:
        left, right = size.left + 6, size.plot_right - 6

        def x(rate: Number) -> float:
            """Good at the right, bad at the left, whichever way the rate counts."""
            share = (float(rate) - end) / (best - end) if best != end else 0.0
            return left + min(1.0, max(0.0, share)) * (right - left)

        def y(points: float) -> float:
            return size.plot_bottom - points / 100 * (size.plot_bottom - size.top)

        corners = [(x(end), y(0)), (x(zero), y(0)), (x(limit), y(60)), (x(target), y(100)), (x(best), y(100))]
        parts: list[SafeString] = []
        for points in (0, 60, 100):
            parts.append(
                el("line", x1=size.left, x2=size.plot_right, y1=y(points), y2=y(points), class_="cg", stroke=GRID)
            )
            parts.append(text(size.left - 8, y(points) + 4, str(points), anchor="end"))
        for rate, name, height, class_, colour in (
            (zero, gettext("zero %(value)s"), 0, "cm", MUTED),
            (limit, gettext("limit %(value)s"), 60, "cli", BREACH),
            (target, gettext("target %(value)s"), 100, "cta", OK),
        ):
            parts.append(
                el(
                    "line",
                    x1=x(rate),
                    x2=x(rate),
                    y1=size.plot_bottom,
                    y2=y(height),
                    class_=class_,
                    stroke=colour,
                    stroke_dasharray="4 3",
                )
            )
            label = name % {"value": words(rate, unit)}
            if size.name == "n":
                label = words(rate, unit)
            at = min(max(x(rate), size.left + 14), size.plot_right - 14)
            parts.append(text(at, size.height - 6, label, anchor="middle"))
        line = " ".join(f"{trim(px)},{trim(py)}" for px, py in corners)
        parts.append(
            el(
                "polyline",
                points=line,
                class_="cl",
                fill="none",
                stroke=LINE,
                stroke_width=2.5,
                stroke_linejoin="round",
            )
        )
        if value is not None:
            points_of = _interpolate(float(value), float(target), float(limit), float(zero), lower_is_better)
            px, py = x(value), y(points_of)
            told = gettext("%(value)s gives %(points)s points") % {
                "value": words(value, unit, 1),
                "points": number_format(f"{points_of:.1f}", 1),
            }
            parts.append(
                el("line", x1=size.left, x2=px, y1=py, y2=py, class_="cx", stroke=CONTROL, stroke_dasharray="2 3")
            )
            parts.append(mark(px, py, points_of < 60, False, told))
            # Left of the point and above the line is always room; near the left edge the words go higher.
            reach_of = len(told) * size.font * 0.62
            end_at = max(px - 10, size.left + 4 + reach_of)
            parts.append(
                text(
                    end_at, max(size.top + 10, min(py, _height(corners, end_at)) - 10), told, anchor="end", class_="cv"
                )
            )
        return join(parts)

    return figure(title, desc, draw, Size("w", 720, 236, 44, 16, 16, font=13), Size("n", 358, 208, 32, 12, 16, font=11))


def _height(corners: Sequence[tuple[float, float]], x: float) -> float:
    """Height of the drawn line over a place of the picture."""
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x0 <= x <= x1 and x1 > x0:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return corners[-1][1] if x > corners[-1][0] else corners[0][1]


def _interpolate(value: float, target: float, limit: float, zero: float, lower_is_better: bool) -> float:
    """Where the value lies on the drawn line; the score itself is computed elsewhere, exactly."""
    sign = 1 if lower_is_better else -1
    v, t, m, z = value * sign, target * sign, limit * sign, zero * sign
    if v <= t:
        return 100.0
    if v <= m:
        return 100 - 40 * (v - t) / (m - t)
    if v <= z:
        return 60 * (z - v) / (z - m)
    return 0.0
