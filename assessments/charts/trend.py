"""A rate over time: with its interval, target and limit; and the small line for a table cell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from assessments.charts.frame import (
    BREACH,
    LINE,
    OK,
    PAPER,
    Frame,
    Number,
    Rate,
    Size,
    el,
    figure,
    join,
    rate_axis,
    starts_at,
    text,
    trim,
    words,
)


@dataclass(frozen=True)
class Point:
    """One period. `value` None is a gap; `few` an open point (fewer data than needed); `note` goes into its title."""

    label: str
    value: Rate
    low: Rate = None
    high: Rate = None
    few: bool = False
    note: str = ""


def trend(
    points: Sequence[Point],
    target: Rate,
    limit: Rate,
    lower_is_better: bool,
    title: str,
    desc: str,
    unit: str = "%",
) -> SafeString:
    """Rates 0..1 over time. Circle = within the limit, square = outside it, open = few data; band = their intervals."""
    known = [p.value for p in points if p.value is not None]
    solid = [end for p in points if not p.few and p.value is not None for end in (p.low, p.high) if end is not None]
    low, high, step = rate_axis([*known, *solid, *(v for v in (target, limit) if v is not None)], lower_is_better, unit)

    def draw(size: Size) -> SafeString:
        frame = Frame(size, low, high, len(points))
        return join(
            [
                frame.scale(step, unit),
                _strip(frame, limit, lower_is_better),
                *_band(frame, points),
                frame.rule(target, class_="cta", stroke=OK, stroke_width=1.5) if target is not None else "",
                frame.rule(limit, class_="cli", stroke=BREACH, stroke_width=1.5, stroke_dasharray="5 4")
                if limit is not None
                else "",
                *_line(frame, points),
                *_marks(frame, points, limit, lower_is_better, unit),
                frame.places([p.label for p in points]),
                frame.notes(_notes(points, target, limit, unit)),
                text(size.left + 4, size.plot_bottom - 6, starts_at(low, unit)) if low > 0 else "",
            ]
        )

    return figure(title, desc, draw)


def outside(value: Number, limit: Rate, lower_is_better: bool) -> bool:
    if limit is None:
        return False
    return float(value) > float(limit) if lower_is_better else float(value) < float(limit)


def runs(points: Sequence[Point], has: Callable[[Point], bool]) -> Iterator[list[int]]:
    """Places of neighbouring points that have what is asked, gap by gap."""
    run: list[int] = []
    for i, point in enumerate(points):
        if has(point):
            run.append(i)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _strip(frame: Frame, limit: Rate, lower_is_better: bool) -> SafeString | str:
    """Nine units of tint on the bad side of the limit; a whole red area would drown the interval."""
    if limit is None:
        return ""
    y = frame.y(limit)
    return el(
        "rect",
        x=frame.size.left,
        y=y - 9 if lower_is_better else y,
        width=frame.size.plot_width,
        height=9,
        class_="cs",
        fill=BREACH,
        fill_opacity="0.14",
    )


def _band(frame: Frame, points: Sequence[Point]) -> Iterator[SafeString]:
    for run in runs(points, lambda p: p.value is not None and p.low is not None and p.high is not None):
        upper = [(frame.x(i), frame.y(points[i].high or 0)) for i in run]
        lower = [(frame.x(i), frame.y(points[i].low or 0)) for i in run]
        if len(run) == 1:
            x = upper[0][0]
            yield el(
                "line",
                x1=x,
                x2=x,
                y1=upper[0][1],
                y2=lower[0][1],
                class_="ce",
                stroke=LINE,
                stroke_width=5,
                stroke_opacity="0.2",
            )
            continue
        yield el("polygon", points=_at(upper + lower[::-1]), class_="ci", fill=LINE, fill_opacity="0.13")
        for edge in (upper, lower):
            yield el(
                "polyline",
                points=_at(edge),
                class_="ce",
                fill="none",
                stroke=LINE,
                stroke_opacity="0.55",
                stroke_dasharray="1 3",
            )


def _line(frame: Frame, points: Sequence[Point]) -> Iterator[SafeString]:
    for run in runs(points, lambda p: p.value is not None):
        at = [(frame.x(i), frame.y(points[i].value or 0)) for i in run]
        if len(at) > 1:
            yield el(
                "polyline",
                points=_at(at),
                class_="cl",
                fill="none",
                stroke=LINE,
                stroke_width=2,
                stroke_linejoin="round",
            )


def _marks(
    frame: Frame, points: Sequence[Point], limit: Rate, lower_is_better: bool, unit: str
) -> Iterator[SafeString]:
    for i, point in enumerate(points):
        if point.value is None:
            continue
        told = f"{point.label}: {words(point.value, unit, 1)}" + (f" ({point.note})" if point.note else "")
        told = told if frame.size.hovers else ""
        yield mark(frame.x(i), frame.y(point.value), outside(point.value, limit, lower_is_better), point.few, told)


def mark(x: float, y: float, bad: bool, few: bool, told: str) -> SafeString:
    """A point: circle, or square when `bad`; open when `few`; with a name where there is something to tell."""
    name = el("title", escape(told)) if told else ""
    colour = BREACH if bad else LINE
    if few:
        paint: dict[str, object] = {
            "class_": "co cb" if bad else "co",
            "fill": PAPER,
            "stroke": colour,
            "stroke_width": 2,
        }
    else:
        paint = {"class_": "cb" if bad else "cp", "fill": colour, "stroke": PAPER, "stroke_width": 1.5}
    if bad:
        return el("rect", name, x=x - 4.5, y=y - 4.5, width=9, height=9, **paint)
    return el("circle", name, cx=x, cy=y, r=4.5, **paint)


def _notes(points: Sequence[Point], target: Rate, limit: Rate, unit: str) -> list[tuple[Number, str, str]]:
    notes: list[tuple[Number, str, str]] = []
    last = next((p for p in reversed(points) if p.value is not None), None)
    if last is not None and last.value is not None:
        notes.append((last.value, words(last.value, unit, 1), "cv"))
    if target is not None:
        notes.append((target, gettext("target %(value)s") % {"value": words(target, unit)}, ""))
    if limit is not None:
        notes.append((limit, gettext("limit %(value)s") % {"value": words(limit, unit)}, ""))
    return notes


def _at(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{trim(x)},{trim(y)}" for x, y in points)


def sparkline(
    values: Sequence[Rate], y_min: Number, y_max: Number, target: Rate, name: str = "", unit: str = "%"
) -> SafeString:
    """A line of 112 x 28 for a table cell. Give every row of the column the same `y_min` and `y_max`, or the rows lie.

    Fewer than six known values are not a line: the answer is then the words "3 months only".
    """
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    if len(known) < 6:
        only = ngettext("%(count)d month only", "%(count)d months only", len(known)) % {"count": len(known)}
        return format_html('<span class="muted small">{}</span>', only if known else gettext("no data"))
    size = Size("spark", 112, 28, 3, 4, 3, 3)
    low, high = float(y_min), float(y_max)
    frame = Frame(size, low, high if high > low else low + 1, len(values))
    step = size.plot_width / max(1, len(values) - 1)

    def at(place: int, value: Number) -> tuple[float, float]:
        return size.left + place * step, frame.y(value)

    parts: list[SafeString] = []
    if target is not None:
        parts.append(frame.rule(target, class_="cta", stroke=OK, stroke_opacity="0.6", stroke_dasharray="2 2"))
    as_points = [Point("", value) for value in values]
    for run in runs(as_points, lambda p: p.value is not None):
        line = [at(i, values[i] or 0) for i in run]
        parts.append(
            el(
                "polyline",
                points=_at(line),
                class_="cl",
                fill="none",
                stroke=LINE,
                stroke_width=1.75,
                stroke_linejoin="round",
            )
        )
    x, y = at(*known[-1])
    parts.append(el("circle", cx=x, cy=y, r=2.75, class_="ci", fill=LINE))
    told = gettext("%(first)s to %(last)s") % {
        "first": words(known[0][1], unit, 0),
        "last": words(known[-1][1], unit, 0),
    }
    return el(
        "svg",
        join(parts),
        class_="spark",
        width=112,
        height=28,
        viewBox="0 0 112 28",
        role="img",
        aria_label=f"{name}, {told}" if name else told,
    )
