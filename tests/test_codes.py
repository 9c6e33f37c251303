"""What people type and scan on the dock names the right order line."""

import random

import pytest
from django.db import connection

from production import codes
from production.models import OrderLine, PurchaseOrder
from tests import make


@pytest.fixture
def line(db):
    factory = make.factory(code="VN-014")
    return make.line(order=make.order(number="PO-2391", factory=factory), number="L2")


@pytest.mark.parametrize(
    "typed",
    [
        "PO-2391/L2",
        "po2391 l2",
        "PO-2391 / L2",
        "ＰＯ－２３９１／Ｌ２",
        "]Q1PO-2391/L2",
        "\x02PO-2391/L2\r\n",
        "VN-014/PO-2391/L2",
        "https://plumbline.example/r/VN-014/PO-2391/L2?c=017",
        "HTTPS://PLUMBLINE.EXAMPLE/R/VN-014/PO-2391/L2",
        "pó-2391/l2",
    ],
)
def test_a_whole_code_names_its_line_however_it_was_typed(line, typed):
    make.line(order=line.order, number="L3")
    found = codes.find_lines(OrderLine.objects, typed).first()
    assert (found.pk, found.rank) == (line.pk, 0)


@pytest.mark.parametrize("typed", ["2391", "391", "2391/l2", "PO-2391"])
def test_the_last_digits_are_enough(line, typed):
    make.line()
    assert list(codes.find_lines(OrderLine.objects, typed)) == [line]


@pytest.mark.parametrize("typed", ["", "  ", "/", "---", "91", "%%%", "\x00", "PO-2399/L2", "2391/L3", "___"])
def test_what_names_nothing_finds_nothing(line, typed):
    assert not codes.find_lines(OrderLine.objects, typed).exists()


@pytest.mark.parametrize("number, typed", [("AW-100", "Ă-100"), ("DD-100", "đ-100"), ("PO-100", "pơ-100")])
def test_letters_that_a_vietnamese_keyboard_has_eaten_are_found(db, number, typed):
    line = make.line(order=make.order(number=number))
    assert list(codes.find_lines(OrderLine.objects, typed)) == [line]


def test_a_whole_order_number_comes_before_a_longer_one_that_ends_with_it(db):
    short = make.line(order=make.order(number="391"))
    long = make.line(order=make.order(number="2391"))
    assert list(codes.find_lines(OrderLine.objects, "391")) == [short, long]


def test_full_codes_tell_orders_of_two_factories_apart_and_may_hold_slashes(db):
    first = make.line(order=make.order(number="PO/7"), number="1")
    second = make.line(order=make.order(number="PO/7"), number="1")
    assert list(codes.exact_line(OrderLine.objects, codes.full_code(first))) == [first]
    assert list(codes.exact_line(OrderLine.objects, codes.full_code(second))) == [second]
    assert not codes.exact_line(OrderLine.objects, "PO/7/1").exists()


def test_every_ending_finds_what_a_plain_reading_of_the_codes_finds(db):
    """Written without an index: the code of each line, folded in Python, and whether it ends so."""
    chance = random.Random(7)
    lines = []
    for code in ("VN-014", "CN-1"):
        factory = make.factory(code=code)
        for number in ("PO-2391", "391", "1", "PO/1-L", "A1", "L2391"):
            order = make.order(number=number, factory=factory)
            lines += [make.line(order=order, number=each) for each in ("1", "L2", "91", "391", "-")]
    known = {line.pk: codes.key(f"{line.order.factory.code}{line.order.number}{line.number}") for line in lines}
    orders = {line.pk: codes.key(line.order.number) for line in lines}
    wanted = {chance.choice(list(known.values()))[-chance.randint(3, 9) :] for _ in range(40)} | {
        "2391",
        "391",
        "0141",
        "911",
    }
    for text in sorted(wanted):
        expected = {pk for pk in known if known[pk].endswith(text) or orders[pk].endswith(text)}
        assert {line.pk for line in codes.find_lines(OrderLine.objects, text)} == expected, text


def test_the_last_digits_are_looked_up_and_not_searched_for(line):
    orders = [PurchaseOrder(factory=line.factory, number=f"PO-{number}") for number in range(5000, 6000)]
    lines = [
        OrderLine(
            factory=line.factory, order=order, number=f"L{order.number}", product=line.product, site=line.site, quantity=1
        )
        for order in PurchaseOrder.objects.bulk_create(orders)
    ]  # fmt: skip
    OrderLine.objects.bulk_create(lines)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE production_purchaseorder, production_orderline")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = codes.find_lines(OrderLine.objects, "2391").explain()
    assert "order_number_backwards" in plan
    assert "line_number_backwards" in plan
