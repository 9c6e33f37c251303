"""The lists and pages of orders, deliveries and inspections: who sees what, and that long lists stay fast."""

import csv
import datetime
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from production import rollups
from production.exports import safe
from production.models import DateRevision, Delivery, MaterialMovement, OrderLine, PurchaseOrder
from tests import make

LISTS = ["/orders/", "/deliveries/", "/inspections/"]


@pytest.fixture
def ours(db):
    """An order of one factory with something of everything on it."""
    factory = make.factory(code="VN-014", name="Hoa Binh Garment")
    order = make.order(number="PO-2391", factory=factory, note="a word among us", ordered_on=make.day("2026-09-01"))
    line = make.line(1200, order=order, number="L2", unit_price="77.31")
    lot = make.lot(line=line)
    make.inspection(lot=lot, note="a remark among us")
    make.delivery(420, line=line, lot=lot, note="a note among us", recorded_by=make.user("buyer", name="Li Wei"))
    supplied = make.order_material(order=order, material=make.material(code="FAB"))
    make.material_movement(100, order_material=supplied, unit_cost="88.42")
    make.revision(line=line, new_on=make.day("2026-11-20"), reason="a reason among us")
    rollups.rebuild()
    return order


def addresses(order):
    delivery, inspection = Delivery.objects.get(line__order=order), order.lines.get().lots.get().inspections.get()
    return [
        reverse("order_detail", args=[order.factory.code, order.number]),
        delivery.get_absolute_url(),
        inspection.get_absolute_url(),
    ]


# Who sees what


@pytest.mark.parametrize("role, status", [("manager", 200), ("buyer", 200), ("inspector", 200), ("admin", 200), ("contact", 200),
                                          ("officer", 403)])  # fmt: skip
def test_the_lists_are_for_those_who_read_production(client, ours, role, status):
    client.force_login(make.user(role, factory=ours.factory if role == "contact" else None))
    for address in LISTS:
        assert client.get(address).status_code == status


@pytest.mark.parametrize(
    "role, status", [("manager", 200), ("buyer", 200), ("inspector", 200), ("contact", 200), ("officer", 404)]
)
def test_the_pages_are_for_those_who_may_see_the_factory(client, ours, role, status):
    client.force_login(make.user(role, factory=ours.factory if role == "contact" else None))
    for address in addresses(ours):
        answer = client.get(address)
        assert answer.status_code in ({status, 403} if status == 404 else {status})


def bare(answer, address):
    """A page without its own address and without the token that differs each time."""
    return re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", answer.content.decode().replace(address, ""))


def test_a_contact_of_another_factory_gets_the_same_answer_as_for_what_does_not_exist(client, ours):
    client.force_login(make.user("contact", factory=make.factory()))
    unknown = ["/orders/VN-014/PO-9999/", "/deliveries/D-999999/", "/inspections/I-999999/"]
    for foreign, nothing in zip(addresses(ours), unknown, strict=True):
        one, other = client.get(foreign), client.get(nothing)
        assert (one.status_code, other.status_code) == (404, 404)
        assert bare(one, foreign) == bare(other, nothing)
    for address in LISTS:
        assert "PO-2391" not in client.get(address).content.decode()
    assert client.get("/orders/PO-2391/").status_code == 404
    assert b"PO-2391" not in b"".join(client.get("/deliveries/?format=csv"))


@pytest.mark.parametrize(
    "role, sees_prices", [("manager", True), ("buyer", True), ("inspector", False), ("contact", False)]
)
def test_prices_are_hidden_from_inspectors_and_contacts(client, ours, role, sees_prices):
    client.force_login(make.user(role, factory=ours.factory if role == "contact" else None))
    page = client.get(addresses(ours)[0]).content.decode()
    assert ("77.31" in page, "88.42" in page) == (sees_prices, sees_prices)


def test_what_we_say_among_us_is_hidden_from_contacts(client, ours):
    client.force_login(make.user("contact", factory=ours.factory))
    for address in addresses(ours):
        page = client.get(address).content.decode()
        assert "among us" not in page
        assert "Li Wei" not in page
    client.force_login(make.user("inspector"))
    assert "a note among us" in client.get(addresses(ours)[1]).content.decode()


WRITES = ["lines/new/", "confirm/", "revisions/new/", "cancellations/new/", "close-short/", "close/", "materials/new/"]


@pytest.mark.parametrize("role", ["inspector", "officer", "contact"])
def test_only_writers_change_orders(client, ours, role):
    client.force_login(make.user(role, factory=ours.factory if role == "contact" else None))
    for address in ["/orders/new/", *(addresses(ours)[0] + each for each in WRITES)]:
        assert client.get(address).status_code == 403
        assert client.post(address, {}).status_code == 403


def test_the_forms_of_an_order_open_for_a_buyer_and_refuse_nothing_filled_in(client, ours):
    client.force_login(make.user("buyer"))
    for address in ["/orders/new/", *(addresses(ours)[0] + each for each in WRITES)]:
        assert client.get(address).status_code == 200
        assert client.post(address, {"x": "1"}).status_code == 422
    assert client.get("/orders/VN-014/PO-9999/close/").status_code == 404


# Addresses


def test_a_bare_number_leads_to_its_order_or_to_the_orders_that_bear_it(client, ours):
    client.force_login(make.user("buyer"))
    assert client.get("/orders/PO-2391/")["Location"] == "/orders/VN-014/PO-2391/"
    make.order(number="PO-2391")
    page = client.get("/orders/PO-2391/")
    assert page.status_code == 200
    assert page.content.decode().count('<th scope="row">') == 2
    assert client.get("/orders/PO-0/").status_code == 404


def test_an_order_number_may_hold_a_slash(client, db):
    order = make.order(number="PO/26/7", factory=make.factory(code="VN-1"))
    client.force_login(make.user("buyer"))
    assert client.get("/orders/VN-1/PO/26/7/").status_code == 200
    assert client.get("/orders/VN-1/PO/26/7/lines/new/").status_code == 200
    assert order.number in client.get("/orders/").content.decode()


@pytest.mark.parametrize("query", ["after=x", "before=~", "after=2026-01-01~9999999999999999999", "q=%00", "q=%25", "from=x",
                                   "factory=x", "site=x", "timing=x", "state=x", "format=pdf", "q=" + "9" * 300])  # fmt: skip
def test_no_filter_breaks_a_list(client, ours, query):
    client.force_login(make.user("buyer"))
    for address in LISTS:
        assert client.get(f"{address}?{query}").status_code == 200


# Filters and pages


def codes_on(page):
    return re.findall(r">(D-\d+)<", page.content.decode())


def test_deliveries_page_by_day_and_number_without_counting(client, db):
    line = make.line()
    for number in range(120):
        make.delivery(1, line=line, received_on=make.day("2026-01-01") + datetime.timedelta(days=number // 7))
    client.force_login(make.user("buyer"))
    with CaptureQueriesContext(connection) as found:
        first = client.get("/deliveries/")
    assert not [query for query in found.captured_queries if "COUNT(" in query["sql"].upper()]
    seen, address = codes_on(first), first
    pages = [seen]
    while more := re.search(r'rel="next" href="([^"]+)"', address.content.decode()):
        address = client.get("/deliveries/" + more[1].replace("&amp;", "&"))
        pages.append(codes_on(address))
    newest = [each.code for each in Delivery.objects.newest_first()]
    assert [code for page in pages for code in page] == newest
    back = re.search(r'rel="prev" href="([^"]+)"', address.content.decode())[1].replace("&amp;", "&")
    assert codes_on(client.get("/deliveries/" + back)) == pages[1]


def test_deliveries_are_filtered_by_factory_site_days_and_lateness(client, db):
    line = make.line(committed_on=make.day("2026-11-10"))
    in_time, late = make.delivery(1, line=line, received_on=make.day("2026-11-09")), make.delivery(
        2, line=line, received_on=make.day("2026-11-12"))  # fmt: skip
    other = make.delivery(3, received_on=make.day("2026-10-01"), line=make.line(committed_on=make.day("2026-10-02")))
    rollups.rebuild()
    client.force_login(make.user("buyer"))

    def found(**query):
        return set(codes_on(client.get("/deliveries/", query)))

    assert found(timing="late") == {late.code}
    assert found(timing="on-time") == {in_time.code, other.code}
    assert found(factory=line.factory.code) == {in_time.code, late.code}
    assert found(site=other.site.code) == {other.code}
    assert found(**{"from": "2026-11-10", "to": "2026-11-30"}) == {late.code}
    assert found(q=other.line.order.number) == {other.code}
    assert found(q=late.code.lower()) == {late.code}
    assert found(q="nothing of the kind") == set()


def test_orders_are_open_late_or_closed(client, db):
    today = timezone.now().date()
    late = make.line(10, committed_on=today - datetime.timedelta(days=5)).order
    ahead = make.line(10, committed_on=today + datetime.timedelta(days=5)).order
    done = make.line(10, committed_on=today)
    make.delivery(10, line=done, received_on=today - datetime.timedelta(days=1))
    rollups.rebuild()
    fresh = make.order()
    client.force_login(make.user("buyer"))

    def found(state):
        page = client.get("/orders/", {"state": state}).content.decode()
        return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)<', page)

    assert found("late") == [late.number]
    assert found("open") == [late.number, ahead.number, fresh.number]
    assert found("closed") == [done.order.number]
    assert len(found("all")) == 4


@pytest.mark.parametrize("address", [*LISTS, "/orders/?state=all", "/orders/?state=late"])
def test_the_number_of_queries_of_a_list_does_not_grow_with_its_rows(client, db, address):
    client.force_login(make.user("buyer"))

    def queries(rows):
        for _ in range(rows):
            line = make.line(committed_on=make.day("2026-01-01"))
            make.inspection(lot=make.lot(line=line))
            make.delivery(1, line=line)
        rollups.rebuild()
        with CaptureQueriesContext(connection) as found:
            assert client.get(address).status_code == 200
        return len(found)

    queries(2)
    assert queries(5) == queries(20)


def test_the_number_of_queries_of_an_order_does_not_grow_with_its_lines(client, ours):
    client.force_login(make.user("manager"))
    address = addresses(ours)[0]

    def queries(lines):
        for _ in range(lines):
            line = make.line(order=ours)
            make.inspection(lot=make.lot(line=line))
            make.delivery(1, line=line)
            make.cancellation(line=line, quantity=1, cancelled_on=make.day("2026-01-01"))
            make.revision(line=line, new_on=make.day("2026-12-01"))
            make.material_movement(order_material=make.order_material(order=ours))
        with CaptureQueriesContext(connection) as found:
            assert client.get(address).status_code == 200
        return len(found)

    queries(1)
    assert queries(2) == queries(10)


# Files


def test_the_file_holds_the_rows_of_all_pages_as_filtered(client, db):
    line = make.line()
    for number in range(60):
        make.delivery(number + 1, line=line)
    make.delivery(7)
    client.force_login(make.user("buyer"))
    answer = client.get("/deliveries/", {"factory": line.factory.code, "format": "csv"})
    content = b"".join(answer)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) == 60
    assert {row["Order"] for row in rows} == {line.order.number}
    book = load_workbook(io.BytesIO(b"".join(client.get("/deliveries/", {"format": "xlsx"}))))
    assert book.worksheets[0].max_row == 62
    assert book.worksheets[0]["I2"].value == 7


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_cell_of_a_file_is_a_formula(client, db, kind):
    evil = '=HYPERLINK("http://x","y")'
    make.delivery(5, document=evil, line=make.line(product=make.product(name="+1")))
    client.force_login(make.user("buyer"))
    content = b"".join(client.get("/deliveries/", {"format": kind}))
    if kind == "csv":
        row = next(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        assert (row["Document"], row["Product"]) == (f"'{evil}", "'+1")
    else:
        row = list(load_workbook(io.BytesIO(content)).worksheets[0].rows)[1]
        assert "f" not in {cell.data_type for cell in row}
        assert row[17].value == f"'{evil}"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "＝1", "\n+1", "'=1", "\x00=1"])
def test_text_that_would_begin_a_formula_is_defused(text):
    assert safe(text).startswith("'")


@pytest.mark.parametrize("value", [-5, datetime.date(2026, 1, 1), "VN-014", "L2", "", "5 = 5"])
def test_other_cells_stay_as_they_are(value):
    assert safe(value) == value


# The office


def test_an_order_is_added_confirmed_revised_and_closed(client, db):
    factory, product, site = make.factory(code="VN-1"), make.product(code="TEE"), make.site(code="LAX")
    client.force_login(make.user("manager"))
    client.post("/orders/new/", {"factory": "VN-1", "number": "PO-1", "currency": "usd", "ordered_on": "2026-01-05",
                                 "cycle_days": "45", "loss_allowance": "0.03", "loss_base": "net_issued"})  # fmt: skip
    order = PurchaseOrder.objects.get(factory=factory, currency="USD")
    terms = {
        "grace_days": "1",
        "grace_unit": "calendar",
        "tol_under": "0.02",
        "over_policy": "ok",
        "early_policy": "ok",
    }
    typed = {"number": "L1", "product": "tee", "site": "LAX", "quantity": "1,200", "unit_price": "3.20", **terms}
    assert client.post("/orders/VN-1/PO-1/lines/new/", typed).status_code == 303
    assert client.post("/orders/VN-1/PO-1/lines/new/", typed).status_code == 422
    line = OrderLine.objects.get(order=order, product=product, site=site, quantity=1200)
    assert client.post("/orders/VN-1/PO-1/confirm/", {"confirmed_on": "2026-01-10"}).status_code == 303
    line.refresh_from_db()
    assert line.committed_on == make.day("2026-02-24")
    assert line.terms_frozen_on == make.day("2026-01-10")
    revised = {"line": "L1", "new_on": "2026-03-03", "cause": "buyer", "asked_on": "2026-02-01", "reason": "artwork"}
    assert client.post("/orders/VN-1/PO-1/revisions/new/", revised).status_code == 303
    revision = DateRevision.objects.get(approved_on=None)
    approve = f"/orders/VN-1/PO-1/revisions/{revision.pk}/approve/"
    assert client.post(approve).status_code == 303
    assert "now 3 Mar 2026" in client.get("/orders/VN-1/PO-1/").content.decode()
    cancelled = {"line": "L1", "quantity": "1500", "by": "buyer", "cancelled_on": "2026-02-02", "reason": "demand"}
    refused = client.post("/orders/VN-1/PO-1/cancellations/new/", cancelled)
    assert refused.status_code == 422
    assert "Cancelled 1500 is more than the ordered 1200." in refused.content.decode()
    assert client.post("/orders/VN-1/PO-1/cancellations/new/", cancelled | {"quantity": "200"}).status_code == 303
    assert client.post("/orders/VN-1/PO-1/cancellations/new/", cancelled | {"quantity": "200"}).status_code == 422
    assert client.post("/orders/VN-1/PO-1/close-short/", {
        "line": "L1", "closed_short_on": "2026-04-01", "reason": "bankrupt"}).status_code == 303  # fmt: skip
    closing = {"closed_on": "2026-04-02", "sure": "on"}
    assert "Say why it is closed only now" in client.post("/orders/VN-1/PO-1/close/", closing).content.decode()
    assert client.post("/orders/VN-1/PO-1/close/", closing | {"reason": "the liquidator wrote"}).status_code == 303
    order.refresh_from_db()
    assert order.closed_on == make.day("2026-04-02")
    assert order.note.splitlines() == ["Line L1 closed short on 1 Apr 2026: bankrupt", "Closed: the liquidator wrote"]
    rollups.rebuild()
    assert client.get("/orders/VN-1/PO-1/").status_code == 200


def test_a_buyer_asks_for_a_revision_and_a_manager_approves_it(client, ours):
    client.force_login(make.user("buyer"))
    address = "/orders/VN-014/PO-2391/revisions/new/"
    typed = {
        "line": "L2",
        "new_on": "2026-12-03",
        "cause": "buyer",
        "asked_on": "2026-11-01",
        "reason": "x",
        "approve": "on",
    }
    client.post(address, typed)
    revision = DateRevision.objects.get(new_on="2026-12-03")
    assert revision.approved_on is None
    assert client.post(f"/orders/VN-014/PO-2391/revisions/{revision.pk}/approve/").status_code == 403


def test_the_terms_of_a_confirmed_line_are_not_confirmed_twice(client, ours):
    client.force_login(make.user("buyer"))
    client.post(
        "/orders/VN-014/PO-2391/confirm/", {"confirmed_on": "2026-09-05", f"line_{ours.lines.get().pk}": "2026-11-01"}
    )
    assert client.post("/orders/VN-014/PO-2391/confirm/", {"confirmed_on": "2026-09-06"}).status_code == 303
    ours.refresh_from_db()
    assert ours.confirmed_on == make.day("2026-09-05")


# Material


def test_yards_are_kept_as_they_were_entered_and_converted_exactly(client, ours):
    client.force_login(make.user("buyer"))
    typed = {
        "kind": "issue",
        "material": "fab",
        "quantity": "1500",
        "unit": "yd",
        "moved_on": "2026-10-02",
        "unit_cost": "2.5",
    }
    assert client.post("/orders/VN-014/PO-2391/materials/new/", typed).status_code == 303
    move = MaterialMovement.objects.get(unit_entered="yd")
    assert (move.factor_numerator, move.factor_denominator) == (1143, 1250)
    assert (move.quantity, move.unit_cost) == (make.decimal("1371.6"), make.decimal("2.5"))


@pytest.mark.parametrize(
    "typed, words",
    [
        ({"unit_cost": ""}, "Enter the cost"),
        ({"unit": "kg"}, "kg cannot be converted to m"),
        ({"material": "x"}, "No material has the code"),
        ({"kind": "return", "quantity": "101"}, "is more than the issued"),
        ({"kind": "transfer", "to_order": "PO-0"}, "another order of this factory"),
        ({"quantity": "1.200"}, "may be 1200 or 1.2"),
    ],
)
def test_a_movement_that_cannot_be_is_refused_in_words(client, ours, typed, words):
    client.force_login(make.user("buyer"))
    sound = {
        "kind": "issue",
        "material": "FAB",
        "quantity": "10",
        "unit": "m",
        "moved_on": "2026-10-02",
        "unit_cost": "2.5",
    }
    refused = client.post("/orders/VN-014/PO-2391/materials/new/", sound | typed)
    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert MaterialMovement.objects.count() == 1


def test_material_passed_to_another_order_leaves_one_and_reaches_the_other_at_its_average_cost(client, ours):
    other = make.order(number="PO-8", factory=ours.factory)
    client.force_login(make.user("buyer"))
    typed = {"kind": "transfer", "material": "FAB", "quantity": "40", "moved_on": "2026-10-02", "to_order": "PO-8"}
    assert client.post("/orders/VN-014/PO-2391/materials/new/", typed).status_code == 303
    assert other.materials.get().movements.get().unit_cost == make.decimal("88.42")
    assert ours.materials.get().movements.filter(kind="transfer_out").count() == 1


def test_a_closed_order_shows_what_became_of_its_material(client, ours):
    material = ours.materials.get().material
    line = ours.lines.get()
    line.bill = make.bill(product=line.product, per_unit={material: "0.2"})
    line.save()
    ours.closed_on = make.day("2026-11-10")
    ours.save()
    rollups.rebuild()
    client.force_login(make.user("buyer"))
    page = re.sub(r"<[^>]+>", " ", client.get("/orders/VN-014/PO-2391/").content.decode())
    assert "Beyond the allowance" in page
    assert re.search(r"To be charged\s+1,149\.46 USD", page)
