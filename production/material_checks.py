"""Is what is stored about supplied material what the plain rule gives? (MAT-1 to MAT-5, MAT-11) Some orders every night.

The outcomes are worked out by SQL for many orders at once. Here the source rows are read as they are and given to the functions
of `production.reconcile`, so that a slip in the SQL cannot hide behind itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models import Sum

from production.models import BillLine, Delivery, Inspection, MaterialOutcome
from production.reconcile import Supply, consumption, factory_loss, minor_unit, reconcile
from production.supplies import supply_of

ROUNDING = Fraction(1, 10**6)  # the SQL rounds each summand to twelve places
FIGURES = {"net_issued": "net", "loss": "loss", "allowed": "allowed", "excess": "excess", "charge": "charge_exact"}


def differences(orders: Sequence[int]) -> list[str]:
    """A sentence for each figure of these orders that the rule gives otherwise; empty when all is well. Five statements."""
    outcomes = list(
        MaterialOutcome.objects.filter(order__in=orders)
        .select_related("order_material__order", "order_material__material", "factory")
        .prefetch_related("order_material__movements")
        .order_by("pk")
    )
    if not outcomes:
        return []
    needed = _theoretical({outcome.order_id for outcome in outcomes})
    found: list[str] = []
    supplies: dict[tuple[int, str], list[tuple[str, Supply]]] = defaultdict(list)
    stored: dict[tuple[int, str], list[MaterialOutcome]] = defaultdict(list)
    for outcome in outcomes:
        supplied = outcome.order_material
        given = supply_of(supplied, supplied.movements.all(), needed[outcome.order_id, supplied.material_id])
        rule = reconcile(given, minor_unit(outcome.currency))
        name = f"{outcome.factory.code}/{supplied.order.number}, {supplied.material.code}"
        told = {column: getattr(rule, attribute) or Fraction(0) for column, attribute in FIGURES.items()}
        told |= {"theoretical": Fraction(given.theoretical), "unit_cost": Fraction(given.unit_cost)}
        found += [
            f"{name}: {column} is {getattr(outcome, column)}, the rule gives {float(value):.6f}"
            for column, value in told.items()
            if abs(Fraction(getattr(outcome, column)) - value) > ROUNDING
        ]
        key = outcome.factory.code, outcome.currency
        supplies[key].append((name, given))
        stored[key].append(outcome)
    for (code, currency), materials in supplies.items():
        found += _of_the_factory(code, currency, materials, stored[code, currency])
    return found


def _of_the_factory(
    code: str, currency: str, materials: Sequence[tuple[str, Supply]], stored: Sequence[MaterialOutcome]
) -> list[str]:
    """What these orders bring to the loss rate of their factory in one currency."""
    rule = factory_loss(materials, minor_unit(currency))
    sums = {
        "value_net": (sum(Fraction(row.value_net) for row in stored), rule.value_net),
        "value_loss": (sum(max(Fraction(row.value_loss), Fraction(0)) for row in stored), rule.value_loss),
    }
    return [
        f"{code}, {currency}: {name} of {len(stored)} materials is {float(said):.6f}, the rule gives {float(value):.6f}"
        for name, (said, value) in sums.items()
        if abs(said - value) > ROUNDING * len(stored)
    ]


def _theoretical(orders: set[int]) -> Mapping[tuple[int, int], Fraction]:
    """By order and material: what the goods credited should have used (MAT-2)."""
    lines = "bill__order_lines"
    bills = list(
        BillLine.objects.filter(**{f"{lines}__order__in": orders}).values_list(
            f"{lines}__order", f"{lines}__pk", "material", "quantity_per_unit"
        )
    )
    came = dict(
        Delivery.objects.filter(line__order__in=orders).order_by().values_list("line").annotate(sum=Sum("quantity"))
    )
    spoiled = _spoiled(orders)
    found: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for order, line, material, per_unit in bills:
        credited = max(came.get(line, Decimal(0)) - spoiled.get(line, Decimal(0)), Decimal(0))
        found[order, material] += consumption(per_unit, credited)
    return found


def _spoiled(orders: set[int]) -> Mapping[int, Decimal]:
    """By order line the units that the counted inspections rejected, without those that our own material spoiled (DEF-4)."""
    rows = (
        Inspection.objects.filter(lot__line__order__in=orders, is_original=True)
        .exclude(stage="inline")
        .exclude(source="factory")
        .select_related("lot")
    )
    counted: dict[int, Inspection] = {}
    for row in sorted(rows, key=lambda row: (row.source == "receiving", row.inspected_on, row.pk)):
        counted.setdefault(row.lot_id, row)
    found: dict[int, Decimal] = defaultdict(Decimal)
    for row in counted.values():
        ours = row.units_material_fault if row.material_fault_approved_on else 0
        found[row.lot.line_id] += Decimal(row.units_rejected - ours)
    return found
