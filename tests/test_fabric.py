"""Fabric by weight: kilograms become metres by the weight and the width of the lot, exactly (MAT-6)."""

from decimal import Decimal
from fractions import Fraction

import pytest

from production import rollups
from production.errors import BadInput
from production.models import MaterialMovement, MaterialOutcome
from production.reconcile import conversion, convert
from tests import make

pytestmark = pytest.mark.django_db
WEIGHED = {"kind": "issue", "material": "FAB", "quantity": "300", "unit": "kg", "gsm": "180", "width_m": "1.60",
           "moved_on": "2026-10-02", "unit_cost": "12.5", "document": "MI-7"}  # fmt: skip


@pytest.fixture
def order():
    return make.order(factory=make.factory(code="VN-014"), number="PO-7")


@pytest.fixture
def buyer(client):
    client.force_login(make.user("buyer"))
    return client


@pytest.fixture(autouse=True)
def cloth():
    return make.material(code="FAB", unit="m")


def send(client, order, **changes):
    return client.post(f"/orders/{order.factory.code}/{order.number}/materials/new/", WEIGHED | changes)


def test_a_weight_is_stored_as_entered_with_the_exact_conversion_as_two_integers(order, buyer):
    assert send(buyer, order).status_code == 303
    move = MaterialMovement.objects.get()
    assert (move.quantity_entered, move.unit_entered, move.gsm, move.width_m) == (300, "kg", 180, Decimal("1.6"))
    assert (move.factor_numerator, move.factor_denominator) == (125, 36)
    assert move.quantity == Decimal("1041.666666666667")


def test_the_movement_says_what_it_was_worked_out_from(order, buyer):
    send(buyer, order)
    page = buyer.get(order.get_absolute_url()).content.decode()
    assert "300 kg at 180 g/m², 1.60 m wide = 1,041.666667 m" in page
    send(buyer, order, width_m="1.525", gsm="180.5", quantity="5", kind="return")
    assert "5 kg at 180.5 g/m², 1.525 m wide = " in buyer.get(order.get_absolute_url()).content.decode()


def test_the_worked_example_of_the_rule_comes_out_of_the_form(order, buyer):
    """MAT-07: 300 kg issued, 5 kg returned, 996 m used: a loss of 28.305556 m, inside the 30.73 m allowed."""
    product = make.product(category=order.factory.category)
    cloth = make.material(code="CLOTH", unit="m")
    line = make.line(498, order=order, product=product, bill=make.bill(product=product, per_unit={cloth: "2"}))
    make.delivery(498, line=line)
    send(buyer, order, material="CLOTH")
    send(buyer, order, material="CLOTH", kind="return", quantity="5.0")
    order.closed_on = make.day("2026-11-10")
    order.save()
    rollups.rebuild()
    outcome = MaterialOutcome.objects.get()
    assert round(outcome.net_issued, 6) == Decimal("1024.305556")
    assert round(outcome.loss, 6) == Decimal("28.305556")
    assert outcome.excess == 0


@pytest.mark.parametrize("unit, base, gsm, width, exact", [
    ("kg", "m", 180, Decimal("1.6"), Fraction(125, 36)),
    ("g", "m", 180, Decimal("1.6"), Fraction(125, 36000)),
    ("kg", "yd", 180, Decimal("1.6"), Fraction(125, 36) / Fraction("0.9144")),
    ("lb", "m", 200, 2, Fraction("0.45359237") * 1000 / 400),
])  # fmt: skip
def test_every_weight_becomes_every_length(unit, base, gsm, width, exact):
    assert conversion(unit, base, gsm, width) == exact


def test_what_needs_no_weight_converts_as_before():
    assert conversion("yd", "m") == convert(1, "yd", "m") == Fraction("0.9144")
    for unit, base in (("yd", "m"), ("kg", "kg"), ("box", "box")):
        with pytest.raises(BadInput, match="Leave it empty"):
            conversion(unit, base, 180, Decimal("1.6"))
    with pytest.raises(BadInput, match="cannot be converted"):
        conversion("m", "kg")


@pytest.mark.parametrize("typed, field, words", [
    ({"gsm": ""}, "gsm", "kg cannot be converted to m without the grams per square metre"),
    ({"width_m": ""}, "width_m", "kg cannot be converted to m without the width"),
    ({"unit": "m"}, "gsm", "Leave it empty"),
    ({"unit": "yd", "gsm": ""}, "width_m", "Leave it empty"),
    ({"gsm": "0"}, "gsm", "Enter a number above 0"),
    ({"width_m": "-1.6"}, "width_m", "Enter a number above 0"),
    ({"width_m": "1.6005"}, "width_m", "at most 3 decimals"),
    ({"gsm": "180.125"}, "gsm", "at most 2 decimals"),
    ({"gsm": "1000000"}, "gsm", "Check the number of digits"),
    ({"gsm": "1,800.5"}, "gsm", "is not a number"),
    ({"gsm": "heavy"}, "gsm", "is not a number"),
])  # fmt: skip
def test_what_cannot_be_is_told_at_its_field_and_keeps_what_was_typed(order, buyer, typed, field, words):
    answer = send(buyer, order, **typed)
    assert answer.status_code == 422
    assert words in " ".join(answer.context["form"].errors[field])
    assert 'value="300"' in answer.content.decode()
    assert not MaterialMovement.objects.exists()


def test_numbers_that_no_column_could_hold_are_refused_in_words(order, buyer):
    answer = send(buyer, order, material=make.material(unit="ft").code, unit="oz", gsm="999999.97", width_m="999.997")
    assert answer.status_code == 422
    assert "Enter the weight and the width with fewer digits." in answer.content.decode()


def test_the_largest_numbers_that_are_taken_fit_the_columns(order, buyer):
    assert send(buyer, order, quantity="999999999999", gsm="0.01", width_m="0.001", unit="t").status_code == 303
    assert MaterialMovement.objects.get().quantity == Decimal(999999999999) * 10**11


def test_a_comma_is_a_point_in_a_width(order, buyer):
    assert send(buyer, order, width_m="1,525", gsm="180,5").status_code == 303
    move = MaterialMovement.objects.get()
    assert (move.gsm, move.width_m) == (Decimal("180.5"), Decimal("1.525"))


def test_the_same_weight_of_another_lot_is_no_repetition(order, buyer):
    assert send(buyer, order).status_code == 303
    assert send(buyer, order, gsm="185").status_code == 303
    assert "on record already" in send(buyer, order).content.decode()
