"""Keeps of every confirmed plan where it heads on any day (CYC-3), and works it out again when something of it changed.

A trigger marks the order of each changed milestone and each stated day. Until the mark is worked off, whoever asks follows
that plan itself (`production.plans`); so what is kept is never older than what is shown.
"""

from collections import defaultdict

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from production import schedule
from production.errors import BadInput
from production.models import Milestone, PlanOutcome, TouchedPlan
from production.plans import known, latest_forecasts

LOCK = 0x706C616E  # "plan"
AT_ONCE = 2_000
COLUMNS = ["factory", "planned_on", "known_on", "earliest_on", "days_to_go", "slips_from_on"]


def rebuild() -> int:
    """Works out again the plans that are marked, and deletes the marks; how many plans. Safe to run at any time, or in parallel."""
    done = 0
    while TouchedPlan.objects.exists():
        done += _rebuild_some()
    return done


def _rebuild_some() -> int:
    """The marks go first, then the facts are read: what is written meanwhile has a mark of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(
            "DELETE FROM production_touchedplan WHERE order_id IN (SELECT DISTINCT order_id FROM production_touchedplan "
            "ORDER BY order_id LIMIT %s) RETURNING order_id",
            [AT_ONCE],
        )
        orders = {row[0] for row in cursor.fetchall()}
        found = outcomes(orders)
        PlanOutcome.objects.filter(order__in=orders - {each.order_id for each in found}).delete()
        PlanOutcome.objects.bulk_create(found, update_conflicts=True, unique_fields=["order"], update_fields=COLUMNS)
    return len(orders)


def outcomes(orders: set[int]) -> list[PlanOutcome]:
    """What is kept of the confirmed plans among those of some orders. Of a plan that goes in circles nothing can be said."""
    confirmed = Milestone.objects.filter(order=OuterRef("order"), frozen_at__isnull=False)
    rows = defaultdict(list)
    for row in Milestone.objects.filter(Exists(confirmed), order__in=orders).order_by("order", "position", "id"):
        rows[row.order_id].append(row)
    stated = latest_forecasts([row.pk for own in rows.values() for row in own if row.actual_on is None])
    found = []
    for order, own in rows.items():
        try:
            outlook = schedule.outlook(known(own, stated))
        except (BadInput, OverflowError):
            continue
        if outlook:
            found.append(
                PlanOutcome(
                    order_id=order, factory_id=own[0].factory_id, planned_on=outlook.planned_on, known_on=outlook.known_on,
                    earliest_on=outlook.earliest_on, days_to_go=outlook.days_to_go, slips_from_on=outlook.slips_from_on,
                )
            )  # fmt: skip
    return found
