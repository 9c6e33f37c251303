"""The seller's material on one order: what moved, and once the order is closed, what became of it."""

from collections import defaultdict
from decimal import Decimal

from django.utils.translation import gettext as _

from production.models import MaterialMovement, MaterialOutcome, OrderMaterial, PurchaseOrder
from production.reconcile import minor_unit
from production.rollup_sums import half_up
from production.wording import amount, day, money

Kind = MaterialMovement.Kind
IN, BACK = (Kind.ISSUE, Kind.TRANSFER_IN), (Kind.RETURN, Kind.TRANSFER_OUT)


def supplies_of(order: PurchaseOrder, *, with_prices: bool) -> list[dict]:
    """One entry for each material of the order, from three queries. Without prices no amount of money is in it."""
    supplied = OrderMaterial.objects.filter(order=order).select_related("material").prefetch_related("movements")
    outcomes = MaterialOutcome.objects.filter(order=order).in_bulk() if order.closed_on else {}
    return [_supply(each, outcomes.get(each.pk), with_prices) for each in supplied.order_by("material__code")]


def _supply(supplied, outcome, with_prices):
    sums = defaultdict(Decimal)
    for move in supplied.movements.all():
        sums["in" if move.kind in IN else "back" if move.kind in BACK else "scrap"] += move.quantity
    return {
        "material": supplied.material,
        "unit": supplied.material.unit,
        "issued": amount(sums["in"]),
        "back": amount(sums["back"]),
        "scrap": amount(sums["scrap"]),
        "net": amount(sums["in"] - sums["back"]),
        "movements": [_movement(move, supplied, with_prices) for move in supplied.movements.all()],
        "result": _result(outcome, supplied, with_prices) if outcome else None,
    }


def _movement(move, supplied, with_prices):
    base = supplied.material.unit
    quantity = f"{amount(move.quantity_entered)} {move.unit_entered}"
    if move.unit_entered != base:
        quantity += f" = {amount(move.quantity.quantize(Decimal('0.000001')))} {base}"
    return {
        "on": day(move.moved_on),
        "kind": move.get_kind_display(),
        "quantity": quantity,
        "document": move.document,
        "cost": money(move.unit_cost, supplied.currency) if with_prices and move.unit_cost is not None else "",
    }


def _result(outcome, supplied, with_prices):
    """The reconciliation in words and numbers (MAT-1 to MAT-5)."""
    places, unit = minor_unit(outcome.currency), supplied.material.unit

    def shown(value):
        return f"{amount(value.quantize(Decimal('0.001')))} {unit}"

    rows = [
        (_("Consumed (issued less returned)"), shown(outcome.net_issued)),
        (_("Needed for the goods credited"), shown(outcome.theoretical)),
        (_("Loss"), shown(outcome.loss)),
        (_("Allowed loss"), shown(outcome.allowed)),
        (_("Beyond the allowance"), shown(outcome.excess)),
    ]
    if with_prices:
        rows += [
            (_("Unit cost"), money(outcome.unit_cost, outcome.currency, 4)),
            (_("To be charged"), money(half_up(outcome.charge, places), outcome.currency, places)),
        ]
    return {"rows": rows, "is_beyond": outcome.excess > 0, "is_set_aside": outcome.is_set_aside}
