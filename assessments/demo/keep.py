"""What the demo shares with the rest of the house, by natural key, and which of it was there before the demo came."""

from collections.abc import Callable

from django.db import models

from accounts.models import User
from assessments.demo import catalogue
from assessments.demo.calendars import CALENDARS
from assessments.demo.people import PEOPLE
from assessments.demo.places import SITES
from assessments.models import JobSlot
from factories.models import Category, WorkingCalendar
from production.models import Material, Product, Site

JOB = "demo keeps"  # a JobSlot of this name marks a row that the demo found and must leave

# In the order in which they can be removed.
SHARED: list[tuple[str, type[models.Model], str, Callable[[], list[str]]]] = [
    ("user", User, "email", lambda: [person.email for person in PEOPLE]),
    ("product", Product, "code", lambda: [code for code, *_ in catalogue.articles()]),
    ("material", Material, "code", lambda: list(catalogue.MATERIALS)),
    ("site", Site, "code", lambda: list(SITES)),
    ("category", Category, "code", lambda: list(catalogue.CATEGORIES)),
    ("calendar", WorkingCalendar, "code", lambda: [seed.code for seed in CALENDARS]),
]


def note_existing() -> None:
    """Notes the rows that bear a key of the demo and are not of it, before anything is written."""
    found = [
        JobSlot(job=JOB, slot=f"{name}:{key}"[:40])
        for name, model, field, keys in SHARED
        for key in model.objects.filter(**{f"{field}__in": keys()}).values_list(field, flat=True)
    ]
    JobSlot.objects.bulk_create(found, ignore_conflicts=True)


def own(name: str, model: type[models.Model], field: str, keys: Callable[[], list[str]]) -> models.QuerySet:
    """The rows of one shared model that the demo brought."""
    kept = set(JobSlot.objects.filter(job=JOB).values_list("slot", flat=True))
    return model.objects.filter(**{f"{field}__in": [key for key in keys() if f"{name}:{key}"[:40] not in kept]})
