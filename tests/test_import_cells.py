"""One cell at a time: numbers, days, texts; read exactly as the mapping says, or refused with row, column and reason."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from production.imports import values
from production.imports.problems import shown
from tests.dirty_files import reader, row
from tests.make import day


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


# Formulas

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_text_is_text_in_names_and_refused_in_numbers_and_days(read, text):
    assert read([row(note=text)]).value("order_note") == " ".join(text.split())
    for column in ("quantity", "price", "due"):
        ((where, name, _),) = read([row(**{column: text})]).refused
        assert (where, name.lower()) == (2, column)


def test_a_negative_number_is_a_number_and_refused_by_rule(read):
    assert read([row(quantity="-5")]).refused == [(2, "Quantity", "must be more than 0.")]
    assert read([row(price="-5")]).refused == [(2, "Price", "cannot be negative.")]


# Number


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "Infinity", "-inf", "1e309", "1e5", "9" * 30, "9" * 5_000, "1_000", "１２", "١٢", "1,000", "1 000", "1,5",
     "1.005.0", "12 pcs", "5%", "3oo", "0x10", "--5", "1.0000001", "٫5", "½", "1,00,000", ".", "-", "1.", "1..5"],
)  # fmt: skip
def test_what_is_not_a_number_is_refused(read, text):
    ((where, column, _),) = read([row(quantity=text)]).refused
    assert (where, column) == (2, "Quantity")


@pytest.mark.parametrize(
    "text, amount", [("-0", "0"), ("+5", "5"), ("007", "7"), (" 12\u00a0", "12"), ("1.500000", "1.5")]
)
def test_what_is_a_number_is_exact(read, text, amount):
    assert read([row(price=text)]).value("unit_price") == Decimal(amount)


@pytest.mark.parametrize(
    "text, decimal, thousands, amount",
    [("1,000", ".", ",", "1000"), ("1.000", ",", ".", "1000"), ("1 000", ",", " ", "1000"), ("1\u202f000,5", ",", " ", "1000.5"),
     ("1,5", ",", ".", "1.5"), ("1'000.25", ".", "'", "1000.25"), ("1000", ",", ".", "1000"), ("1,0000", ".", ",", None),
     ("1.5", ",", ".", None), ("10,00", ".", ",", None), ("1.5", "", "", None)],
)  # fmt: skip
def test_separators_are_those_of_the_mapping(read, text, decimal, thousands, amount):
    outcome = read([row(quantity=text, price="1")], decimal=decimal, thousands=thousands)
    if amount is None:
        assert outcome.refused[0][:2] == (2, "Quantity")
        assert "ambiguous" in outcome.refused[0][2]
    else:
        assert outcome.value("quantity") == Decimal(amount)


def test_three_decimals_that_may_be_thousands_are_pointed_out(read):
    outcome = read([row(quantity="1.000")])
    assert outcome.value("quantity") == 1
    assert "was read as 1.000, a number with decimals" in outcome.warned[0]


def test_unit_and_percent_only_where_the_column_declares_them(read):
    assert read([row(quantity="12 PCS")], quantity='{ column = "Quantity", unit = "pcs" }').value("quantity") == 12
    assert read([row(quantity="50%")], quantity='{ column = "Quantity", percent = true }').value("quantity") == Decimal(
        "0.5"
    )


# Date


@pytest.mark.parametrize(
    "text",
    ["02/30/2026", "2026-02-30", "00/00/0000", "31/04/2026", "2026-13-01", "02/03/2026", "0001-01-01", "9999-12-31",
     "1999-12-31", "2050-01-01", "2026-10-01T23:30Z", "2026-10-01 23:30", "soon", "45000", "2026-1O-01", "31-Feb-26", "1-Xyz-26",
     "２０２６-10-01", "2026–10–01", "20261001"],
)  # fmt: skip
def test_what_is_not_a_day_is_refused(read, text):
    ((where, column, _),) = read([row(due=text)]).refused
    assert (where, column) == (2, "Due")


@pytest.mark.parametrize(
    "text, forms, pivot_day",
    [("02/03/2026", ["D/M/YYYY"], "2026-03-02"), ("02/03/2026", ["M/D/YYYY"], "2026-02-03"), ("2-Jun-12", ["D-Mon-YY"], "2012-06-02"),
     ("6/2/12", ["D-Mon-YY", "M/D/YY"], "2012-06-02"), ("02.06.2012", ["DD.MM.YYYY"], "2012-06-02"),
     ("2 JUN 2012", ["D Mon YYYY"], "2012-06-02")],
)  # fmt: skip
def test_days_are_read_as_the_mapping_says(read, text, forms, pivot_day):
    assert read([row(due=text)], forms=forms).value("committed_on") == day(pivot_day)


def test_two_digit_years_beyond_the_pivot_are_of_the_last_century(read):
    ((_, _, reason),) = read([row(due="2-Jun-62")]).refused
    assert reason == "lies outside 2000 to 2049."


def test_column_that_mixes_day_and_month_first_is_refused_whole(read):
    rows = [row(due="13/02/2026"), row(line="2", due="05/06/2026"), row(line="3", due="02/13/2026")]
    outcome = read(rows, forms=["D/M/YYYY"])
    (problem,) = outcome.problems.of_the_file
    assert "writes the day first in row 2, the month first in row 4" in problem.reason


def test_mixed_column_whose_unreadable_days_may_be_empty_is_only_pointed_out(read, tmp_path):
    rows = [row(due="13/02/2026"), row(line="2", due="02/13/2026")]
    outcome = read(rows, forms=["D/M/YYYY"], due='{ column = "Due", unreadable = "warn" }')
    assert not outcome.problems.refused
    assert [one.committed_on for one in outcome.rows] == [day("2026-02-13"), None]
    assert any("writes the day first in row 2, the month first in row 3" in reason for reason in outcome.warned)


def test_unlikely_days_are_pointed_out(read):
    assert read([row(due="2029-10-01")]).warned == ["is more than two years ahead."]
    assert "cannot be said" in read([row(due="")]).warned[0]


# Text


@pytest.mark.parametrize("sign", ["\u200b", "\u202e", "\ufeff", "\x07", "\u2066", "\xad"])
def test_hidden_characters_go_from_names_and_are_refused_in_ids(read, sign):
    outcome = read([row(product=f"Sh{sign}irt")])
    assert outcome.value("product_name") == "Shirt"
    assert outcome.warned == ["held hidden characters or line breaks; they were left out."]
    ((_, column, _),) = read([row(order=f"PO{sign}-1")]).refused
    assert column == "Order"


@pytest.mark.parametrize("text", ["РО-1", "ΡO-1", "PO‑1", "PО-1"])
def test_look_alikes_in_ids_are_refused_with_what_they_look_like(read, text):
    ((where, column, reason),) = read([row(order=text)]).refused
    assert (where, column) == (2, "Order")
    assert "It looks like “PO-1”." in reason


def test_letters_that_the_mapping_allows_in_ids(read):
    assert read([row(order="ÄB-1")], order_letters="Ä").value("order_number") == "ÄB-1"


@pytest.mark.parametrize("text", ["ＰＯ-1", "PO-1\u00a0", " PO-1"])
def test_ids_are_equal_after_normalising(read, text):
    assert read([row(order=text)]).value("order_number") == "PO-1"


def test_composed_and_decomposed_names_are_equal(read):
    outcome = read([row(product="Cafe\u0301"), row(line="2", product="Café\u00a0")])
    assert {one.product_name for one in outcome.rows} == {"Café"}
    assert values.same_name("ＣＡＦÉ ") == values.same_name("café")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{7*7}}", "{0.__class__}", "%s %d", "مصنع", "👕" * 200])
def test_text_is_stored_as_it_is(read, text):
    assert read([row(product=text)]).value("product_name") == text


def test_line_breaks_cannot_reach_a_name(read):
    assert read([row(product="Shirt\r\nBcc: a@example.com")]).value("product_name") == "Shirt Bcc: a@example.com"


@pytest.mark.parametrize("length, fits", [(199, True), (200, True), (201, False)])
def test_limits_count_characters(read, length, fits):
    outcome = read([row(product="é" * length)])
    assert bool(outcome.rows) == fits
    if not fits:
        assert outcome.refused == [(2, "Product", "has 201 characters; at most 200 are kept.")]


def test_report_shows_no_control_characters():
    assert shown("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"
    assert len(shown("x" * 10_000)) < 200


# Whatever comes


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(TEXT, min_size=8, max_size=8))
def test_any_cells_give_rows_or_reasons(read, cells):
    outcome = read([cells])
    if outcome.refusal is None and any(cell.strip() for cell in cells):
        assert len(outcome.rows) == 1 or all(where and reason for where, _, reason in outcome.refused)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=30), min_size=1, max_size=5),
    quantity=st.decimals("0.000001", "999999999999", places=6),
    due=st.dates(datetime.date(2000, 1, 1), datetime.date(2028, 12, 31)),
)  # fmt: skip
def test_what_was_written_is_read_back(read, names, quantity, due):
    outcome = read(
        [row(line=str(n), product=name, quantity=f"{quantity:f}", due=due.isoformat()) for n, name in enumerate(names)]
    )
    assert not outcome.problems.refused
    assert [one.quantity for one in outcome.rows] == [quantity] * len(names)
    assert {one.committed_on for one in outcome.rows} == {due}
    assert [values.same_name(one.product_name) for one in outcome.rows] == [values.same_name(name) for name in names]
