"""Working calendars of the demo company: the public holidays of the countries it deals with, and one factory's own days."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from factories import public_holidays
from factories.public_holidays import PublicDay
from production.duedates import Calendar

SPRING_FESTIVAL = "Chinese New Year (Spring Festival)"


@dataclass(frozen=True, slots=True)
class CalendarSeed:
    """One working calendar: its name and the ISO days of the week that are off.

    It has a country, or the calendar that it builds on and the one factory it is for.
    """

    code: str
    name: str
    weekend: tuple[int, ...]
    country: str = ""
    base: str = ""
    factory: str = ""


@dataclass(frozen=True, slots=True)
class DayOff:
    """One exception of a calendar; `is_open` marks a make-up working day, no `source` a day set by hand."""

    calendar: str
    day: date
    name: str
    is_open: bool = False
    source: str = ""


CALENDARS = [
    CalendarSeed("quillmoor-cn", "China, factories", (6, 7), "CN"),
    CalendarSeed("quillmoor-vn", "Vietnam, factories", (7,), "VN"),
    CalendarSeed("quillmoor-in", "India, factories", (7,), "IN"),
    CalendarSeed("quillmoor-bd", "Bangladesh, factories", (5,), "BD"),
    CalendarSeed("quillmoor-tr", "Türkiye, factories", (6, 7), "TR"),
    CalendarSeed("quillmoor-id", "Indonesia, factories", (6, 7), "ID"),
    CalendarSeed("quillmoor-us", "Los Angeles warehouse", (6, 7), "US"),
    CalendarSeed("quillmoor-nl", "Rotterdam hub", (6, 7), "NL"),
    CalendarSeed("quillmoor-jp", "Yokohama depot", (6, 7), "JP"),
    CalendarSeed("quillmoor-vn-015", "Buoc Nang Footwear", (7,), base="quillmoor-vn", factory="VN-015"),
]
OWN_CLOSING = (
    8,
    10,
    6,
)  # month, first day and number of days on which the factory with a calendar of its own is closed


@cache
def public_days(country: str, year: int) -> tuple[PublicDay, ...]:
    return tuple(public_holidays.days_of(country, year))


@cache
def spring_festival(year: int) -> date:
    """Chinese New Year's day."""
    return next(each.day for each in public_days("CN", year) if each.name.startswith(SPRING_FESTIVAL))


def exceptions(first: date, last: date) -> list[DayOff]:
    """Every exception of every calendar in the years that the two days span; one per calendar and day."""
    source, found = public_holidays.source(), []
    for year in range(first.year, last.year + 1):
        for seed in CALENDARS:
            if seed.country:
                found += [
                    DayOff(seed.code, each.day, each.name, each.is_open, source)
                    for each in public_days(seed.country, year)
                ]
            else:
                month, day, count = OWN_CLOSING
                begins = date(year, month, day)
                found += [DayOff(seed.code, begins + timedelta(days=n), "Summer closing") for n in range(count)]
    return sorted(found, key=lambda off: (off.calendar, off.day))


class Week:
    """The open and closed days of one calendar, for finding one near a day."""

    def __init__(self, seed: CalendarSeed, days: list[DayOff]) -> None:
        own = [off for off in days if off.calendar == seed.code]
        self.rule = Calendar(
            frozenset(day - 1 for day in seed.weekend),
            frozenset(off.day for off in own if not off.is_open),
            frozenset(off.day for off in own if off.is_open),
        )

    def on_or_after(self, day: date) -> date:
        return self.rule.next_open(day)

    def on_or_before(self, day: date) -> date:
        while not self.rule.is_open(day):
            day -= timedelta(days=1)
        return day

    def is_after_long_holiday(self, day: date) -> bool:
        """Is this within the weeks in which goods run late because the factories were closed for a week?"""
        return sum(day - timedelta(days=count) in self.rule.holidays for count in range(4, 32)) >= 5
