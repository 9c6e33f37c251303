"""Takes the demo company out again, whole, and nothing else. The history of its rows stays, as all history does."""

from functools import partial

import pgtrigger
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import ProtectedError

from assessments.demo.keep import JOB, SHARED, own
from assessments.demo.load import STRICTER_FOR_TOYS
from assessments.models import Action, Breach, Claim, ClaimEvidence, Evaluation, JobSlot, LiveBreaches, Policy, Watch
from factories.models import CalendarException, Contact, Factory, Membership, WorkingCalendar, WorkingDay
from notifications.models import Message
from production import plan_outcomes, rollups
from production.models import (
    Cancellation,
    DateRevision,
    Delivery,
    DeliveryOutcome,
    Dispute,
    Exclusion,
    FactoryDay,
    Inspection,
    LineOutcome,
    Lot,
    LotOutcome,
    MaterialMovement,
    MaterialOutcome,
    Milestone,
    MilestoneForecast,
    OpenMaterial,
    OrderLine,
    OrderMaterial,
    PurchaseOrder,
    Rebaseline,
    ToJudge,
    Written,
)

# Children first: each model goes in few statements, so that its marks and history cost few statements too.
OF_FACTORY: list[type[models.Model]] = [
    Watch, Action, Breach, Claim, Evaluation, Dispute, Exclusion, OpenMaterial, MaterialOutcome, LotOutcome, DeliveryOutcome, LineOutcome,
    FactoryDay, MaterialMovement, OrderMaterial, Inspection, Rebaseline, MilestoneForecast, Milestone,
]  # fmt: skip

# Laws that keep such rows for ever: what was invented is not meant.
FOR_EVER = [
    "assessments.Claim:claim_is_kept", "assessments.ClaimStep:append_only", "assessments.ClaimEvidence:evidence_is_kept",
    "production.Exclusion:exclusion_is_never_deleted",
]  # fmt: skip


def remove() -> dict[str, int]:
    """Removes every demo row; the number of rows removed by model. Safe to run where there is no demo.

    What the demo shares with others (a category, a site, an article that a real order uses by now) stays.
    """
    removed: dict[str, int] = {}

    def gone(rows: models.QuerySet) -> None:
        for label, count in rows.delete()[1].items():
            removed[label] = removed.get(label, 0) + count

    with transaction.atomic():
        demo = list(Factory.objects.filter(is_demo=True).values_list("pk", flat=True))
        people = list(own(*SHARED[0]).values_list("pk", flat=True)) if demo else []
        threads = [
            f"{model._meta.model_name}-{pk}"
            for model in (Breach, Claim, Action, Dispute)
            for pk in model.objects.filter(factory__in=demo).values_list("pk", flat=True)
        ]
        gone(Message.objects.filter(models.Q(recipient__in=people) | models.Q(thread__in=threads)))
        attached = ClaimEvidence.objects.filter(claim__factory__in=demo)
        files = [name for name in attached.values_list("file", flat=True) if name]
        with pgtrigger.ignore(*FOR_EVER):
            gone(attached)
            for model in OF_FACTORY:
                gone(model.objects.filter(factory__in=demo))
        gone(DateRevision.objects.filter(line__factory__in=demo))
        gone(Cancellation.objects.filter(line__factory__in=demo))
        gone(Delivery.objects.filter(factory__in=demo, kind=Delivery.Kind.REVERSAL))
        for model in (Delivery, Lot, OrderLine, PurchaseOrder, Contact, Membership):
            gone(model.objects.filter(factory__in=demo))
        gone(Policy.objects.filter(factory__in=demo))
        gone(Factory.objects.filter(pk__in=demo))
        judged_by = Evaluation.objects.values("policy")
        gone(Policy.objects.filter(note=STRICTER_FOR_TOYS).exclude(pk__in=judged_by))
        if demo:
            for name, model, field, keys in SHARED:
                rows = own(name, model, field, keys)
                if model is WorkingCalendar:
                    rows = rows.filter(factories=None, sites=None).order_by("base")  # those that build on others first
                    with pgtrigger.ignore("factories.CalendarException:a_working_days_delete"):
                        gone(CalendarException.objects.filter(calendar__in=rows))
                    gone(WorkingDay.objects.filter(calendar__in=rows))
                for row in rows:
                    _unless_used(row, removed)
        JobSlot.objects.filter(job=JOB).delete()
        transaction.on_commit(partial(_delete_files, files))
    rollups.rebuild()
    plan_outcomes.rebuild()
    for model in (ToJudge, Written, LiveBreaches):
        model.objects.exclude(factory_id__in=Factory.objects.values("pk")).delete()
    return removed


def _delete_files(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)


def _unless_used(row: models.Model, removed: dict[str, int]) -> None:
    try:
        for label, count in row.delete()[1].items():
            removed[label] = removed.get(label, 0) + count
    except ProtectedError:
        pass
