"""The night gives supplied material to the plain rule once more and says what the SQL stored otherwise."""

import random
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments import verification
from production import material_checks, rollups
from production.models import MaterialOutcome, PurchaseOrder
from tests import make

pytestmark = pytest.mark.django_db


def random_order(chance, factory):
    """A closed order with two lines, two materials, movements of every kind, rejects and reversals."""
    order = make.order(
        factory=factory, closed_on=make.day("2026-11-10"), loss_base=chance.choice(["net_issued", "theoretical"]),
        currency=chance.choice(["USD", "JPY"]), loss_allowance=chance.choice(["0.03", "0", "0.01"]),
    )  # fmt: skip
    materials = [make.material(), make.material(unit="kg")]
    for _ in range(2):
        product = make.product(category=factory.category)
        per_unit = {each: chance.choice(["2", "1.37", "0.333333"]) for each in materials}
        line = make.line(490, order=order, product=product, bill=make.bill(product=product, per_unit=per_unit))
        lot = make.lot(line=line)
        receipt = make.delivery(chance.choice([300, 490]), line=line, lot=lot)
        if chance.random() < 0.3:
            make.reversal(receipt, quantity=receipt.quantity / 2)
        for source in ("receiving", "buyer", "factory")[: chance.choice([0, 1, 2, 3])]:
            make.inspection(
                lot=lot, source=source, stage="receiving" if source == "receiving" else "final", units_rejected=40,
                units_material_fault=20, is_original=chance.random() < 0.8,
                material_fault_approved_on=chance.choice([None, make.day("2026-11-05")]),
            )  # fmt: skip
    for each in materials:
        supplied = make.order_material(
            order=order, material=each, currency=order.currency, allowance=chance.choice([None, "0.02"]),
            loss_base=chance.choice(["", "theoretical"]),
        )  # fmt: skip
        make.material_movement(chance.choice([2000, 900]), order_material=supplied, unit_cost="12.345678")
        make.material_movement(
            "100.5", order_material=supplied, unit_cost="3.1", factor_numerator=125, factor_denominator=36
        )
        for kind in ("return", "transfer_in", "transfer_out", "scrap"):
            if chance.random() < 0.5:
                make.material_movement(
                    "7.25", order_material=supplied, kind=kind, salvage_unit="1.1" if kind == "scrap" else 0
                )
    return order


def test_the_sql_and_the_rule_agree_on_orders_of_every_kind():
    chance = random.Random(9)
    factory = make.factory()
    orders = [random_order(chance, factory).pk for _ in range(25)]
    rollups.rebuild()
    assert MaterialOutcome.objects.count() == 50
    assert MaterialOutcome.objects.filter(charge__gt=0).exists()
    assert MaterialOutcome.objects.filter(loss__lt=0).exists()
    assert material_checks.differences(orders) == []


@pytest.mark.parametrize("column", ["net_issued", "theoretical", "loss", "allowed", "excess", "unit_cost", "charge",
                                    "value_net", "value_loss"])  # fmt: skip
def test_a_wrong_figure_is_named_with_its_order_and_what_the_rule_gives(column):
    order = random_order(random.Random(1), make.factory(code="VN-014"))
    rollups.rebuild()
    row = MaterialOutcome.objects.order_by("pk").first()
    MaterialOutcome.objects.filter(pk=row.pk).update(**{column: abs(getattr(row, column)) + Decimal("0.01")})
    found = material_checks.differences([order.pk])
    assert found
    assert all(column in sentence and "the rule gives" in sentence for sentence in found)
    assert "VN-014" in found[0]


def test_the_night_finds_it_and_says_nothing_where_all_is_well():
    order = random_order(random.Random(1), make.factory())
    rollups.rebuild()
    assert verification.verify_night(make.day("2026-11-23")) == []
    MaterialOutcome.objects.update(charge=Decimal("0.5"))
    assert any("charge is 0.5" in sentence for sentence in verification.verify_night(make.day("2026-11-23")))
    assert PurchaseOrder.objects.get() == order


def test_it_asks_as_often_for_many_orders_as_for_one():
    def asked(orders):
        with CaptureQueriesContext(connection) as found:
            assert material_checks.differences(orders) == []
        return len(found)

    chance, factory = random.Random(2), make.factory()
    orders = [random_order(chance, factory).pk for _ in range(8)]
    rollups.rebuild()
    assert asked(orders[:1]) == asked(orders) == 5
