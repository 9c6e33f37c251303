"""What is kept of each plan is what following it says, on any day, whatever is written meanwhile."""

import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments import jobs
from production import plan_outcomes, plans, rollups, schedule
from production.forms.orders import today
from production.models import LineOutcome, Milestone, MilestoneForecast, PlanOutcome, PurchaseOrder, TouchedPlan
from tests import make

BEGIN = datetime.date(2026, 6, 1)
some_day = st.integers(0, 120).map(lambda days: BEGIN + datetime.timedelta(days=days))
some_step = st.tuples(
    st.lists(st.integers(0, 6), max_size=3), some_day, st.none() | some_day, st.none() | st.none() | some_day
)
some_plan = st.lists(some_step, min_size=1, max_size=7)


def plan_of(steps):
    """Milestones that wait for earlier ones, with planned, stated and reached days in any order."""
    return [
        schedule.Milestone(
            str(n), planned, tuple(sorted({str(pred % n) for pred in preds})) if n else (), said, reached
        )
        for n, (preds, planned, said, reached) in enumerate(steps)
    ]


@settings(deadline=None)
@given(some_plan, st.integers(0, 400))
def test_where_a_plan_heads_is_what_following_it_on_that_day_says(steps, later):
    plan = plan_of(steps)
    found = schedule.outlook(plan)
    day = max(found.known_on, BEGIN - datetime.timedelta(days=60)) + datetime.timedelta(days=later)
    passed = schedule.forward(plan, day)
    assert found.ends_on(day) == passed.projected[passed.finish].on
    is_late = schedule.last_of(plan).actual is None and passed.finish_slip_days > 0
    assert (found.slips_from_on is not None and found.slips_from_on <= day) == is_late


def test_nothing_is_said_of_a_plan_without_milestones():
    assert schedule.outlook([]) is None


def test_a_plan_that_nothing_holds_up_is_late_once_its_days_do_not_suffice():
    """Sewing takes ten days: on the eleventh day before the end there is a day to spare, on the tenth none, then it slips."""
    plan = [schedule.Milestone("sewn", BEGIN), schedule.Milestone("come", BEGIN + datetime.timedelta(10), ("sewn",))]
    found = schedule.outlook(plan)
    assert (found.days_to_go, found.slips_from_on) == (10, BEGIN + datetime.timedelta(1))


def test_a_plan_whose_end_was_said_to_be_later_is_late_from_the_last_fact_on():
    later = BEGIN + datetime.timedelta(12)
    plan = [
        schedule.Milestone("sewn", BEGIN, actual=BEGIN),
        schedule.Milestone("come", BEGIN, ("sewn",), forecast=later),
    ]
    found = schedule.outlook(plan)
    assert (found.earliest_on, found.slips_from_on) == (later, BEGIN)


# In the database


def written(steps, *, is_frozen=True, is_received=False, limit=None):
    """The plan of an order as rows."""
    order = make.order()
    line = make.line(10, order=order, committed_on=limit)
    for place, each in enumerate(plan_of(steps)):
        row = make.milestone(
            order=order, code=each.id, position=place, planned_on=each.planned, predecessors=list(each.preds),
            reached_on=each.actual, **({} if is_frozen else {"frozen_at": None}),
        )  # fmt: skip
        if each.forecast:
            make.forecast(row, each.forecast, said_on=BEGIN)
    if is_received:
        make.delivery(10, line=line, received_on=BEGIN)
    return order


def followed(day):
    """The orders that slip on a day by following every plan, and waiting for goods as the list does; the worst first."""
    waits = {
        order.pk
        for order in PurchaseOrder.objects.filter(closed_on=None)
        if not order.lines.exists() or LineOutcome.objects.filter(order=order, is_open=True).exists()
    }
    found = plans.courses(list(waits), day)
    slips = {order: each for order, each in found.items() if each.is_slipping}
    return sorted(slips, key=lambda order: (slips[order].slack_days, -slips[order].slip_days, order))


def agree(day):
    late, right, everything = plans.late_plans(day), followed(day), PurchaseOrder.objects.all()
    assert list(late.courses(everything)) == right
    assert list(late.courses(everything, 2)) == right[:2]
    assert sorted(late.of(everything).values_list("pk", flat=True)) == sorted(right)


a_written_plan = st.tuples(some_plan, st.booleans(), st.booleans(), st.none() | some_day)


@pytest.mark.django_db
@settings(max_examples=15, deadline=None)
@given(st.lists(a_written_plan, min_size=1, max_size=5), st.lists(st.integers(-20, 200), min_size=1, max_size=4))
def test_the_list_holds_the_orders_that_following_every_plan_finds_on_any_day(rows, days):
    with transaction.atomic():
        for steps, is_frozen, is_received, limit in rows:
            written(steps, is_frozen=is_frozen, is_received=is_received, limit=limit)
        rollups.rebuild()
        days = [BEGIN + datetime.timedelta(days=after) for after in days]
        for day in days:
            agree(day)
        assert plan_outcomes.rebuild() == len(rows)
        assert not TouchedPlan.objects.exists()
        for day in days:
            agree(day)
        transaction.set_rollback(True)


HEADS_LATE = [([], BEGIN, None, BEGIN), ([0], BEGIN, BEGIN + datetime.timedelta(9), None)]


@pytest.fixture
def kept(db):
    order = written(HEADS_LATE, limit=BEGIN)
    rollups.rebuild()
    plan_outcomes.rebuild()
    return order


def late(day=None):
    return set(plans.late_plans(day or BEGIN + datetime.timedelta(1)).courses(PurchaseOrder.objects.all()))


CHANGES = {
    "it is reached": lambda order: order.milestones.filter(code="1").update(
        actual_on=BEGIN, evidence="Report", recorded_at=make.moment(BEGIN)
    ),
    "another day is stated": lambda order: make.forecast(order.milestones.get(code="1"), BEGIN, said_on=today()),
    "the plan is gone": lambda order: order.milestones.all().delete(),
    "the statement is gone": lambda order: MilestoneForecast.objects.filter(milestone__order=order).delete(),
    "the order is closed": lambda order: PurchaseOrder.objects.filter(pk=order.pk).update(closed_on=BEGIN),
    "the order is gone": lambda order: (order.lines.all().delete(), order.delete()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows_at_once_and_once_it_is_worked_off(kept, name):
    assert late() == {kept.pk}
    CHANGES[name](kept)
    on = BEGIN
    assert late(on) == set()
    plan_outcomes.rebuild()
    assert late(on) == set()
    assert not TouchedPlan.objects.exists()
    assert PlanOutcome.objects.exists() == name.startswith(("it is", "another", "the statement", "the order is closed"))


def test_plain_sql_marks_the_plan_too(kept):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE production_milestone SET title = 'Other' WHERE order_id = %s", [kept.pk])
    assert list(TouchedPlan.objects.values_list("order_id", flat=True)) == [kept.pk]


def test_a_plan_that_goes_in_circles_stops_no_other(kept):
    broken = make.order()
    make.milestone(order=broken, code="a", predecessors=["b"])
    make.milestone(order=broken, code="b", predecessors=["a"])
    another = written(HEADS_LATE, limit=BEGIN)
    rollups.rebuild()
    assert plan_outcomes.rebuild() == 2
    assert late() == {kept.pk, another.pk}


def test_the_minute_job_works_the_marks_off_in_batches(kept, monkeypatch):
    monkeypatch.setattr(plan_outcomes, "AT_ONCE", 2)
    more = [written(HEADS_LATE) for _ in range(4)]
    jobs.assess(make.moment(today()))
    assert not TouchedPlan.objects.exists()
    assert set(PlanOutcome.objects.values_list("order_id", flat=True)) == {kept.pk, *(each.pk for each in more)}


def test_the_statements_of_a_rebuild_do_not_grow_with_the_plans(db):
    def asked(count):
        for _ in range(count):
            written(HEADS_LATE)
        with CaptureQueriesContext(connection) as found:
            plan_outcomes.rebuild()
        return len(found)

    assert asked(2) == asked(9)


def test_lists_follow_only_the_plans_they_show(kept, monkeypatch):
    """The twin of the marks: without one, a change that nobody worked off would not show."""
    followed = []
    course = plans.course
    monkeypatch.setattr(
        plans, "course", lambda rows, *rest: (followed.append(rows[0].order_id), course(rows, *rest))[1]
    )
    for _ in range(8):
        written(HEADS_LATE, limit=BEGIN)
    rollups.rebuild()
    plan_outcomes.rebuild()
    plans.late_plans(BEGIN + datetime.timedelta(1)).courses(PurchaseOrder.objects.all(), 3)
    assert len(followed) == 3
    Milestone.objects.filter(order=kept, code="1").update(actual_on=BEGIN, evidence="R", recorded_at=make.moment(BEGIN))
    TouchedPlan.objects.all().delete()
    assert kept.pk in late()
