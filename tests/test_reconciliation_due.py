"""Closed in time: orders whose goods came more than 30 days ago and whose material nobody reconciled (MAT-9)."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from production import rollups
from production.filters import page_of
from production.forms.orders import today
from production.models import PurchaseOrder
from production.reconcile import reconciliation_due_on
from production.supplies import overdue
from tests import make

pytestmark = pytest.mark.django_db


def ago(days):
    return today() - datetime.timedelta(days=days)


def arrived(days=31, *, received=490, factory=None, issued=True, **order):
    """An order of 490 pieces with cloth of ours, of which so many came so many days ago."""
    order = make.order(factory=factory, **order)
    line = make.line(490, order=order, committed_on=ago(days + 5))
    if received:
        make.delivery(received, line=line, received_on=ago(days))
    supplied = make.order_material(order=order)
    if issued:
        make.material_movement(1000, order_material=supplied, moved_on=ago(days + 30))
    rollups.rebuild()
    return order


def waiting(on=None):
    rollups.rebuild()
    return set(overdue(PurchaseOrder.objects.all(), on or today()))


def test_it_is_due_on_the_thirtieth_day_and_overdue_on_the_day_after():
    assert reconciliation_due_on(make.day("2026-10-01")) == make.day("2026-10-31")
    order = arrived()
    last = ago(31)
    assert waiting(reconciliation_due_on(last)) == set()
    assert waiting(reconciliation_due_on(last) + datetime.timedelta(days=1)) == {order}


def test_what_is_closed_still_open_or_without_our_material_does_not_wait():
    arrived(closed_on=ago(3))
    arrived(received=300)
    arrived(received=0)
    arrived(issued=False)
    arrived(days=30)
    assert waiting() == set()


def test_the_last_receipt_that_was_kept_begins_the_thirty_days():
    order = arrived(days=60)
    wrong = make.delivery(10, line=order.lines.get(), received_on=ago(5))
    assert waiting() == set()
    make.reversal(wrong)
    assert waiting() == {order}


def test_a_line_that_is_not_worked_out_yet_keeps_the_order_back():
    order = arrived()
    make.line(20, order=order, committed_on=ago(50))
    assert set(overdue(PurchaseOrder.objects.all(), today())) == set()


@pytest.mark.parametrize("role", ["manager", "buyer"])
def test_the_start_page_counts_them_and_leads_to_exactly_these_orders(client, role):
    late, later = arrived(days=40), arrived(days=90)
    arrived(days=10)
    client.force_login(make.user(role))
    page = client.get("/").content.decode()
    assert '<a href="/orders/?state=unreconciled">2 orders wait to be closed' in page
    rows = client.get("/orders/?state=unreconciled").context["rows"]
    assert [row["order"] for row in rows] == [later, late], "who waits longest comes first"
    assert rows[0]["word"].startswith("To close since")
    PurchaseOrder.objects.update(closed_on=ago(1))
    assert "to be closed" not in client.get("/").content.decode()
    assert "Every order is reconciled in time" in client.get("/orders/?state=unreconciled").content.decode()


def test_the_list_goes_on_over_pages_and_by_factory(client, monkeypatch):
    factory = make.factory(code="VN-014")
    orders = [arrived(days=90 - number, factory=factory) for number in range(5)]
    arrived(days=200)
    client.force_login(make.user("manager"))
    monkeypatch.setitem(page_of.__kwdefaults__, "size", 3)
    first = client.get("/orders/?state=unreconciled&factory=VN-014")
    second = client.get("/orders/" + first.context["page"].next_url)
    assert [row["order"] for page in (first, second) for row in page.context["rows"]] == orders


def test_a_contact_finds_only_its_own_and_an_inspector_is_not_told(client):
    order, other = arrived(), arrived()
    client.force_login(make.user("contact", factory=order.factory))
    assert [row["order"] for row in client.get("/orders/?state=unreconciled").context["rows"]] == [order]
    assert "to be closed" not in client.get("/").content.decode()
    client.force_login(make.user("inspector"))
    assert "to be closed" not in client.get("/").content.decode()
    assert other.number


def test_list_and_start_page_ask_as_often_for_many_as_for_one(client):
    def asked(address):
        client.get(address)
        with CaptureQueriesContext(connection) as found:
            client.get(address)
        return len(found)

    client.force_login(make.user("buyer"))
    arrived()
    few = [asked(address) for address in ("/", "/orders/?state=unreconciled")]
    for number in range(6):
        arrived(days=40 + number)
    assert [asked(address) for address in ("/", "/orders/?state=unreconciled")] == few
