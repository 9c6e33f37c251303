"""Importing an order file: what it makes, what a second time does, and what is refused."""

import csv
import datetime
import getpass
import io
import json
import os
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from factories.models import Factory
from production.history import story
from production.imports.mapping import load
from production.imports.problems import ImportProblem
from production.imports.run import import_file
from production.models import Delivery, FactoryDay, OrderLine, Product, PurchaseOrder
from production.rates import rates
from tests import make
from tests.make import day

DIRTY = Path(__file__).parent / "data" / "dirty.csv"
TODAY = day("2026-11-20")
HEADER = ["Factory", "Order", "Line", "Product", "Quantity", "Committed on", "Delivered on", "Delivered quantity"]
ROW = ["VN-001", "PO-1", "1", "SKU-1", "100", "2026-10-01", "2026-10-01", "100"]
MAPPING = """
name = "ours"
[file]
null_words = ["none"]
[numbers]
decimal = "."
[dates]
forms = ["YYYY-MM-DD"]
[key]
columns = ["Order", "Line"]
[columns]
order_number = "Order"
line_number = "Line"
factory_code = "Factory"
product_code = "Product"
quantity = "Quantity"
committed_on = "Committed on"
delivered_on = {{ column = "Delivered on", optional = true }}
delivered_quantity = {{ column = "Delivered quantity", optional = true }}
{columns}
[constants]
site = "MAIN"
category = "Knitwear"
currency = "USD"
{constants}
[create]
factories = true
products = true
categories = true
sites = true
{rest}
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def mapping(tmp_path):
    """mapping(columns="", constants="", rest="") -> the mapping above with more in those tables."""

    def load_it(columns="", constants="", rest="", text=MAPPING):
        path = tmp_path / "ours.toml"
        path.write_text(text.format(columns=columns, constants=constants, rest=rest))
        return load(str(path))

    return load_it


@pytest.fixture
def bring(tmp_path, mapping):
    """bring(rows, header=HEADER, with_mapping=None, **options) -> the result of importing such a CSV file."""

    def run(rows, header=HEADER, with_mapping=None, **options):
        path = tmp_path / "orders.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return import_file(path, with_mapping or mapping(), today=TODAY, **options)

    return run


def row(**changes):
    return [changes.get(name.replace(" ", "_").lower(), value) for name, value in zip(HEADER, ROW, strict=True)]


def reasons(result):
    return [(problem.row, problem.column, problem.value, problem.reason) for problem in result.problems.refused]


# A file with the dirt of real ones


def test_dirty_file_counts_as_it_was_made():
    result = import_file(DIRTY, load("scms"), today=TODAY)
    assert not result.problems.refused
    assert (result.rows, result.detail) == (360, "cp1252, comma")
    made = {name: result.counts[f"{name}_created"] for name in ("lines", "deliveries", "factories", "products")}
    assert made == {"lines": 360, "deliveries": 360, "factories": 9, "products": 5}
    (otif,) = (
        rate for rate in rates(day("2012-01-01"), day("2012-12-31"), day("2013-12-31")) if rate.measure == "otif"
    )
    assert (otif.numerator, otif.denominator, str(otif.percent)) == (301, 348, "86.4943")


def test_dirty_file_agrees_with_a_plain_reading_of_it():
    """Written with nothing of ours: the standard library and two ways to write a day."""

    def days(text):
        return datetime.datetime.strptime(text, "%d-%b-%y" if "-" in text else "%m/%d/%y").date()

    with DIRTY.open(encoding="cp1252", newline="") as file:
        rows = list(csv.DictReader(file))
    import_file(DIRTY, load("scms"), today=TODAY)
    assert PurchaseOrder.objects.count() == len({(r["PO / SO #"], r["Manufacturing Site"]) for r in rows})
    stored = {line.number: line for line in OrderLine.objects.select_related("order__factory", "product")}
    received = dict(Delivery.objects.values_list("line__number", "received_on"))
    for r in rows:
        line = stored[r["ID"]]
        assert line.committed_on == days(r["Scheduled Delivery Date"])
        assert received[r["ID"]] == days(r["Delivered to Client Date"])
        assert (line.quantity, line.unit_price) == (Decimal(r["Line Item Quantity"]), Decimal(r["Unit Price"]))
        assert (line.order.number, line.order.factory.name) == (r["PO / SO #"], r["Manufacturing Site"])
        assert line.product.name == r["Item Description"]
        assert line.source_key == f"scms:{r['ID']}"


def test_mis_decoded_name_is_kept_and_pointed_out():
    result = import_file(DIRTY, load("scms"), today=TODAY)
    assert Factory.objects.filter(name="CÃ³ndor Laboratorio, Lima").exists()
    assert {w.reason for w in result.problems.warned} == {"looks wrongly decoded; check the encoding of the file."}


def test_same_file_twice_adds_nothing():
    import_file(DIRTY, load("scms"), today=TODAY)
    history = event_count()
    again = import_file(DIRTY, load("scms"), today=day("2026-11-21"))
    assert not again.problems.refused
    assert {name: count for name, count in again.counts.items() if count} == {"unchanged": 360}
    assert event_count() == history


def event_count():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM production_orderlineevent")
        return cursor.fetchone()[0]


def test_queries_do_not_grow_with_rows(bring, django_assert_max_num_queries):
    with django_assert_max_num_queries(40):
        bring([row(order=f"PO-{number}", factory=f"VN-{number % 90:03}") for number in range(2_000)])
    with django_assert_max_num_queries(40):
        bring([row(order=f"PO-{number}", factory=f"VN-{number % 90:03}") for number in range(2_000)])


# What a row becomes


def test_line_with_everything(bring, mapping):
    header = [*HEADER, "Price", "Cur", "Ordered", "Confirmed", "Asked", "Forecast", "Grace", "Under", "Site", "Doc"]
    columns = """unit_price = "Price"\ncurrency = "Cur"\nordered_on = "Ordered"\nconfirmed_on = "Confirmed"
requested_on = "Asked"\nforecast_on = "Forecast"\ngrace_days = "Grace"\ntol_under = { column = "Under", percent = true }
site = "Site"\ndocument = "Doc" """
    values = ["2.50", "EUR", "2026-06-01", "2026-06-05", "2026-09-20", "2026-10-03", "2", "5%", "ROT", "ASN-1"]
    result = bring([[*ROW, *values]], header, mapping(columns))
    assert not result.problems.refused
    line = OrderLine.objects.select_related("order", "site").get()
    assert (line.order.currency, line.order.confirmed_on) == ("EUR", day("2026-06-05"))
    assert (line.unit_price, line.grace_days, line.tol_under) == (Decimal("2.5"), 2, Decimal("0.05"))
    assert (line.requested_on, line.forecast_on, line.site.code) == (day("2026-09-20"), day("2026-10-03"), "ROT")
    assert line.terms_frozen_on == day("2026-06-05")
    delivery = line.deliveries.get()
    assert (delivery.document, delivery.known_on, delivery.site) == ("ASN-1", day("2026-10-01"), line.site)


def test_terms_freeze_on_the_order_day_or_the_day_of_the_import(bring, mapping):
    told = mapping('ordered_on = "Ordered"')
    bring([[*row(order="A"), "2026-06-01"], [*row(order="B"), ""]], [*HEADER, "Ordered"], told)
    frozen = dict(OrderLine.objects.values_list("order__number", "terms_frozen_on"))
    assert frozen == {"A": day("2026-06-01"), "B": TODAY}


def test_contract_cycle_gives_the_committed_day(bring, mapping):
    told = mapping('confirmed_on = "Confirmed"\ncycle_days = "Cycle"')
    bring([[*row(committed_on=""), "2026-06-05", "45"]], [*HEADER, "Confirmed", "Cycle"], told)
    assert OrderLine.objects.get().committed_on == day("2026-07-20")


def test_one_number_at_two_factories_becomes_two_orders(bring, mapping):
    rows = [row(), row(factory="VN-002", line="2")]
    refused = bring(rows, with_mapping=mapping(rest='[orders]\nspans_factories = "refuse"'))
    assert "order of another factory in row 2" in reasons(refused)[0][3]
    result = bring(rows)
    assert (result.counts["orders_created"], result.counts["lines_created"]) == (2, 2)


def test_several_deliveries_of_one_line(bring, mapping):
    told = mapping('delivery_number = "Receipt"')
    header = [*HEADER, "Receipt"]
    rows = [[*row(delivered_quantity="60"), "R1"], [*row(delivered_quantity="40", delivered_on="2026-10-05"), "R2"]]
    result = bring(rows, header, told)
    assert (result.counts["lines_created"], result.counts["deliveries_created"]) == (1, 2)
    again = bring([*rows, [*row(delivered_quantity="1", delivered_on="2026-10-06"), "R3"]], header, told)
    assert (again.counts["unchanged"], again.counts["deliveries_created"], again.problems.refused) == (0, 1, [])
    other = bring([rows[0], [*row(quantity="90", delivered_quantity="40"), "R4"]], header, told)
    assert "differs from row 2, which is the same line." in reasons(other)[0][3]
    twice = bring([rows[0], rows[0]], header, told)
    assert "names the same delivery as row 2." in reasons(twice)[0][3]


def test_lines_without_a_number_are_numbered_after_those_there_are(bring, mapping):
    text = MAPPING.replace('line_number = "Line"\n', "")
    bring([row(line="a"), row(line="b")], with_mapping=mapping(text=text))
    bring([row(line="a"), row(line="b"), row(line="c")], with_mapping=mapping(text=text))
    assert sorted(OrderLine.objects.values_list("source_key", "number")) == [
        ("ours:PO-1|a", "1"), ("ours:PO-1|b", "2"), ("ours:PO-1|c", "3"),
    ]  # fmt: skip


def test_rows_that_the_mapping_skips(bring, mapping):
    told = mapping(rest='[[skip]]\ncolumn = "State"\nwords = ["Cancelled"]')
    result = bring([[*row(), "open"], [*row(line="2"), "CANCELLED "]], [*HEADER, "State"], told)
    assert (result.rows, result.skipped_rows, result.counts["lines_created"]) == (2, 1, 1)


# Factories


NAMED = MAPPING.replace('factory_code = "Factory"', 'factory_name = "Factory"')


def test_new_factories_get_running_codes_and_keep_them(bring, mapping):
    make.factory(code="VN-007", name="Known Mill")
    told = mapping(text=NAMED, rest='[factory]\ncountry = "VN"')
    rows = [row(factory="Red Mill"), row(factory="Known  mill", order="PO-2"), row(factory="Blue Mill", order="PO-3")]
    bring(rows, with_mapping=told)
    bring([row(factory="Green Mill", order="PO-4"), *rows], with_mapping=told)
    assert dict(Factory.objects.values_list("name", "code")) == {
        "Known Mill": "VN-007", "Red Mill": "VN-008", "Blue Mill": "VN-009", "Green Mill": "VN-010",
    }  # fmt: skip


def test_unknown_factory_is_refused_with_the_nearest_name(bring, mapping):
    make.factory(name="Known Mill")
    text = NAMED.replace("factories = true", "factories = false")
    result = bring([row(factory="Knwon Mill")], with_mapping=mapping(text=text))
    assert reasons(result) == [(2, "Factory", "Knwon Mill", "There is no such factory. Did you mean “Known Mill”?")]


def test_two_factories_of_one_name_are_not_guessed(bring, mapping):
    for code in ("VN-001", "VN-002"):
        make.factory(code=code, name="Twin Mill")
    result = bring([row(factory="Twin Mill")], with_mapping=mapping(text=NAMED))
    assert "Several factories bear this name: VN-001, VN-002." in reasons(result)[0][3]


def test_new_factory_has_the_category_of_most_of_its_lines(bring, mapping):
    told = mapping('category = "Category"')
    rows = [[*row(line=str(n), product=f"P{n}"), kind] for n, kind in enumerate(["Shoes", "Bags", "Bags"])]
    bring(rows, [*HEADER, "Category"], told)
    assert Factory.objects.get().category.name == "Bags"


def test_product_known_in_another_category_is_kept_and_pointed_out(bring, mapping):
    make.product(code="SKU-1", category=make.category(name="Shoes"))
    result = bring([row()])
    assert Product.objects.get().category.name == "Shoes"
    assert "known in another category" in result.problems.warned[0].reason


# All or nothing


BAD = [row(), row(line="2", quantity="many", committed_on="2026-02-30"), row(line="3", quantity="0"), row(line="4")]


def test_one_bad_row_refuses_everything_and_every_problem_is_named(bring):
    result = bring(BAD)
    assert reasons(result) == [
        (3, "Quantity", "many", "is not a number."),
        (3, "Committed on", "2026-02-30", "is not a day of the calendar, read as YYYY-MM-DD."),
        (4, "Quantity", "0", "must be more than 0."),
    ]
    assert not OrderLine.objects.exists()
    assert not Factory.objects.exists()
    assert result.problems.bad_rows == {3, 4}


def test_skip_bad_imports_the_rest(bring):
    result = bring(BAD, skip_bad=True)
    assert sorted(OrderLine.objects.values_list("number", flat=True)) == ["1", "4"]
    assert len(result.problems.refused) == 3
    assert result.is_applied


def test_dry_run_counts_and_leaves_nothing(bring):
    result = bring([row()], dry_run=True)
    assert (result.counts["orders_created"], result.counts["lines_created"]) == (1, 1)
    assert not OrderLine.objects.exists()
    assert not Factory.objects.exists()


def test_database_refusal_is_reported_and_leaves_nothing(bring, monkeypatch):
    monkeypatch.setattr("production.imports.writing.delivery_key", lambda row: uuid.UUID(int=1))
    result = bring([row(), row(line="2")])
    assert reasons(result)[0][3].startswith("The database refused the import: duplicate key")
    assert not any(result.counts.values())
    assert not OrderLine.objects.exists()


@pytest.mark.parametrize(
    "header, changes, column, reason",
    [
        ("Name", {"product": ""}, "Product", "is missing; the mapping does not say that product_name is enough."),
        ("Name", {"product": "none"}, "Product", "is missing; the mapping does not say that product_name is enough."),
        ("Currency", {"extra": "XYZ"}, "Currency", "is no currency of ISO 4217."),
        ("Currency", {"extra": "usd"}, "Currency", "is not 3 capital letters."),
        ("Currency", {"extra": ""}, "Currency", "is missing."),
        ("Percent", {"extra": "5.00001%"}, "Percent", "has more than 6 decimals."),
    ],
)
def test_what_would_be_guessed_is_refused_with_row_and_column(bring, mapping, header, changes, column, reason):
    field = {"Name": 'product_name = "Name"', "Currency": 'currency = "Currency"'}.get(
        header, 'tol_under = { column = "Percent", percent = true }'
    )
    text = MAPPING.replace('currency = "USD"\n', "") if header == "Currency" else MAPPING
    extra = changes.pop("extra", "Shirt")
    result = bring([[*row(**changes), extra]], [*HEADER, header], mapping(field, text=text))
    assert [problem[:2] + problem[3:] for problem in reasons(result)] == [(2, column, reason)]
    assert not result.is_applied


def test_constant_of_a_mapping_is_read_as_strictly_as_a_cell(bring, mapping):
    ((where, _, _, reason),) = reasons(bring([row()], with_mapping=mapping(text=MAPPING.replace('"USD"', '"XYZ"'))))
    assert (where, reason) == (None, "The mapping's constant currency “XYZ” is no currency of ISO 4217.")


def test_name_is_enough_where_the_mapping_says_that_the_code_is_optional(bring, mapping):
    text = MAPPING.replace('product_code = "Product"', 'product_code = {{ column = "Product", optional = true }}')
    bring([[*row(product=""), "Shirt"]], [*HEADER, "Name"], mapping('product_name = "Name"', text=text))
    assert Product.objects.get().name == "Shirt"


def test_unreadable_cell_does_not_become_the_constant(bring, mapping):
    told = mapping('category = { column = "Kind", unreadable = "warn" }')
    result = bring([[*ROW, "x" * 90], [*row(line="2", product="SKU-2"), ""]], [*HEADER, "Kind"], told)
    assert reasons(result) == [(2, "Kind", None, "This product is new and has no category.")]


def test_categories_whose_names_make_one_code_stay_apart(bring, mapping):
    told = mapping('category = "Kind"')
    bring([[*row(product="A"), "C"], [*row(line="2", product="B"), "C++"]], [*HEADER, "Kind"], told)
    assert set(Product.objects.values_list("code", "category__name")) == {("A", "C"), ("B", "C++")}


def test_new_product_has_the_category_that_any_of_its_rows_names(bring, mapping):
    text = MAPPING.replace('category = "Knitwear"\n', "")
    rows = [[*ROW, ""], [*row(line="2"), "Knitwear"]]
    assert not bring(rows, [*HEADER, "Kind"], mapping('category = "Kind"', text=text)).problems.refused


def test_refused_delivery_takes_the_other_rows_of_its_line_along(bring, mapping):
    told = mapping('delivery_number = "No"')
    rows = [[*row(), "1"], [*row(quantity="7"), "2"], [*row(line="2"), "1"]]
    result = bring(rows, [*HEADER, "No"], told, skip_bad=True)
    assert result.problems.bad_rows == {2, 3}
    assert (2, "key", None, "is the same line as row 3, which was refused.") in [
        (where, column, None, reason) for where, column, _, reason in reasons(result)
    ]
    assert OrderLine.objects.get().number == "2"


def test_what_is_kept_of_a_known_product_is_said(bring, mapping):
    told = mapping('product_name = "Name"\nproduct_unit = "Unit"')
    bring([[*ROW, "Shirt", "pcs"]], [*HEADER, "Name", "Unit"], told)
    result = bring([[*row(line="2"), "Skirt", "m"]], [*HEADER, "Name", "Unit"], told)
    assert {warned.reason for warned in result.problems.warned} == {
        "The product SKU-1 is known as “Shirt”, which was kept.",
        "The product SKU-1 is counted in pcs, which was kept.",
    }


def test_delivery_day_with_a_quantity_of_0_is_pointed_out(bring):
    result = bring([row(delivered_quantity="0")])
    assert not Delivery.objects.exists()
    assert "no delivery was recorded" in result.problems.warned[0].reason


# The second time


def test_changed_value_is_a_conflict_and_changes_nothing(bring):
    bring([row(), row(line="2")])
    result = bring([row(committed_on="2026-10-09"), row(line="2"), row(line="3")])
    assert reasons(result) == [
        (2, "Committed on", "2026-10-09", "was imported before as “2026-10-01”; use --update to replace it.")
    ]
    assert result.problems.conflicts == 1
    assert OrderLine.objects.count() == 2
    assert OrderLine.objects.get(number="1").committed_on == day("2026-10-01")


def test_conflict_is_skipped_with_skip_bad(bring):
    bring([row()])
    result = bring([row(quantity="7"), row(line="2")], skip_bad=True)
    assert (result.counts["lines_created"], OrderLine.objects.get(number="1").quantity) == (1, 100)


def test_update_replaces_even_the_frozen_day(bring):
    bring([row()])
    changed = row(committed_on="2026-10-09", quantity="120", delivered_on="2026-10-02", delivered_quantity="110")
    result = bring([changed], update=True)
    assert not result.problems.refused
    assert (result.counts["lines_updated"], result.counts["deliveries_updated"], result.problems.conflicts) == (1, 1, 1)
    line = OrderLine.objects.get()
    assert (line.committed_on, line.quantity) == (day("2026-10-09"), 120)
    assert list(line.deliveries.values_list("received_on", "known_on", "quantity")) == [
        (day("2026-10-02"), day("2026-10-02"), 110)
    ]
    assert bring([changed]).counts["unchanged"] == 1


def test_update_moves_a_line_to_another_factory_with_its_deliveries(bring):
    bring([row()])
    result = bring([row(factory="VN-002")], update=True)
    assert not result.problems.refused
    assert Delivery.objects.get().factory.code == OrderLine.objects.get().factory.code == "VN-002"


def test_changed_order_value_is_a_conflict_of_its_rows(bring, mapping):
    bring([row()])
    euros = mapping(text=MAPPING.replace('currency = "USD"', 'currency = "EUR"'))
    assert bring([row()], with_mapping=euros).problems.conflicts == 1
    assert bring([row()], with_mapping=euros, update=True).counts["orders_updated"] == 1
    assert PurchaseOrder.objects.get().currency == "EUR"


def test_empty_cell_says_nothing(bring):
    bring([row()])
    OrderLine.objects.update(forecast_on=day("2026-10-02"))
    result = bring([row(committed_on="")])
    assert result.counts["unchanged"] == 1


def test_delivery_that_comes_later_is_added(bring):
    bring([row(delivered_on="", delivered_quantity="")])
    result = bring([row()])
    assert (result.counts["deliveries_created"], result.problems.refused) == (1, [])


def test_delivery_that_the_file_takes_back_is_refused(bring):
    bring([row()])
    result = bring([row(delivered_on="none", delivered_quantity="")], update=True)
    assert "Record a reversal" in reasons(result)[0][3]
    assert Delivery.objects.count() == 1


def test_delivery_recorded_by_hand_is_not_doubled(bring):
    bring([row(delivered_on="", delivered_quantity="")])
    make.delivery(100, line=OrderLine.objects.get(), received_on=day("2026-10-01"))
    assert bring([row()]).counts["unchanged"] == 1
    assert "was not imported from here" in reasons(bring([row(delivered_on="2026-10-02")]))[0][3]
    assert Delivery.objects.count() == 1


def test_same_key_twice_in_the_file(bring):
    result = bring([row(), row(quantity="5")])
    assert reasons(result) == [(3, None, "ours:PO-1|1", "The row has the same key as row 2.")]


def test_line_number_that_is_taken(bring, mapping):
    order = make.order(factory=make.factory(code="VN-001"), number="PO-1")
    make.line(order=order, number="1")
    assert reasons(bring([row()])) == [
        (2, "Line", "1", "is taken: the order already has another line with this number.")
    ]


def test_closed_order_takes_no_new_lines(bring):
    make.order(factory=make.factory(code="VN-001"), number="PO-1", closed_on=day("2026-09-01"))
    assert "was closed on 2026-09-01" in reasons(bring([row()]))[0][3]


# The command


def run_command(*arguments):
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("import_orders", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    return code, out.getvalue(), json.loads(out.getvalue().splitlines()[-1])


def test_last_line_is_the_summary_and_sums_are_true_at_once():
    code, _, summary = run_command(DIRTY, "--mapping", "scms")
    assert (code, summary["file"], summary["rows"], summary["orders_created"]) == (0, "dirty.csv", 360, 304)
    assert (summary["bad_rows"], summary["conflicts"], summary["problems"], summary["dry_run"]) == (0, 0, [], False)
    assert FactoryDay.objects.filter(family="delivery").sums()["lines"] == 360


def test_skip_bad_ends_with_code_0_and_names_the_rows_it_left_out(tmp_path):
    path = tmp_path / "bad.csv"
    head, one, two = DIRTY.read_text("cp1252").splitlines()[:3]
    path.write_text("\n".join([head, one, "a,b", two, "a,b"]), encoding="cp1252")
    code, text, summary = run_command(path, "--mapping", "scms", "--skip-bad")
    assert (code, summary["applied"], summary["lines_created"], summary["left_out_rows"]) == (0, True, 2, [3, 5])
    assert "Imported without the 2 refused rows." in text
    code, _, summary = run_command(path, "--mapping", "scms")
    assert (code, summary["applied"], summary["left_out_rows"]) == (1, False, [])


def test_history_says_which_import_wrote_each_row(bring):
    bring([row(), row(line="2")])
    line = OrderLine.objects.first()
    written = [
        line,
        line.order,
        line.product,
        line.site,
        line.order.factory,
        line.order.factory.category,
        *line.deliveries.all(),
    ]
    for made in written:
        (event,) = made.events.all()
        context = event.pgh_context
        assert (context["command"], context["file"], context["mapping"]) == ("import_orders", "orders.csv", "ours"), (
            made
        )
        assert context["account"] == getpass.getuser()
    bring([row(quantity="90"), row(line="2")], update=True)
    assert [event.pgh_context["command"] for event in line.events.all()] == ["import_orders"] * 2
    newest = story(OrderLine.objects.get(pk=line.pk), "UTC")[0]
    assert newest.who == f"Import of orders.csv by {getpass.getuser()}"


def test_refusal_ends_with_code_1_and_groups_equal_problems(tmp_path):
    path = tmp_path / "bad.csv"
    lines = DIRTY.read_text("cp1252").splitlines()[:1]
    good = DIRTY.read_text("cp1252").splitlines()[1].split(",")
    path.write_text("\n".join([*lines, "a,b", "a,b", ",".join(good)]))
    code, text, summary = run_command(path, "--mapping", "scms")
    assert code == 1
    assert "2 × The row has fewer cells than the header. Rows 2, 3." in text
    assert summary["problems"][0] == {
        "row": 2, "column": None, "value": None, "reason": "The row has fewer cells than the header.",
    }  # fmt: skip
    assert summary["lines_created"] == 0


@pytest.mark.parametrize("name", ["nothing", "no/such.toml", "a\0b"])
def test_unknown_mapping_is_a_problem_not_a_crash(name):
    code, _, summary = run_command(DIRTY, "--mapping", name)
    assert code == 1
    assert "There is no mapping" in summary["problems"][0]["reason"]


def test_missing_file_is_a_problem_not_a_crash(tmp_path):
    code, _, summary = run_command(tmp_path / "nothing.csv", "--mapping", "scms")
    assert (code, summary["rows"]) == (1, 0)


# A process counts the memory of the one that it was forked from: between the two stands a small one.
MEASURED = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime, used.ru_maxrss]), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_hundred_thousand_rows_in_a_minute_of_work_and_300_mib(tmp_path):
    """The importing process alone; the server works about as long again."""
    path = tmp_path / "long.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(row(order=f"PO-{n // 4}", line=str(n % 4), product=f"SKU-{n % 800}") for n in range(100_000))
    (tmp_path / "ours.toml").write_text(MAPPING.format(columns="", constants="", rest=""))
    base = os.environ["DATABASE_URL"].rpartition("/")[0]
    environment = os.environ | {"DATABASE_URL": f"{base}/{connection.settings_dict['NAME']}"}
    command = [sys.executable, "manage.py", "import_orders", str(path), "--mapping", str(tmp_path / "ours.toml")]
    command = [sys.executable, "-c", MEASURED, *command]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    processor_seconds, most_kilobytes = json.loads(done.stderr.splitlines()[-1])
    assert json.loads(done.stdout.splitlines()[-1])["lines_created"] == 100_000
    assert processor_seconds < 60
    assert most_kilobytes < 300 * 1024


# Mappings


@pytest.mark.parametrize(
    "change, reason",
    [
        (('"YYYY-MM-DD"]', '"D/M/YYYY", "M/D/YYYY"]'), "read the same text as different days"),
        (('"YYYY-MM-DD"', '"D/M/YY"'), "say the last year of this century with pivot"),
        (('"YYYY-MM-DD"', '"Q/M/YYYY"'), "is not a date form"),
        (("[numbers]", "[number]"), "does not know “number”"),
        (('quantity = "Quantity"\n', ""), "must say where quantity stands"),
        (('quantity = "Quantity"', 'amount = "Quantity"'), "has no field amount"),
        (('name = "ours"', 'name = "a b"'), "name must be a short word"),
        (('null_words = ["none"]', 'encodings = ["unicode_escape"]'), "is not an encoding"),
        (('decimal = "."', 'decimal = ","\nthousands = ","'), "cannot have the same sign"),
        (('columns = ["Order", "Line"]', "columns = []"), "[key] names the columns"),
        (('name = "ours"', 'name = "ours'), "is not readable TOML"),
        (('null_words = ["none"]', "encodings = 5"), "holds a value of the wrong kind"),
        (("factories = true", 'factories = "yes"'), "[create]: factories is true or false"),
        (('currency = "USD"\n', "unit_price = 1\n"), "the currency of the prices is missing"),
        (("[create]", "[sites.MAIN]\nname = 5\n[create]"), "name and time_zone are texts"),
    ],
)
def test_mistake_in_a_mapping_is_said(mapping, change, reason):
    with pytest.raises(ImportProblem) as refusal:
        mapping(text=MAPPING.replace(*change))
    assert reason in str(refusal.value)


@pytest.mark.parametrize("name", ["scms", "orders"])
def test_shipped_mappings_are_sound(name):
    assert load(name).name == name


def test_a_workbook_reads_as_the_same_file_in_text(tmp_path, mapping):
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.active.append(["VN-001", "PO-1", 1, "SKU-1", 100, day("2026-10-01"), day("2026-10-01"), 100.0])
    book.save(tmp_path / "orders.xlsx")
    result = import_file(tmp_path / "orders.xlsx", mapping(), today=TODAY)
    assert not result.problems.refused
    assert not result.problems.warned
    with (tmp_path / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, ROW])
    assert import_file(tmp_path / "orders.csv", mapping(), today=TODAY).counts["unchanged"] == 1
