"""The seller's material on one order: what moved, and once the order is closed, what became of it."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from django.db.models import Case, DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Cast, Coalesce, Greatest
from django.utils.translation import gettext as _

from production.models import BillLine, MaterialMovement, MaterialOutcome, OrderMaterial, PurchaseOrder
from production.models.orders import LossBase
from production.reconcile import minor_unit
from production.rollup_sums import half_up
from production.wording import amount, day, money

Kind = MaterialMovement.Kind
IN, BACK = (Kind.ISSUE, Kind.TRANSFER_IN), (Kind.RETURN, Kind.TRANSFER_OUT)


AMOUNT = DecimalField(max_digits=38, decimal_places=12)


def projected(materials: QuerySet[OrderMaterial]) -> QuerySet[OrderMaterial]:
    """Of materials of open orders what the loss will be if the open units use what was agreed (MAT-9).

    `net` and `needed` (by received and open units), `loss` and `allowed`, in base units. Never a charge. Without those
    that were never issued, and those that no bill of the order names.
    """
    units = Case(
        When(bill__order_lines__outcome__is_open=True, then=Greatest(
            F("bill__order_lines__outcome__qty_received"), F("bill__order_lines__outcome__qty_due")
        )),
        default=F("bill__order_lines__outcome__qty_received"),
    )  # fmt: skip
    needed = (
        BillLine.objects.filter(material=OuterRef("material"), bill__order_lines__order=OuterRef("order"))
        .order_by()
        .values("material")
        .annotate(sum=Sum(F("quantity_per_unit") * units, output_field=AMOUNT))
        .values("sum")
    )
    moved = {
        name: Coalesce(Sum("movements__quantity", filter=Q(movements__kind__in=kinds)), Decimal(0), output_field=AMOUNT)
        for name, kinds in (("came", IN), ("went", BACK))
    }
    base = Case(
        When(
            Q(loss_base=LossBase.THEORETICAL) | Q(loss_base="", order__loss_base=LossBase.THEORETICAL), then=F("needed")
        ),
        default=F("net"),
    )
    return (
        materials.filter(order__closed_on__isnull=True)
        .annotate(**moved, needed=Subquery(needed, output_field=AMOUNT))
        .filter(came__gt=0, needed__isnull=False)
        .annotate(net=F("came") - F("went"))
        .annotate(loss=F("net") - F("needed"), base=base, share=Coalesce("allowance", "order__loss_allowance"))
        .annotate(allowed=Cast(F("share") * F("base"), AMOUNT))
    )


def beyond_allowance(materials: QuerySet[OrderMaterial]) -> QuerySet[OrderMaterial]:
    """Those of open orders whose projected loss is above the allowance: a warning, the newest orders first."""
    return projected(materials).filter(loss__gt=F("allowed")).order_by("-order_id", "material_id")


def supplies_of(order: PurchaseOrder, *, with_prices: bool) -> list[dict]:
    """One entry for each material of the order, from three queries. Without prices no amount of money is in it."""
    supplied = (
        OrderMaterial.objects.filter(order=order).select_related("material", "order").prefetch_related("movements")
    )
    outcomes = MaterialOutcome.objects.filter(order=order).in_bulk() if order.closed_on else {}
    ahead = {} if order.closed_on else {each.pk: each for each in projected(OrderMaterial.objects.filter(order=order))}
    return [
        _supply(each, outcomes.get(each.pk), ahead.get(each.pk), with_prices)
        for each in supplied.order_by("material__code")
    ]


def _supply(supplied, outcome, ahead, with_prices):
    sums = defaultdict(Decimal)
    for move in supplied.movements.all():
        sums[move.kind] += move.quantity
    came, went = (sum((sums[kind] for kind in kinds), Decimal(0)) for kinds in (IN, BACK))
    return {
        "material": supplied.material,
        "unit": supplied.material.unit,
        "issued": amount(came),
        "back": amount(went),
        "scrap": amount(sums[Kind.SCRAP]),
        "net": amount(came - went),
        "movements": [_movement(move, supplied, with_prices) for move in supplied.movements.all()],
        "result": _result(outcome, supplied, sums, with_prices) if outcome else None,
        "projection": projection(ahead, supplied.material.unit) if ahead else None,
    }


def projection(ahead, unit):
    """The projected loss of a row of `projected` in words and numbers; no money is in it."""

    def shown(value):
        return f"{amount(value.quantize(Decimal('0.001')))} {unit}"

    rows = [
        (_("Needed for the goods received and still open"), shown(ahead.needed)),
        (_("Projected loss"), f"{shown(ahead.loss)} ({_rate(ahead.loss, ahead.base)})"),
        (_("Allowed loss"), shown(ahead.allowed)),
    ]
    return {"rows": rows, "is_beyond": ahead.loss > ahead.allowed}


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


def _rate(part, whole):
    return f"{half_up(Fraction(part) / Fraction(whole) * 100, 2)}%" if whole else "–"


def _result(outcome, supplied, sums, with_prices):
    """The reconciliation in words and numbers (MAT-1 to MAT-5); `sums` are the quantities moved, by kind."""
    places, unit = minor_unit(outcome.currency), supplied.material.unit
    share = supplied.order.loss_allowance if supplied.allowance is None else supplied.allowance
    is_theoretical = (supplied.loss_base or supplied.order.loss_base) == LossBase.THEORETICAL
    base = _("of the theoretical consumption") if is_theoretical else _("of what was net issued")

    def shown(value):
        return f"{amount(value.quantize(Decimal('0.001')))} {unit}"

    rows = [
        (_("Issued"), shown(sums[Kind.ISSUE])),
        (_("Taken over from other orders"), shown(sums[Kind.TRANSFER_IN])),
        (_("Returned"), shown(sums[Kind.RETURN])),
        (_("Passed to other orders"), shown(sums[Kind.TRANSFER_OUT])),
        (_("Net issued"), shown(outcome.net_issued)),
        (_("Theoretical consumption of the goods credited"), shown(outcome.theoretical)),
        (_("Loss"), shown(outcome.loss)),
        (_("Loss rate on net issued"), _rate(outcome.loss, outcome.net_issued)),
        (_("Loss rate on theoretical consumption"), _rate(outcome.loss, outcome.theoretical)),
        (_("Allowed loss"), f"{shown(outcome.allowed)} ({_rate(share, 1)} {base})"),
        (_("Beyond the allowance"), shown(outcome.excess)),
    ]
    if with_prices:
        rows += [
            (_("Unit cost"), money(outcome.unit_cost, outcome.currency, 4)),
            (_("To be charged"), money(half_up(outcome.charge, places), outcome.currency, places)),
        ]
    return {"rows": rows, "is_beyond": outcome.excess > 0, "is_set_aside": outcome.is_set_aside}
