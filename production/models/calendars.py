"""The calendars of the floor below, seen from production: a change of one marks the lines that count by it."""

from factories.models import CalendarException, WorkingCalendar
from production.marks import marks


class MarkedCalendar(WorkingCalendar):
    """A working calendar whose change of weekend is marked."""

    class Meta:
        proxy = True
        triggers = marks(calendar="id")


class MarkedException(CalendarException):
    """A calendar exception whose change is marked."""

    class Meta:
        proxy = True
        triggers = marks(calendar="calendar_id")
