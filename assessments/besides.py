"""What moves no grade but belongs to the same days: cycles, delays, whole orders, and other views of the defects.

Three statements read the rows as they stand today, however many there are; the rest is arithmetic.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import F, Q

from assessments import evidence, intervals, measures
from assessments.models import Evaluation
from production import quantiles
from production.duedates import Outcome
from production.models import FactoryDay, LineOutcome

HALF = Fraction(1, 2)
CONFIDENCE = Decimal("0.95")  # at each end of an interval, 90 % between them
LEFT_OUT = {LineOutcome.State.EXCLUDED, LineOutcome.State.SET_ASIDE}

Rows = Sequence[Any]  # with the names below
LINE = (
    "order_id", "state", "due_on", "limit_on", "qty_due", "qty_on_time", "qty_received", "is_otif", "is_otd", "is_open",
    "completed_on", "days_late", "cycle_days",
)  # fmt: skip
LOT = ("lot_id", "inspection_id", "inspected", "critical", "major", "minor", "is_census", "qty_delivered")


@dataclass(frozen=True, slots=True)
class Cycles:
    """How many days the lines completed in a window took, from the confirmation of their order (OTD-17, OTD-18).

    `waiting` lines are still open; `median` counts them as longer than their age, None while it is not reached.
    `beyond` is by how many days the lines with an agreed cycle took longer than it: `overran` of `agreed`.
    """

    completed: int
    took: quantiles.Cycle
    waiting: int
    median: int | None
    agreed: int
    overran: int
    beyond: quantiles.Cycle


@dataclass(frozen=True, slots=True)
class Delays:
    """The lateness of the lines due in a window, in days.

    `delivery` holds their sums; `median` is that of the missed lines that have ended, None without any; `waiting` the
    days late of those still open (ROL-5). `ended` counts lines by days after their last on-time day, open ones at their age.
    """

    delivery: measures.Delivery
    median: int | None
    waiting: quantiles.OpenDelay
    ended: Counter[int]


@dataclass(frozen=True, slots=True)
class Order:
    """One order: `hits` of its `lines` were on time and in full; it is whole when all of them were."""

    pk: int
    number: str
    hits: int
    lines: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders whose last limit day lies in a window, latest first (OTD-16)."""

    every: list[Order]

    @property
    def total(self) -> int:
        return len(self.every)

    @property
    def missed(self) -> list[Order]:
        return [each for each in self.every if not each.is_whole]

    @property
    def whole(self) -> int:
        return self.total - len(self.missed)


@dataclass(frozen=True, slots=True)
class Defects:
    """Other views of the same inspected lots: `ppm` None below 10,000 units, `deff` below five lots (DEF-2, -6, -7, -9, -12)."""

    units: int
    minor: int
    rates: measures.ClassRates
    weighted: measures.Weighted
    dominant: Any | None  # the row of the lot with more than half of the units
    deff: Fraction | None
    ppm: int | None
    bad: int
    wilson: intervals.Interval | None  # of the counted classes, as the score page shows it
    exact: intervals.Interval | None  # Clopper and Pearson's, whose confidence is guaranteed (DEF-9)


@dataclass(frozen=True, slots=True)
class Censuses:
    """The lots counted to the last unit, and the rows of those above the ceiling, worst first (DEF-14)."""

    total: int
    above: Rows


@dataclass(frozen=True, slots=True)
class Besides:
    cycles: Cycles
    delays: Delays
    orders: Orders
    defects: Defects
    censuses: Censuses


def besides(evaluation: Evaluation) -> Besides:
    """All of it for the days of an evaluation, from the facts as they are today. Three statements."""
    days = evidence.window(evaluation, "defect")
    due = evidence.window(evaluation, "otif")
    lines, lots = _lines(evaluation), _lots(evaluation)
    return Besides(
        cycles=cycles(_histograms(evaluation), lines, days),
        delays=delays(lines, due, evaluation.as_of),
        orders=orders(lines, due),
        defects=defects(lots),
        censuses=censuses(lots, Decimal(evaluation.measures["defect"]["limit"])),
    )


def cycles(histograms: Sequence[dict[str, int]], lines: Rows, days: tuple[date, date]) -> Cycles:
    """From the stored histograms of days -> lines of each day, and the lines that ran within `days` (OTD-17, OTD-18, ROL-6)."""
    merged = quantiles.merge_histograms({int(took): n for took, n in each.items()} for each in histograms)
    counted = [row for row in lines if row.state == LineOutcome.State.COUNTED]
    ages = [
        (days[1] - row.confirmed_on).days
        for row in counted
        if row.confirmed_on
        and row.confirmed_on <= days[1]
        and (row.is_open or (row.completed_on and row.completed_on > days[1]))
    ]
    observed = [quantiles.Observed(took, completed=True) for took in merged.elements()]
    observed += [quantiles.Observed(age, completed=False) for age in ages]
    beyond = [
        row.cycle_days - row.agreed
        for row in counted
        if row.agreed is not None
        and row.cycle_days is not None
        and row.completed_on
        and days[0] <= row.completed_on <= days[1]
    ]
    return Cycles(
        completed=merged.total(),
        took=quantiles.histogram_cycle(merged),
        waiting=len(ages),
        median=quantiles.kaplan_meier(observed, HALF),
        agreed=len(beyond),
        overran=sum(more > 0 for more in beyond),
        beyond=quantiles.cycle(beyond),
    )


def delays(lines: Rows, due: tuple[date, date], as_of: date) -> Delays:
    """From the lines whose last on-time day lies in `due`; open ones at their age on `as_of` (OTD-15, ROL-5)."""
    outcomes = [outcome(row, due[1]) for row in lines if row.limit_on and due[0] <= row.limit_on <= due[1]]
    counted = [each for each in outcomes if each.counted]
    missed = [each.days_late or 0 for each in counted if not each.otd and not each.open_overdue]
    waiting = [each.due for each in counted if each.open_overdue and each.due]
    return Delays(
        delivery=measures.delivery(measures.delivery_sums(counted), as_of),
        median=quantiles.nearest_rank(missed, HALF),
        waiting=quantiles.open_delay(waiting, as_of),
        ended=Counter(_after_limit(each, as_of) for each in counted),
    )


def orders(lines: Rows, due: tuple[date, date]) -> Orders:
    """Each order counts on the last limit day of its lines; it is on time when all of them are (OTD-16)."""
    by_order: dict[int, list[Any]] = defaultdict(list)
    for row in lines:
        by_order[row.order_id].append(row)
    counted = []
    for order_id, rows in by_order.items():
        found = measures.order_outcome(outcome(row, due[1]) for row in rows)
        if found.order_otif is None or found.attributed_on is None or not due[0] <= found.attributed_on <= due[1]:
            continue
        order = Order(order_id, rows[0].number, found.line_otif, found.lines, found.order_otif)
        counted.append((found.attributed_on, order))
    counted.sort(key=lambda each: (each[0], each[1].number), reverse=True)
    return Orders([each for _on, each in counted])


def orders_of(evaluation: Evaluation) -> Orders:
    """The orders alone, from the facts as they are today. One statement."""
    return orders(_lines(evaluation), evidence.window(evaluation, "otif"))


def defects(lots: Rows) -> Defects:
    """All classes, the three weightings, how much lots differ, and defects per million (DEF-2, DEF-6, DEF-12, DEF-7)."""
    units, critical, major, minor = (
        sum(getattr(row, name) for row in lots) for name in ("inspected", "critical", "major", "minor")
    )
    weighted = measures.weigh(
        [measures.InspectedLot(row.lot_id, row.inspected, row.critical + row.major, row.qty_delivered) for row in lots]
    )
    spread = measures.spread((row.critical + row.major, row.inspected) for row in lots)
    return Defects(
        units=units,
        minor=minor,
        rates=measures.class_rates(units, critical, major, minor),
        weighted=weighted,
        dominant=next((row for row in lots if row.lot_id == weighted.dominant_lot), None),
        deff=measures.design_effect(spread.defective, spread.inspected, spread.lots, spread.s2),
        ppm=measures.ppm(critical + major, units) if units >= measures.PPM_MIN_UNITS else None,
        bad=critical + major,
        wilson=intervals.wilson(critical + major, units, intervals.z_of(CONFIDENCE)),
        exact=intervals.clopper_pearson(critical + major, units, CONFIDENCE),
    )


def censuses(lots: Rows, ceiling: Decimal) -> Censuses:
    """Which lots that were counted whole lie above the ceiling: a fact of each lot, no test (DEF-14)."""
    whole = [row for row in lots if row.is_census]
    above = [
        row
        for row in whole
        if measures.judge_census(row.critical + row.major, row.inspected, ceiling) == measures.BREACH
    ]
    return Censuses(len(whole), above)


def outcome(row: Any, last: date) -> Outcome:
    """A stored outcome as the plain rules read one, as of the `last` limit day that counts."""
    return Outcome(
        measurable=row.state != LineOutcome.State.UNMEASURABLE,
        due=row.due_on,
        limit=row.limit_on,
        matured=row.limit_on is not None and row.limit_on <= last,
        excluded=row.state if row.state in LEFT_OUT else None,
        otif=row.is_otif,
        otd=row.is_otd,
        on_time_qty=row.qty_on_time,
        qty_due=row.qty_due,
        received_qty=row.qty_received,
        days_late=row.days_late,
        completed_on=row.completed_on,
        open_overdue=row.is_open,
    )


def _after_limit(line: Outcome, as_of: date) -> int:
    """Days from the last on-time day to the end of a line, below 0 when early; of an open one to `as_of`."""
    if line.completed_on:
        return (line.completed_on - line.limit).days
    if line.open_overdue:
        return (as_of - line.limit).days
    return (line.due - line.limit).days + (line.days_late or 0)


def _histograms(evaluation: Evaluation) -> list[dict[str, int]]:
    days = FactoryDay.objects.filter(factory=evaluation.factory_id, family=FactoryDay.Family.CYCLE)
    days = evidence.scoped(evaluation, days.between(*evidence.window(evaluation, "defect")))
    return list(days.values_list("cycle_histogram", flat=True))


def _lines(evaluation: Evaluation) -> Rows:
    """The lines of each order with a line due in the days, and those that were completed or open in them."""
    first, last = evidence.window(evaluation, "defect")
    lines = evidence.scoped(evaluation, LineOutcome.objects.filter(factory=evaluation.factory_id))
    due = lines.due_between(*evidence.window(evaluation, "otif"))
    running = Q(order__confirmed_on__lte=last) & (Q(completed_on__gte=first) | Q(is_open=True))
    found = lines.filter(Q(order__in=due.values("order")) | running)
    named = found.annotate(
        number=F("order__number"), confirmed_on=F("order__confirmed_on"), agreed=F("order__cycle_days")
    )
    return list(
        named.order_by("order_id", "line_id").values_list(*LINE, "number", "confirmed_on", "agreed", named=True)
    )


def _lots(evaluation: Evaluation) -> Rows:
    found = evidence.rows(evaluation, "defect").order_by("-bad_share", "-inspected_on", "-lot_id")
    return list(found.annotate(code=F("lot__code")).values_list(*LOT, "code", named=True))
