"""Who changed what, and when: the history of a row, as the database kept it, in sentences."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from accounts.models import User
from production.wording import amount, day, moment

SKIPPED = {
    "id",
    "version",
    "idem",
    "recorded_at",
    "recorded_by",
    "factory",
    "is_demo",
    "source_key",
    "severity_because",
}


@dataclass
class Entry:
    """One change: when, by whom, and in words what was there before and after."""

    at: datetime
    when: str
    who: str
    what: str
    changes: list[tuple[str, str, str]]


def story(row: Model, zone: str) -> list[Entry]:
    """The history of one row, newest first."""
    events = list(row.events.order_by("pgh_id"))
    people = User.objects.in_bulk({_user_id(event) for event in events} - {None})
    entries, before = [], None
    for event in events:
        person = people.get(_user_id(event))
        changes = _changes(row, before, event) if before is not None else []
        if before is None or changes:
            entries.append(
                Entry(
                    at=event.pgh_created_at,
                    when=moment(event.pgh_created_at, zone),
                    who=str(person) if person else _origin(event),
                    what=_("logged") if before is None else _("changed"),
                    changes=changes,
                )
            )
        before = event
    return entries[::-1]


def _user_id(event) -> int | None:
    return (event.pgh_context or {}).get("user")


def _origin(event) -> str:
    """Where a change came from that no signed-in person made."""
    context = event.pgh_context or {}
    if context.get("command") == "import_orders":
        return _("Import of %(file)s by %(account)s") % {
            "file": context["file"],
            "account": context.get("account") or _("the system"),
        }
    return _("The system")


def _changes(row, before, after) -> list[tuple[str, str, str]]:
    found = []
    for field in row._meta.concrete_fields:
        if field.name in SKIPPED or getattr(field, "generated", False):
            continue
        old, new = getattr(before, field.attname), getattr(after, field.attname)
        if old != new:
            found.append((str(field.verbose_name), _shown(field, old), _shown(field, new)))
    return found


def _shown(field, value: Any) -> str:
    if value in (None, ""):
        return "–"
    if field.is_relation:
        return str(field.related_model._base_manager.filter(pk=value).first() or value)
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, Decimal):
        return amount(value)
    return day(value) if hasattr(value, "year") and not hasattr(value, "hour") else str(value)
