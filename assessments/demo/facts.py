"""The rows of the demo as plain values that point at each other; `load` turns them into rows of the database."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from assessments.demo.catalogue import StyleSeed
from assessments.demo.suppliers import FactorySeed


@dataclass(frozen=True, slots=True)
class TermsSeed:
    """The contract terms of a factory's lines; the calendar is the receiving site's."""

    grace_days: int = 0
    grace_unit: str = "calendar"
    tol_under: str = "0"
    tol_over: str | None = None
    early_days: int | None = None
    early_policy: str = "ok"
    single_delivery: bool = False
    rolls_to_working_day: bool = False


@dataclass(slots=True)
class Inspection:
    inspected_at: datetime
    inspected_on: date
    units: int
    critical: int
    major: int
    minor: int
    lot_quantity: int
    stage: str = "final"
    source: str = "third_party"
    is_original: bool = True
    verdict: str = "accepted"
    units_rejected: int = 0
    material_fault: int = 0
    material_fault_approved_on: date | None = None
    note: str = ""


@dataclass(slots=True)
class Lot:
    code: str
    quantity: int
    inspections: list[Inspection] = field(default_factory=list)


@dataclass(slots=True)
class Delivery:
    quantity: int
    received_at: datetime
    received_on: date
    known_on: date
    lot: Lot | None = None
    reverses: "Delivery | None" = None
    document: str = ""
    cartons: int | None = None
    damaged: int = 0
    reason: str = ""
    note: str = ""
    is_over: bool = False


@dataclass(slots=True)
class Cancellation:
    quantity: int
    cancelled_on: date
    by: str
    reason: str


@dataclass(slots=True)
class Revision:
    new_on: date
    cause: str
    reason: str
    asked_on: date
    approved_on: date | None


@dataclass(slots=True)
class Line:
    """One order line. `fate` is what becomes of it, `arrives` when goods are received, past days and days to come."""

    number: str
    product: str
    style: StyleSeed
    site: str
    quantity: int
    price: Decimal
    due_on: date
    requested_on: date
    bill: int | None
    terms: TermsSeed
    fate: str = ""
    arrives: list[tuple[date, int]] = field(default_factory=list)
    committed_on: date | None = None
    forecast_on: date | None = None
    frozen_on: date | None = None
    closed_short_on: date | None = None
    lots: list[Lot] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)


@dataclass(slots=True)
class Movement:
    kind: str
    moved_on: date
    quantity: Decimal
    unit: str
    numerator: int = 1
    denominator: int = 1
    cost: Decimal | None = None
    salvage: Decimal = Decimal(0)
    document: str = ""


@dataclass(slots=True)
class Supply:
    """One material that is supplied for one order."""

    material: str
    currency: str
    allowance: Decimal | None = None
    base: str = ""
    movements: list[Movement] = field(default_factory=list)


@dataclass(slots=True)
class Order:
    factory: FactorySeed
    currency: str
    ordered_on: date
    confirmed_on: date | None
    lines: list[Line]
    number: str = ""
    cycle_days: int | None = None
    closed_on: date | None = None
    note: str = ""
    supplies: list[Supply] = field(default_factory=list)
