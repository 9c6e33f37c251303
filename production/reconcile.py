"""What became of the material handed to a factory: per order and material, and over a factory (MAT-1 to MAT-12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from production.errors import BadInput
from production.rollup_sums import Number, fraction, half_up, ratio

NET_ISSUED = "net_issued"
THEORETICAL = "theoretical"
BASES = (NET_ISSUED, THEORETICAL)
NOT_APPLICABLE = "not_applicable"
MIN_ORDERS_CONFIRM = 2
RECONCILE_DAYS = 30  # after the last receipt (MAT-9)

# Units of measure as exact multiples of the base unit of their kind.
UNITS: Mapping[str, tuple[str, Fraction]] = {
    "m": ("length", Fraction(1)),
    "cm": ("length", Fraction(1, 100)),
    "mm": ("length", Fraction(1, 1000)),
    "km": ("length", Fraction(1000)),
    "yd": ("length", Fraction(9144, 10000)),
    "ft": ("length", Fraction(3048, 10000)),
    "in": ("length", Fraction(254, 10000)),
    "kg": ("mass", Fraction(1)),
    "g": ("mass", Fraction(1, 1000)),
    "t": ("mass", Fraction(1000)),
    "lb": ("mass", Fraction(45359237, 100000000)),
    "oz": ("mass", Fraction(45359237, 1600000000)),
    "m2": ("area", Fraction(1)),
    "pc": ("count", Fraction(1)),
    "pair": ("count", Fraction(2)),
    "dozen": ("count", Fraction(12)),
    "gross": ("count", Fraction(144)),
}

# Decimals of the currencies that do not have two.
MINOR_UNITS: Mapping[str, int] = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


@dataclass(frozen=True, slots=True)
class Supply:
    """One material on one closed order, in the material's base unit; money per base unit in one currency.

    `allowance` is a fraction (0.03 is 3 %). `theoretical` is the agreed consumption of the credited units (MAT-2).
    """

    issued: Number
    returned: Number
    theoretical: Number
    allowance: Number
    base: str = NET_ISSUED
    unit_cost: Number = 0
    transfer_in: Number = 0
    transfer_out: Number = 0
    scrap_returned: Number = 0
    salvage_unit: Number = 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of one order x material. When `applicable` is false nothing was supplied and all else is None.

    Quantities are exact; `charge` is `charge_exact` rounded once to the currency's minor unit. `rate` is None when its
    base is 0. `loss` may be negative (`negative_loss`); it then never offsets another material.
    """

    applicable: bool
    net: Fraction | None = None
    loss: Fraction | None = None
    rate: Fraction | None = None
    allowed: Fraction | None = None
    excess: Fraction | None = None
    charge_exact: Fraction | None = None
    charge: Decimal | None = None
    liable: bool | None = None
    negative_loss: bool | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What one order line needs of a material: the agreed quantity for a unit, the units received and those to come."""

    per_unit: Number
    received_units: Number
    open_units: Number


@dataclass(frozen=True, slots=True)
class Projection:
    """The running figure of an open order: a warning, never a charge (MAT-9). `status`: ok, watch or not_applicable."""

    status: str
    theoretical: Fraction | None = None
    allowed: Fraction | None = None
    projected_loss: Fraction | None = None
    projected_rate: Fraction | None = None
    provisional: bool = True
    liable: bool | None = None


@dataclass(frozen=True, slots=True)
class FactoryLoss:
    """The loss of a factory in one currency: `rate` = value_loss / value_net, each material weighing by its value."""

    value_net: Fraction
    value_loss: Fraction
    rate: Fraction | None
    total_charge: Decimal
    charges: Mapping[str, Decimal]
    negative_loss: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LossMeasure:
    """A factory's loss against its limit. `status`: not_applicable, no_data, ok, watch or breach (MAT-12)."""

    status: str
    sufficient: bool
    rate: Fraction | None
    orders: int


def minor_unit(currency: str) -> int:
    """The number of decimals in which amounts of a currency are paid."""
    return MINOR_UNITS.get(currency.upper(), 2)


def convert(qty: Number, unit: str, base_unit: str) -> Fraction:
    """A quantity in `unit` as an exact quantity in `base_unit`; BadInput when they do not measure the same (MAT-6)."""
    if unit == base_unit:
        return Fraction(qty)
    if unit not in UNITS or base_unit not in UNITS or UNITS[unit][0] != UNITS[base_unit][0]:
        raise BadInput(f"{unit} cannot be converted to {base_unit}.", "unit")
    return Fraction(qty) * UNITS[unit][1] / UNITS[base_unit][1]


def metres_of_fabric(kilograms: Number, gsm: Number, width_m: Number) -> Fraction:
    """Metres of a fabric lot from its weight, its grams per square metre and its width in metres (MAT-6)."""
    if gsm <= 0 or width_m <= 0:
        raise BadInput("The weight per square metre and the width must be above zero.", "gsm")
    return Fraction(kilograms) * 1000 / (Fraction(gsm) * Fraction(width_m))


def conversion(unit: str, base_unit: str, gsm: Number | None = None, width_m: Number | None = None) -> Fraction:
    """How many of `base_unit` one `unit` is, exactly (MAT-6).

    A weight becomes a length by the grams per square metre and the width in metres of the lot. BadInput, naming the field,
    where these are missing, are there though nothing asks for them, or nothing converts.
    """
    kinds = [UNITS.get(each, ("", Fraction(0)))[0] for each in (unit, base_unit)]
    if kinds == ["mass", "length"]:
        if gsm is None:
            raise BadInput(
                f"{unit} cannot be converted to {base_unit} without the grams per square metre of the lot.", "gsm"
            )
        if width_m is None:
            raise BadInput(f"{unit} cannot be converted to {base_unit} without the width of the lot.", "width_m")
        return convert(metres_of_fabric(convert(1, unit, "kg"), gsm, width_m), "m", base_unit)
    if gsm is not None or width_m is not None:
        said = "Only for a weight of a fabric that is counted by its length. Leave it empty."
        raise BadInput(said, "width_m" if gsm is None else "gsm")
    return convert(1, unit, base_unit)


def consumption(per_unit: Number, accepted: Number, rejected_material_fault: Number = 0) -> Fraction:
    """Theoretical consumption C: quantity per unit x credited units, rejects by buyer's material included (MAT-2)."""
    if per_unit < 0 or accepted < 0 or rejected_material_fault < 0:
        raise BadInput("Consumption and units cannot be negative.", "accepted_units")
    return Fraction(per_unit) * (Fraction(accepted) + Fraction(rejected_material_fault))


def net_issued(issued: Number, returned: Number, transfer_in: Number = 0, transfer_out: Number = 0) -> Fraction:
    """Net issued N (MAT-1). BadInput for negative quantities or more given back than was received (MAT-8)."""
    quantities = [Fraction(quantity) for quantity in (issued, returned, transfer_in, transfer_out)]
    if min(quantities) < 0:
        raise BadInput("Quantities of material cannot be negative.", "issued")
    net = quantities[0] + quantities[2] - quantities[1] - quantities[3]
    if net < 0:
        raise BadInput("More material was returned and moved away than had been issued.", "returned")
    return net


def price(excess: Number, unit_cost: Number, scrap_returned: Number = 0, salvage_unit: Number = 0) -> Fraction:
    """The unrounded charge of an excess quantity (MAT-5)."""
    if min(excess, unit_cost, scrap_returned, salvage_unit) < 0:
        raise BadInput("Quantities and prices of material cannot be negative.", "excess")
    credit = min(Fraction(scrap_returned), Fraction(excess)) * Fraction(salvage_unit)
    return max(Fraction(0), Fraction(excess) * Fraction(unit_cost) - credit)


def reconcile(supply: Supply, minor_units: int = 2) -> Reconciliation:
    """Reconcile one material of one closed order (MAT-1 to MAT-5, MAT-7); BadInput for impossible numbers (MAT-8)."""
    net = net_issued(supply.issued, supply.returned, supply.transfer_in, supply.transfer_out)
    theoretical, allowance = Fraction(supply.theoretical), Fraction(supply.allowance)
    if theoretical < 0:
        raise BadInput("Quantities of material cannot be negative.", "theoretical")
    _check_terms(allowance, supply.base)
    base = net if supply.base == NET_ISSUED else theoretical
    loss, allowed = net - theoretical, allowance * base
    excess = max(Fraction(0), loss - allowed)
    charge = price(excess, supply.unit_cost, supply.scrap_returned, supply.salvage_unit)
    if supply.issued == 0 and supply.transfer_in == 0:
        return Reconciliation(applicable=False)
    return Reconciliation(
        applicable=True,
        net=net,
        loss=loss,
        rate=loss / base if base else None,
        allowed=allowed,
        excess=excess,
        charge_exact=charge,
        charge=half_up(charge, minor_units),
        liable=excess > 0,
        negative_loss=loss < 0,
    )


def settle(charge_exact: Number, fx_rate: Number, currency: str) -> Decimal:
    """The amount in the settlement currency: the unrounded charge x the frozen rate, rounded once (MAT-10)."""
    if charge_exact < 0 or fx_rate <= 0:
        raise BadInput("A charge cannot be negative and a rate of exchange must be above zero.", "fx_rate")
    return half_up(Fraction(charge_exact) * Fraction(fx_rate), minor_unit(currency))


def reconciliation_due_on(last_receipt_on: date) -> date:
    """The last day on which an order is closed in time: 30 days after its last goods came (MAT-9)."""
    return last_receipt_on + timedelta(days=RECONCILE_DAYS)


def project(
    issued: Number,
    returned: Number,
    needs: Sequence[Need],
    allowance: Number,
    base: str = NET_ISSUED,
    transfer_in: Number = 0,
    transfer_out: Number = 0,
) -> Projection:
    """What the loss will be if open units use what was agreed: watch above the allowance, never a charge (MAT-9).

    `needs` has one entry for each order line whose bill of materials names the material.
    """
    net = net_issued(issued, returned, transfer_in, transfer_out)
    theoretical = Fraction(0)
    for need in needs:
        theoretical += consumption(need.per_unit, need.received_units) + consumption(need.per_unit, need.open_units)
    _check_terms(Fraction(allowance), base)
    if issued == 0 and transfer_in == 0:
        return Projection(status=NOT_APPLICABLE)
    whole = net if base == NET_ISSUED else theoretical
    loss = net - theoretical
    allowed = Fraction(allowance) * whole
    return Projection(
        status="watch" if loss > allowed else "ok",
        theoretical=theoretical,
        allowed=allowed,
        projected_loss=loss,
        projected_rate=loss / whole if whole else None,
    )


def factory_loss(materials: Sequence[tuple[str, Supply]], minor_units: int = 2) -> FactoryLoss:
    """The value-weighted loss of a factory in one currency and the charge per material (MAT-11).

    `materials` names each order x material once. A gain on one never offsets a loss on another; the total is the sum
    of the rounded charges. Materials of which nothing was supplied cost nothing and weigh nothing.
    """
    value_net, value_loss = Fraction(0), Fraction(0)
    charges: dict[str, Decimal] = {}
    negative: list[str] = []
    for name, supply in materials:
        result = reconcile(supply, minor_units)
        charges[name] = charges.get(name, half_up(0, minor_units)) + (result.charge or 0)
        if result.net is None or result.loss is None:
            continue
        value_net += Fraction(supply.unit_cost) * result.net
        value_loss += Fraction(supply.unit_cost) * max(result.loss, Fraction(0))
        if result.negative_loss:
            negative.append(name)
    rate = value_loss / value_net if value_net else None
    total = sum(charges.values(), half_up(0, minor_units))
    return FactoryLoss(value_net, value_loss, rate, total, charges, tuple(negative))


def judge_loss(
    value_loss: Number, value_net: Number, orders: int, limit: Number, supplied: bool = True, min_orders: int = 1
) -> LossMeasure:
    """A factory's value rate against its limit (MAT-12): above it, breach with two closed orders or more, else watch.

    The values come from the `orders` closed in the window, in one currency; `limit` is a fraction. `supplied` says
    whether the factory works with the buyer's material at all: if not, the measure is not applicable (MAT-7).
    """
    if value_loss < 0 or orders < 0 or value_loss > value_net:
        raise BadInput("The value lost lies between 0 and the value supplied.", "value_loss")
    if orders == 0 or value_net == 0:
        return LossMeasure("no_data" if supplied else NOT_APPLICABLE, sufficient=False, rate=None, orders=orders)
    rate = ratio(value_loss, value_net)
    above = "breach" if orders >= MIN_ORDERS_CONFIRM else "watch"
    return LossMeasure(above if rate > fraction(limit) else "ok", orders >= min_orders, rate, orders)


def _check_terms(allowance: Fraction, base: str) -> None:
    if not 0 <= allowance <= 1:
        raise BadInput("A loss allowance lies between 0 and 1.", "allowance")
    if base not in BASES:
        raise BadInput("The base of the loss is net_issued or theoretical.", "base")
