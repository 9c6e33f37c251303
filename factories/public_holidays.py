"""Public holidays and make-up working days of countries, from the package `holidays`, and how a calendar takes them in.

The package knows the laws of each country, and what its government announced. Where make-up days are announced for one
year at a time, a later year is known by its law only; that is said, never passed over.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from django.db import transaction

from factories.models import FIRST_DAY, LAST_DAY, CalendarException, WorkingCalendar

ESTIMATED = "(estimated)"  # the package's word for feasts that hang on the sight of the moon
# These move working days to weekends by a decree for each year; what the package has of it ends with a year.
ANNOUNCED_BY_YEAR = frozenset(["BY", "CN", "HU", "LV", "RU", "UZ", "VN"])
MOVED = re.compile(r"\(substituted from (\d\d)/(\d\d)/(\d{4})\)")


@cache
def _package() -> Any:
    """Loaded when somebody asks: it reads a file for each country of the world."""
    return import_module("holidays")


@cache
def names() -> dict[str, str]:
    """{code: name} of every country whose holidays the package has."""
    registered = import_module("holidays.registry").COUNTRIES
    small = ("and", "of", "the")
    return {
        codes[1]: " ".join(part if part in small else part.capitalize() for part in key.split("_"))
        for key, codes in registered.items()
    }


def source() -> str:
    """The package and its version, as the days that come from it are marked."""
    return f"holidays {_package().__version__}"


class NotTaken(ValueError):
    """Raised where holidays cannot be taken in; `message` is a sentence a person can read."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class PublicDay:
    """One day on which a country differs from its week: closed, or open as a make-up working day."""

    day: datetime.date
    name: str
    is_open: bool = False


@dataclass(slots=True)
class Taken:
    """What taking in changed: days added, removed and named or turned otherwise; days that a person had set otherwise.

    `unknown` are the years whose make-up days the package does not have, `absent` those of which it knows nothing.
    """

    country: str
    years: list[int]
    added: list[PublicDay] = field(default_factory=list)
    removed: list[PublicDay] = field(default_factory=list)
    changed: list[PublicDay] = field(default_factory=list)
    overruled: list[PublicDay] = field(default_factory=list)
    estimated: int = 0
    unknown: list[int] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """The same for people."""
        counts = [
            f"{len(days)} {word}"
            for days, word in ((self.added, "added"), (self.changed, "changed"), (self.removed, "removed"))
            if days
        ]
        said = [
            f"{names().get(self.country, self.country)}, {_list(self.years)}: {', '.join(counts) or 'nothing new'} ({source()})."
        ]
        if self.removed:
            said.append(f"No longer a public holiday: {_list(day.day for day in self.removed)}.")
        if self.overruled:
            said.append(f"Set by hand, so left as it is: {_list(day.day for day in self.overruled)}.")
        if self.estimated:
            said.append(f"{self.estimated} of the days are estimated: they hang on the sight of the moon.")
        if self.unknown:
            said.append(
                f"Not known yet: the make-up days of {_list(self.unknown)}. They are announced for one year at a time; "
                f"only the holidays of the law are entered. Take them in again when a newer package knows them."
            )
        if self.absent:
            said.append(f"Not known at all: {_list(self.absent)}. {source()} has no holidays for it.")
        return said


def last_known_year(country: str) -> int:
    """The last year of which the package has every holiday and make-up day. Raises NotTaken for an unknown country."""
    found = _of(country, ())
    if country not in ANNOUNCED_BY_YEAR:
        return int(found.end_year)
    return max(year for year, days in found.special_public_holidays.items() if any(map(_is_move, _each(days))))


def days_of(country: str, year: int) -> list[PublicDay]:
    """The public holidays and make-up working days of one year, in order; of a year not announced yet those of the law.

    Raises NotTaken for a country that the package does not have.
    """
    found = _of(country, (year,), observed=year <= last_known_year(country))
    instead = {}
    closed = []
    for day, name in found.items():
        if day.year != year:
            continue
        if moved := MOVED.search(name):
            month, of_month, in_year = (int(part) for part in moved.groups())
            worked = datetime.date(in_year, month, of_month)
            instead[worked] = day
            name = MOVED.sub(f"(worked on {worked} instead)", name)
        closed.append(PublicDay(day, _short(name)))
    opened = [
        PublicDay(day, f"Make-up working day for {instead[day]}" if day in instead else "Make-up working day", True)
        for day in found.weekend_workdays
        if day.year == year
    ]
    return sorted([*closed, *opened], key=lambda each: each.day)


def take_in(calendar: WorkingCalendar, country: str, years: Iterable[int]) -> Taken:
    """Makes the public holidays of a calendar in these years those of the country; safe to run again, and then adds nothing.

    Days set by hand stay as they are, and win. Raises NotTaken where the calendar builds on another, has another
    country, or the years lie outside the calendar.
    """
    done = Taken(country, sorted(set(years)))
    if not done.years or not all(FIRST_DAY.year <= year <= LAST_DAY.year for year in done.years):
        raise NotTaken(f"The years must lie between {FIRST_DAY.year} and {LAST_DAY.year}.")
    last = last_known_year(country)
    wanted = {each.day: each for year in done.years for each in days_of(country, year)}
    with transaction.atomic():
        calendar = WorkingCalendar.objects.select_for_update().get(pk=calendar.pk)
        if calendar.base_id:
            raise NotTaken("This calendar builds on another: take the holidays in there.")
        if calendar.country not in ("", country):
            raise NotTaken(f"This calendar has the holidays of {names().get(calendar.country, calendar.country)}.")
        rows = list(calendar.exceptions.filter(day__year__in=done.years))
        have = {row.day: row for row in rows if not row.is_by_hand}
        by_hand = {row.day: row for row in rows if row.is_by_hand}
        done.added = [each for day, each in wanted.items() if day not in have]
        done.removed = [PublicDay(day, row.name, row.is_open) for day, row in have.items() if day not in wanted]
        done.changed = [
            each
            for day, each in wanted.items()
            if day in have and (have[day].name, have[day].is_open) != (each.name, each.is_open)
        ]
        done.overruled = [
            each for day, each in wanted.items() if day in by_hand and by_hand[day].is_open != each.is_open
        ]
        _store(calendar, done, have)
        empty = {year for year in done.years if not any(day.year == year for day in wanted)}
        done.absent = sorted(empty)
        done.unknown = [year for year in done.years if year > last and year not in empty]
        done.estimated = sum(ESTIMATED in each.name for each in wanted.values())
        known = sorted(set(calendar.known_years) - set(done.years) | {y for y in done.years if y <= last} - empty)
        if (calendar.country, calendar.known_years) != (country, known):
            calendar.country, calendar.known_years = country, known
            calendar.save(update_fields=["country", "known_years"])
    return done


def _store(calendar: WorkingCalendar, done: Taken, have: dict[datetime.date, CalendarException]) -> None:
    """Writes what differs; each kind in one statement, because each numbers the working days again."""
    if done.removed:
        calendar.exceptions.filter(pk__in=[have[each.day].pk for each in done.removed]).delete()
    if done.changed:
        for each in done.changed:
            row = have[each.day]
            row.name, row.is_open, row.source = each.name, each.is_open, source()
        CalendarException.objects.bulk_update([have[each.day] for each in done.changed], ["name", "is_open", "source"])
    if done.added:
        CalendarException.objects.bulk_create(
            CalendarException(calendar=calendar, day=each.day, name=each.name, is_open=each.is_open, source=source())
            for each in done.added
        )


def _of(country: str, years: Iterable[int], observed: bool = True) -> Any:
    if country not in names():
        raise NotTaken(f"“{country}” is not a country whose holidays are known.")
    languages = _package().country_holidays(country).supported_languages
    english = next((each for each in ["en_US", *languages] if each in languages and each.startswith("en")), None)
    return _package().country_holidays(country, years=years, observed=observed, language=english, expand=False)


def _each(days: tuple[Any, ...]) -> tuple[Any, ...]:
    """The package lists one special day of a year alone, several as a tuple of them."""
    return days if days and isinstance(days[0], tuple) else (days,)


def _is_move(day: tuple[Any, ...]) -> bool:
    """(month, day, month, day worked instead, and the year of that where it is another one)."""
    return len(day) >= 4


def _short(name: str) -> str:
    limit = CalendarException._meta.get_field("name").max_length
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def _list(things: Iterable[object]) -> str:
    return ", ".join(str(each) for each in things)
