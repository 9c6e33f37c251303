"""What stands against a row behind a number: an exclusion that waits, an open dispute, and the ways to propose either."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from factories.models import Factory
from production.models import Dispute, Exclusion, Inspection, LineOutcome, LotOutcome, MaterialOutcome

SUBJECTS = {LineOutcome: "line", LotOutcome: "lot", MaterialOutcome: "order_material", Inspection: "lot"}


def with_objections(found: QuerySet, reader: User) -> QuerySet:
    """The rows with the keys of what stands against each of them: `aside_pk` an exclusion, `dispute_pk` a dispute.

    Rows that are set aside or are deliveries have neither. No query of its own.
    """
    name = SUBJECTS.get(found.model)
    if name is None:
        return found
    of_row = {name: OuterRef(f"{name}_id")}
    return found.annotate(
        aside_pk=Subquery(Exclusion.objects.visible_to(reader).standing().filter(**of_row).values("pk")[:1]),
        dispute_pk=Subquery(Dispute.objects.visible_to(reader).open().filter(**of_row).values("pk")[:1]),
    )


def exclusion_link(row: Any, reader: User) -> dict[str, str] | None:
    """The way to the exclusion that waits for a row, else to a new one for those who may; None for what cannot be set aside."""
    if type(row) not in SUBJECTS or isinstance(row, Inspection):
        return None
    if row.aside_pk:
        return {"url": Exclusion(pk=row.aside_pk).get_absolute_url(), "label": _("Waits to be set aside")}
    if not reader.proposes_exclusions():
        return None
    name = SUBJECTS[type(row)]
    query = f"{name.removeprefix('order_')}={getattr(row, f'{name}_id')}"
    return {"url": f"{reverse('exclusion_new')}?{query}", "label": _("Set aside …")}


def dispute_link(row: Any, factory: Factory, reader: User) -> dict[str, str] | None:
    """The way to the open dispute of a row, else, for a contact, to where one is raised."""
    if type(row) not in SUBJECTS:
        return None
    if row.dispute_pk:
        return {"url": Dispute(pk=row.dispute_pk).get_absolute_url(), "label": _("Disputed")}
    if reader.role != User.Role.CONTACT:
        return None
    name = SUBJECTS[type(row)]
    query = {
        "line": lambda: {"line": f"{factory.code}/{row.line.order.number}/{row.line.number}"},
        "lot": lambda: {"lot": f"{factory.code}/{row.lot.code}"},
        "order_material": lambda: {"material": row.order_material_id},
    }[name]()
    return {"url": f"{reverse('dispute_new')}?{urlencode(query, safe='/')}", "label": _("Dispute")}
