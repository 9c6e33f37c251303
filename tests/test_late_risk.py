"""The chance that an open order ends late: from comparable orders, and only where it held in the past."""

import dataclasses
import datetime
import re
from fractions import Fraction

import pytest
from django.utils import timezone

from assessments import jobs
from production import late_risk, rollups
from production.forms.orders import today
from production.models import Milestone, PastPlans
from tests import make

pytestmark = pytest.mark.django_db


def ago(days):
    return today() - datetime.timedelta(days=days)


@pytest.fixture(autouse=True)
def forgotten():
    late_risk.tests.values.clear()


@pytest.fixture
def category():
    return make.category(code="shirts")


@pytest.fixture
def factory(category):
    return make.factory(code="VN-014", category=category)


PLAN = [("materials", []), ("received", ["materials"])]


def ran(factory, finish, *, slip=0, late_materials=0, received=True, recorded=None):
    """An order of two milestones thirty days apart, to end on `finish`, that came `slip` days after it."""
    order = make.order(factory=factory)
    line = make.line(10, order=order, committed_on=finish)
    materials = finish - datetime.timedelta(days=30)
    reached = materials + datetime.timedelta(days=late_materials)
    for place, (code, preds) in enumerate(PLAN):
        make.milestone(
            order=order, code=code, predecessors=preds, position=place, planned_on=finish if preds else materials,
            reached_on=None if preds or reached > today() else reached,
            frozen_at=make.moment(materials - datetime.timedelta(days=20)),
            **({"recorded_at": make.moment(recorded)} if recorded and not preds else {}),
        )  # fmt: skip
    if received:
        make.delivery(10, line=line, received_on=finish + datetime.timedelta(days=slip))
    return order


def text(client, order):
    page = client.get(order.get_absolute_url()).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_chance_counts_own_orders_fully_and_the_pool_as_five(factory, category):
    other = make.factory(category=category)
    for n in range(15):
        ran(other, ago(70 + n), slip=6 if n < 5 else 0)
    for n in range(5):
        ran(factory, ago(70 + n), slip=6 if n < 2 else 0)
    mine = ran(factory, ago(-10), late_materials=-4, received=False)
    rollups.rebuild()
    risk, _test = late_risk.risk_of(mine, today())
    assert (risk.code, risk.slack_days) == ("materials", 4), "four days early, and all of them are still to spare"
    assert (risk.own_over, risk.own, risk.over, risk.pool) == (2, 5, 7, 20)
    assert risk.chance == (2 + 5 * Fraction(7, 20)) / 10
    assert (risk.likely_on, risk.safe_on) == (ago(-6), ago(-12))
    assert (risk.base_late, risk.base) == (7, 20)


def test_with_fewer_than_twenty_comparable_orders_nothing_is_said(client, factory):
    for n in range(19):
        ran(factory, ago(70 + n))
    ran(make.factory(category=make.category()), ago(70))  # of another category
    mine = ran(factory, ago(-10), received=False)
    rollups.rebuild()
    assert late_risk.risk_of(mine, today()) == (None, None)
    client.force_login(make.user("manager"))
    page = text(client, mine)
    assert "Milestones" in page
    assert "comparable orders" not in page


def test_orders_that_never_came_are_counted_with_their_slip_so_far(factory):
    for n in range(19):
        ran(factory, ago(70 + n))
    ran(factory, ago(80), received=False)
    mine = ran(factory, ago(-10), received=False)
    rollups.rebuild()
    risk, _test = late_risk.risk_of(mine, today())
    assert (risk.over, risk.pool, risk.base_late) == (1, 20, 1)


def test_what_was_recorded_later_was_not_known_then(factory):
    order = ran(factory, ago(-10), received=False, recorded=ago(3))
    (story,) = late_risk.stories(type(order).objects.filter(pk=order.pk))
    assert story.on(ago(4)) is None, "reached by then, but nobody had said so"
    assert set(story.on(ago(3)).reached) == {"materials"}


def test_a_baseline_that_moved_and_a_day_that_was_stated_count_from_when_they_did(factory):
    order = ran(factory, ago(-10), received=False)
    last = Milestone.objects.get(order=order, code="received")
    make.forecast(last, ago(-25), said_on=ago(5))
    make.rebaseline(last, ago(-20), approved_at=make.moment(ago(2)))
    Milestone.objects.filter(pk=last.pk).update(planned_on=ago(-20))
    (story,) = late_risk.stories(type(order).objects.filter(pk=order.pk))
    known = {days: story.steps[1].known(ago(days)) for days in (6, 5, 3, 2)}
    assert [known[days].planned for days in known] == [ago(-10), ago(-10), ago(-10), ago(-20)]
    assert [known[days].forecast for days in known] == [None, ago(-25), ago(-25), ago(-25)]


def history(factory, foretold):
    """Orders that end in every week of two years. Whether the materials tell that one is late, or say nothing of it.

    Where they tell, one in six comes five days later all the same: else every safe day would hold, which says nothing.
    """
    for week in range(110):
        for n in range(3):
            late, surprise = (week + n) % 3 == 0, foretold and (week * 3 + n) % 6 == 0
            days = 7 * week - 14 + n
            ran(factory, ago(days), slip=(9 if late else -2) + 5 * surprise, late_materials=9 if late and foretold else 0,
                received=days > 14)  # fmt: skip
    mine = ran(factory, ago(-12), late_materials=1, received=False)
    rollups.rebuild()
    return mine


def test_a_chance_that_held_in_the_past_is_said_with_its_counts(client, factory):
    mine = history(factory, foretold=True)
    risk, tested = late_risk.risk_of(mine, today())
    assert tested.brier.skill > 0
    assert Fraction(7, 10) <= tested.pinball.coverage <= Fraction(9, 10)
    assert tested.may_be_said
    client.force_login(make.user("manager"))
    page = text(client, mine)
    assert f"{risk.over} of the last {risk.pool} comparable orders did not make up the missing 1 day." in page
    assert "Tested on the last 12 month ends" in page
    assert "Only this base rate is shown" not in page


def test_a_chance_no_better_than_the_base_rate_is_not_said_and_the_page_says_why(client, factory):
    mine = history(factory, foretold=False)
    risk, tested = late_risk.risk_of(mine, today())
    assert not tested.may_be_said
    client.force_login(make.user("manager"))
    page = text(client, mine)
    assert f"{risk.base_late} of the last {risk.base} comparable orders ended after their last day on time." in page
    assert "Only this base rate is shown" in page
    assert "needed more than" not in page


@pytest.mark.parametrize("role", ["contact"])
def test_a_factory_is_not_told_of_the_orders_of_others(client, factory, role):
    mine = history(factory, foretold=False)
    client.force_login(make.user(role, factory=factory))
    page = text(client, mine)
    assert "Milestones" in page
    assert "comparable orders" not in page


def test_a_test_holds_only_with_skill_and_between_seventy_and_ninety_per_cent():
    def tested(skill, coverage):
        brier = late_risk.schedule.Brier(Fraction(1), Fraction(1), skill)
        return late_risk.BackTest(brier, late_risk.schedule.Pinball((), None, coverage), 9, 9).may_be_said

    assert tested(Fraction(1, 100), Fraction(7, 10))
    assert tested(Fraction(1, 100), Fraction(9, 10))
    assert not tested(Fraction(0), Fraction(8, 10))
    assert not tested(Fraction(1, 100), Fraction(69, 100))
    assert not tested(Fraction(1, 100), Fraction(91, 100))
    assert not tested(None, None), "no data is no test that held"


# What a night counted


def test_what_the_night_counted_says_what_counting_anew_would_and_its_day_is_shown(client, factory):
    mine = history(factory, foretold=True)
    counted, tested = late_risk.risk_of(mine, today())
    jobs.night(timezone.now())
    kept, kept_test = late_risk.risk_of(mine, today())
    assert kept == dataclasses.replace(counted, counted_on=today())
    assert kept_test.may_be_said
    assert (kept_test.chances, kept_test.days) == (tested.chances, tested.days)
    assert kept_test.pinball.coverage == tested.pinball.coverage
    assert abs(kept_test.brier.skill - tested.brier.skill) < Fraction(1, 10**11)
    client.force_login(make.user("manager"))
    assert "Counted on" not in text(client, mine), "of today"
    PastPlans.objects.update(counted_on=ago(1))
    page = text(client, mine)
    assert f"{kept.over} of the last {kept.pool} comparable orders did not make up the missing 1 day." in page
    assert "Counted on" in page


def test_each_category_is_counted_once_a_day_and_a_quiet_ring_counts_none(factory):
    ran(factory, ago(70))
    ran(make.factory(category=make.category()), ago(70))
    make.line(10, order=make.order())
    rollups.rebuild()
    now = timezone.now()
    assert sum(name.startswith("past plans") for name in jobs.night(now)) == 2
    assert set(PastPlans.objects.values_list("counted_on", flat=True)) == {today()}
    assert jobs.night(now) == []
    assert sum(name.startswith("past plans") for name in jobs.night(now + datetime.timedelta(days=1))) == 2


def test_a_past_on_which_nothing_can_be_tested_is_kept_as_such(factory):
    for n in range(20):
        ran(factory, ago(70 + n))
    mine = ran(factory, ago(-10), received=False)
    rollups.rebuild()
    past = late_risk.keep(factory.category_id, today())
    assert (past.skill, past.chances) == (None, 0)
    _found, tested = late_risk.risk_of(mine, today())
    assert (tested.brier.skill, tested.pinball.coverage, tested.may_be_said) == (None, None, False)


def test_with_what_a_night_counted_no_past_order_is_read(factory, django_assert_num_queries):
    for n in range(20):
        ran(factory, ago(70 + n))
    mine = ran(factory, ago(-10), received=False)
    rollups.rebuild()
    late_risk.keep(factory.category_id, today())
    with django_assert_num_queries(7):
        assert late_risk.risk_of(mine, today())[0] is not None


def test_month_ends_are_those_before_the_month_of_the_day():
    found = late_risk.month_ends(make.day("2026-03-15"), 3)
    assert found == [make.day("2025-12-31"), make.day("2026-01-31"), make.day("2026-02-28")]


def test_the_number_of_queries_of_a_risk_does_not_grow_with_the_orders(factory, django_assert_num_queries):
    mine = ran(factory, ago(-10), received=False)
    for orders in (20, 20):
        for n in range(orders):
            ran(factory, ago(70 + n))
        rollups.rebuild()
        late_risk.tests.values.clear()
        with django_assert_num_queries(16):
            assert late_risk.risk_of(mine, today())[0] is not None
