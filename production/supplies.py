"""The seller's material on one order: what moved, and once the order is closed, what became of it."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext as _

from production.models import (
    BillLine,
    MaterialMovement,
    MaterialOutcome,
    OpenMaterial,
    OrderLine,
    OrderMaterial,
    PurchaseOrder,
    Touched,
)
from production.models.orders import LossBase
from production.reconcile import RECONCILE_DAYS, Need, Projection, Supply, minor_unit, project, reconcile
from production.rollup_sums import half_up
from production.wording import amount, day, money

Kind = MaterialMovement.Kind
IN, BACK = (Kind.ISSUE, Kind.TRANSFER_IN), (Kind.RETURN, Kind.TRANSFER_OUT)


def overdue(orders: QuerySet[PurchaseOrder], on: datetime.date) -> QuerySet[PurchaseOrder]:
    """Open orders with our material whose goods have all come, the last of them more than 30 days before `on` (MAT-9).

    They wait to be closed, so that their material is reconciled. With `last_receipt_on`, by which an index finds the first.
    """
    # Every material of the order says the same; one of them is taken.
    another = OpenMaterial.objects.filter(
        goods_in_on=OuterRef("last_receipt_on"), order=OuterRef("pk"), pk__lt=OuterRef("by_material")
    )
    # A line that was added a moment ago is marked, and has no outcome yet.
    marked = Touched.objects.filter(kind="line").values("subject_id")
    new = OrderLine.objects.filter(pk__in=marked, outcome__isnull=True)
    return (
        orders.annotate(last_receipt_on=F("open_materials__goods_in_on"))
        .alias(by_material=F("open_materials__order_material"))
        .filter(last_receipt_on__lt=on - datetime.timedelta(days=RECONCILE_DAYS), closed_on__isnull=True)
        .filter(~Exists(another))
        .exclude(pk__in=new.order_by().values("order"))
    )


def supply_of(supplied: OrderMaterial, moves: Iterable[MaterialMovement], theoretical: Decimal | Fraction) -> Supply:
    """One material of an order as the rule takes it: what moved, on which terms, at which costs averaged to 12 places."""
    sums, values = defaultdict(Decimal), defaultdict(Decimal)
    for move in moves:
        sums[move.kind] += move.quantity
        values[move.kind] += move.quantity * ((move.unit_cost or 0) if move.kind in IN else move.salvage_unit)
    came, scrap = sum(sums[kind] for kind in IN), sums[Kind.SCRAP]
    return Supply(
        issued=sums[Kind.ISSUE],
        returned=sums[Kind.RETURN],
        theoretical=theoretical,
        allowance=supplied.order.loss_allowance if supplied.allowance is None else supplied.allowance,
        base=supplied.loss_base or supplied.order.loss_base,
        unit_cost=half_up(Fraction(sum(values[kind] for kind in IN)) / Fraction(came), 12) if came else 0,
        transfer_in=sums[Kind.TRANSFER_IN],
        transfer_out=sums[Kind.TRANSFER_OUT],
        scrap_returned=scrap,
        salvage_unit=half_up(Fraction(values[Kind.SCRAP]) / Fraction(scrap), 12) if scrap else 0,
    )


def supplies_of(order: PurchaseOrder, *, with_prices: bool) -> list[dict]:
    """One entry for each material of the order, from three queries. Without prices no amount of money is in it."""
    supplied = (
        OrderMaterial.objects.filter(order=order).select_related("material", "order").prefetch_related("movements")
    )
    outcomes = MaterialOutcome.objects.filter(order=order).in_bulk() if order.closed_on else {}
    needs = {} if order.closed_on else _needs(order)
    return [
        _supply(each, outcomes.get(each.pk), needs.get(each.material_id, []), with_prices)
        for each in supplied.order_by("material__code")
    ]


def _needs(order: PurchaseOrder) -> Mapping[int, list[Need]]:
    """By material what each line of an open order needs of it: as much as came, and what is still to come of an open line."""
    found = defaultdict(list)
    lines = "bill__order_lines"
    bills = BillLine.objects.filter(**{f"{lines}__order": order, f"{lines}__outcome__isnull": False}).order_by("pk")
    names = ("qty_received", "qty_due", "is_open")
    for material, per_unit, received, due, is_open in bills.values_list(
        "material", "quantity_per_unit", *(f"{lines}__outcome__{name}" for name in names)
    ):
        found[material].append(Need(per_unit, received, max(due - received, Decimal(0)) if is_open else Decimal(0)))
    return found


def _supply(supplied: OrderMaterial, outcome: MaterialOutcome | None, needs: Sequence[Need], with_prices: bool) -> dict:
    moves = supplied.movements.all()
    given = supply_of(supplied, moves, outcome.theoretical if outcome else 0)
    came, went = given.issued + given.transfer_in, given.returned + given.transfer_out
    ahead = None
    if needs:
        ahead = project(
            given.issued, given.returned, needs, given.allowance, given.base, given.transfer_in, given.transfer_out
        )
    return {
        "material": supplied.material,
        "unit": supplied.material.unit,
        "issued": amount(half_up(came, 6)),
        "back": amount(half_up(went, 6)),
        "scrap": amount(given.scrap_returned),
        "net": amount(half_up(came - went, 6)),
        "movements": [_movement(move, supplied, with_prices) for move in moves],
        "result": _result(outcome, supplied, given, with_prices) if outcome else None,
        "projection": projection(ahead, supplied.material.unit) if ahead and ahead.projected_loss is not None else None,
    }


def projection(ahead: Projection, unit: str) -> dict:
    """The projected loss in words and numbers; no money is in it."""
    rate = "–" if ahead.projected_rate is None else f"{half_up(ahead.projected_rate * 100, 2)}%"
    rows = [
        (_("Needed for the goods received and still open"), _shown(ahead.theoretical, unit)),
        (_("Projected loss"), f"{_shown(ahead.projected_loss, unit)} ({rate})"),
        (_("Allowed loss"), _shown(ahead.allowed, unit)),
    ]
    return {"rows": rows, "is_beyond": ahead.status == "watch"}


def _shown(value, unit):
    return f"{amount(half_up(value, 3))} {unit}"


def _movement(move, supplied, with_prices):
    base = supplied.material.unit
    quantity = f"{amount(move.quantity_entered)} {move.unit_entered}"
    if move.gsm is not None:
        quantity += " " + _("at %(gsm)s g/m², %(width)s m wide") % {
            "gsm": amount(move.gsm),
            "width": _width(move.width_m),
        }
    if move.unit_entered != base:
        quantity += f" = {amount(half_up(move.quantity, 6))} {base}"
    return {
        "on": day(move.moved_on),
        "kind": move.get_kind_display(),
        "quantity": quantity,
        "document": move.document,
        "cost": money(move.unit_cost, supplied.currency) if with_prices and move.unit_cost is not None else "",
    }


def _width(metres):
    """As it stands on the roll: 1.60, and a millimetre where there is one."""
    return f"{metres:.3f}".removesuffix("0")


def _rate(part, whole):
    return f"{half_up(Fraction(part) / Fraction(whole) * 100, 2)}%" if whole else "–"


def _result(outcome: MaterialOutcome, supplied: OrderMaterial, given: Supply, with_prices: bool) -> dict | None:
    """The reconciliation of a closed order in words and numbers, as the rule gives it (MAT-1 to MAT-5)."""
    places, unit = minor_unit(outcome.currency), supplied.material.unit
    found = reconcile(given, places)
    if not found.applicable:  # its movements were taken back a moment ago
        return None
    base = _("of the theoretical consumption") if given.base == LossBase.THEORETICAL else _("of what was net issued")
    rows = [
        (_("Issued"), _shown(given.issued, unit)),
        (_("Taken over from other orders"), _shown(given.transfer_in, unit)),
        (_("Returned"), _shown(given.returned, unit)),
        (_("Passed to other orders"), _shown(given.transfer_out, unit)),
        (_("Net issued"), _shown(found.net, unit)),
        (_("Theoretical consumption of the goods credited"), _shown(given.theoretical, unit)),
        (_("Loss"), _shown(found.loss, unit)),
        (_("Loss rate on net issued"), _rate(found.loss, found.net)),
        (_("Loss rate on theoretical consumption"), _rate(found.loss, given.theoretical)),
        (_("Allowed loss"), f"{_shown(found.allowed, unit)} ({_rate(given.allowance, 1)} {base})"),
        (_("Beyond the allowance"), _shown(found.excess, unit)),
    ]
    if with_prices:
        rows += [
            (_("Unit cost"), money(given.unit_cost, outcome.currency, 4)),
            (_("To be charged"), money(found.charge, outcome.currency, places)),
        ]
    return {"rows": rows, "is_beyond": found.liable, "is_set_aside": outcome.is_set_aside}
