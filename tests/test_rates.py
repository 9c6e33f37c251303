"""The rates of any range, held against the rules one line at a time, and against figures worked out by hand."""

import io
import json
import random
from collections import Counter
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from production.duedates import Calendar, judge_line
from production.errors import BadInput
from production.models import OrderLine
from production.rates import rates
from tests import make
from tests.make import day
from tests.test_outcomes import DAYS, as_facts, as_terms, random_line

pytestmark = pytest.mark.django_db

FIRST, LAST = day("2026-03-01"), day("2026-04-30")


def parts(found, measure, key=""):
    (rate,) = (rate for rate in found if rate.measure == measure and rate.key == key)
    return rate.numerator, rate.denominator


def run(*arguments):
    out = io.StringIO()
    call_command("rates", *arguments, stdout=out)
    return out.getvalue()


def test_on_time_in_full_counts_as_the_rule_does_for_every_split_and_day():
    chance = random.Random(11)
    calendar = make.calendar()
    orders = [make.order(factory=make.factory()) for _ in range(3)]
    products = [make.product(category=orders[0].factory.category) for _ in range(3)]
    site = make.site()
    for _ in range(60):
        random_line(chance, chance.choice(orders), chance.choice(products), site, calendar)
    lines = list(OrderLine.objects.select_related("order__factory", "product"))
    judged_calendar = Calendar(weekend=frozenset({5, 6}))
    splits = {
        None: lambda line, limit: "",
        "factory": lambda line, limit: line.order.factory.code,
        "month": lambda line, limit: f"{limit:%Y-%m}",
        "product": lambda line, limit: line.product.code,
    }
    for as_of in DAYS[::9]:
        first, last = DAYS[5], DAYS[35]
        outcomes = [(line, judge_line(as_facts(line, as_of), as_terms(line), as_of, judged_calendar)) for line in lines]
        counted = [(line, found) for line, found in outcomes if found.counted and first <= found.limit <= last]
        for by, key in splits.items():
            lines_of = Counter(key(line, found.limit) for line, found in counted)
            good_of = Counter(key(line, found.limit) for line, found in counted if found.otif)
            for rate in rates(first, last, as_of, by):
                if rate.measure == "otif":
                    assert (rate.numerator, rate.denominator) == (good_of[rate.key], lines_of[rate.key])
            assert set(lines_of) <= {rate.key for rate in rates(first, last, as_of, by)}


def test_defective_of_inspected_by_the_day_of_the_counted_inspection():
    line = make.line()
    lot, other = make.lot(line=line), make.lot(line=line)
    make.inspection(lot=lot, inspected_on=day("2026-03-10"), inspected=80, critical=1, major=2, minor=9)
    make.inspection(lot=lot, inspected_on=day("2026-03-20"), inspected=50, major=50, is_original=False)
    make.inspection(lot=other, inspected_on=day("2026-04-02"), inspected=20, major=1)
    assert parts(rates(FIRST, LAST, LAST), "defect") == (4, 100)
    assert parts(rates(FIRST, day("2026-03-31"), LAST), "defect") == (3, 80)
    assert parts(rates(FIRST, LAST, day("2026-04-01")), "defect") == (3, 80)
    by_month = rates(FIRST, LAST, LAST, "month")
    assert (parts(by_month, "defect", "2026-03"), parts(by_month, "defect", "2026-04")) == ((3, 80), (1, 20))


def closed_order(factory, currency, issued, made, cost):
    """An order that closed in March: `issued` of a material at `cost`, of which one goes into each unit made."""
    order = make.order(factory=factory, closed_on=day("2026-03-20"), currency=currency)
    material = make.material()
    product = make.product(category=factory.category)
    line = make.line(made, order=order, product=product, bill=make.bill(product=product, per_unit={material: 1}),
                     committed_on=day("2026-03-01"))  # fmt: skip
    make.delivery(made, line=line, received_on=day("2026-03-01"))
    supplied = make.order_material(order=order, material=material, currency=currency)
    make.material_movement(issued, order_material=supplied, unit_cost=cost, moved_on=day("2026-02-01"))
    return product


def test_loss_is_by_value_per_currency_and_never_added():
    factory = make.factory()
    closed_order(factory, "USD", 1000, 975, "20")  # loses 25 x 20 = 500 of 20,000
    closed_order(factory, "USD", 100, 110, "50")  # a gain offsets nothing: 0 of 5,000
    closed_order(factory, "EUR", 200, 180, "3")  # loses 60 of 600
    loss = [rate for rate in rates(FIRST, LAST, LAST) if rate.measure == "loss"]
    assert [(r.currency, r.numerator, r.denominator, str(r.percent), r.is_headline) for r in loss] == [
        ("EUR", 60, 600, "10.0000", True),
        ("USD", 500, 25_000, "2.0000", False),
    ]
    assert [rate.percent for rate in rates(FIRST, LAST, day("2026-03-19")) if rate.measure == "loss"] == [None]


def test_loss_by_product_names_the_product_only_where_the_order_has_one():
    factory = make.factory()
    product = closed_order(factory, "USD", 1000, 975, "20")
    assert parts(rates(FIRST, LAST, LAST, "product"), "loss", product.code) == (500, 20_000)
    make.line(order=OrderLine.objects.get().order)
    found = [rate for rate in rates(FIRST, LAST, LAST, "product") if rate.measure == "loss" and rate.denominator]
    assert [(rate.key, rate.label) for rate in found] == [("", "several products")]


def test_no_data_is_no_rate():
    found = rates(FIRST, LAST, LAST)
    assert [(rate.measure, rate.rate, rate.percent) for rate in found] == [
        ("defect", None, None), ("otif", None, None), ("loss", None, None),
    ]  # fmt: skip
    assert [rate.key for rate in rates(FIRST, LAST, LAST, "month")] == ["2026-03"] * 3 + ["2026-04"] * 3
    assert run("--from", "2026-03-01", "--to", "2026-04-30").count("too few data") == 3


def test_line_counts_from_its_limit_day_and_a_late_receipt_does_not_mend_it():
    line = make.line(10, committed_on=day("2026-03-10"), grace_days=2)
    make.delivery(10, line=line, received_on=day("2026-03-13"))
    assert parts(rates(FIRST, LAST, day("2026-03-11")), "otif") == (0, 0)
    assert parts(rates(FIRST, LAST, day("2026-03-12")), "otif") == (0, 1)
    assert parts(rates(FIRST, LAST, LAST), "otif") == (0, 1)
    assert parts(rates(day("2026-03-13"), LAST, LAST), "otif") == (0, 0)


def test_rates_are_rounded_half_up_from_the_exact_fraction():
    order = make.order()
    for number in range(3):
        line = make.line(10, order=order, committed_on=day("2026-03-10"))
        if number:
            make.delivery(10, line=line, received_on=day("2026-03-10"))
    (otif,) = (rate for rate in rates(FIRST, LAST, LAST) if rate.measure == "otif")
    assert (otif.rate, otif.percent) == (Decimal("0.666666666667"), Decimal("66.6667"))
    table = run("--from", "2026-03-01", "--to", "2026-04-30")
    assert "2 of 3  66.6667 %" in table


def test_json_bears_every_number_exactly():
    factory = make.factory(code="VN-500", name="Mill")
    closed_order(factory, "USD", 1000, 975, "20.5")
    found = json.loads(run("--from", "2026-03-01", "--to", "2026-04-30", "--by", "factory", "--format", "json"))
    assert (found["as_of"], found["by"]) == ("2026-04-30", "factory")
    assert found["rates"] == [
        {"key": "VN-500", "label": "Mill", "measure": "defect", "currency": None, "is_headline": True, "numerator": 0,
         "denominator": 0, "rate": None, "percent": None, "status": "too few data"},
        {"key": "VN-500", "label": "Mill", "measure": "otif", "currency": None, "is_headline": True, "numerator": 1,
         "denominator": 1, "rate": "1.000000000000", "percent": "100.0000", "status": "measured"},
        {"key": "VN-500", "label": "Mill", "measure": "loss", "currency": "USD", "is_headline": True,
         "numerator": "512.5", "denominator": "20500", "rate": "0.025000000000", "percent": "2.5000", "status": "measured"},
    ]  # fmt: skip


@pytest.mark.parametrize("inspected, major, rate", [(80, 0, "0.000000000000"), (20_000_000, 1, "0.000000050000")])
def test_json_says_the_smallest_rates_in_plain_digits(inspected, major, rate):
    make.inspection(inspected_on=day("2026-03-10"), inspected=inspected, major=major)
    found = json.loads(run("--from", "2026-03-01", "--to", "2026-03-31", "--format", "json"))
    assert found["rates"][0]["rate"] == rate
    assert found["rates"][0]["percent"] == "0.0000"


def test_impossible_ranges_are_refused():
    with pytest.raises(BadInput):
        rates(LAST, FIRST, LAST)
    with pytest.raises(CommandError):
        run("--from", "2026-04-01", "--to", "2026-03-01")


def test_three_queries_whatever_the_split(django_assert_num_queries):
    closed_order(make.factory(), "USD", 1000, 975, "20")
    for by in (None, "factory", "month", "product"):
        with django_assert_num_queries(3):
            rates(FIRST, LAST, LAST, by)
