"""Working calendars of the countries the demo company deals with.

The days follow the public holidays of each country closely enough to look right. They are the demo's own data, worked
out by rule, and no substitute for the yearly announcements.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from production.duedates import Calendar

MONDAY, THURSDAY, SATURDAY = 0, 3, 5


@dataclass(frozen=True, slots=True)
class CalendarSeed:
    """One working calendar: its name and the ISO days of the week that are off."""

    code: str
    name: str
    weekend: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayOff:
    """One exception of a calendar; `is_open` marks a make-up working day."""

    calendar: str
    day: date
    name: str
    is_open: bool = False


CALENDARS = [
    CalendarSeed("quillmoor-cn", "China, factories", (6, 7)),
    CalendarSeed("quillmoor-vn", "Vietnam, factories", (7,)),
    CalendarSeed("quillmoor-in", "India, factories", (7,)),
    CalendarSeed("quillmoor-bd", "Bangladesh, factories", (5,)),
    CalendarSeed("quillmoor-tr", "Türkiye, factories", (6, 7)),
    CalendarSeed("quillmoor-id", "Indonesia, factories", (6, 7)),
    CalendarSeed("quillmoor-us", "Los Angeles warehouse", (6, 7)),
    CalendarSeed("quillmoor-nl", "Rotterdam hub", (6, 7)),
    CalendarSeed("quillmoor-jp", "Yokohama depot", (6, 7)),
]

# Feasts that follow the moon, by year; other years take the date of the same place in the 19-year cycle.
LUNAR_NEW_YEAR = {
    2022: (2, 1), 2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2,
    13),
    2030: (2, 3), 2031: (1, 23), 2032: (2, 11), 2033: (1, 31), 2034: (2, 19), 2035: (2, 8), 2036: (1, 28), 2037: (2,
    15),
    2038: (2, 4), 2039: (1, 24), 2040: (2, 12),
}  # fmt: skip
DRAGON_BOAT = {
    2022: (6, 3), 2023: (6, 22), 2024: (6, 10), 2025: (5, 31), 2026: (6, 19), 2027: (6, 9), 2028: (5, 28), 2029: (6,
    16),
    2030: (6, 5), 2031: (6, 24), 2032: (6, 12), 2033: (6, 1), 2034: (6, 20), 2035: (6, 10), 2036: (5, 30), 2037: (6,
    18),
    2038: (6, 7), 2039: (5, 27), 2040: (6, 14),
}  # fmt: skip
MID_AUTUMN = {
    2022: (9, 10), 2023: (9, 29), 2024: (9, 17), 2025: (10, 6), 2026: (9, 25), 2027: (9, 15), 2028: (10, 3), 2029: (9,
    22),
    2030: (9, 12), 2031: (10, 1), 2032: (9, 19), 2033: (9, 8), 2034: (9, 27), 2035: (9, 16), 2036: (10, 4), 2037: (9,
    24),
    2038: (9, 13), 2039: (10, 2), 2040: (9, 21),
}  # fmt: skip
HOLI = {
    2022: (3, 18), 2023: (3, 8), 2024: (3, 25), 2025: (3, 14), 2026: (3, 4), 2027: (3, 22), 2028: (3, 11), 2029: (3, 1),
    2030: (3, 20), 2031: (3, 9), 2032: (3, 27), 2033: (3, 16), 2034: (3, 5), 2035: (3, 24), 2036: (3, 12), 2037: (3, 2),
    2038: (3, 21), 2039: (3, 11), 2040: (2, 28),
}  # fmt: skip
DIWALI = {
    2022: (10, 24), 2023: (11, 12), 2024: (11, 1), 2025: (10, 21), 2026: (11, 8), 2027: (10, 29), 2028: (10, 17),
    2029: (11, 5), 2030: (10, 26), 2031: (11, 14), 2032: (11, 2), 2033: (10, 22), 2034: (11, 10), 2035: (10, 30),
    2036: (10, 19), 2037: (11, 7), 2038: (10, 27), 2039: (10, 17), 2040: (11, 4),
}  # fmt: skip
CYCLE_YEARS = 19
KNOWN_FAST_END = date(2024, 4, 10)
LUNAR_YEAR_DAYS = 354.367


def lunar(table: dict[int, tuple[int, int]], year: int) -> date:
    """The day of a feast in a year, by its table or the table's 19-year cycle."""
    known = min(table) + (year - min(table)) % CYCLE_YEARS
    return date(year, *table[known])


def fast_ends(year: int) -> list[date]:
    """The ends of the fasting month that fall into a year, one or two of them, to about a day."""
    first = round((date(year, 1, 1) - KNOWN_FAST_END).days / LUNAR_YEAR_DAYS) - 1
    days = [KNOWN_FAST_END + timedelta(days=round(LUNAR_YEAR_DAYS * count)) for count in range(first, first + 4)]
    return [day for day in days if day.year == year]


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


def nth(year: int, month: int, weekday: int, count: int) -> date:
    """The `count`-th given weekday of a month; -1 is the last one."""
    if count < 0:
        following = date(year + month // 12, month % 12 + 1, 1)
        return following - timedelta(days=(following.weekday() - weekday - 1) % 7 + 1)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def run(first: date, days: int, name: str) -> list[tuple[date, str]]:
    return [(first + timedelta(days=count), name) for count in range(days)]


def next_saturday(day: date) -> date:
    return day + timedelta(days=(SATURDAY - day.weekday()) % 7)


def fixed(year: int, *days: tuple[int, int, str]) -> list[tuple[date, str]]:
    return [(date(year, month, day), name) for month, day, name in days]


def holidays(country: str, year: int) -> list[tuple[date, str]]:
    """The closed days of one country in one year, weekends among them or not."""
    spring = lunar(LUNAR_NEW_YEAR, year)
    if country == "cn":
        return [
            *fixed(year, (1, 1, "New Year"), (4, 5, "Qingming")),
            *run(spring - timedelta(days=2), 9, "Spring Festival"),
            *run(date(year, 5, 1), 5, "Labour Day"),
            (lunar(DRAGON_BOAT, year), "Dragon Boat Festival"),
            (lunar(MID_AUTUMN, year), "Mid-Autumn Festival"),
            *run(date(year, 10, 1), 7, "National Day"),
        ]
    if country == "vn":
        return [
            *fixed(year, (1, 1, "New Year"), (4, 30, "Reunification Day"), (5, 1, "Labour Day")),
            *run(spring - timedelta(days=2), 8, "Tết"),
            (spring + timedelta(days=68), "Hùng Kings"),
            *run(date(year, 9, 1), 2, "National Day"),
        ]
    if country == "in":
        feast = lunar(DIWALI, year)
        return [
            *fixed(year, (1, 26, "Republic Day"), (5, 1, "May Day"), (8, 15, "Independence Day")),
            *fixed(year, (10, 2, "Gandhi Jayanti"), (12, 25, "Christmas")),
            (lunar(HOLI, year), "Holi"),
            *run(feast - timedelta(days=1), 4, "Diwali"),
            *[(day, "Eid") for day in fast_ends(year)],
        ]
    if country == "bd":
        return [
            *fixed(year, (2, 21, "Language Day"), (3, 26, "Independence Day"), (4, 14, "Pohela Boishakh")),
            *fixed(year, (5, 1, "May Day"), (12, 16, "Victory Day")),
            *[found for day in fast_ends(year) for found in run(day - timedelta(days=1), 4, "Eid al-Fitr")],
            *[found for day in fast_ends(year) for found in run(day + timedelta(days=67), 4, "Eid al-Adha")],
        ]
    if country == "tr":
        return [
            *fixed(year, (1, 1, "New Year"), (4, 23, "Children's Day"), (5, 1, "Labour Day"), (5, 19, "Youth Day")),
            *fixed(year, (7, 15, "Democracy Day"), (8, 30, "Victory Day"), (10, 29, "Republic Day")),
            *[found for day in fast_ends(year) for found in run(day, 3, "Ramazan Bayramı")],
            *[found for day in fast_ends(year) for found in run(day + timedelta(days=68), 4, "Kurban Bayramı")],
        ]
    if country == "id":
        return [
            *fixed(
                year, (1, 1, "New Year"), (5, 1, "Labour Day"), (6, 1, "Pancasila Day"), (8, 17, "Independence Day")
            ),
            *fixed(year, (12, 25, "Christmas")),
            (spring, "Imlek"),
            (easter(year) - timedelta(days=2), "Good Friday"),
            *[found for day in fast_ends(year) for found in run(day - timedelta(days=1), 5, "Idul Fitri")],
            *[(day + timedelta(days=68), "Idul Adha") for day in fast_ends(year)],
        ]
    if country == "us":
        thanks = nth(year, 11, THURSDAY, 4)
        return [
            *fixed(year, (1, 1, "New Year's Day"), (7, 4, "Independence Day"), (12, 25, "Christmas")),
            (nth(year, 1, MONDAY, 3), "Martin Luther King Day"),
            (nth(year, 5, MONDAY, -1), "Memorial Day"),
            (nth(year, 9, MONDAY, 1), "Labor Day"),
            *run(thanks, 2, "Thanksgiving"),
        ]
    if country == "nl":
        return [
            *fixed(year, (1, 1, "New Year"), (4, 27, "King's Day"), (12, 25, "Christmas"), (12, 26, "Boxing Day")),
            (easter(year) + timedelta(days=1), "Easter Monday"),
            (easter(year) + timedelta(days=39), "Ascension"),
            (easter(year) + timedelta(days=50), "Whit Monday"),
        ]
    return [
        *run(date(year, 1, 1), 3, "New Year"),
        *fixed(
            year,
            (2, 11, "Foundation Day"),
            (2, 23, "Emperor's Birthday"),
            (4, 29, "Shōwa Day"),
            (8, 11, "Mountain Day"),
        ),
        *run(date(year, 5, 3), 3, "Golden Week"),
        *fixed(year, (11, 3, "Culture Day"), (11, 23, "Labour Thanksgiving")),
        (nth(year, 1, MONDAY, 2), "Coming of Age Day"),
        (nth(year, 9, MONDAY, 3), "Respect for the Aged Day"),
    ]


def make_up_days(year: int) -> list[tuple[date, str]]:
    """The Saturdays on which China's factories work for their long holidays."""
    spring = lunar(LUNAR_NEW_YEAR, year)
    return [
        (next_saturday(spring - timedelta(days=10)), "Make-up for Spring Festival"),
        (next_saturday(spring + timedelta(days=7)), "Make-up for Spring Festival"),
        (next_saturday(date(year, 5, 6)), "Make-up for Labour Day"),
        (next_saturday(date(year, 10, 8)), "Make-up for National Day"),
    ]


def exceptions(first: date, last: date) -> list[DayOff]:
    """Every exception of every calendar in the years that the two days span; one per calendar and day."""
    found: dict[tuple[str, date], DayOff] = {}
    for year in range(first.year, last.year + 1):
        for seed in CALENDARS:
            country = seed.code[-2:]
            for day, name in holidays(country, year):
                found.setdefault((seed.code, day), DayOff(seed.code, day, name))
            if country == "cn":
                for day, name in make_up_days(year):
                    found.setdefault((seed.code, day), DayOff(seed.code, day, name, is_open=True))
    return sorted(found.values(), key=lambda off: (off.calendar, off.day))


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
