"""The calendars by which factories and sites work, and the running numbers of their working days."""

import datetime

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.history import tracked

FIRST_DAY = datetime.date(2000, 1, 1)
LAST_DAY = datetime.date(2049, 12, 31)

CALENDAR_CODE = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
calendar_code_is_plain = RegexValidator(CALENDAR_CODE, "Use letters A to Z, digits, hyphen, dot or underscore.")

REBUILD = "PERFORM factories_rebuild_working_days(ids.id) FROM (SELECT DISTINCT {column} AS id FROM {source}) AS ids; RETURN NULL;"


def keeps_working_days(column):
    """Statement triggers that number the working days of a changed calendar again."""
    both = "(SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS changed"
    return [
        pgtrigger.Trigger(
            name=f"a_working_days_{name}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=referencing,
            func=REBUILD.replace("{column}", column).replace("{source}", source),
        )
        for name, operation, referencing, source in (
            ("insert", pgtrigger.Insert, pgtrigger.Referencing(new="new_values"), "new_values"),
            ("update", pgtrigger.Update, pgtrigger.Referencing(old="old_values", new="new_values"), both),
            ("delete", pgtrigger.Delete, pgtrigger.Referencing(old="old_values"), "old_values"),
        )
    ]


ONE_STOREY = """
    IF NEW.base_id IS NOT NULL AND (
        EXISTS (SELECT FROM factories_workingcalendar b WHERE b.id = NEW.base_id AND b.base_id IS NOT NULL)
        OR EXISTS (SELECT FROM factories_workingcalendar o WHERE o.base_id = NEW.id)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'calendars_build_one_storey',
            MESSAGE = 'A calendar builds on one that stands by itself.';
    END IF;
    RETURN NULL;
"""


class WorkingCalendarQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Every calendar for those who agree on days with factories; none for others."""
        return self if user.is_authenticated and user.is_active and user.writes_orders() else self.none()


@tracked()
class WorkingCalendar(models.Model):
    """One working calendar: which days of the week are off, and the exceptions to that."""

    code = models.CharField(max_length=40, unique=True, validators=[calendar_code_is_plain])
    name = models.CharField(max_length=80)
    weekend = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="ISO days off: 6 = Saturday, 7 = Sunday.",
    )
    country = models.CharField(
        "public holidays of", max_length=2, blank=True, help_text="ISO 3166 code of the country whose holidays it has."
    )
    known_years = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        editable=False,
        help_text="Years whose public holidays were taken in whole.",
    )
    base = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="built_on_it", verbose_name="builds on"
    )

    objects = WorkingCalendarQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        triggers = [
            *keeps_working_days("id"),
            *[
                pgtrigger.Trigger(
                    name=f"one_storey_{name}",
                    level=pgtrigger.Row,
                    when=pgtrigger.After,
                    operation=operation,
                    func=ONE_STOREY,
                )
                for name, operation in (("insert", pgtrigger.Insert), ("update", pgtrigger.Update))
            ],
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=CALENDAR_CODE),
                name="calendar_code_is_plain",
                violation_error_message="Use letters A to Z, digits, hyphen, dot or underscore.",
            ),
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=r"^[A-Z]{2}$"),
                name="calendar_country_is_iso",
                violation_error_message="Use the two-letter country code, for example VN.",
            ),
            models.CheckConstraint(
                condition=Q(base=None) | Q(country=""),
                name="holidays_come_from_the_base",
                violation_error_message="A calendar that builds on another has the holidays of that one.",
            ),
            models.CheckConstraint(
                condition=Q(weekend__contained_by=[1, 2, 3, 4, 5, 6, 7]),
                name="weekend_days_are_iso",
                violation_error_message="Days off are numbers from 1 (Monday) to 7 (Sunday).",
            ),
            models.CheckConstraint(
                condition=~Q(weekend__contains=[1, 2, 3, 4, 5, 6, 7]),
                name="a_week_has_a_working_day",
                violation_error_message="At least one day of the week must be a working day.",
            ),
        ]

    def __str__(self):
        return self.name

    def exceptions_in_force(self):
        """{day: the exception that counts}: own before those of the base, set by hand before public holidays.

        The same order as in the function `factories_rebuild_working_days`.
        """
        stands_on = list(self.base.exceptions.all()) if self.base_id else []
        rows = sorted(stands_on, key=lambda row: row.is_by_hand)
        rows += sorted(self.exceptions.all(), key=lambda row: row.is_by_hand)
        return {row.day: row for row in rows}

    def known_until(self, today):
        """The last day up to which the public holidays are taken in whole, from `today` on; None where not even this year is.

        Of the base, where the calendar builds on one.
        """
        known, year = self.base.known_years if self.base_id else self.known_years, today.year
        while year + 1 in known:
            year += 1
        return datetime.date(year, 12, 31) if year in known else None


@tracked()
class CalendarException(models.Model):
    """One day on which a calendar differs from its week: a holiday, or a make-up working day."""

    calendar = models.ForeignKey(WorkingCalendar, models.CASCADE, related_name="exceptions")
    day = models.DateField()
    is_open = models.BooleanField("is a working day", default=False)
    name = models.CharField(max_length=120, blank=True)
    source = models.CharField(
        max_length=40, blank=True, editable=False, help_text="The package and its version; empty: set by hand."
    )

    class Meta:
        ordering = ["calendar", "day"]
        triggers = keeps_working_days("calendar_id")
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "day"],
                condition=Q(source=""),
                name="one_exception_per_day",
                violation_error_message="This calendar already has an entry for that day.",
            ),
            models.UniqueConstraint(
                fields=["calendar", "day"],
                condition=~Q(source=""),
                name="one_public_holiday_per_day",
                violation_error_message="This calendar already has a public holiday on that day.",
            ),
            models.CheckConstraint(
                condition=Q(day__gte=FIRST_DAY, day__lte=LAST_DAY),
                name="exception_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
        ]

    def __str__(self):
        return f"{self.day} {'open' if self.is_open else 'closed'}"

    @property
    def is_by_hand(self):
        """Was it set by a person? Such a day wins over a public holiday, and is never touched by taking holidays in."""
        return not self.source


class WorkingDay(models.Model):
    """One open day of a calendar with its running number; day arithmetic is a look-up in it.

    Only triggers write it, 16,000 rows for a calendar; a foreign key would check each of them at every change.
    """

    pk = models.CompositePrimaryKey("calendar", "day")
    calendar = models.ForeignKey(
        WorkingCalendar, models.CASCADE, related_name="working_days", db_index=False, db_constraint=False
    )
    day = models.DateField()
    ordinal = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["calendar", "ordinal"], name="one_working_ordinal"),
        ]
