"""Logging a delivery on the dock: one save is saved once, the right line, the right day, and nothing typed is lost."""

import contextlib
import datetime
import re
import threading
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from production import rollups
from production.codes import full_code
from production.forms.deliveries import DeliveryForm
from production.forms.fields import ValidationError, read_quantity, write_quantity
from production.models import Delivery, Lot, OrderLine
from tests import make

NEW = "/deliveries/new/"


@pytest.fixture
def line(db):
    factory = make.factory(code="VN-014", name="Hoa Binh Garment")
    site = make.site(code="LAX", time_zone="America/Los_Angeles")
    return make.line(1200, order=make.order(number="PO-2391", factory=factory), number="L2", site=site)


@pytest.fixture
def buyer(client, db):
    person = make.user("buyer", name="Li Wei")
    client.force_login(person)
    return person


def opened(client, line):
    """What a browser would send of the fresh form of a line."""
    page = client.get(NEW, {"line": full_code(line)}).content.decode()
    data = {}
    for tag in re.findall(r"<input[^>]*>", page):
        found = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        is_choice = found.get("type") in ("radio", "checkbox")
        if "name" in found and found.get("type") != "search" and (not is_choice or " checked" in tag):
            data[found["name"]] = found.get("value", "on" if is_choice else "")
    return data | {"do": "save", "site": line.site.code}


def post(client, line, **typed):
    return client.post(NEW, opened(client, line) | typed)


def said(response):
    """The sentences of the error summary."""
    summary = re.search(r"data-errors.*?</div>", response.content.decode(), re.S)
    return re.sub(r"<[^>]+>", " ", summary[0]) if summary else ""


# Saving


def test_the_form_is_filled_with_all_that_is_still_expected(client, buyer, line):
    make.delivery(420, line=line)
    data = opened(client, line)
    assert (data["quantity"], data["more"], data["condition"]) == ("780", "no", "fine")


def test_a_full_delivery_is_saved_as_it_was_offered(client, buyer, line):
    response = post(client, line)
    saved = Delivery.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/deliveries/D-{saved.pk}/")
    assert (saved.quantity, saved.recorded_by, saved.site, saved.factory) == (1200, buyer, line.site, line.factory)
    line.refresh_from_db()
    assert line.version == 2


def test_the_page_after_saving_says_what_the_line_counts_as(client, buyer, line):
    response = client.post(NEW, opened(client, line) | {"quantity": "420", "more": "yes"}, follow=True)
    assert "Saved D-" in response.content.decode()
    assert "Counts as late: 0 % had come by 1 Nov, 100 % was needed." in response.content.decode()


def test_the_day_is_that_of_the_site(client, buyer, line):
    post(client, line)
    saved = Delivery.objects.get()
    assert saved.received_on == timezone.now().astimezone(ZoneInfo("America/Los_Angeles")).date()
    assert saved.known_on == saved.received_on
    assert abs(timezone.now() - saved.received_at) < datetime.timedelta(minutes=2)


def test_enter_in_any_field_only_finds_and_keeps_what_was_typed(client, buyer, line):
    data = opened(client, line) | {"do": "find", "quantity": "77", "note": "two wet", "condition": "damaged"}
    page = client.post(NEW, data)
    assert page.status_code == 200
    assert not Delivery.objects.exists()
    assert 'value="77"' in page.content.decode()
    assert "two wet" in page.content.decode()
    assert re.search(r'value="damaged"[^>]*checked', page.content.decode())


def test_the_first_button_of_the_form_finds(client, buyer, line):
    page = client.get(NEW, {"line": full_code(line)}).content.decode()
    form = page[page.index("data-draft=") :]
    assert re.search(r"<button[^>]*>", form)[0] == '<button class="vh" name="do" value="find" tabindex="-1">'


def test_the_button_all_fills_in_what_is_open(client, buyer, line):
    make.delivery(420, line=line)
    page = client.post(NEW, opened(client, line) | {"do": "all", "quantity": "5"})
    assert page.status_code == 200
    assert re.search(r'name="quantity" value="780"', page.content.decode())
    assert Delivery.objects.count() == 1


# The same thing twice


def test_the_same_form_sent_twice_saves_once_and_answers_with_the_first(client, buyer, line):
    data = opened(client, line)
    first, second = client.post(NEW, data), client.post(NEW, data)
    assert (second.status_code, second["Location"]) == (303, first["Location"])
    assert Delivery.objects.count() == 1


def test_a_form_without_its_key_is_no_other_delivery_that_has_none(client, buyer, line):
    imported = make.delivery(5, line=line)
    data = opened(client, line) | {"idem": ""}
    saved = client.post(NEW, data)
    assert saved.status_code == 303
    assert saved["Location"] != imported.get_absolute_url()
    assert client.get(f"/deliveries/D-{imported.pk}/correct/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_same_form_sent_twenty_times_at_once_saves_once():
    line, person = make.line(1200), make.user("buyer")
    client = Client()
    client.force_login(person)
    data, answers = opened(client, line), []
    sessions = [Client() for _ in range(20)]
    for each in sessions:
        each.cookies = client.cookies

    def send(session):
        answers.append(session.post(NEW, data).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=[each]) for each in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [303] * 20
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_locked", [True, False])
def test_two_people_who_save_at_the_same_moment_are_both_counted_only_without_the_lock(monkeypatch, is_locked):
    line, both = make.line(1200), threading.Barrier(2)
    save = DeliveryForm.save

    def save_together(form):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=2)
        return save(form)

    monkeypatch.setattr(DeliveryForm, "save", save_together)
    if not is_locked:
        monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, **options: rows)
    sent, answers = [], []
    for _ in range(2):
        session = Client()
        session.force_login(make.user("buyer"))
        sent.append((session, opened(session, line)))

    def send(session, data):
        answers.append(session.post(NEW, data).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=each) for each in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ([303, 409] if is_locked else [303, 303])
    assert Delivery.objects.count() == (1 if is_locked else 2)


def test_the_same_quantity_again_within_twelve_hours_is_asked_about(client, buyer, line):
    post(client, line, quantity="400", more="yes")
    again = post(client, line, quantity="400", more="yes")
    assert again.status_code == 422
    assert "with the same quantity, 400, was logged for this line" in said(again)
    assert "Yes, a second delivery" in again.content.decode()
    assert post(client, line, quantity="400", more="yes", again="on").status_code == 303
    assert Delivery.objects.count() == 2


def test_a_delivery_that_was_undone_is_not_asked_about(client, buyer, line):
    post(client, line, quantity="400", more="yes")
    client.post(f"/deliveries/D-{Delivery.objects.get().pk}/undo/")
    assert post(client, line, quantity="400", more="yes").status_code == 303


def test_who_was_overtaken_is_told_and_keeps_what_was_typed(client, buyer, line):
    data = opened(client, line) | {"quantity": "1100", "more": "yes", "note": "on the ramp"}
    other = Client()
    other.force_login(make.user("buyer", name="Ngoc"))
    post(other, line, quantity="300", more="yes")
    overtaken = client.post(NEW, data)
    page = overtaken.content.decode()
    assert overtaken.status_code == 409
    assert "Meanwhile Ngoc logged D-" in page
    assert "900 are still expected" in page
    assert 'value="1100"' in page
    assert "on the ramp" in page
    assert Delivery.objects.count() == 1
    assert client.post(NEW, data | {"seen": "2", "quantity": "900", "more": "no"}).status_code == 303


# The right line


def test_a_code_typed_over_another_line_is_shown_before_it_is_saved(client, buyer, line):
    other = make.line(50, order=line.order, number="L3", site=line.site)
    response = post(client, line, code="PO-2391/L3")
    assert response.status_code == 422
    assert "The code names this line now" in said(response)
    assert full_code(other) in response.content.decode()
    assert not Delivery.objects.exists()


def test_the_lines_own_quantity_comes_with_another_line(client, buyer, line):
    make.line(50, order=line.order, number="L3", site=line.site)
    page = client.post(NEW, opened(client, line) | {"do": "find", "code": "PO-2391/L3"}).content.decode()
    assert re.search(r'name="quantity" value="50"', page)


def test_several_lines_are_offered_and_nothing_typed_is_lost(client, buyer, line):
    third = make.line(50, order=line.order, number="L3", site=line.site)
    page = client.post(NEW, opened(client, line) | {"do": "find", "code": "2391 l3 x", "note": "kept"})
    assert "No order line is called" in page.content.decode()
    make.line(60, order=line.order, number="XL3", site=line.site)
    page = client.post(NEW, {"do": "find", "code": "l3", "note": "kept"}).content.decode()
    assert 'name="note" value="kept"' in page
    picked = client.post(NEW, {"do": "find", "pick": full_code(third), "note": "kept"}).content.decode()
    assert "kept</textarea>" in picked
    assert full_code(third) in picked


def test_a_code_alone_leads_to_its_line(client, buyer, line):
    assert client.get(NEW, {"code": "2391"})["Location"] == f"{NEW}?line=VN-014%2FPO-2391%2FL2"


def test_without_a_code_the_open_lines_are_offered_late_ones_first(client, buyer, line):
    make.line(70, order=make.order(number="PO-1"), number="L1", committed_on=make.day("2026-10-01"))
    rollups.rebuild()
    page = client.get(NEW).content.decode()
    assert page.index("PO-1/L1") < page.index("PO-2391/L2")
    assert "Expected" in page


def test_the_address_on_a_label_leads_to_the_form(client, buyer, line):
    address = reverse("short_line", args=["VN-014", "PO-2391", "L2"])
    assert address == "/r/VN-014/PO-2391/L2"
    assert client.get(address)["Location"].startswith(f"{NEW}?line=")
    assert client.get("/r/VN-014/PO-2391/L9").status_code == 404


# The numbers


def test_more_than_expected_needs_its_tick(client, buyer, line):
    make.delivery(420, line=line)
    refused = post(client, line, quantity="7,800")
    assert refused.status_code == 422
    assert "Quantity 7,800 is more than the 780 still expected. Enter 780 or less, or tick over-delivery." in said(
        refused
    )
    assert refused.content.decode().count("<title>Error:") == 1
    assert post(client, line, quantity="7800", is_over="on").status_code == 303
    assert Delivery.objects.get(quantity=7800).is_over


def test_less_than_expected_asks_whether_more_will_follow(client, buyer, line):
    asked = post(client, line, quantity="420", more="no")
    assert asked.status_code == 422
    assert "780 of 1,200 are still missing" in said(asked)
    assert post(client, line, quantity="420", more="yes").status_code == 303
    line.refresh_from_db()
    assert line.closed_short_on is None


def test_a_line_is_closed_short_only_when_that_is_ticked(client, buyer, line):
    assert post(client, line, quantity="420", more="no", closes_short="on").status_code == 303
    line.refresh_from_db()
    assert line.closed_short_on == Delivery.objects.get().received_on


def test_finding_with_less_than_expected_answers_that_more_will_follow(client, buyer, line):
    page = client.post(NEW, opened(client, line) | {"do": "find", "quantity": "420"}).content.decode()
    assert re.search(r'value="yes"[^>]*checked', page)


@pytest.mark.parametrize(
    "typed, pieces, metres",
    [
        ("1200", 1200, 1200),
        ("1,200", 1200, None),
        ("1.200", 1200, None),
        ("1 200", 1200, 1200),
        ("１２００", 1200, 1200),
        ("1,200,000", 1200000, 1200000),
        ("12.5", None, Decimal("12.5")),
        ("12,5", None, Decimal("12.5")),
        ("1.200,5", None, Decimal("1200.5")),
        ("0.250", 250, Decimal("0.25")),
        *((bad, None, None) for bad in ["NaN", "1_000", "1e5", "3oo", "-5", "0", "", "12 34", "Infinity", "9" * 40]),
    ],
)
def test_quantities_are_read_as_people_write_them(typed, pieces, metres):
    def read(*, whole):
        try:
            return read_quantity(typed, whole=whole)
        except ValidationError:
            return None

    assert (read(whole=True), read(whole=False)) == (pieces, metres)


@pytest.mark.parametrize("value", ["1.234", "1200", "0.5", "12.345678"])
def test_a_quantity_in_a_field_reads_back_as_itself(value):
    assert read_quantity(write_quantity(Decimal(value)), whole=False) == Decimal(value)


def test_an_ambiguous_quantity_of_metres_is_asked_about(client, buyer, db):
    line = make.line(5000, product=make.product(unit="m"))
    refused = post(client, line, quantity="1.200")
    assert "“1.200” may be 1200 or 1.2. Enter 1200, or 1.20 for the smaller one." in said(refused)


# The moment


def test_a_delivery_in_the_future_is_refused(client, buyer, line):
    there = timezone.now().astimezone(ZoneInfo("America/Los_Angeles"))
    refused = post(client, line, received_at=f"{there + datetime.timedelta(hours=2):%Y-%m-%dT%H:%M}")
    assert refused.status_code == 422
    assert "That is in the future" in said(refused)


def test_a_delivery_of_two_days_ago_needs_a_reason(client, buyer, line):
    then = timezone.now().astimezone(ZoneInfo("America/Los_Angeles")) - datetime.timedelta(days=2)
    typed = {"received_at": f"{then:%Y-%m-%dT%H:%M}"}
    assert "Say why it is logged only now" in said(post(client, line, **typed))
    assert post(client, line, **typed, late_reason="paper lost").status_code == 303
    saved = Delivery.objects.get()
    assert (saved.received_on, saved.note) == (then.date(), "Logged later: paper lost")


def test_a_time_is_that_of_the_site_that_was_chosen(client, buyer, line):
    tokyo = make.site(code="TYO", time_zone="Asia/Tokyo")
    there = timezone.now().astimezone(ZoneInfo("Asia/Tokyo")) - datetime.timedelta(hours=1)
    post(client, line, site=tokyo.code, received_at=f"{there:%Y-%m-%dT%H:%M}")
    saved = Delivery.objects.get()
    assert (saved.site, saved.received_on) == (tokyo, there.date())
    assert saved.received_at == there.replace(second=0, microsecond=0)


def test_another_site_does_not_shift_the_moment_that_was_shown(client, buyer, line):
    make.site(code="TYO", time_zone="Asia/Tokyo")
    post(client, line, site="TYO")
    assert abs(timezone.now() - Delivery.objects.get().received_at) < datetime.timedelta(minutes=2)


def test_a_delivery_before_the_order_is_refused(client, buyer, line):
    line.order.ordered_on = timezone.now().date() + datetime.timedelta(days=2)
    line.order.save()
    assert "before the order was placed" in said(post(client, line))


# Lots


def test_a_lot_code_joins_deliveries_of_a_line(client, buyer, line):
    post(client, line, quantity="400", more="yes", lot_code="HB-42")
    post(client, line, quantity="300", more="yes", lot_code="HB-42")
    assert Lot.objects.get().deliveries.count() == 2


def test_a_lot_of_another_line_is_refused(client, buyer, line):
    other = make.line(order=line.order, number="L3")
    make.lot(line=other, code="HB-42")
    assert "Lot HB-42 belongs to PO-2391/L3." in said(post(client, line, lot_code="HB-42"))


# Undo and correct


def test_undo_takes_a_delivery_back_and_deletes_nothing(client, buyer, line):
    post(client, line)
    receipt = Delivery.objects.get()
    assert client.post(f"/deliveries/D-{receipt.pk}/undo/").status_code == 303
    assert client.post(f"/deliveries/D-{receipt.pk}/undo/").status_code == 303
    reversal = Delivery.objects.get(kind="reversal")
    assert (reversal.reverses, reversal.quantity, reversal.received_on) == (receipt, -1200, receipt.received_on)
    assert "Taken back" in client.get(f"/deliveries/D-{receipt.pk}/").content.decode()
    assert opened(client, line)["quantity"] == "1200"


def test_after_ten_minutes_or_by_somebody_else_there_is_no_undo(client, buyer, line):
    old = make.delivery(5, line=line, recorded_by=buyer, recorded_at=timezone.now() - datetime.timedelta(minutes=11))
    foreign = make.delivery(6, line=line, recorded_by=make.user("buyer"))
    for each in (old, foreign):
        client.post(f"/deliveries/D-{each.pk}/undo/")
    assert not Delivery.objects.filter(kind="reversal").exists()


def test_a_correction_takes_the_old_one_back_and_logs_a_new_one_with_a_reason(client, buyer, line):
    old = make.delivery(420, line=line, recorded_by=buyer, received_on=make.day("2026-11-02"))
    address = f"/deliveries/D-{old.pk}/correct/"
    data = {"quantity": "402", "more": "yes", "received_at": "2026-11-02T09:30", "site": "LAX", "do": "save",
            "idem": str(uuid.uuid4())}  # fmt: skip
    assert client.post(address, data).status_code == 422
    assert client.post(address, data | {"correction_reason": "counted again"}).status_code == 303
    assert list(line.deliveries.order_by("id").values_list("kind", "quantity", "reason")) == [
        ("receipt", 420, ""), ("reversal", -420, "counted again"), ("receipt", 402, ""),
    ]  # fmt: skip
    assert client.post(address, data | {"idem": str(uuid.uuid4()), "correction_reason": "x"}).status_code == 303
    assert line.deliveries.count() == 3


def test_a_delivery_of_the_wrong_line_is_taken_back_with_a_reason(client, buyer, line):
    wrong = make.delivery(420, line=line)
    address = f"/deliveries/D-{wrong.pk}/take-back/"
    assert client.post(address, {"reason": ""}).status_code == 422
    assert client.post(address, {"reason": "wrong line"}).status_code == 303
    assert Delivery.objects.get(kind="reversal").reason == "wrong line"


# Walls


@pytest.mark.parametrize("role, status", [("inspector", 403), ("officer", 403), ("contact", 403), ("manager", 303)])
def test_only_those_who_write_orders_log_deliveries(client, line, role, status):
    writer = Client()
    writer.force_login(make.user("admin"))
    data = opened(writer, line)
    client.force_login(make.user(role, factory=line.factory if role == "contact" else None))
    assert client.post(NEW, data).status_code == status
    assert Delivery.objects.exists() == (status == 303)


@pytest.mark.parametrize("bad", ["", "x", "VN-014", "VN-014/PO-2391/L9", "\x00", "/" * 500])
def test_a_line_nobody_knows_is_not_found(client, buyer, line, bad):
    assert client.get(NEW, {"line": bad}).status_code == (404 if bad else 200)


@pytest.mark.parametrize(
    "name", ["idem", "seen", "opened", "quantity", "received_at", "site", "cartons", "line", "more"]
)
@pytest.mark.parametrize("value", ["", "x", "\x00", "-1", "9" * 400])
def test_no_value_of_a_field_breaks_the_page(client, buyer, line, name, value):
    assert client.post(NEW, opened(client, line) | {name: value}).status_code in (200, 303, 409, 422)


@pytest.mark.parametrize("at", ["0001-01-01T00:00", "9999-12-31T23:59", "1999-12-31T10:00", "x"])
@pytest.mark.parametrize("offset", ["", "+14:00", "x"])
def test_no_moment_breaks_the_page(client, buyer, line, at, offset):
    typed = {"received_at": at, "opened": at + offset, "late_reason": "x"}
    assert post(client, line, **typed).status_code == 422
    assert post(client, line, **typed, do="find").status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_lines_to_choose_from(client, buyer, line):
    def queries():
        with CaptureQueriesContext(connection) as found:
            client.get(NEW, {"code": "PO-7"})
        return len(found)

    order = make.order(number="PO-7")
    for _ in range(3):
        make.delivery(line=make.line(order=order))
    few = queries()
    for _ in range(12):
        make.delivery(line=make.line(order=order))
    assert queries() == few
    assert OrderLine.objects.count() == 16
