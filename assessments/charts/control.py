"""Control chart of defects per lot: the limits step with the number inspected."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from assessments.charts.frame import (
    CONTROL,
    LINE,
    MUTED,
    Frame,
    Rate,
    Size,
    el,
    figure,
    join,
    rate_axis,
    text,
    trim,
    words,
)
from assessments.charts.trend import Point, mark, runs

RUN = 8  # so many neighbours on one side of the centre are no accident


@dataclass(frozen=True)
class Lot:
    """One inspected lot, in order of inspection. `note` goes into its title ("9 of 80"); `few` is drawn open, not judged."""

    label: str
    value: Rate
    note: str = ""
    few: bool = False


def p_chart(
    lots: Sequence[Lot],
    centre: Rate,
    upper: Sequence[Rate],
    lower: Sequence[Rate],
    title: str = "",
    desc: str = "",
    changes: Sequence[int] = (),
) -> SafeString:
    """Defect rate 0..1 per lot, with one upper and one lower limit per lot.

    Outside = square with its value; a lot too small to be judged is open and has no limits, None; the eighth neighbour on
    one side of the centre gets a small 8; `changes` are the places of lots with which a new policy begins. Raises
    ValueError when limits and lots differ in number.
    """
    if not len(lots) == len(upper) == len(lower):
        raise ValueError("one upper and one lower limit per lot")
    numbers = [v for v in [*(lot.value for lot in lots), *upper, centre] if v is not None]
    low, high, step = rate_axis(numbers, lower_is_better=True)
    eighth = _eighth(lots, centre)

    def draw(size: Size) -> SafeString:
        frame = Frame(size, low, high, len(lots))
        parts: list[SafeString] = [frame.scale(step, "%")]
        for place in changes:
            x = (frame.x(place) + frame.x(max(0, place - 1))) / 2
            parts.append(el("line", x1=x, x2=x, y1=size.top, y2=size.plot_bottom, class_="cx", stroke=CONTROL))
        if centre is not None:
            parts.append(frame.rule(centre, class_="cm", stroke=MUTED, stroke_width=1.5))
        for limits in (upper, lower):
            parts.extend(_steps(frame, limits))
        for run in runs([Point(lot.label, lot.value) for lot in lots], lambda p: p.value is not None):
            at = " ".join(f"{trim(frame.x(i))},{trim(frame.y(lots[i].value or 0))}" for i in run)
            if len(run) > 1:
                parts.append(
                    el(
                        "polyline",
                        points=at,
                        class_="cl",
                        fill="none",
                        stroke=LINE,
                        stroke_width=1.75,
                        stroke_linejoin="round",
                    )
                )
        for i, lot in enumerate(lots):
            if lot.value is None:
                continue
            out = _out(lot.value, upper[i], lower[i])
            told = f"{lot.label}: {words(lot.value, '%', 1)}" + (f" ({lot.note})" if lot.note else "")
            x, y = frame.x(i), frame.y(lot.value)
            parts.append(mark(x, y, out, lot.few, told if size.hovers else ""))
            if out:
                parts.append(text(x, max(size.top + 2, y - 9), words(lot.value, "%", 1), anchor="middle", class_="cv"))
            elif i in eighth:
                above = centre is not None and float(lot.value) > float(centre)
                parts.append(text(x, y - 9 if above else y + 18, str(RUN), anchor="middle", class_="ct"))
        parts.append(frame.places([lot.label for lot in lots]))
        parts.append(frame.notes(_names(centre, upper)))
        return join(parts)

    return figure(title, desc, draw)


def _names(centre: Rate, upper: Sequence[Rate]) -> list[tuple[float, str, str]]:
    names: list[tuple[float, str, str]] = []
    if centre is not None:
        names.append((float(centre), gettext("mean %(value)s") % {"value": words(centre, "%", 1)}, ""))
    last = next((u for u in reversed(upper) if u is not None), None)
    if last is not None:
        names.append((float(last), gettext("upper limit"), ""))
    return names


def _out(value: Rate, upper: Rate, lower: Rate) -> bool:
    if value is None:
        return False
    return (upper is not None and float(value) > float(upper)) or (lower is not None and float(value) < float(lower))


def _steps(frame: Frame, limits: Sequence[Rate]) -> list[SafeString]:
    """A limit as stairs: each lot's limit reaches half way to its neighbours."""
    half = (frame.x(1) - frame.x(0)) / 2 if frame.count > 1 else frame.size.plot_width / 2
    parts = []
    for run in runs([Point("", v) for v in limits], lambda p: p.value is not None):
        at = []
        for i in run:
            y = frame.y(limits[i] or 0)
            left = max(frame.size.left, frame.x(i) - half)
            right = min(frame.size.plot_right, frame.x(i) + half)
            at += [f"{trim(left)},{trim(y)}", f"{trim(right)},{trim(y)}"]
        parts.append(
            el(
                "polyline",
                points=" ".join(at),
                class_="cm",
                fill="none",
                stroke=MUTED,
                stroke_width=1.25,
                stroke_dasharray="5 4",
            )
        )
    return parts


def _eighth(lots: Sequence[Lot], centre: Rate) -> set[int]:
    """Places at which a run on one side of the centre reaches eight."""
    found: set[int] = set()
    side, length = 0, 0
    for i, lot in enumerate(lots):
        if lot.value is None or lot.few or centre is None:
            continue
        here = (float(lot.value) > float(centre)) - (float(lot.value) < float(centre))
        length = length + 1 if here == side and here != 0 else int(here != 0)
        side = here
        if length == RUN:
            found.add(i)
    return found
