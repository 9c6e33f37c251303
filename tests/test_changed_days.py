"""A changed fact has those months and that night judged again in which its days count: all of them, and no others."""

import datetime

import pytest
from django.db import connection

from assessments import evaluations, jobs
from assessments.models import Evaluation, Policy
from bench import figures, world
from production import rollups
from production.models import Delivery, Inspection, OrderLine, PurchaseOrder, ToJudge
from tests import make

SIZE = world.Size(lines=900, factories=3, years=2)
TODAY = SIZE.today + datetime.timedelta(days=1)
NOW = datetime.datetime.combine(TODAY, datetime.time(12), datetime.UTC)
ONE = datetime.timedelta(days=1)
ENDS = figures.month_ends(TODAY)[-24:]


@pytest.fixture
def judged_company(db):
    """Three factories with two years of facts, of different density; each month and the last night are judged."""
    world.build(SIZE)
    Policy.objects.create(effective_from=make.day("2020-01-01"), window_days=60, fallback_days=200)
    rollups.rebuild_all()
    ToJudge.objects.all().delete()
    evaluations.evaluate_months(ENDS)
    evaluations.evaluate_night(SIZE.today)
    assert set(Evaluation.objects.filter(kind="month").values_list("window_days", flat=True)) == {60, 200}


def changes():
    """One fact after the other, of every kind and from all over the years."""
    deliveries = Delivery.objects.filter(kind="receipt", reversals=None)
    for row in deliveries.order_by("pk")[::60]:
        yield (
            deliveries.filter(pk=row.pk),
            {"quantity": row.quantity + 3, "received_on": row.received_on - ONE, "known_on": row.known_on - ONE},
        )
    for row in Inspection.objects.filter(units_major=0).order_by("pk")[::25]:
        yield Inspection.objects.filter(pk=row.pk), {"units_major": 1}
    for row in OrderLine.objects.filter(committed_on__isnull=False).order_by("pk")[::90]:
        yield OrderLine.objects.filter(pk=row.pk), {"closed_short_on": row.committed_on + 20 * ONE}
    for row in (
        PurchaseOrder.objects.filter(closed_on__isnull=False, materials__isnull=False).distinct().order_by("pk")[::4]
    ):
        yield PurchaseOrder.objects.filter(pk=row.pk), {"closed_on": row.closed_on - 40 * ONE}


def asked_for(monkeypatch):
    """Which (kind, day) the minute job judges."""
    asked = []
    judge = evaluations.evaluate
    monkeypatch.setattr(evaluations, "evaluate", lambda days, *rest: asked.extend(days) or judge(days, *rest))
    return asked


@pytest.mark.django_db
def test_no_month_that_a_change_alters_is_left_out(judged_company):
    revised = 0
    for rows, values in changes():
        rows.update(**values)
        newest = Evaluation.objects.latest("pk").pk
        jobs.assess(NOW)
        revised += Evaluation.objects.filter(pk__gt=newest, kind="month").exists()
        assert evaluations.evaluate_months(ENDS) == [], f"the minute job left out a month: {values}"
        assert evaluations.evaluate_night(SIZE.today) == []
    assert revised > 20


@pytest.mark.django_db
def test_only_months_whose_window_holds_a_changed_day_are_judged_again(judged_company, monkeypatch):
    delivery = Delivery.objects.filter(kind="receipt", reversals=None, received_on__gte=ENDS[4]).order_by(
        "received_on"
    )[0]
    Delivery.objects.filter(pk=delivery.pk).update(quantity=delivery.quantity + 3)
    asked = asked_for(monkeypatch)
    rollups.rebuild()
    marks = list(ToJudge.objects.values_list("factory_id", "first_on", "last_on"))
    assert [factory for factory, *_ in marks] == [delivery.factory_id]
    ((_, first, last),) = marks
    assert first <= delivery.received_on <= last < first + datetime.timedelta(days=100)
    windows = dict(
        Evaluation.objects.filter(kind="month", factory=delivery.factory_id).values_list("as_of", "window_days")
    )
    jobs.assess(NOW)
    holding = {end for end, days in windows.items() if first <= end and last > end - days * ONE}
    assert {day for kind, _, day in asked if kind == "month"} == holding
    assert 2 <= len(holding) <= 12
    assert {(kind, day) for kind, _, day in asked if kind != "month"} == {("live", TODAY)}


@pytest.mark.django_db
def test_a_mark_that_names_no_last_day_reaches_to_the_present(judged_company, monkeypatch):
    factory = Evaluation.objects.first().factory_id
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO production_tojudge (factory_id, first_on) VALUES (%s, %s)", [factory, ENDS[3]])
    asked = asked_for(monkeypatch)
    jobs.assess(NOW)
    assert {day for kind, _, day in asked if kind == "month"} == set(ENDS[3:])
    assert ("night", SIZE.today) in {(kind, day) for kind, _, day in asked}
