"""Breaches on the screen: the list, one breach, who may take it in hand and who may close it."""

import re

import pytest
from django.utils.formats import date_format

from assessments.models import Breach, BreachStep, Evaluation
from tests import judged, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def breach(db):
    judged.factory("VN-014", name="Hoa Binh Garment", late=6)
    judged.judge()
    return Breach.objects.get(event="rate", measure="otif")


@pytest.fixture
def person(client):
    def start(role, **fields):
        made = make.user(role, **fields)
        client.force_login(made)
        return made

    return start


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def listed(client, state):
    return [row["breach"] for row in client.get(f"/breaches/?state={state}").context["rows"]]


def test_one_click_in_the_list_takes_it_in_hand(client, person, breach):
    buyer = person("buyer", name="Mai Tran")
    assert breach in listed(client, "open")
    response = client.post(f"/breaches/{breach.code}/acknowledge/", {"next": "/breaches/?state=open"})
    assert response["Location"] == "/breaches/?state=open"
    breach.refresh_from_db()
    assert (breach.state, breach.acknowledged_by) == ("acknowledged", buyer)
    assert breach not in listed(client, "open")
    assert breach in listed(client, "acknowledged")
    assert "Mai Tran" in text(client.get("/breaches/?state=acknowledged"))


def test_acknowledging_twice_changes_nothing_and_names_the_first(client, person, breach):
    first = person("manager", name="Mai Tran")
    client.post(f"/breaches/{breach.code}/acknowledge/", {"note": "asked for a plan"})
    person("buyer", name="Lan Vo")
    page = client.post(f"/breaches/{breach.code}/acknowledge/", {"note": "me too"}, follow=True)
    assert "Mai Tran had already acknowledged this." in text(page)
    breach.refresh_from_db()
    assert breach.acknowledged_by == first
    assert BreachStep.objects.filter(breach=breach, what="acknowledged").count() == 1
    assert "asked for a plan" in text(page)


def test_looking_at_the_address_of_an_action_does_nothing(client, person, breach):
    person("manager")
    for act in ("acknowledge", "resolve"):
        assert client.get(f"/breaches/{breach.code}/{act}/").status_code == 405
        assert client.head(f"/breaches/{breach.code}/{act}/").status_code == 405
    breach.refresh_from_db()
    assert breach.state == "open"


@pytest.mark.parametrize("role", ["inspector", "officer", "contact"])
def test_other_roles_neither_see_nor_touch_breaches(client, person, breach, role):
    person(role, factory=breach.factory if role == "contact" else None)
    assert client.get("/breaches/").status_code == 403
    assert client.get(f"/breaches/{breach.code}/").status_code == 403
    assert client.post(f"/breaches/{breach.code}/acknowledge/").status_code == 403
    assert client.post(f"/breaches/{breach.code}/resolve/", {"reason": "x"}).status_code == 403


def test_an_unknown_breach_is_not_found(client, person):
    person("manager")
    assert client.get("/breaches/B-999999/").status_code == 404
    assert client.post("/breaches/B-999999/acknowledge/").status_code == 404


def test_the_page_shows_value_limit_rows_and_what_happened(client, person, breach):
    person("manager")
    page = client.get(f"/breaches/{breach.code}/")
    assert "On time in full 50.00%, floor 90%" in text(page)
    assert "6 of 12 not on time in full is more than the 10% that the floor of 90% leaves, and proven" in text(page)
    assert "Opened" in text(page)
    rows_url = page.context["rows_url"]
    assert rows_url.endswith("/otif/?counted=late")
    assert len(client.get(rows_url).context["rows"]) == 6


def test_a_proven_limit_cannot_be_closed_by_hand(client, person, breach):
    person("manager")
    assert "Not by hand while the latest figures prove the limit broken" in text(
        client.get(f"/breaches/{breach.code}/")
    )
    page = client.post(f"/breaches/{breach.code}/resolve/", {"reason": "they promised"}, follow=True)
    assert "Not resolved" in text(page)
    breach.refresh_from_db()
    assert breach.is_live


def test_a_late_order_is_closed_by_a_manager_with_a_reason(client, person, breach):
    make.line(100, order=make.order(factory=breach.factory, number="PO-9"), committed_on=judged.ago(2))
    judged.judge(months=0)
    late = Breach.objects.get(event="late_order", order__number="PO-9")
    person("buyer")
    assert client.post(f"/breaches/{late.code}/resolve/", {"reason": "arrived"}).status_code == 403
    person("manager")
    page = client.get(f"/breaches/{late.code}/")
    assert "Order PO-9 is late" in text(page)
    assert page.context["rows_url"] == "/orders/VN-014/PO-9/"
    empty = client.post(f"/breaches/{late.code}/resolve/", {"reason": " "})
    assert empty.status_code == 422
    assert "Say why it is resolved." in text(empty)
    client.post(f"/breaches/{late.code}/resolve/", {"reason": "arrived by air"})
    late.refresh_from_db()
    assert (late.state, late.reason) == ("resolved", "arrived by air")
    assert late in listed(client, "resolved")


def test_a_late_order_says_when_its_goods_came(client, person, breach):
    line = make.line(100, order=make.order(factory=breach.factory, number="PO-9"), committed_on=judged.ago(20))
    judged.judge(months=0)
    late = Breach.objects.get(event="late_order", order__number="PO-9")
    person("manager")
    assert "arrived" not in text(client.get("/breaches/"))
    make.delivery(100, line=line, received_on=judged.ago(15))
    judged.judge(months=0)
    came = f"arrived on {date_format(judged.ago(15))}, 5 days late; waits to be resolved"
    for address in ("/breaches/", "/", "/factories/VN-014/"):
        assert "Order PO-9 came late" in text(client.get(address)), address
        assert came in text(client.get(address)), address
    page = client.get(f"/breaches/{late.code}/")
    assert f"{came.capitalize()}.".replace("arrived", "Arrived").lower() in text(page).lower()
    client.post(f"/breaches/{late.code}/resolve/", {"reason": "arrived by air"})
    assert "waits to be resolved" not in text(client.get(f"/breaches/{late.code}/"))


def test_a_note_that_is_too_long_is_given_back_not_cut(client, person, breach):
    person("manager")
    page = client.post(f"/breaches/{breach.code}/acknowledge/", {"note": "x" * 501})
    assert page.status_code == 422
    assert "x" * 501 in page.content.decode()


def test_a_category_breach_leads_to_the_rows_of_that_category(client, person, breach):
    person("manager")
    old = Evaluation.objects.filter(factory=breach.factory, kind="night").get()
    category = breach.factory.category
    values = {f.attname: getattr(old, f.attname) for f in Evaluation._meta.fields if f.name not in ("id", "category")}
    scoped = Evaluation.objects.create(**(values | {"category_id": category.pk}))
    Breach.objects.filter(pk=breach.pk).update(category=category, latest=scoped)
    rows_url = client.get(f"/breaches/{breach.code}/").context["rows_url"]
    assert f"category={category.code}" in rows_url
    assert client.get(rows_url).context["evaluation"] == scoped


def test_the_list_can_be_of_one_factory(client, person, breach):
    judged.factory("CN-7", late=6)
    judged.judge(months=0)
    person("manager")
    page = client.get("/breaches/?state=all&factory=cn-7")
    assert {row["breach"].factory.code for row in page.context["rows"]} == {"CN-7"}


def test_an_empty_list_says_that_nothing_is_broken(client, person):
    person("manager")
    assert "No limit is broken" in text(client.get("/breaches/"))
