"""Recording an inspection: the sample says, the person decides, one save is saved once."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from production.codes import full_code
from production.models import Delivery, Inspection, Lot
from production.samples import SamplePlan, suggested
from tests import make

NEW = "/inspections/new/"


@pytest.fixture
def line(db):
    factory = make.factory(code="VN-014", time_zone="Asia/Ho_Chi_Minh")
    return make.line(1200, order=make.order(number="PO-2391", factory=factory), number="L2")


@pytest.fixture
def lot(line):
    return make.lot(line=line, code="HB-42", quantity=1200)


@pytest.fixture
def inspector(client, db):
    person = make.user("inspector")
    client.force_login(person)
    return person


def opened(client, address):
    page = client.get(address).content.decode()
    data = {}
    for tag in re.findall(r"<input[^>]*>", page):
        found = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        is_choice = found.get("type") in ("radio", "checkbox")
        if "name" in found and found.get("type") != "search" and (not is_choice or " checked" in tag):
            data[found["name"]] = found.get("value", "on" if is_choice else "")
    for select in re.findall(r"<select.*?</select>", page, re.S):
        name = re.search(r'name="([^"]*)"', select)[1]
        data[name] = re.search(r'value="([^"]*)" selected', select)[1]
    return data | {"do": "save"}


def said(response):
    summary = re.search(r"data-errors.*?</div>", response.content.decode(), re.S)
    return re.sub(r"<[^>]+>", " ", summary[0]) if summary else ""


LOT = f"{NEW}?lot=VN-014/HB-42"


def test_the_sample_plan_of_the_lot_is_shown(client, inspector, lot):
    page = re.sub(r"<[^>]+>", "", client.get(LOT).content.decode())
    assert "Lot of 1,200, level II, AQL 0 critical, 2.5 major, 4.0 minor: inspect 80 units (letter J)." in page
    assert "accept 5 · reject 6 · in 80" in page
    assert "accept 7 · reject 8 · in 80" in page


@pytest.mark.parametrize(
    "counts, verdict",
    [((80, 0, 5, 7), "accept"), ((80, 0, 6, 0), "reject"), ((80, 1, 0, 0), "reject"), ((40, 0, 2, 0), "incomplete"),
     ((40, 0, 0, 8), "reject")],
)  # fmt: skip
def test_the_sample_says_a_verdict(counts, verdict):
    inspected, *found = counts
    assert suggested(inspected, 1200, *found).verdict == verdict


@pytest.mark.parametrize("lot_quantity", [None, 0, 1])
def test_a_lot_of_unknown_size_has_no_plan(lot_quantity):
    assert SamplePlan.of(lot_quantity) is None
    assert suggested(1, lot_quantity, 0, 0, 0) is None


def test_the_verdict_is_suggested_and_must_be_confirmed(client, inspector, lot):
    typed = opened(client, LOT) | {"units_major": "4", "units_minor": "3"}
    asked = client.post(LOT, typed)
    assert asked.status_code == 422
    assert "The sample says accept: 7 defective units in 80. Confirm the verdict, then save." in said(asked)
    assert re.search(r'value="accepted"[^>]*checked', asked.content.decode())
    assert client.post(LOT, typed | {"verdict": "accepted"}).status_code == 303
    saved = Inspection.objects.get()
    assert (saved.units_major, saved.units_minor, saved.verdict) == (4, 3, "accepted")
    assert (saved.factory, saved.lot, saved.recorded_by) == (lot.factory, lot, inspector)


def test_a_verdict_against_the_sample_needs_a_remark(client, inspector, lot):
    typed = opened(client, LOT) | {"units_major": "9", "verdict": "accepted"}
    refused = client.post(LOT, typed)
    assert "Say why your verdict differs." in said(refused)
    assert client.post(LOT, typed | {"note": "All on one carton, replaced."}).status_code == 303


def test_units_rejected_are_critical_and_major_unless_told(client, inspector, lot):
    client.post(LOT, opened(client, LOT) | {"units_critical": "1", "units_major": "2", "verdict": "rejected"})
    client.post(LOT, opened(client, LOT) | {"units_major": "2", "units_rejected": "9", "verdict": "accepted"})
    assert list(Inspection.objects.order_by("id").values_list("units_rejected", flat=True)) == [3, 9]


def test_enter_only_works_the_sample_out(client, inspector, lot):
    page = client.post(LOT, opened(client, LOT) | {"do": "check", "units_major": "6"})
    assert page.status_code == 200
    assert "The sample says reject: 6 major (6)" in page.content.decode()
    assert not Inspection.objects.exists()


def test_another_lot_quantity_asks_for_another_sample(client, inspector, lot):
    page = client.post(LOT, opened(client, LOT) | {"do": "check", "lot_quantity": "500"}).content.decode()
    assert "inspect <b>50</b> units (letter H)" in page


def test_the_same_form_sent_twice_saves_once(client, inspector, lot):
    typed = opened(client, LOT) | {"verdict": "accepted"}
    first, second = client.post(LOT, typed), client.post(LOT, typed)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first["Location"] == second["Location"]
    assert Inspection.objects.count() == 1


@pytest.mark.parametrize(
    "typed, words",
    [
        ({"units_inspected": "0"}, "At least one unit must be inspected."),
        ({"units_inspected": "10", "units_major": "11"}, "11 defective units are more than the 10 inspected."),
        ({"lot_quantity": "79"}, "80 units were inspected, but the lot has 79."),
        ({"units_major": "2", "units_material_fault": "3"}, "This cannot be more than all units rejected."),
        ({"units_major": "1.5"}, "is not a quantity"),
        ({"inspected_on": "2049-01-01"}, "That is in the future"),
        ({"inspected_on": "1999-01-01"}, "between 2000 and 2049"),
    ],
)
def test_numbers_that_cannot_be_are_refused_in_words(client, inspector, lot, typed, words):
    refused = client.post(LOT, opened(client, LOT) | {"verdict": "accepted", "note": "x"} | typed)
    assert refused.status_code == 422
    assert words in said(refused)
    assert not Inspection.objects.exists()


def test_a_delivery_without_a_lot_becomes_one(client, inspector, line):
    delivery = make.delivery(400, line=line)
    address = f"{NEW}?delivery={delivery.code}"
    assert client.post(address, opened(client, address) | {"verdict": "accepted"}).status_code == 303
    delivery.refresh_from_db()
    saved = Inspection.objects.get()
    assert (delivery.lot, saved.lot.code, saved.stage, saved.lot_quantity) == (
        saved.lot,
        delivery.code,
        "receiving",
        400,
    )


def test_goods_not_shipped_yet_get_a_lot_of_their_line(client, inspector, line):
    address = f"{NEW}?line={full_code(line)}"
    typed = opened(client, address) | {"lot_quantity": "500", "units_inspected": "50", "verdict": "accepted"}
    assert client.post(address, typed).status_code == 303
    second = opened(client, address) | {"lot_quantity": "500", "units_inspected": "50", "verdict": "accepted"}
    assert client.post(address, second).status_code == 303
    assert list(Lot.objects.order_by("id").values_list("code", flat=True)) == ["PO-2391/L2-1", "PO-2391/L2-2"]


def test_a_second_look_is_offered_as_a_repeat(client, inspector, lot):
    make.inspection(lot=lot)
    assert opened(client, LOT)["original"] == "no"


def test_what_waits_is_listed_newest_first_and_goes_once_it_is_inspected(client, inspector, line):
    old = make.delivery(5, line=line, received_on=make.day("2026-10-01"))
    new = make.delivery(6, line=line)
    page = client.get(NEW).content.decode()
    assert page.index(new.code) < page.index(old.code)
    lot = make.lot(line=line)
    Delivery.objects.filter(pk=new.pk).update(lot=lot)
    make.inspection(lot=lot)
    assert f">{new.code}<" not in client.get(NEW).content.decode()


# Our own material


def test_only_a_manager_approves_rejects_by_our_material(client, inspector, lot):
    typed = opened(client, LOT) | {
        "units_major": "7",
        "units_material_fault": "3",
        "approved": "on",
        "verdict": "rejected",
    }
    client.post(LOT, typed)
    saved = Inspection.objects.get()
    assert (saved.units_material_fault, saved.material_fault_approved_on) == (3, None)
    address = f"/inspections/I-{saved.pk}/approve/"
    assert client.post(address).status_code == 403
    manager = Client()
    manager.force_login(make.user("manager"))
    assert manager.get(address).status_code == 200
    assert manager.post(address).status_code == 303
    saved.refresh_from_db()
    assert saved.material_fault_approved_on >= timezone.now().date()


def test_a_manager_approves_at_once(client, lot):
    client.force_login(make.user("manager"))
    typed = opened(client, LOT) | {
        "units_major": "7",
        "units_material_fault": "3",
        "approved": "on",
        "verdict": "rejected",
    }
    client.post(LOT, typed)
    assert Inspection.objects.get().material_fault_approved_on is not None


# Walls


@pytest.mark.parametrize("role, status", [("buyer", 403), ("officer", 403), ("contact", 403), ("admin", 200)])
def test_only_those_who_write_inspections_open_the_form(client, lot, role, status):
    client.force_login(make.user(role, factory=lot.factory if role == "contact" else None))
    assert client.get(LOT).status_code == status


@pytest.mark.parametrize(
    "query", ["lot=VN-014/x", "lot=x", "line=x", "delivery=D-0", "delivery=x", "delivery=D-" + "9" * 50]
)
def test_what_nobody_knows_is_not_found(client, inspector, lot, query):
    assert client.get(f"{NEW}?{query}").status_code == 404


@pytest.mark.parametrize(
    "name", ["idem", "lot_quantity", "units_inspected", "units_major", "inspected_on", "stage", "original"]
)
@pytest.mark.parametrize("value", ["", "x", "\x00", "9" * 400])
def test_no_value_of_a_field_breaks_the_page(client, inspector, lot, name, value):
    answer = client.post(LOT, opened(client, LOT) | {"verdict": "accepted", name: value})
    assert answer.status_code in (303, 422)


@pytest.mark.browser
def test_counters_are_pressed_where_there_is_script_and_typed_where_there_is_none(open_page, transactional_db):
    order = make.order(number="PO-2391", factory=make.factory(code="VN-014"))
    make.lot(line=make.line(1200, order=order, number="L2"), code="HB-42", quantity=1200)
    person = make.user("inspector")
    page = open_page(person, width=390)
    page.goto(LOT)
    for _ in range(3):
        page.get_by_role("button", name="Major: one more").click()
    page.get_by_role("button", name="Major: one fewer").click()
    for _ in range(2):
        page.get_by_role("button", name="Minor: one fewer").click()
    assert [page.locator(f"[name=units_{name}]").input_value() for name in ("major", "minor")] == ["2", "0"]
    plain = open_page(person, width=390, javascript=False)
    plain.goto(LOT)
    assert plain.get_by_role("button", name="one more").count() == 0
    plain.locator("[name=units_major]").fill("2")
    plain.get_by_role("button", name="Work out").last.click()
    assert plain.locator("[name=units_major]").input_value() == "2"
