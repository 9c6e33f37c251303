"""Which days a measure covers: rolling windows, calendar months, and the wider window for few data (G-4, SCO-7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from production.errors import BadInput

ALERT_DAYS = 30
GRADE_DAYS = 90
FALLBACK_DAYS = 365
MIN_UNITS = 200
MIN_LOTS = 3
MIN_LINES = 5
MIN_ORDERS = 1

EXTENDED_WINDOW = "extended_window"
SUFFICIENT = "sufficient"
INSUFFICIENT = "insufficient_data"


@dataclass(frozen=True, slots=True)
class Window:
    """A run of local days, first and last included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class WindowData:
    """How much evidence a window of `days` holds: units inspected and lots, or any other count with its minimum."""

    days: int
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """The window used (None when every one holds too little), its flag, and `sufficient` or `insufficient_data`."""

    window_used: int | None
    flag: str | None
    status: str


def rolling(as_of: date, days: int) -> Window:
    """The window of `days` local days that ends on the closed day `as_of`, both ends included (G-4)."""
    if days < 1:
        raise BadInput("A window has at least one day.", "days")
    return Window(as_of - timedelta(days=days - 1), as_of)


def before(window: Window) -> Window:
    """The window of the same length that ends the day before this one begins; the trend arrow compares the two."""
    return rolling(window.first - timedelta(days=1), window.days)


def month(day: date) -> Window:
    """The calendar month that contains `day` (G-4)."""
    first = day.replace(day=1)
    return Window(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


def closed_month(day: date) -> Window:
    """The last calendar month that is over at the end of `day`: its own month on the last day, else the one before."""
    current = month(day)
    return current if day == current.last else month(current.first - timedelta(days=1))


def choose(windows: Iterable[WindowData], minimums: Sequence[int] = (MIN_UNITS, MIN_LOTS)) -> WindowChoice:
    """The first window, in the order given, that reaches every minimum; a later one is flagged as extended (SCO-7)."""
    for place, window in enumerate(windows):
        if len(window.counts) != len(minimums):
            raise BadInput("Each window needs one count per minimum.", "windows")
        if all(count >= minimum for count, minimum in zip(window.counts, minimums, strict=True)):
            return WindowChoice(window.days, EXTENDED_WINDOW if place else None, SUFFICIENT)
    return WindowChoice(None, None, INSUFFICIENT)
