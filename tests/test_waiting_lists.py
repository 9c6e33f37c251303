"""Which orders and lines wait for goods: each by the day at its site, and listed to the end."""

import datetime
import zoneinfo

import pytest
from django.utils import timezone

from production import filters, rollups
from production.models import LineOutcome
from tests import make

pytestmark = pytest.mark.django_db

# From the zone where it is earliest to the one where it is latest: three days for an hour of each day.
ZONES = ["Etc/GMT+12", "America/New_York", "UTC", "Asia/Shanghai", "Pacific/Kiritimati"]


@pytest.mark.parametrize("hour", [0, 4, 10, 11, 12, 13, 17, 23])
def test_a_line_is_late_or_due_soon_by_the_day_at_its_site(monkeypatch, hour):
    now = datetime.datetime(2026, 11, 10, hour, 30, tzinfo=datetime.UTC)
    lines = [
        make.line(10, site=site, committed_on=make.day("2026-11-10") + datetime.timedelta(days=days))
        for site in [make.site(time_zone=zone) for zone in ZONES]
        for days in [*range(-3, 4), *range(5, 11)]
    ]
    rollups.rebuild()
    monkeypatch.setattr(timezone, "now", lambda: now)
    left = {
        line.pk: (line.committed_on - now.astimezone(zoneinfo.ZoneInfo(line.site.time_zone)).date()).days
        for line in lines
    }
    late = {pk for pk, days in left.items() if days < 0}
    assert set(LineOutcome.objects.late().values_list("pk", flat=True)) == late
    assert {row.id for row in LineOutcome.objects.waiting_orders(late=True)} == {
        line.order_id for line in lines if line.pk in late
    }
    for ahead in (0, 1, 7):
        soon = {pk for pk, days in left.items() if 0 <= days <= ahead}
        assert set(LineOutcome.objects.due_within(ahead).values_list("pk", flat=True)) == soon


def test_an_order_is_late_by_any_line_and_listed_by_the_first_due():
    order = make.order()
    make.line(10, order=order, committed_on=make.day("2026-01-01"), grace_days=3650)
    make.line(10, order=order, committed_on=make.day("2026-02-01"))
    patient = make.line(10, committed_on=make.day("2026-01-01"), grace_days=3650).order
    rollups.rebuild()
    assert list(LineOutcome.objects.waiting_orders(late=True)) == [(order.pk, make.day("2026-01-01"))]
    assert {row.id for row in LineOutcome.objects.waiting_orders()} == {order.pk, patient.pk}


def test_open_orders_are_listed_to_the_end_and_back_the_undated_ones_last(client, monkeypatch):
    monkeypatch.setitem(filters.page_of.__kwdefaults__, "size", 3)
    first = [
        make.line(10, committed_on=make.day(f"2026-1{month}-0{day}")).order for month in (0, 1) for day in (1, 1, 2)
    ]
    make.line(10, order=first[3], committed_on=make.day("2026-10-01"))
    undated = [make.line(10, committed_on=None).order for _ in range(2)]
    rollups.rebuild()
    fresh = [make.order() for _ in range(3)]
    undated += [make.line(10, committed_on=None).order]
    rollups.rebuild()
    make.order(closed_on=make.day("2026-11-01"))
    expected = [*first[:2], first[3], first[2], *first[4:], *undated[:2], *fresh, undated[2]]
    client.force_login(make.user("manager"))

    def walk(query, way):
        pages = []
        while query:
            page = client.get(f"/orders/{query}").context["page"]
            pages.append([order.number for order in page.rows])
            last, query = query, getattr(page, way)
        return pages, last

    ahead, last = walk("?state=open", "next_url")
    assert [number for page in ahead for number in page] == [order.number for order in expected]
    assert walk(last, "prev_url")[0] == ahead[::-1]
    narrowed, _last = walk(f"?q={fresh[1].number}", "next_url")
    assert narrowed == [[fresh[1].number]]


@pytest.mark.parametrize("state", ["late", "soon", "due"])
def test_the_list_of_lines_asks_as_often_for_many_as_for_one(client, django_assert_max_num_queries, state):
    today = timezone.now().date()
    ahead = {"late": -5, "soon": 3, "due": -5}[state]
    for _ in range(8):
        make.line(10, committed_on=today + datetime.timedelta(days=ahead))
    make.cancellation(
        line=make.line(10, committed_on=today + datetime.timedelta(days=ahead)),
        quantity=10,
        cancelled_on=today - datetime.timedelta(days=30),
    )
    rollups.rebuild()
    client.force_login(make.user("buyer"))
    with django_assert_max_num_queries(6):
        page = client.get(f"/orders/lines/?state={state}")
    assert page.context["total"] == len(page.context["rows"]) == 8
