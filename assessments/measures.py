"""The defect rate and on-time delivery of a factory: sums in, measures out (DEF-1 to DEF-14, OTD-15, OTD-16, OTD-19).

Rates are exact fractions. Floats appear only in intervals and p-values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from assessments.intervals import Interval, check_share, proves, share, tail_probability, wilson
from production.duedates import Outcome
from production.errors import BadInput
from production.rollup_sums import LotSums, Number, fraction, half_up, lot_sums, ratio
from production.sampling import check_counts

NO_DATA, OK, WATCH, BREACH = "no_data", "ok", "watch", "breach"
CLASSES = ("critical", "major", "minor")
COUNTED_CLASSES = ("critical", "major")

ALPHA_MONTH = Decimal("0.05")
ALPHA_ROLLING = Decimal("0.01")
MIN_UNITS_CONFIRM = 30
MIN_LINES_CONFIRM = 5
MIN_UNITS = 200
MIN_LOTS = 3
MIN_LINES = 5
MIN_LOTS_DEFF = 5
MIN_COVERAGE = Decimal("0.50")
PPM_MIN_UNITS = 10_000

LOW_COVERAGE, DOMINANCE, CLUSTERED, CRITICAL = "low_coverage", "dominance", "clustered", "critical_unit"


@dataclass(frozen=True, slots=True)
class ClassRates:
    """The rate of counted classes and of all classes (None without inspected units), and the critical gate (DEF-2)."""

    rate: Fraction | None
    rate_all_classes: Fraction | None
    critical_gate: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """A share of bad units or lines judged against its ceiling.

    `bad` of `total`, and the greatest share that may be; `headline` of them are what the rate counts: the bad units, the
    lines on time. `status`: no_data, ok, watch, breach. `sufficient`: enough data to be graded. `lots` and `s2` are there
    where the clustering of defects in lots may be estimated (see `design_effect`). Nothing is worked out before it is asked for.
    """

    status: str
    sufficient: bool
    bad: int
    total: int
    ceiling: Fraction
    headline: int
    lots: int | None = None
    s2: Number | None = None
    flags: tuple[str, ...] = ()

    @property
    def rate(self) -> Fraction | None:
        return _share(self.headline, self.total)

    @property
    def wilson(self) -> Interval | None:
        """The 90 % interval of the rate (DEF-9)."""
        return wilson(self.headline, self.total)

    @property
    def p_value(self) -> float | None:
        """The chance of this many bad or more for a factory exactly at the ceiling (DEF-10)."""
        return tail_probability(self.bad, self.total, self.ceiling)

    @property
    def deff(self) -> Fraction | None:
        """How much lots differ more than chance allows (DEF-12); None where that was not asked, or of too few lots."""
        if self.lots is None or self.s2 is None:
            return None
        return design_effect(self.bad, self.total, self.lots, self.s2)

    @property
    def n_eff(self) -> float | None:
        deff = self.deff
        return self.total * deff.denominator / deff.numerator if deff is not None else None

    @property
    def wilson_lower_eff(self) -> float | None:
        """The lower end of the 90 % interval with as many units as the clustering leaves (DEF-12)."""
        n_eff = self.n_eff
        shrunk = wilson(self.bad, self.total, effective=n_eff) if n_eff is not None else None
        return shrunk.lower if shrunk else None

    @property
    def badness(self) -> Fraction | None:
        """The bad share, whatever the headline is; breaches compare it with the ceiling."""
        return Fraction(self.bad, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class InspectedLot:
    """One counted lot: defective of inspected units, and the delivered quantity that it stands for."""

    id: object
    inspected: int
    defective: int
    delivered: Number | None = None


@dataclass(frozen=True, slots=True)
class Weighted:
    """The three estimators (DEF-5, DEF-6). `dominant_lot` is set when one lot holds more than half of the units;
    `dominance` also when the unit- and quantity-weighted rates are more than a point apart."""

    unit_weighted: Fraction | None
    lot_weighted: Fraction | None
    quantity_weighted: Fraction | None
    dominance_share: Fraction | None
    dominant_lot: object | None
    dominance: bool


@dataclass(frozen=True, slots=True)
class DeliverySums:
    """The additive sums of matured, measurable, not excluded lines (OTD-15).

    `late_closed` and `days_late_closed`: missed lines that have ended, and their days; `days_in_grace`: days past the
    due date of lines that were still on time; open lines by count and by the sum of their due days as ordinals.
    `received_lines` and `received_otif` serve only to show what leaving out undelivered lines would report.
    """

    lines: int = 0
    otif: int = 0
    otd: int = 0
    qty_due: Decimal = Decimal(0)
    qty_on_time: Decimal = Decimal(0)
    late_closed: int = 0
    days_late_closed: int = 0
    days_in_grace: int = 0
    open_count: int = 0
    open_due_ordinal: int = 0
    received_lines: int = 0
    received_otif: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """On-time delivery of a window; None where there are no lines; open lines count at their age (OTD-15)."""

    sums: DeliverySums
    late_days: int  # of lines that ended late and of open ones

    @property
    def lines(self) -> int:
        return self.sums.lines

    @property
    def otif(self) -> int:
        return self.sums.otif

    @property
    def otd(self) -> int:
        return self.sums.otd

    @property
    def includes_open(self) -> int:
        return self.sums.open_count

    @property
    def otif_rate(self) -> Fraction | None:
        return _share(self.sums.otif, self.sums.lines)

    @property
    def otd_rate(self) -> Fraction | None:
        return _share(self.sums.otd, self.sums.lines)

    @property
    def qty_rate(self) -> Fraction | None:
        return ratio(self.sums.qty_on_time, self.sums.qty_due) if self.sums.qty_due else None

    @property
    def avg_days_late_when_late(self) -> Fraction | None:
        return _share(self.late_days, self.sums.late_closed + self.sums.open_count)

    @property
    def avg_days_late_all(self) -> Fraction | None:
        return _share(self.late_days + self.sums.days_in_grace, self.sums.lines)

    @property
    def received_only_rate(self) -> Fraction | None:
        return _share(self.sums.received_otif, self.sums.received_lines)


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """One order (OTD-16). `order_otif` is None while a line is not matured or when no line counts; `attributed_on` is
    the last limit day of its lines."""

    order_otif: bool | None
    line_otif: int
    lines: int
    qty_rate: Fraction | None
    attributed_on: date | None


def class_rates(
    inspected: int,
    critical: int,
    major: int,
    minor: int,
    counted: Iterable[str] = COUNTED_CLASSES,
    lot_qty: Number | None = None,
) -> ClassRates:
    """Rates from counts of units by their worst class (DEF-1, DEF-2). BadInput for impossible counts (DEF-3)."""
    check_counts(inspected, critical, major, minor, lot_qty=lot_qty)
    counts = dict(zip(CLASSES, (critical, major, minor), strict=True))
    classes = set(counted)
    if not classes or not classes <= counts.keys():
        raise BadInput("The counted classes are among critical, major and minor.", "counted_classes")
    return ClassRates(
        rate=_share(sum(counts[name] for name in classes), inspected),
        rate_all_classes=_share(critical + major + minor, inspected),
        critical_gate=critical > 0,
    )


def spread(lots: Iterable[tuple[int, int]]) -> LotSums:
    """The sums over lots (defective, inspected) that the design effect needs; an empty inspection is none (DEF-12)."""
    return sum((lot_sums(defective, inspected) for defective, inspected in lots if inspected), LotSums())


def design_effect(bad: int, total: int, lots: int, s2: Number) -> Fraction | None:
    """How much lots differ more than chance allows, at least 1; None with fewer than five lots (DEF-12).

    `s2` is the sum over the lots of defective squared / inspected.
    """
    check_counts(total, bad)
    if lots < MIN_LOTS_DEFF or not total:
        return None
    if bad in (0, total):
        return Fraction(1)
    # (s2 - p bad) / (p (1 - p) (lots - 1)) with p = bad / total
    top, bottom = s2.as_integer_ratio()
    observed, expected = total * (top * total - bad * bad * bottom), bottom * bad * (total - bad) * (lots - 1)
    return Fraction(observed, expected) if observed > expected else Fraction(1)


def _status(bad: int, total: int, ceiling: Fraction, alpha: Number, min_confirm: int) -> str:
    """Where a share stands: above its ceiling it is a breach if chance does not explain it, else to be watched (DEF-11)."""
    if not total:
        return NO_DATA
    if bad * ceiling.denominator <= total * ceiling.numerator:
        return OK
    p_value = tail_probability(bad, total, ceiling) if total >= min_confirm else None
    return BREACH if p_value is not None and proves(bad, total, ceiling, alpha, p_value) else WATCH


def judge_defects(
    bad: int,
    total: int,
    ceiling: Number,
    alpha: Number = ALPHA_MONTH,
    min_units_confirm: int = MIN_UNITS_CONFIRM,
    lots: int | None = None,
    s2: Number | None = None,
    min_units: int = MIN_UNITS,
    min_lots: int = MIN_LOTS,
    flags: Iterable[str] = (),
) -> Measure:
    """The defect rate of a window against its ceiling (DEF-9 to DEF-12).

    `bad` of `total` inspected units; `ceiling` and `alpha` are fractions; `lots` and `s2` (see `design_effect`) add
    the test for clustering. Raises BadInput for impossible numbers.
    """
    check_counts(total, bad)
    check_share(alpha, "alpha")
    limit, flags = share(ceiling, "ceiling"), tuple(flags)
    sufficient = total > 0 and total >= min_units and lots is not None and lots >= min_lots
    status = _status(bad, total, limit, alpha, min_units_confirm)
    found = Measure(status, sufficient, bad, total, limit, bad, lots, s2, flags)
    if status == BREACH:
        deff, lower = found.deff, found.wilson_lower_eff
        if deff is not None and deff > 1 and lower is not None and lower <= limit:
            return replace(found, status=WATCH, flags=(*flags, CLUSTERED))
    return found


def judge_delivery(
    late: int,
    lines: int,
    floor: Number,
    alpha: Number = ALPHA_MONTH,
    min_lines_confirm: int = MIN_LINES_CONFIRM,
    min_lines: int = MIN_LINES,
    flags: Iterable[str] = (),
) -> Measure:
    """On-time delivery of a window against its floor (OTD-19): `late` of `lines` matured lines missed the headline."""
    check_counts(lines, late)
    check_share(alpha, "alpha")
    ceiling = 1 - share(floor, "otd_floor")
    status = _status(late, lines, ceiling, alpha, min_lines_confirm)
    return Measure(status, lines > 0 and lines >= min_lines, late, lines, ceiling, lines - late, flags=tuple(flags))


def judge_census(bad: int, lot_qty: int, ceiling: Number) -> str:
    """The status of a lot counted to the last unit: a fact that needs no p-value (DEF-14)."""
    check_counts(lot_qty, bad)
    if not lot_qty:
        return NO_DATA
    return BREACH if Fraction(bad, lot_qty) > Fraction(ceiling) else OK


def weigh(lots: Sequence[InspectedLot]) -> Weighted:
    """The unit-, lot- and quantity-weighted rates of counted lots and whether one of them dominates (DEF-5, DEF-6).

    Lots without inspected units say nothing; the quantity-weighted rate covers the lots whose delivery is known.
    """
    for lot in lots:
        check_counts(lot.inspected, lot.defective)
        if lot.delivered is not None and lot.delivered < 0:
            raise BadInput("A delivered quantity cannot be negative.", "delivered")
    seen = [lot for lot in lots if lot.inspected]
    units = sum(lot.inspected for lot in seen)
    by_unit = _share(sum(lot.defective for lot in seen), units)
    shares = [Fraction(lot.defective, lot.inspected) for lot in seen]
    quantities = [Fraction(lot.delivered or 0) for lot in seen]
    delivered = sum(quantities)
    by_quantity = sum(map(Fraction.__mul__, quantities, shares)) / delivered if delivered else None
    largest = max(seen, key=lambda lot: lot.inspected, default=None)
    top = Fraction(largest.inspected, units) if largest else None
    apart = by_unit is not None and by_quantity is not None and abs(by_unit - by_quantity) > Fraction(1, 100)
    dominant = largest is not None and top is not None and top > Fraction(1, 2)
    return Weighted(
        unit_weighted=by_unit,
        lot_weighted=sum(shares) / Fraction(len(seen)) if seen else None,
        quantity_weighted=by_quantity,
        dominance_share=top,
        dominant_lot=largest.id if largest is not None and dominant else None,
        dominance=dominant or apart,
    )


def ppm(bad: int, total: int) -> int | None:
    """Defective units per million, rounded half up (DEF-7); shown only from PPM_MIN_UNITS inspected units."""
    check_counts(total, bad)
    return int(half_up(Fraction(bad * 1_000_000, total), 0)) if total else None


def coverage(
    inspected_lots: Number, uninspected_lots: Number, min_coverage: Number = MIN_COVERAGE
) -> tuple[Fraction | None, bool]:
    """Share of the delivered quantity that belongs to inspected lots, and whether it is too low (DEF-8).

    None, and not low, when nothing was delivered.
    """
    if inspected_lots < 0 or uninspected_lots < 0:
        raise BadInput("A delivered quantity cannot be negative.", "delivered")
    (seen, unit), (unseen, other_unit) = inspected_lots.as_integer_ratio(), uninspected_lots.as_integer_ratio()
    covered = _share(seen * other_unit, seen * other_unit + unseen * unit)
    return covered, covered is not None and covered < fraction(min_coverage)


def delivery_sums(outcomes: Iterable[Outcome]) -> DeliverySums:
    """Add up the lines that count; unmeasurable, unmatured and excluded ones do not (OTD-2, OTD-8)."""
    lines = [outcome for outcome in outcomes if outcome.counted]
    late = [line for line in lines if not line.otd and not line.open_overdue]
    received = [line for line in lines if line.received_qty]
    return DeliverySums(
        lines=len(lines),
        otif=sum(bool(line.otif) for line in lines),
        otd=sum(bool(line.otd) for line in lines),
        qty_due=sum((line.qty_due or Decimal(0) for line in lines), Decimal(0)),
        qty_on_time=sum((line.on_time_qty or Decimal(0) for line in lines), Decimal(0)),
        late_closed=len(late),
        days_late_closed=sum(line.days_late or 0 for line in late),
        days_in_grace=sum(line.days_late or 0 for line in lines if line.otd),
        open_count=sum(bool(line.open_overdue) for line in lines),
        open_due_ordinal=sum(line.due.toordinal() for line in lines if line.open_overdue and line.due),
        received_lines=len(received),
        received_otif=sum(bool(line.otif) for line in received),
    )


def delivery(sums: DeliverySums, as_of: date) -> Delivery:
    """The rates and average delays of a window from its sums (OTD-15, ROL-5); early days never cancel late ones."""
    open_days = as_of.toordinal() * sums.open_count - sums.open_due_ordinal
    return Delivery(sums, sums.days_late_closed + open_days)


def order_outcome(outcomes: Iterable[Outcome]) -> OrderOutcome:
    """One order from its lines: on time and in full only if every measurable line is (OTD-16)."""
    lines = [outcome for outcome in outcomes if outcome.measurable and outcome.excluded is None]
    counted = [line for line in lines if line.matured]
    hits = sum(bool(line.otif) for line in counted)
    sums = delivery_sums(counted)
    return OrderOutcome(
        order_otif=hits == len(lines) if lines and len(counted) == len(lines) else None,
        line_otif=hits,
        lines=len(counted),
        qty_rate=Fraction(sums.qty_on_time) / Fraction(sums.qty_due) if sums.qty_due else None,
        attributed_on=max((line.limit for line in lines if line.limit), default=None),
    )


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
