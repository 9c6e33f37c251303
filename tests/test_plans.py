"""The plan of an order: made, confirmed, followed and moved; and where it shows that something slips."""

import datetime
import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from production import plans, rollups, schedule
from production.errors import BadInput
from production.forms.orders import today
from production.models import DEFAULT_TEMPLATE, Milestone, MilestoneForecast, MilestoneTemplate, Rebaseline
from tests import make

pytestmark = pytest.mark.django_db


def ahead(days):
    return today() + datetime.timedelta(days=days)


@pytest.fixture(autouse=True)
def template():
    make.milestone_template()


@pytest.fixture
def order():
    """An order of VN-014 whose one line is due in fifty days."""
    order = make.order(number="PO-2391", factory=make.factory(code="VN-014", name="Hoa Binh"), ordered_on=ahead(-30))
    make.line(1200, order=order, number="L1", committed_on=ahead(50))
    rollups.rebuild()
    return order


@pytest.fixture
def planned(order):
    """Its plan, frozen, reached up to the order of the materials, which are to arrive in seven days."""
    reached = {"plan_approved": ahead(-12), "plan_confirmed": ahead(-10), "materials_ordered": ahead(-8)}
    return make.plan(order, ahead(50), reached=reached)


@pytest.fixture
def buyer(client):
    person = make.user("buyer", name="Li Wei")
    client.force_login(person)
    return person


PAGE = "/orders/VN-014/PO-2391/"


def text(client, address=PAGE):
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def course(order):
    return plans.courses([order.pk], today())[order.pk]


def post(client, address, **form):
    answer = client.post(PAGE + address, form)
    return answer.status_code


def said(client, address, **form):
    """What a form says is wrong."""
    answer = client.post(PAGE + address, form)
    assert answer.status_code == 422
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


# Making a plan


def test_a_plan_is_counted_back_from_the_due_day_and_saved_in_one_form(client, order, buyer):
    assert "No plan yet" in text(client)
    form = client.get(PAGE + "plan/").context["form"]
    proposed = {name: field.initial for name, field in form.fields.items()}
    assert len(proposed) == len(DEFAULT_TEMPLATE) == 11
    assert proposed["day_received"] == ahead(50)
    assert proposed["day_shipped"] == ahead(32)
    assert min(proposed.values()) == proposed["day_plan_approved"] == ahead(-12)
    assert post(client, "plan/", **proposed | {"day_shipped": ahead(34)}) == 303
    rows = Milestone.objects.filter(order=order)
    assert rows.count() == 11
    assert rows.get(code="shipped").planned_on == ahead(34)
    assert not rows.exclude(frozen_at=None).exists()
    page = text(client)
    assert "Not confirmed yet" in page
    assert "Change the plan" in page
    again = {name: field.initial for name, field in client.get(PAGE + "plan/").context["form"].fields.items()}
    assert again["day_shipped"] == ahead(34)


def test_a_plan_that_has_too_little_room_shrinks_and_begins_with_the_order(client, order, buyer):
    order.ordered_on = ahead(10)
    order.save()
    days = {name: field.initial for name, field in client.get(PAGE + "plan/").context["form"].fields.items()}
    assert (min(days.values()), max(days.values())) == (ahead(10), ahead(50))


def test_a_category_may_have_a_template_of_its_own(order):
    category = order.lines.get().product.category
    for place, (code, preds) in enumerate([("moulds_made", []), ("arrived", ["moulds_made"])]):
        MilestoneTemplate.objects.create(
            category=category, code=code, title=code, position=place, predecessors=preds, gap_days=9
        )
    found = plans.template_of(order)
    assert plans.planned_days(found, ahead(40), None) == {"moulds_made": ahead(31), "arrived": ahead(40)}


def test_a_milestone_planned_before_what_it_waits_for_is_refused_by_name(client, order, buyer):
    days = {name: field.initial for name, field in client.get(PAGE + "plan/").context["form"].fields.items()}
    told = said(client, "plan/", **days | {"day_shipped": ahead(-30), "day_received": ""})
    assert "Shipped: That is before Final inspection, which it waits for" in told
    assert "Received: Enter the day planned for it." in told
    assert str(ahead(-30)) in client.post(PAGE + "plan/", days | {"day_shipped": ahead(-30)}).content.decode(), (
        "nothing typed is lost"
    )
    assert not Milestone.objects.exists()
    assert "Days must lie between 2000 and 2049." in said(client, "plan/", **days | {"day_received": "2050-01-01"})


def test_a_template_that_waits_for_itself_makes_no_plan_and_says_so(client, order, buyer):
    MilestoneTemplate.objects.filter(code="plan_approved").update(predecessors=["received"])
    assert "The template cannot be used: The milestones wait for each other in a circle." in text_after(client, "plan/")
    assert not Milestone.objects.exists()


def text_after(client, address):
    answer = client.get(PAGE + address, follow=True)
    assert answer.redirect_chain
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_an_order_without_a_due_day_or_closed_gets_no_plan(client, order, buyer):
    bare = make.order(number="PO-7", factory=order.factory)
    make.line(5, order=bare, committed_on=None)
    answer = client.get("/orders/VN-014/PO-7/plan/", follow=True)
    assert "no line of this order has one" in answer.content.decode()
    order.closed_on = today()
    order.save()
    assert "so its plan stays as it is" in text_after(client, "plan/")


steps = st.lists(st.tuples(st.lists(st.integers(0, 7), max_size=3), st.integers(0, 40)), min_size=1, max_size=8)


@given(steps, st.integers(0, 200))
def test_counted_back_nothing_is_planned_before_what_it_waits_for(found, room):
    plan = [
        schedule.Step(str(n), tuple({str(pred % n) for pred in preds} if n else ()), gap)
        for n, (preds, gap) in enumerate(found)
    ]
    finish = datetime.date(2026, 11, 22)
    earliest = finish - datetime.timedelta(days=room)
    days = schedule.backward(plan, finish, earliest)
    assert all(earliest <= on <= finish for on in days.values())
    assert all(days[pred] <= days[step.id] for step in plan for pred in step.preds)
    free = schedule.backward(plan, finish)
    assert all((free[step.id] - free[pred]).days >= step.gap_days for step in plan for pred in step.preds)
    rows = [schedule.Milestone(step.id, free[step.id], step.preds) for step in plan]
    assert schedule.forward(rows, min(free.values())).finish_slip_days == 0, "a plan that nothing disturbs is kept"


def test_a_step_that_appears_twice_is_refused():
    with pytest.raises(BadInput, match="twice"):
        schedule.backward([schedule.Step("a"), schedule.Step("a")], today())


# Confirming it


def test_the_factory_confirms_its_plan_and_the_days_are_frozen(client, order):
    make.plan(order, ahead(50), is_frozen=False)
    client.force_login(make.user("contact", factory=order.factory, name="Lan Nguyen"))
    assert "Plans to confirm PO-2391" in text(client, "/")
    assert post(client, "plan/confirm/", x="1") == 303
    row = Milestone.objects.get(code="plan_confirmed")
    assert (row.actual_on, row.frozen_by.name) == (today(), "Lan Nguyen")
    assert not Milestone.objects.filter(frozen_at=None).exists()
    assert "Plans to confirm" not in text(client, "/")
    assert "No plan waits to be confirmed." in text_after(client, "plan/confirm/")
    with pytest.raises(IntegrityError, match="are frozen"), transaction.atomic():
        Milestone.objects.filter(code="shipped").update(planned_on=ahead(39))
    client.force_login(make.user("buyer"))
    assert "its days can only be moved" in text_after(client, "plan/")


# What is expected, what was reached


def test_a_stated_day_moves_the_end_and_is_kept_with_who_when_and_why(client, planned, order, buyer):
    assert course(order).slip_days == 0
    assert (
        post(client, "milestones/materials_arrived/expected/", forecast_on=ahead(30), reason="The mill is late") == 303
    )
    now = course(order)
    assert now.slip_days > 0
    assert (now.slips_from.row.code, now.next.row.code) == ("materials_arrived", "pp_sample_approved")
    page = text(client)
    assert "The delay began at: Materials arrived" in page
    assert "The factory answers for that." in page
    assert "by Li Wei: The mill is late" in page
    assert "waits for: Materials arrived" in page
    assert post(client, "milestones/materials_arrived/expected/", forecast_on=ahead(7)) == 303
    assert course(order).slip_days == 0, "the newest statement counts"
    assert MilestoneForecast.objects.count() == 2
    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
        MilestoneForecast.objects.update(reason="Not the mill")


def test_a_stated_day_that_is_over_or_has_no_reason_is_refused(client, planned, buyer):
    address = "milestones/materials_arrived/expected/"
    assert "Expected on: That day is over." in said(client, address, forecast_on=ahead(-1))
    assert "Reason: Give the reason in a few words." in said(client, address, forecast_on=ahead(9))
    assert not MilestoneForecast.objects.exists()


def test_the_factory_states_days_for_what_it_answers_for_and_sees_no_word_among_us(client, planned, order):
    make.forecast(planned["shipped"], ahead(30), reason="a word among us", stated_by=make.user("buyer", name="Li Wei"))
    client.force_login(make.user("contact", factory=order.factory, name="Lan Nguyen"))
    assert (
        post(client, "milestones/materials_arrived/expected/", forecast_on=ahead(9), reason="The mill is late") == 303
    )
    assert post(client, "milestones/pp_sample_approved/expected/", forecast_on=ahead(9), reason="x") == 403
    for address in ("materials_arrived/reached/", "plan_approved/take-back/"):
        assert post(client, f"milestones/{address}", actual_on=today(), evidence="x") == 403
    page = text(client)
    assert "by Lan Nguyen: The mill is late" in page
    assert "among us" not in page
    assert "Li Wei" not in page
    assert page.count("Expected Materials arrived") == 1
    assert "Expected Pre-production" not in page


def test_a_milestone_is_reached_with_evidence_and_taken_back_again(client, planned, order, buyer):
    address = "milestones/pp_sample_approved/reached/"
    assert "What shows it: Say what shows that it is reached." in said(client, address, actual_on=today())
    assert "That is in the future." in said(client, address, actual_on=ahead(3), evidence="Seal 7")
    assert post(client, address, actual_on=today(), evidence="Seal 7") == 303
    row = Milestone.objects.get(code="pp_sample_approved")
    assert (row.actual_on, row.evidence, row.recorded_by) == (today(), "Seal 7", buyer)
    assert row.recorded_at is not None
    assert "Seal 7" in text(client)
    assert "reached already" in text_after(client, address)
    assert post(client, "milestones/pp_sample_approved/take-back/", x="1") == 303
    row.refresh_from_db()
    assert (row.actual_on, row.evidence, row.recorded_at) == (None, "", None)
    kept = [event.evidence for event in Milestone.pgh_event_model.objects.filter(id=row.pk).order_by("pgh_id")]
    assert kept == ["", "Seal 7", ""]


def test_what_is_reached_before_what_it_waits_for_is_flagged(client, planned, buyer):
    post(client, "milestones/production_start/reached/", actual_on=today(), evidence="Photo")
    assert "Reached before what it waits for." in text(client)


def test_goods_that_have_all_come_end_the_plan_without_a_second_record(client, planned, order, buyer):
    make.delivery(1200, line=order.lines.get(), received_on=ahead(-1))
    rollups.rebuild()
    now = course(order)
    assert (now.is_done, now.last.projected_on) == (True, ahead(-1))
    assert "by the deliveries" in text(client)


# Moving it


def test_a_plan_moves_only_once_a_manager_approves_what_we_caused_and_the_old_days_are_kept(
    client, planned, order, buyer
):
    days = {f"day_{code}": each.planned_on for code, each in planned.items() if each.actual_on is None}
    assert "No day is another one." in said(client, "plan/move/", **days, reason="x")
    days["day_received"] = ahead(60)
    assert "What we changed: Say what we changed." in said(client, "plan/move/", **days)
    assert post(client, "plan/move/", **days, reason="We changed the print") == 303
    assert Milestone.objects.get(code="received").planned_on == ahead(50)
    assert "waits for approval" in text(client)
    assert "waits for approval already" in text_after(client, "plan/move/")
    assert post(client, "plan/move/decide/", answer="approve") == 403
    client.force_login(make.user("manager"))
    assert "Choose one of the two." in said(client, "plan/move/decide/")
    assert post(client, "plan/move/decide/", answer="approve") == 303
    move = Rebaseline.objects.get()
    assert (move.was_on, move.new_on) == (ahead(50), ahead(60))
    assert Milestone.objects.get(code="received").planned_on == ahead(60)
    with pytest.raises(IntegrityError, match="An approved move stays"), transaction.atomic():
        Rebaseline.objects.update(was_on=ahead(51))
    assert "No move of this plan waits for approval." in text_after(client, "plan/move/decide/")


def test_who_asked_for_a_move_does_not_approve_it_but_may_decline_it(client, planned):
    manager = make.user("manager")
    move = make.rebaseline(planned["received"], ahead(60), asked_by=manager)
    client.force_login(manager)
    assert "You asked for this move, so somebody else approves it." in text(client, PAGE + "plan/move/decide/")
    assert "Your answer: You asked for it: somebody else approves it." in said(
        client, "plan/move/decide/", answer="approve"
    )
    assert Milestone.objects.get(code="received").planned_on == ahead(50)
    with pytest.raises(IntegrityError, match="somebody else does"), transaction.atomic():
        Rebaseline.objects.filter(pk=move.pk).update(approved_at=make.moment(today()), approved_by=manager)
    assert post(client, "plan/move/decide/", answer="decline") == 303
    assert not Rebaseline.objects.exists()
    make.rebaseline(planned["received"], ahead(60), asked_by=manager)
    client.force_login(make.user("manager"))
    assert post(client, "plan/move/decide/", answer="approve") == 303
    assert Milestone.objects.get(code="received").planned_on == ahead(60)


def test_a_move_that_is_declined_changes_nothing_and_stays_in_the_history(client, planned):
    move = make.rebaseline(planned["received"], ahead(60))
    client.force_login(make.user("manager"))
    assert post(client, "plan/move/decide/", answer="decline") == 303
    assert not Rebaseline.objects.exists()
    assert Milestone.objects.get(code="received").planned_on == ahead(50)
    assert [event.pgh_label for event in Rebaseline.pgh_event_model.objects.filter(id=move.pk).order_by("pgh_id")] == [
        "insert",
        "delete",
    ]


# Where it shows


def test_orders_at_risk_and_the_start_page_list_the_same_orders(client, planned, order):
    on_plan = make.order(factory=order.factory, number="PO-1")
    make.line(5, order=on_plan, committed_on=ahead(70))
    make.plan(on_plan, ahead(70))
    rollups.rebuild()
    client.force_login(make.user("manager"))
    assert "No order is at risk" in text(client, "/orders/?state=at-risk")
    assert "No order with a plan heads for a later end." in text(client, "/")
    make.forecast(planned["received"], ahead(55), said_on=today())
    page = text(client, "/orders/?state=at-risk")
    assert "PO-2391" in page
    assert "PO-1 " not in page
    assert "5 days too late" in page
    home = text(client, "/")
    assert "Slipping orders 1 all 1 PO-2391 5 days too late Hoa Binh · Received +5 days" in home
    assert "0 days to spare" in text(client, "/orders/?state=open"), "of the one on plan"
    client.force_login(make.user("contact", factory=make.factory()))
    assert "PO-2391" not in text(client, "/orders/?state=at-risk")


def test_a_plan_that_nobody_confirmed_is_at_no_risk_yet(client, order, buyer):
    make.plan(order, ahead(50), is_frozen=False, plan_approved=ahead(-30))
    assert "Not confirmed" in text(client)
    assert "Not confirmed" in text(client, "/orders/")
    assert "No order is at risk" in text(client, "/orders/?state=at-risk")


def test_the_template_is_edited_in_the_administration(client):
    client.force_login(make.user("admin", is_superuser=True))
    assert "Pre-production sample approved" in text(client, "/admin-area/production/milestonetemplate/")


def test_the_delay_of_a_sample_is_ours(client, planned, buyer):
    make.forecast(planned["pp_sample_approved"], ahead(30), said_on=today())
    assert "We answer for that, not the factory." in text(client)


def queries(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


@pytest.mark.parametrize("address", ["/orders/", "/orders/?state=at-risk", "/"])
def test_the_number_of_queries_of_a_list_does_not_grow_with_its_plans(client, order, address):
    client.force_login(make.user("manager"))

    def slipping(count):
        for _ in range(count):
            another = make.order(factory=order.factory)
            make.line(5, order=another, committed_on=ahead(40))
            plan = make.plan(another, ahead(40), reached={"plan_approved": ahead(-20)})
            make.forecast(plan["received"], ahead(45), said_on=today())
        rollups.rebuild()
        return queries(client, address)

    assert slipping(3) == slipping(12)


def test_the_number_of_queries_of_an_order_does_not_grow_with_what_was_said(client, planned, buyer):
    few = queries(client, PAGE)
    for n in range(9):
        make.forecast(planned["shipped"], ahead(30 + n), said_on=today())
        make.rebaseline(planned["received"], ahead(60 + n), approved_at=make.moment(today()))
    assert queries(client, PAGE) == few
