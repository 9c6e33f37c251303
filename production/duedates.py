"""Was this order line on time and in full? One line at a time, for a given day (OTD-1 to OTD-14)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from production.errors import BadInput
from production.rollup_sums import Number, to_decimal

LONGEST_CLOSURE_DAYS = 366
MOVING_CAUSES = frozenset({"buyer", "force_majeure"})

LATE_OR_SHORT = "late_or_short"
SPLIT_NOT_ALLOWED = "split_not_allowed"
EARLY = "early"
OVER = "over"
CANCELLED_BY_BUYER = "cancelled_by_buyer"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The working days of a site: `weekend` in Monday = 0 numbering, closed `holidays`, make-up `workdays` (OTD-12).

    A make-up working day wins over a weekend and over a holiday.
    """

    weekend: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def is_open(self, day: date) -> bool:
        return day in self.workdays or (day.weekday() not in self.weekend and day not in self.holidays)

    def next_open(self, day: date) -> date:
        """`day` itself when it is open, else the next open day; BadInput when the site never opens within a year."""
        for ahead in range(LONGEST_CLOSURE_DAYS + 1):
            if self.is_open(found := day + timedelta(days=ahead)):
                return found
        raise BadInput("The calendar has no working day within a year.", "calendar")

    def add_open_days(self, day: date, count: int) -> date:
        """The `count`-th open day after `day`; `day` itself when `count` is 0, open or not."""
        for _ in range(count):
            day = self.next_open(day + timedelta(days=1))
        return day


EVERY_WEEKDAY = Calendar()


@dataclass(frozen=True, slots=True)
class Terms:
    """The contract terms frozen on a line; tolerances are fractions of the due quantity (0.05 is 5 %)."""

    grace_days: int = 0
    grace_unit: str = "calendar"  # calendar | working
    tol_under: Number = 0
    tol_over: Number | None = None  # None flags anything above the due quantity
    early_days: int | None = None  # None: never too early
    early_policy: str = "ok"  # ok | miss
    over_policy: str = "ok"  # ok | miss
    single_delivery: bool = False
    due_roll: str = "none"  # none | next_working_day


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods received on a local date. A reversal is negative and bears the date of the receipt it reverses (OTD-13)."""

    on: date
    qty: Number


@dataclass(frozen=True, slots=True)
class Cancellation:
    on: date
    qty: Number
    by: str  # buyer | factory


@dataclass(frozen=True, slots=True)
class Revision:
    """A new due date asked for. It counts from `approved_on`, or always when that day is unknown."""

    due_on: date
    cause: str  # buyer | force_majeure move the measured date; any other cause does not
    approved: bool
    approved_on: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The facts of one schedule line: order line x due date x quantity."""

    qty: Number
    committed_on: date | None = None
    requested_on: date | None = None
    receipts: Sequence[Receipt] = ()
    cancellations: Sequence[Cancellation] = ()
    revisions: Sequence[Revision] = ()
    closed_short: bool = False
    closed_on: date | None = None  # the day it was closed short; unknown counts as closed on every day


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line as of a day.

    Not measurable: no due date at all. Not matured: the limit day is still to come. Excluded: cancelled by the buyer
    in time. In these three cases the fields after `excluded` stay None or empty. `days_late` counts from `due`, never
    below 0, and is a lower bound while `open_overdue`. `reasons` is empty exactly when `otif` is true.
    """

    measurable: bool
    due: date | None = None
    limit: date | None = None
    matured: bool | None = None
    excluded: str | None = None
    otif: bool | None = None
    otd: bool | None = None
    on_time_qty: Decimal | None = None
    qty_due: Decimal | None = None
    received_qty: Decimal | None = None
    days_late: int | None = None
    completed_on: date | None = None
    ended_on: date | None = None
    open_overdue: bool | None = None
    early: bool | None = None
    over: bool | None = None
    reasons: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether the line stands in the numerator or denominator of a rate."""
        return bool(self.matured) and self.excluded is None


def local_date(moment: datetime, zone: str) -> date:
    """The date of an instant in the zone of the place where it happened (OTD-11). BadInput without offset or zone."""
    if moment.utcoffset() is None:
        raise BadInput("A moment needs its offset from UTC.", "at")
    try:
        return moment.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(f"Unknown time zone {zone}.", "tz") from error


def due_from_cycle(confirmed_on: date, cycle_days: int) -> date:
    """The due date of a contract that states a cycle instead of a date; computed once and stored (OTD-1)."""
    if cycle_days < 0:
        raise BadInput("A contract cycle cannot be negative.", "cycle_days")
    return confirmed_on + timedelta(days=cycle_days)


def due_date(line: Line, terms: Terms, calendar: Calendar = EVERY_WEEKDAY, as_of: date | None = None) -> date | None:
    """The measured due date D (OTD-1, OTD-12), or None when the line is unmeasurable.

    The first committed date, else the requested one, moved by the last approved revision caused by the buyer or by
    force majeure. Without `as_of` every approved revision counts.
    """
    due = line.committed_on or line.requested_on
    if due is None:
        return None
    for revision in sorted(line.revisions, key=lambda revision: revision.approved_on or date.min):
        known = as_of is None or revision.approved_on is None or revision.approved_on <= as_of
        if revision.approved and known and revision.cause in MOVING_CAUSES:
            due = revision.due_on
    return calendar.next_open(due) if terms.due_roll == "next_working_day" else due


def limit_date(due: date, terms: Terms, calendar: Calendar = EVERY_WEEKDAY) -> date:
    """The last on-time day A: the due date and its grace, in calendar or working days (OTD-3, OTD-12)."""
    if terms.grace_unit == "working":
        return calendar.add_open_days(due, terms.grace_days)
    return due + timedelta(days=terms.grace_days)


def judge_line(line: Line, terms: Terms, as_of: date, calendar: Calendar = EVERY_WEEKDAY) -> Outcome:
    """The outcome of one line at the end of the local day `as_of` (OTD-1 to OTD-14); later records are ignored (G-8).

    Raises BadInput for impossible quantities or terms, whatever day they bear.
    """
    check(line, terms)
    due = due_date(line, terms, calendar, as_of)
    if due is None:
        return Outcome(measurable=False)
    limit = limit_date(due, terms, calendar)
    if limit > as_of:
        return Outcome(measurable=True, due=due, limit=limit, matured=False)
    known = [cancellation for cancellation in line.cancellations if cancellation.on <= as_of]
    in_time = [cancellation for cancellation in known if cancellation.by == "buyer" and cancellation.on <= limit]
    too_late = [cancellation for cancellation in known if cancellation.by != "buyer" or cancellation.on > limit]
    qty_due = Fraction(line.qty) - sum(Fraction(cancellation.qty) for cancellation in in_time)
    if qty_due == 0:
        return Outcome(measurable=True, due=due, limit=limit, matured=True, excluded=CANCELLED_BY_BUYER)

    need = qty_due * (1 - Fraction(terms.tol_under))
    receipts = [receipt for receipt in line.receipts if receipt.on <= as_of]
    levels = _levels((receipt.on, receipt.qty) for receipt in receipts)
    by_limit, received = _level_on(levels, limit), _level_on(levels, as_of)
    on_time = by_limit >= need
    completed_on = _reached(levels, need, limit if on_time else as_of)
    standing = _standing(receipts)
    closed_short = line.closed_short and (line.closed_on is None or line.closed_on <= as_of)
    if completed_on is not None:
        ended_on: date | None = completed_on
    elif closed_short:
        ended_on = standing[-1][0] if standing else line.closed_on
    else:
        gone = _levels([*((r.on, r.qty) for r in receipts), *((c.on, c.qty) for c in too_late)])
        ended_on = _reached(gone, need, as_of)

    # What was on time at the end of the limit day stays so: later deliveries can no longer split or overfill it.
    judged_until = limit if on_time else as_of
    most = qty_due * (1 + Fraction(terms.tol_over or 0))
    early = terms.early_days is not None and _level_on(levels, due - timedelta(days=terms.early_days + 1)) > 0
    split = sum(1 for on, _ in _standing([receipt for receipt in receipts if receipt.on <= judged_until])) > 1
    misses = {
        LATE_OR_SHORT: not on_time,
        SPLIT_NOT_ALLOWED: terms.single_delivery and split,
        EARLY: early and terms.early_policy == "miss",
        OVER: _level_on(levels, judged_until) > most and terms.over_policy == "miss",
    }
    reasons = tuple(reason for reason, missed in misses.items() if missed)
    return Outcome(
        measurable=True,
        due=due,
        limit=limit,
        matured=True,
        otif=not reasons,
        otd=on_time or (closed_short and bool(standing) and standing[-1][0] <= limit),
        on_time_qty=to_decimal(min(by_limit, qty_due)),
        qty_due=to_decimal(qty_due),
        received_qty=to_decimal(received),
        days_late=max(0, ((ended_on or as_of) - due).days),
        completed_on=completed_on,
        ended_on=ended_on,
        open_overdue=ended_on is None and not closed_short,
        early=early,
        over=received > most,
        reasons=reasons,
    )


def check(line: Line, terms: Terms) -> None:
    """Raise BadInput for quantities or terms that cannot be true (OTD-14)."""
    if line.qty <= 0:
        raise BadInput("The ordered quantity must be above zero.", "qty")
    if any(level < 0 for _, level in _levels((receipt.on, receipt.qty) for receipt in line.receipts)):
        raise BadInput("More was reversed than had been received.", "receipts")
    if any(cancellation.qty <= 0 for cancellation in line.cancellations):
        raise BadInput("A cancelled quantity must be above zero.", "cancellations")
    if any(cancellation.by not in ("buyer", "factory") for cancellation in line.cancellations):
        raise BadInput("A cancellation comes from the buyer or the factory.", "cancellations")
    if sum(Fraction(cancellation.qty) for cancellation in line.cancellations) > line.qty:
        raise BadInput("More was cancelled than ordered.", "cancellations")
    if terms.grace_days < 0 or (terms.early_days is not None and terms.early_days < 0):
        raise BadInput("Days of grace or earliness cannot be negative.", "grace_days")
    if not 0 <= terms.tol_under < 1 or (terms.tol_over is not None and terms.tol_over < 0):
        raise BadInput("A quantity tolerance must lie between 0 and 1.", "tol_under")
    if terms.grace_unit not in ("calendar", "working") or terms.due_roll not in ("none", "next_working_day"):
        raise BadInput("Unknown unit of grace or rolling of due dates.", "grace_unit")
    if not {terms.early_policy, terms.over_policy} <= {"ok", "miss"}:
        raise BadInput("A policy for early or over-delivery is ok or miss.", "early_policy")


def _levels(moves: Iterable[tuple[date, Number]]) -> list[tuple[date, Fraction]]:
    """Running total at the end of each day that has a move, in date order."""
    days: dict[date, Fraction] = {}
    for on, qty in moves:
        days[on] = days.get(on, Fraction(0)) + Fraction(qty)
    levels, total = [], Fraction(0)
    for on in sorted(days):
        total += days[on]
        levels.append((on, total))
    return levels


def _level_on(levels: Sequence[tuple[date, Fraction]], day: date) -> Fraction:
    return next((level for on, level in reversed(levels) if on <= day), Fraction(0))


def _reached(levels: Sequence[tuple[date, Fraction]], need: Fraction, until: date) -> date | None:
    """The day from which the running total stands at `need` or more through the end of `until`."""
    reached: date | None = None
    for on, level in levels:
        if on <= until:
            reached = (reached or on) if level >= need else None
    return reached


def _standing(receipts: Sequence[Receipt]) -> list[tuple[date, Fraction]]:
    """The receipts that reversals have left, in date order; a reversal takes from the latest receipt before it."""
    left: list[tuple[date, Fraction]] = []
    for receipt in sorted(receipts, key=lambda receipt: (receipt.on, receipt.qty < 0)):
        if receipt.qty > 0:
            left.append((receipt.on, Fraction(receipt.qty)))
        reversed_qty = -Fraction(receipt.qty) if receipt.qty < 0 else Fraction(0)
        while reversed_qty > 0 and left:
            on, qty = left.pop()
            if qty > reversed_qty:
                left.append((on, qty - reversed_qty))
            reversed_qty -= min(qty, reversed_qty)
    return left
