"""Whether a factory may be given an order, and how strictly its goods are inspected: what its grade opens and closes."""

import contextlib
import datetime
import re
import threading
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.views.entrance import today
from factories.models import Standing, StandingOverride
from production import placing, sampling
from production.models import Inspection, OrderLine, PurchaseOrder
from production.permission import may_order
from production.samples import SamplePlan, suggested
from tests import make

DAY = make.day("2026-11-12")


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


# The rule, as a table


@dataclass
class Rules:
    grade: str = "not_rated"
    orders: str = "free"
    max_open_value: Decimal | None = None
    cap_currency: str = "USD"
    inspection: str = "normal"
    since_on: datetime.date = DAY
    plan_due_on: datetime.date | None = None


@dataclass
class Lifted:
    from_on: datetime.date = DAY
    until_on: datetime.date = DAY
    ended_at: datetime.datetime | None = None
    reason: str = "The moulds are there"


CAP = Rules(max_open_value=Decimal(20000))
BLOCKED, WARNED = Rules("failing", "block"), Rules("passing", "warn")
ONE = datetime.timedelta(days=1)
USED = {"USD": Decimal(15000)}
CASES = {
    "no standing": (None, [], {}, {}, "yes", ""),
    "as usual": (Rules("good"), [], USED, USED, "yes", ""),
    "failing": (BLOCKED, [], {}, {}, "no", "graded failing since 12 Nov 2026: it gets no new orders. Choose another"),
    "passing": (WARNED, [], {}, {}, "warn", "only graded passing since 12 Nov 2026"),
    "override on its first and last day": (BLOCKED, [Lifted()], {}, {}, "yes", "until 12 Nov 2026: The moulds"),
    "override over since yesterday": (BLOCKED, [Lifted(DAY - 9 * ONE, DAY - ONE)], {}, {}, "no", "no new orders"),
    "override from tomorrow": (BLOCKED, [Lifted(DAY + ONE, DAY + ONE)], {}, {}, "no", "no new orders"),
    "override ended early": (BLOCKED, [Lifted(ended_at=timezone.now())], {}, {}, "no", "no new orders"),
    "override lifts the warning": (WARNED, [Lifted()], {}, {}, "yes", "Ordered under an override"),
    "override where nothing is closed": (Rules("good"), [Lifted()], {}, {}, "yes", ""),
    "exactly at the cap": (CAP, [], USED, {"USD": Decimal(5000)}, "yes", ""),
    "a cent beyond the cap": (CAP, [], USED, {"USD": Decimal("5000.01")}, "no", "Order for at most 5,000.00 USD"),
    "beyond the cap by what is open": (CAP, [], {"USD": Decimal(20001)}, {}, "no", "20,001.00 USD are open"),
    "override lifts the cap": (CAP, [Lifted()], USED, USED, "yes", "Ordered under an override"),
    "open orders in another currency": (CAP, [], {"EUR": Decimal(90000)}, USED, "yes", "90,000.00 EUR on open orders"),
    "order in another currency": (CAP, [], USED, {"EUR": Decimal(90000)}, "warn", "not counted: 90,000.00 EUR"),
    "no price under a cap": (CAP, [], {}, {"USD": None}, "no", "Enter the unit price"),
    "no price in another currency": (CAP, [], {}, {"EUR": None}, "warn", "not counted: EUR"),
    "no price without a cap": (Rules("good"), [], {}, {"USD": None}, "yes", ""),
    "blocked and beyond the cap": (
        Rules("failing", "block", Decimal(1)), [], USED, {}, "no", "no new orders. Choose another factory, or ask a manager "
        "for an override. The factory is graded failing since 12 Nov 2026: its open orders may be worth 1.00 USD",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_grade_the_cap_and_the_overrides_decide(case):
    standing, overrides, held, added, answer, said = CASES[case]
    found = may_order(standing, overrides, held, added, DAY)
    assert {(True, False): "yes", (True, True): "warn", (False, False): "no"}[found.allowed, found.warning] == answer
    assert said in " ".join(found.reasons) if said else found.reasons == ()


@pytest.mark.parametrize("lot, ac_major, ac_minor", [(1, 0, 0), (39, 0, 1), (40, 1, 1), (1200, 30, 48)])
def test_where_every_unit_is_inspected_the_percentage_itself_is_the_bound(lot, ac_major, ac_minor):
    plan = SamplePlan.of(lot, "full")
    assert (plan.size, plan.plans["critical"].re) == (lot, 1)
    assert (plan.plans["major"].ac, plan.plans["minor"].ac) == (ac_major, ac_minor)


def test_tightened_inspection_accepts_less_in_as_large_a_sample():
    normal, tightened = SamplePlan.of(1200), SamplePlan.of(1200, "tightened")
    assert (normal.size, normal.plans["major"].ac) == (80, 5)
    assert (tightened.size, tightened.plans["major"].ac) == (80, 3)
    assert suggested(80, 1200, 0, 4, 0).verdict == sampling.ACCEPT
    assert suggested(80, 1200, 0, 4, 0, "tightened").verdict == sampling.REJECT
    assert suggested(80, 1200, 0, 4, 0, "full").verdict == sampling.INCOMPLETE


# What is open


@pytest.fixture
def factory(db):
    return make.factory(code="VN-014", name="Hoa Binh Garment", time_zone="UTC")


def test_only_what_is_still_to_come_counts_towards_the_cap(factory):
    order = make.order(factory=factory)
    line = make.line(1000, order=order, unit_price="2.50")
    make.delivery(400, line=line)
    make.cancellation(line=line, quantity=100, cancelled_on=DAY)
    over = make.line(10, order=order, unit_price=7)
    make.delivery(15, line=over)
    make.line(50, order=order)
    make.line(50, order=order, unit_price=9, closed_short_on=DAY)
    make.line(50, order=make.order(factory=factory, closed_on=DAY), unit_price=9)
    make.line(30, order=make.order(factory=factory, currency="EUR"), unit_price=3)
    make.line(50, unit_price=9)
    assert placing.open_value(factory) == {"USD": 1250, "EUR": 90}


def test_asking_takes_as_many_queries_for_many_lines_as_for_one(factory):
    make.standing(factory, "not_rated")
    order, counts = make.order(factory=factory), []
    for n in (1, 8):
        for _ in range(n):
            make.delivery(1, line=make.line(order=order, unit_price=1))
        with CaptureQueriesContext(connection) as found:
            placing.decide(factory, {}, DAY)
        counts.append(len(found))
    assert counts == [2, 2]  # and one for the overrides where something is closed


# Placing an order


@pytest.fixture
def buyer(client, db):
    person = make.user("buyer", name="Li Wei")
    client.force_login(person)
    return person


def order_form(factory, **changes):
    return {"factory": factory.code, "number": "PO-9", "currency": "USD", "ordered_on": str(today()),
            "loss_allowance": "0.03", "loss_base": "net_issued"} | changes  # fmt: skip


def line_form(factory, **changes):
    return {"number": "L1", "product": make.product(category=factory.category, unit="pcs").code, "site": make.site().code,
            "quantity": "1000", "unit_price": "15", "grace_days": "0", "grace_unit": "calendar", "tol_under": "0",
            "over_policy": "ok", "early_policy": "ok"} | changes  # fmt: skip


def confirm_form(line, **changes):
    return {"confirmed_on": str(today()), f"line_{line.pk}": str(today() + ONE)} | changes


def test_a_failing_factory_gets_no_order_and_the_reason_says_what_to_do(client, buyer, factory):
    make.standing(factory, "failing")
    page = client.post("/orders/new/", order_form(factory))
    assert page.status_code == 422
    assert "The factory is graded failing since 12 Nov 2026: it gets no new orders." in text(page)
    assert "Choose another factory, or ask a manager for an override." in text(page)
    assert "Grant an override" not in text(page)
    assert not PurchaseOrder.objects.exists()


def test_a_manager_is_shown_the_way_to_an_override(client, factory):
    client.force_login(make.user("manager"))
    make.standing(factory, "failing")
    page = client.post("/orders/new/", order_form(factory))
    assert 'href="/factories/VN-014/overrides/"' in page.content.decode()


def test_a_failing_factory_gets_no_line_and_no_confirmation_either(client, buyer, factory):
    line = make.line(order=make.order(factory=factory, number="PO-9"), committed_on=None)
    make.standing(factory, "failing")
    for address, form in (("lines/new/", line_form(factory)), ("confirm/", confirm_form(line))):
        page = client.get(f"/orders/VN-014/PO-9/{address}")
        assert page.status_code == 200
        assert "it gets no new orders" in text(page)
        assert "data-save" not in page.content.decode()
        assert client.post(f"/orders/VN-014/PO-9/{address}", form).status_code == 422
    line.refresh_from_db()
    assert (OrderLine.objects.count(), line.terms_frozen_on) == (1, None)


def test_who_sees_money_reads_the_deposit_terms_on_the_order_and_where_it_is_added_to(client, buyer, factory):
    order = make.order(factory=factory)
    line = f"{order.get_absolute_url()}lines/new/"
    assert "Deposit and payment" not in text(client.get(order.get_absolute_url())) + text(client.get(line))
    make.standing(factory, "passing", deposit_terms="50% with the order")
    assert "Deposit and payment 50% with the order" in text(client.get(order.get_absolute_url()))
    assert "Deposit and payment: 50% with the order" in text(client.get(line))
    client.force_login(make.user("contact", factory=factory))
    assert "50% with the order" in text(client.get(order.get_absolute_url()))
    client.force_login(make.user("inspector"))
    assert "50% with the order" not in text(client.get(order.get_absolute_url()))


def test_an_override_opens_orders_through_its_last_day_and_the_order_says_so(client, buyer, factory):
    make.standing(factory, "failing")
    lifted = make.override(factory, from_on=today(), until_on=today())
    assert client.post("/orders/new/", order_form(factory)).status_code == 303
    assert (
        f"Li Wei: Ordered under an override until {today():%-d %b %Y}: The moulds" in PurchaseOrder.objects.get().note
    )
    StandingOverride.objects.filter(pk=lifted.pk).update(from_on=today() - 9 * ONE, until_on=today() - ONE)
    assert client.post("/orders/new/", order_form(factory, number="PO-10")).status_code == 422


def test_a_warning_must_be_ticked_and_stays_with_the_order(client, buyer, factory):
    make.standing(factory, "passing")
    page = client.post("/orders/new/", order_form(factory, note="Spring"))
    assert page.status_code == 422
    assert "Order anyway" in text(page)
    assert 'type="checkbox" name="anyway"' in page.content.decode()
    assert client.post("/orders/new/", order_form(factory, note="Spring", anyway="on")).status_code == 303
    order = PurchaseOrder.objects.get()
    assert order.note.startswith("Spring\n")
    assert f"{today()}, Li Wei: The factory is only graded passing since 12 Nov 2026" in order.note
    assert [event.note for event in order.events.order_by("pgh_id")][-1] == order.note


def test_who_ticked_a_warning_today_finds_it_ticked_and_kept_once(client, buyer, factory):
    make.standing(factory, "passing")
    client.post("/orders/new/", order_form(factory, anyway="on"))
    box = client.get("/orders/VN-014/PO-9/lines/new/").context["form"]["anyway"]
    assert box.initial is True
    assert client.post("/orders/VN-014/PO-9/lines/new/", line_form(factory)).status_code == 422
    assert client.post("/orders/VN-014/PO-9/lines/new/", line_form(factory, anyway="on")).status_code == 303
    assert PurchaseOrder.objects.get().note.count("only graded passing") == 1
    client.force_login(make.user("buyer"))
    assert client.get("/orders/VN-014/PO-9/lines/new/").context["form"]["anyway"].initial is False


def test_trial_orders_end_at_the_cap(client, buyer, factory):
    make.standing(factory, "not_rated")
    client.post("/orders/new/", order_form(factory))
    address = "/orders/VN-014/PO-9/lines/new/"
    assert client.post(address, line_form(factory)).status_code == 303
    page = client.post(address, line_form(factory, number="L2"))
    assert page.status_code == 422
    assert "15,000.00 USD are open and this adds 15,000.00 USD. Order for at most 5,000.00 USD" in text(page)
    assert "Enter the unit price" in text(client.post(address, line_form(factory, number="L2", unit_price="")))
    assert client.post(address, line_form(factory, number="L2", quantity="333")).status_code == 303
    assert placing.open_value(factory) == {"USD": 19995}


def test_the_lines_to_be_confirmed_are_not_counted_twice(client, buyer, factory):
    line = make.line(1000, order=make.order(factory=factory, number="PO-9"), unit_price=20, committed_on=None)
    make.standing(factory, "not_rated")
    assert client.post("/orders/VN-014/PO-9/confirm/", confirm_form(line)).status_code == 303


def test_a_factory_that_nothing_is_held_against_is_ordered_from_as_before(client, buyer, factory):
    make.standing(factory, "good")
    page = client.get("/orders/new/")
    assert "Order anyway" not in text(page)
    assert client.post("/orders/new/", order_form(factory)).status_code == 303
    assert PurchaseOrder.objects.get().note == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_held, taken", [(True, 1), (False, 2)])
def test_two_who_order_at_the_same_moment_do_not_pass_the_cap_together(client, monkeypatch, is_held, taken):
    """Each waits a moment for the other to have asked; with the lock off both are told that there is room."""
    factory = make.factory(code="VN-014")
    make.standing(factory, "not_rated")
    forms = {make.order(factory=factory, number=number): line_form(factory) for number in ("PO-1", "PO-2")}
    buyer, both, decide, answers = make.user("buyer"), threading.Barrier(2), placing.decide, []

    def slowly(*args):
        found = decide(*args)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=1)
        return found

    def order(number, form):
        browser = Client()
        browser.force_login(buyer)
        answers.append(browser.post(f"/orders/VN-014/{number}/lines/new/", form).status_code)
        connection.close()

    monkeypatch.setattr(placing, "decide", slowly)
    if not is_held:
        monkeypatch.setattr(placing, "hold", lambda factory: None)
    threads = [threading.Thread(target=order, args=[each.number, form]) for each, form in forms.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted([303] * taken + [422] * (2 - taken))
    assert placing.open_value(factory) == {"USD": 15000 * taken}


# Inspecting


@pytest.mark.parametrize(
    "grade, units, said",
    [
        ("good", 80, "inspect 80 units (letter J)"),
        ("passing", 80, "tightened inspection."),
        ("failing", 1200, "every unit"),
    ],
)
def test_the_inspection_form_asks_for_what_the_grade_asks_for(client, factory, grade, units, said):
    client.force_login(make.user("inspector"))
    make.standing(factory, grade)
    lot = make.lot(line=make.line(1200, order=make.order(factory=factory)), code="A", quantity=1200)
    page = client.get("/inspections/new/?lot=VN-014/A")
    assert said in text(page)
    assert page.context["form"]["units_inspected"].value() == str(units)
    form = {"do": "save", "stage": "final", "source": "buyer", "inspected_on": str(today()), "original": "yes",
            "lot_quantity": "1200", "units_inspected": str(units), "units_major": "0", "verdict": "accepted"}  # fmt: skip
    assert client.post(f"/inspections/new/?lot=VN-014/{lot.code}", form).status_code == 303
    made = Inspection.objects.get()
    assert made.severity == Standing.objects.get().inspection
    make.standing(factory, "good")
    assert client.get(made.get_absolute_url()).context["plan"].severity == made.severity


@pytest.mark.parametrize("due, warned", [(None, False), (DAY, False), (DAY - datetime.timedelta(days=1), True)])
def test_an_improvement_plan_that_is_overdue_warns(due, warned):
    decision = may_order(Rules(plan_due_on=due), [], {}, {}, DAY)
    assert (decision.allowed, decision.warning) == (True, warned)
