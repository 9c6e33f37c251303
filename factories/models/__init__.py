from factories.models.calendars import FIRST_DAY, LAST_DAY, CalendarException, WorkingCalendar, WorkingDay
from factories.models.factories import Category, Contact, Factory, Membership, code_is_plain, zone_exists
from factories.models.standing import Consequence, OrderRule, Severity, Standing, StandingOverride

__all__ = [
    "FIRST_DAY",
    "LAST_DAY",
    "CalendarException",
    "Category",
    "Consequence",
    "Contact",
    "Factory",
    "Membership",
    "OrderRule",
    "Severity",
    "Standing",
    "StandingOverride",
    "WorkingCalendar",
    "WorkingDay",
    "code_is_plain",
    "zone_exists",
]
