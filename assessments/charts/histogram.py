"""How many days late: one bar per day, the tails gathered."""

from collections.abc import Mapping

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from assessments.charts.frame import BREACH, CONTROL, OK, Frame, Size, axis, el, figure, join, text


def histogram(
    days: Mapping[int, int], grace: int = 0, title: str = "", desc: str = "", earliest: int = -7, latest: int = 14
) -> SafeString:
    """`days` counts order lines per days late (negative = early). Bars past `grace` days are late; days before
    `earliest` and after `latest` are gathered in the outer bars."""
    places = range(earliest, latest + 1)
    counts = dict.fromkeys(places, 0)
    for day, count in days.items():
        counts[min(latest, max(earliest, day))] += count
    low, high, step = axis(0, max([*counts.values(), 4]), 4)
    step = max(1.0, step)
    high = step * -(-high // step)

    def draw(size: Size) -> SafeString:
        frame = Frame(size, low, high, len(places))
        slot = size.plot_width / len(places)
        parts: list[SafeString] = [frame.scale(step, "")]
        shown = {earliest, 0, grace + 1, latest} | {d for d in places if d % 7 == 0}
        if size.name == "n":
            shown = {earliest, 0, 7, latest}
        for i, day in enumerate(places):
            x = size.left + i * slot
            late = day > grace
            if counts[day]:
                y = frame.y(counts[day])
                told = el("title", f"{_name(day, earliest, latest)}: {counts[day]}")
                parts.append(
                    el(
                        "rect",
                        told,
                        x=x + 1,
                        y=y,
                        width=slot - 2,
                        height=size.plot_bottom - y,
                        rx=1.5,
                        class_="bar-bad" if late else "bar-ok",
                        fill=BREACH if late else OK,
                    )
                )
            if day in shown and not (size.name == "w" and day == grace + 1 and day % 7 and grace < 2):
                parts.append(text(x + slot / 2, size.height - 6, _name(day, earliest, latest), anchor="middle"))
        edge = size.left + (grace + 1 - earliest) * slot
        parts.append(
            el(
                "line",
                x1=edge,
                x2=edge,
                y1=size.top,
                y2=size.plot_bottom,
                class_="cx",
                stroke=CONTROL,
                stroke_dasharray="3 3",
            )
        )
        parts.append(text(edge - 6, size.top + 8, gettext("on time"), anchor="end"))
        parts.append(text(edge + 6, size.top + 8, gettext("late"), class_="ct"))
        parts.append(
            el(
                "line",
                x1=size.left,
                x2=size.plot_right,
                y1=size.plot_bottom,
                y2=size.plot_bottom,
                class_="cx",
                stroke=CONTROL,
            )
        )
        return join(parts)

    return figure(title, desc, draw, Size("w", 720, 240, 44, 12, font=13), Size("n", 358, 200, 32, 8, font=11))


def _name(day: int, earliest: int, latest: int) -> str:
    if day == earliest:
        return f"≤ −{-day}" if day < 0 else f"≤ {day}"
    if day == latest:
        return f"≥ +{day}"
    return f"−{-day}" if day < 0 else f"+{day}" if day else "0"
