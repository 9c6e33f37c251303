"""Working calendars as people use them: who works by which, a day set by hand, a factory with a calendar of its own."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from factories.models import CalendarException, Factory, WorkingCalendar
from production.models import OrderLine, Site

ENDS_SOON = datetime.timedelta(days=60)


def ending(today: datetime.date) -> list[tuple[WorkingCalendar, datetime.date | None]]:
    """The calendars in use whose public holidays are known for less than 60 days more, and until when. Three queries.

    In use: an active factory or a site works by it, or by one that builds on it. A calendar without a country has only
    days that people set, and no end.
    """
    used = set(Factory.objects.active().exclude(calendar=None).values_list("calendar", flat=True))
    used |= set(Site.objects.exclude(calendar=None).values_list("calendar", flat=True))
    found = WorkingCalendar.objects.exclude(country="").filter(Q(pk__in=used) | Q(built_on_it__in=used)).distinct()
    known = [(calendar, calendar.known_until(today)) for calendar in found]
    return [(calendar, last) for calendar, last in known if last is None or last < today + ENDS_SOON]


def users_of(calendar: WorkingCalendar) -> dict[str, Any]:
    """Who works by a calendar: factories, sites, calendars that build on it, and how many order lines."""
    return {
        "factories": list(calendar.factories.order_by("name")),
        "sites": list(calendar.sites.order_by("name")),
        "built_on_it": list(calendar.built_on_it.order_by("name")),
        "lines": OrderLine.objects.filter(calendar=calendar).count(),
    }


def set_by_hand(calendar: WorkingCalendar, first: datetime.date, last: datetime.date, is_open: bool, name: str) -> int:
    """Sets every day from `first` to `last` by hand, in place of what was set by hand before; the number of days."""
    days = [first + datetime.timedelta(days=count) for count in range((last - first).days + 1)]
    with transaction.atomic():
        WorkingCalendar.objects.select_for_update().get(pk=calendar.pk)
        before = calendar.exceptions.filter(source="", day__in=days)
        known = set(before.values_list("day", flat=True))
        before.update(is_open=is_open, name=name)
        CalendarException.objects.bulk_create(
            CalendarException(calendar=calendar, day=day, is_open=is_open, name=name)
            for day in days
            if day not in known
        )
    return len(days)


def give(calendar: WorkingCalendar, factory: Factory) -> None:
    """From now on the factory works by this calendar; lines keep the one they were agreed with."""
    Factory.objects.filter(pk=factory.pk).update(calendar=calendar)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a year at a glance: `kind` is open, off, holiday or make_up."""

    day: datetime.date
    kind: str
    row: CalendarException | None
    is_own: bool

    @property
    def is_by_hand(self) -> bool:
        return self.row is not None and self.row.is_by_hand


def year_of(calendar: WorkingCalendar, year: int) -> list[Day]:
    """Every day of a year and what it is."""
    differs = calendar.exceptions_in_force()
    first = datetime.date(year, 1, 1)
    found = []
    for count in range((datetime.date(year + 1, 1, 1) - first).days):
        day = first + datetime.timedelta(days=count)
        row = differs.get(day)
        is_off = day.isoweekday() in calendar.weekend
        if row is None:
            kind = "off" if is_off else "open"
        elif row.is_open:
            kind = "make_up" if is_off else "open"
        else:
            kind = "holiday"
        found.append(Day(day, kind, row, row is not None and row.calendar_id == calendar.pk))
    return found
