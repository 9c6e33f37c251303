"""How many grades would have been better and worse: a bar up and a bar down for each month."""

import math
from collections.abc import Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from assessments.charts.frame import BREACH, CONTROL, GRID, OK, Frame, Size, el, figure, join, nice_step, text

WIDE = Size("w", 720, 240, 44, 70, top=20, bottom=42, font=13)
NARROW = Size("n", 358, 200, 32, 52, top=18, bottom=38, font=11)


def grade_changes(months: Sequence[tuple[str, int, int]], title: str = "", desc: str = "") -> SafeString:
    """`months` are (name, grades better, grades worse), oldest first."""
    up = max((better for _, better, _ in months), default=0)
    down = max((worse for _, _, worse in months), default=0)
    step = math.ceil(nice_step(max(1, up + down), 4))
    low, high = -step * math.ceil(down / step), step * max(math.ceil(up / step), not down)

    def draw(size: Size) -> SafeString:
        frame = Frame(size, low, high, len(months))
        parts = [
            part
            for tick in range(low, high + 1, step)
            for part in (
                frame.rule(tick, class_="cg", stroke=GRID),
                text(size.left - 8, frame.y(tick) + 4, str(abs(tick)), anchor="end"),
            )
        ]
        slot = size.plot_width / max(1, len(months))
        longest = max((len(name) for name, _, _ in months), default=1)
        every = math.ceil((longest * size.font * 0.62 + 8) / slot)
        for place, (name, better, worse) in enumerate(months):
            x = size.left + place * slot
            parts += [bar for count in (better, -worse) if count for bar in _bar(frame, x, slot, name, count)]
            if (len(months) - 1 - place) % every == 0:
                parts.append(text(x + slot / 2, size.height - 6, name, anchor="middle"))
        parts.append(frame.rule(0, class_="cx", stroke=CONTROL))
        words = (high, gettext("better")), (low, gettext("worse"))
        parts += [text(size.plot_right + 8, frame.y(end / 2) + 4, word, class_="ct") for end, word in words if end]
        return join(parts)

    return figure(title, desc, draw, WIDE, NARROW)


def _bar(frame: Frame, x: float, slot: float, name: str, count: int) -> list[SafeString]:
    """One bar from the zero line with its count at its end; downwards below zero."""
    top, bottom = frame.y(max(0, count)), frame.y(min(0, count))
    is_better = count > 0
    told = el("title", f"{name}: {abs(count)} {gettext('better') if is_better else gettext('worse')}")
    shape = el(
        "rect", told, x=x + 2, y=top, width=slot - 4, height=bottom - top, rx=1.5,
        class_="bar-ok" if is_better else "bar-bad", fill=OK if is_better else BREACH,
    )  # fmt: skip
    y = top - 4 if is_better else bottom + frame.size.font
    return [shape, text(x + slot / 2, y, str(abs(count)), anchor="middle", class_="ct")]
