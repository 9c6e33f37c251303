"""What all charts share: the two sizes, the scales, escaping, numbers in words, labels that do not cover each other."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

Number = Decimal | float | int
Rate = Decimal | float | int | None

# Colours of the light theme, for paper and mail. On screen the classes win.
TEXT, MUTED, GRID, CONTROL = "#1B1F24", "#545C68", "#E3E7EC", "#737C89"
LINE, OK, BREACH, PAPER = "#0A58A8", "#008577", "#8F1D0B", "#FFFFFF"


def el(name: str, content: str = "", **attributes: object) -> SafeString:
    """One element; attributes are always escaped, content unless it is markup already.

    In attribute names `_` reads `-` and a last `_` is dropped; None leaves the attribute out.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None:
            continue
        text = trim(value) if isinstance(value, float) else str(value)
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"')
    body = conditional_escape(content)
    parts.append(f">{body}</{name}>" if body else "/>")
    return mark_safe("".join(parts))


def join(parts: Iterable[str]) -> SafeString:
    """Markup of several elements; a part that is not marked safe is escaped."""
    return mark_safe("".join(conditional_escape(part) for part in parts))


def trim(value: float) -> str:
    """A coordinate with one decimal, without a trailing zero."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


def words(value: Number, unit: str = "%", places: int | None = None) -> str:
    """A value in the active language: 0.714 -> "71.4%". Without `places`, no decimals that say nothing."""
    shown = float(value) * 100 if unit == "%" else float(value)
    if places is None:
        places = next((p for p in (0, 1) if abs(round(shown, p) - shown) < 1e-9), 2)
    number = number_format(Decimal(f"{shown:.{places}f}"), places, use_l10n=True, force_grouping=True)
    return f"{number}{unit}" if unit == "%" or not unit else f"{number} {unit}"


@dataclass(frozen=True)
class Size:
    """One of the two drawings."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int = 12
    bottom: int = 26
    font: int = 12

    @property
    def hovers(self) -> bool:
        """Whether points are named where the pointer rests; a phone has none, and the table beneath names them all."""
        return self.name == "w"

    @property
    def plot_right(self) -> int:
        return self.width - self.right

    @property
    def plot_bottom(self) -> int:
        return self.height - self.bottom

    @property
    def plot_width(self) -> int:
        return self.width - self.left - self.right


WIDE = Size("w", 720, 272, 50, 104, font=13)
NARROW = Size("n", 358, 232, 38, 72, font=11)


@dataclass(frozen=True)
class Frame:
    """A plot area with a value scale upwards and `count` places from left to right."""

    size: Size
    low: float
    high: float
    count: int

    def y(self, value: Number) -> float:
        """Height of a value; values outside the axis stay on its edge."""
        share = (float(value) - self.low) / (self.high - self.low)
        return self.size.plot_bottom - min(1.0, max(0.0, share)) * (self.size.plot_bottom - self.size.top)

    def x(self, place: int) -> float:
        inset = 10
        if self.count < 2:
            return self.size.left + self.size.plot_width / 2
        return self.size.left + inset + place * (self.size.plot_width - 2 * inset) / (self.count - 1)

    def rule(self, value: Number, **attributes: object) -> SafeString:
        """A level line over the whole plot."""
        y = self.y(value)
        return el("line", "", x1=self.size.left, x2=self.size.plot_right, y1=y, y2=y, **attributes)

    def scale(self, step: float, unit: str) -> SafeString:
        """Grid lines with their values at the left."""
        ticks = [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]
        return join(
            part
            for tick in ticks
            for part in (
                self.rule(tick, class_="cg", stroke=GRID),
                text(self.size.left - 8, self.y(tick) + 4, words(round(tick, 6), unit), anchor="end"),
            )
        )

    def places(self, labels: Sequence[str]) -> SafeString:
        """The names under the plot: as many as fit, counted back from the last."""
        longest = max((len(label) for label in labels), default=1)
        room = longest * self.size.font * 0.62 + 12
        step = max(1, math.ceil(len(labels) * room / self.size.plot_width))
        y = self.size.height - 6
        last = len(labels) - 1
        return join(
            text(self.x(i), y, label, anchor="middle") for i, label in enumerate(labels) if (last - i) % step == 0
        )

    def notes(self, notes: Sequence[tuple[Number, str, str]]) -> SafeString:
        """Labels right of the plot, each (value, text, class), moved apart so that none covers another."""
        gap = self.size.font + 3
        ordered = sorted(notes, key=lambda note: self.y(note[0]))
        heights: list[float] = []
        for value, _, _ in ordered:
            wanted = self.y(value) + 4
            heights.append(max(wanted, heights[-1] + gap) if heights else wanted)
        over = heights[-1] - (self.size.plot_bottom + 4) if heights else 0
        if over > 0:
            heights[-1] -= over
            for i in range(len(heights) - 2, -1, -1):
                heights[i] = min(heights[i], heights[i + 1] - gap)
        return join(
            text(self.size.plot_right + 8, y, label, class_=class_)
            for (_, label, class_), y in zip(ordered, heights, strict=True)
        )


def text(x: float, y: float, content: str, anchor: str | None = None, class_: str | None = None) -> SafeString:
    strong = class_ in ("ct", "cv")
    return el(
        "text",
        escape(content),
        x=x,
        y=y,
        text_anchor=anchor,
        class_=class_,
        fill=TEXT if strong else MUTED,
        font_weight="bold" if class_ == "cv" else None,
    )


def figure(
    title: str, desc: str, draw: Callable[[Size], SafeString], wide: Size = WIDE, narrow: Size = NARROW
) -> SafeString:
    """Both drawings with their name and description."""
    return el("div", join(svg(size, title, desc, draw(size)) for size in (wide, narrow)), class_="chart")


def svg(size: Size, title: str, desc: str, body: SafeString) -> SafeString:
    return el(
        "svg",
        join([el("title", escape(title)), el("desc", escape(desc)) if desc else "", body]),
        class_=size.name,
        viewBox=f"0 0 {size.width} {size.height}",
        role="img",
        font_size=size.font,
        font_family="sans-serif",
    )


def nice_step(span: float, parts: int = 5) -> float:
    """The round step (1, 2, 2.5, 5 times a power of ten) that divides `span` into about `parts`."""
    rough = max(span, 1e-6) / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)


def axis(low: float, high: float, parts: int = 5) -> tuple[float, float, float]:
    """Round ends and step around the values: (low, high, step)."""
    step = nice_step(high - low, parts)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def rate_axis(values: Iterable[Number], lower_is_better: bool, unit: str = "%") -> tuple[float, float, float]:
    """Axis for a rate: from zero where low is good; up to 100 % and cut below where high is good."""
    numbers = [float(value) for value in values]
    if lower_is_better:
        most = max(numbers, default=0.05)
        return axis(0.0, min(most * 1.08, max(most, 1.0)) or 0.01)
    top = 1.0 if unit == "%" else max(numbers, default=1.0)
    low, high, step = axis(max(0.0, min(numbers, default=0.5) - 0.02), top)
    return max(0.0, low), high, step


def starts_at(low: float, unit: str) -> str:
    """The words for a cut axis; empty when it starts at zero."""
    return gettext("axis starts at %(value)s") % {"value": words(round(low, 6), unit)} if low > 0 else ""
