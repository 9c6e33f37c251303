"""The smoothed rate of lots against a limit that widens until it stands: a slow drift as a picture (SPC-3)."""

from collections.abc import Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from assessments.charts.frame import BREACH, LINE, MUTED, Frame, Size, axis, el, figure, join, text, trim, words
from assessments.charts.trend import mark


def drift(
    labels: Sequence[str],
    levels: Sequence[float],
    limits: Sequence[float],
    signal: int | None = None,
    title: str = "",
    desc: str = "",
) -> SafeString:
    """One level and one limit per lot, in standard errors above the baseline, which is 0.

    A level above its limit is a square; the lot of the place `signal` bears its name. Raises ValueError when levels and
    limits differ in number.
    """
    if not len(labels) == len(levels) == len(limits):
        raise ValueError("one level and one limit per lot")
    low, high, step = axis(min(0.0, *levels) * 1.08, max(*levels, *limits) * 1.08)

    def draw(size: Size) -> SafeString:
        frame = Frame(size, low, high, len(levels))
        at = [f"{trim(frame.x(place))},{trim(frame.y(level))}" for place, level in enumerate(levels)]
        border = [f"{trim(frame.x(place))},{trim(frame.y(limit))}" for place, limit in enumerate(limits)]
        parts: list[SafeString] = [frame.scale(step, ""), frame.rule(0, class_="cm", stroke=MUTED, stroke_width=1.5)]
        parts.append(_line(border, "cli", BREACH, "5 4"))
        parts.append(_line(at, "cl", LINE))
        for place, (level, limit) in enumerate(zip(levels, limits, strict=True)):
            if level > limit:
                told = f"{labels[place]}: {words(level, '', 2)}" if size.hovers else ""
                parts.append(mark(frame.x(place), frame.y(level), True, False, told))
        if signal is not None:
            x, y = frame.x(signal), frame.y(levels[signal])
            anchor = "end" if x > size.plot_right - size.plot_width / 3 else "start"
            parts.append(
                text(x + (-8 if anchor == "end" else 8), max(size.top + 4, y - 9), labels[signal], anchor, "cv")
            )
        parts.append(frame.places(list(labels)))
        parts.append(
            frame.notes(
                [
                    (levels[-1], gettext("now %(value)s") % {"value": words(levels[-1], "", 2)}, "cv"),
                    (limits[-1], gettext("limit %(value)s") % {"value": words(limits[-1], "", 2)}, ""),
                    (0.0, gettext("baseline"), ""),
                ]
            )
        )
        return join(parts)

    return figure(title, desc, draw)


def _line(at: Sequence[str], class_: str, colour: str, dash: str | None = None) -> SafeString:
    return el(
        "polyline",
        points=" ".join(at),
        class_=class_,
        fill="none",
        stroke=colour,
        stroke_width=1.75,
        stroke_linejoin="round",
        stroke_dasharray=dash,
    )
