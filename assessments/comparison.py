"""Factories side by side: one measure month by month, and their ranking by the shrunken rate (DEF-13, SPC-5, SPC-6).

The sums come from the stored daily ones, in one query for all factories. The ranking orders a list; it judges nobody.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from assessments import control, intervals, windows
from assessments.compared import COMPARED, LINES, LOTS, POINTS, PSEUDO_UNITS, QUANTITY, UNITS
from assessments.models import Evaluation, Policy
from production.models import FactoryDay

MONTHS = 12
MIN_FACTORIES = 10  # so many in a category, and the weight of its rate is estimated from them
LEAST_WEIGHT, MOST_WEIGHT = 1, 100_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What one measure counted in some days: `num` of `den`, from `n` order lines, inspected lots or closed orders.

    `size` is what a minimum is compared with. With several currencies `num` and `den` are those of the worst one; amounts
    are never added across. Of a score `period` is the evaluation that it stands in.
    """

    num: Decimal
    den: Decimal
    n: int
    size: Decimal = Decimal(0)
    period: str = ""

    @property
    def rate(self) -> Fraction | None:
        return Fraction(self.num) / Fraction(self.den) if self.den else None


@dataclass(frozen=True, slots=True)
class Shares:
    """Bad of total in two windows of equal length, the one that ends now and the one before; empty for material."""

    current: tuple[int, int] = (0, 0)
    previous: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Prior:
    """What a category says of a factory nobody has looked at: its pooled bad share, weighing like `weight` units."""

    rate: Fraction
    weight: Fraction
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """One factory of the ranking. Shares are those of bad units or lines; `shrunken` decides the place."""

    factory: int
    bad: int
    total: int
    shrunken: Fraction
    interval: intervals.Interval | None
    trend: control.Trend


def months(day: datetime.date) -> list[windows.Window]:
    """The last twelve calendar months through the closed day `day`, oldest first; the last one ends on `day`."""
    found = [windows.Window(windows.month(day).first, day)]
    while len(found) < MONTHS:
        found.append(windows.month(found[-1].first - datetime.timedelta(days=1)))
    return found[::-1]


def by_month(
    days: QuerySet[FactoryDay], measure: str, first: datetime.date, last: datetime.date
) -> dict[tuple[int, datetime.date], Tally]:
    """What a measure counted per factory and calendar month (by its first day), through `last`. One query."""
    found: dict[tuple[int, datetime.date], Tally] = {}
    for row in _sums(days.annotate(month=TruncMonth("day")), measure, first, last, "month"):
        key = (row["factory_id"], row["month"])
        found[key] = _worse(found.get(key), row)
    return found


def totals(
    days: QuerySet[FactoryDay], measure: str, last: datetime.date, length: int = windows.GRADE_DAYS
) -> dict[int, Tally]:
    """What a measure counted per factory in the `length` days to `last`. One query."""
    found: dict[int, Tally] = {}
    for row in _sums(days, measure, windows.rolling(last, length).first, last):
        found[row["factory_id"]] = _worse(found.get(row["factory_id"]), row)
    return found


def scores(evaluations: QuerySet[Evaluation], span: Sequence[windows.Window]) -> dict[tuple[int, datetime.date], Tally]:
    """The score of each factory and month, by its first day: of a closed month its newest revision, of the running one the
    newest day. Two queries. A month without a score has none to divide, and its evaluation says why."""
    whole = evaluations.filter(category__isnull=True)
    ends = [month.last for month in span]
    closed = whole.filter(kind=Evaluation.Kind.MONTH, as_of__in=ends)
    closed = closed.order_by("factory_id", "as_of", "-revision").distinct("factory_id", "as_of")
    running = whole.filter(kind__in=[Evaluation.Kind.LIVE, Evaluation.Kind.NIGHT], as_of__gte=span[-1].first)
    running = running.order_by("factory_id", "-as_of", "-computed_at").distinct("factory_id")
    found = {(row["factory_id"], span[-1].first): _scored(row) for row in running.values(*SCORED)}
    return found | {(row["factory_id"], row["as_of"].replace(day=1)): _scored(row) for row in closed.values(*SCORED)}


SCORED = ("factory_id", "kind", "as_of", "score")


def _scored(row: Mapping[str, Any]) -> Tally:
    known = row["score"] is not None
    period = Evaluation(kind=row["kind"], as_of=row["as_of"]).period
    return Tally(row["score"] or Decimal(0), Decimal(100 if known else 0), int(known), Decimal(int(known)), period)


def enough(measure: str, tally: Tally, policy: Policy, least: int | None = None) -> bool:
    """Whether `least` is reached, else the policy's minimum of data, so that the figure may be compared (SCO-3).

    A score was given only where the data were enough.
    """
    of = COMPARED[measure].of
    if of == POINTS:
        return tally.rate is not None
    if least is not None:
        return bool(tally.size >= least)
    if of == LINES:
        return bool(tally.size >= policy.min_lines)
    if of == UNITS:
        return bool(tally.size >= policy.min_units and tally.n >= policy.min_lots)
    if of == LOTS:
        return bool(tally.size >= policy.min_lots)
    return of == QUANTITY or bool(tally.size >= policy.min_orders)


def badness(measure: str, tally: Tally) -> Fraction:
    """The bad share, by which lists are ordered; -1 where nothing can be divided."""
    if tally.rate is None:
        return Fraction(-1)
    return tally.rate if COMPARED[measure].lower else 1 - tally.rate


MIN_MONTHS = 6  # a trend of fewer monthly rates is not looked for
TREND_ALPHA = 0.05


def monthly_trend(rates: Sequence[Fraction | None]) -> control.MannKendall | None:
    """The Mann-Kendall test of monthly rates in order, those without data left out; None with fewer than six (SPC-6)."""
    known = [float(rate) for rate in rates if rate is not None]
    return control.mann_kendall(known) if len(known) >= MIN_MONTHS else None


def shares(
    days: QuerySet[FactoryDay], measure: str, last: datetime.date, length: int = windows.GRADE_DAYS
) -> dict[int, Shares]:
    """Bad of total per factory in the `length` days to `last` and in as many before (SPC-5). One query."""
    counted = COMPARED[measure]
    bad, den = counted.bad, counted.den
    now = windows.rolling(last, length)
    before = windows.before(now)
    recent, earlier = Q(day__gte=now.first), Q(day__lt=now.first)
    rows = (
        days.filter(family=counted.family, day__range=(before.first, now.last))
        .order_by()
        .values("factory_id")
        .annotate(
            bad=Sum(bad, filter=recent), total=Sum(den, filter=recent),
            bad_before=Sum(bad, filter=earlier), total_before=Sum(den, filter=earlier),
        )
    )  # fmt: skip
    return {
        row["factory_id"]: Shares(
            (row["bad"] or 0, row["total"] or 0), (row["bad_before"] or 0, row["total_before"] or 0)
        )
        for row in rows
    }


def weight(samples: Sequence[tuple[int, int]]) -> Fraction | None:
    """How many units the pooled rate of `samples` (bad, total) weighs, by the method of moments; None if undecided.

    The rates of the samples spread by chance alone, plus by how much the factories really differ. The more they
    differ, the less the pooled rate says of one of them. None where chance explains the whole spread.
    """
    seen = [(bad, total) for bad, total in samples if total]
    pooled = _pooled(seen)
    if pooled is None or len(seen) < 2 or not 0 < pooled < 1:
        return None
    units, free = sum(total for _, total in seen), len(seen) - 1
    spread = sum((total * (Fraction(bad, total) - pooled) ** 2 for bad, total in seen), Fraction(0))
    over_chance = spread / (pooled * (1 - pooled)) - free
    room = units - Fraction(sum(total * total for _, total in seen), units) - free
    if over_chance <= 0 or room <= 0:
        return None
    alike = over_chance / room  # the correlation of two units of the same factory
    return min(max(1 / alike - 1, Fraction(LEAST_WEIGHT)), Fraction(MOST_WEIGHT))


def prior(samples: Sequence[tuple[int, int]], pseudo_units: int = intervals.PSEUDO_UNITS) -> Prior | None:
    """The prior of a category from (bad, total) of its factories (DEF-13); None where nothing was counted.

    It weighs like `pseudo_units`; with ten factories or more like what `weight` finds.
    """
    pooled = _pooled(samples)
    if pooled is None:
        return None
    estimate = weight(samples) if sum(1 for _, total in samples if total) >= MIN_FACTORIES else None
    if estimate is None:
        return Prior(pooled, Fraction(pseudo_units))
    return Prior(pooled, estimate, estimated=True)


def priors(measure: str, counted: Mapping[int, Shares], categories: Mapping[int, int]) -> dict[int, Prior]:
    """The prior of each category, from the current windows of its factories; `categories` maps factory to category."""
    samples: dict[int, list[tuple[int, int]]] = {}
    for factory, found in counted.items():
        if factory in categories:
            samples.setdefault(categories[factory], []).append(found.current)
    made = {
        category: prior(of_category, PSEUDO_UNITS[COMPARED[measure].of]) for category, of_category in samples.items()
    }
    return {category: found for category, found in made.items() if found is not None}


def rank(
    measure: str, counted: Mapping[int, Shares], categories: Mapping[int, int], among: Iterable[int]
) -> list[Ranked]:
    """The factories `among` that have data, the highest shrunken bad share first (DEF-13).

    The priors are those of every factory counted, so that narrowing a list changes no figure in it. This opens no
    breach: a factory is not accused on the data of others.
    """
    known = priors(measure, counted, categories)
    found = []
    for factory in among:
        data = counted.get(factory, Shares())
        bad, total = data.current
        if not total:
            continue
        of_category = known[categories[factory]]
        a, b = intervals.prior(of_category.rate, of_category.weight)
        found.append(
            Ranked(
                factory, bad, total, intervals.shrink(bad, total, a, b, 1).posterior_mean,
                intervals.wilson(bad, total), control.trend(data.current, data.previous),
            )
        )  # fmt: skip
    return sorted(found, key=lambda ranked: (-ranked.shrunken, -ranked.total, ranked.factory))


def _pooled(samples: Iterable[tuple[int, int]]) -> Fraction | None:
    bad, total = (sum(column) for column in zip(*samples, strict=True)) if samples else (0, 0)
    return Fraction(bad, total) if total else None


def _sums(
    days: QuerySet[Any], measure: str, first: datetime.date, last: datetime.date, *keys: str
) -> Iterable[dict[str, Any]]:
    counted = COMPARED[measure]
    return (
        days.filter(family=counted.family, day__range=(first, last))
        .order_by()
        .values("factory_id", "currency", *keys)
        .annotate(num=Sum(counted.num), den=Sum(counted.den), n=Sum(counted.n), size=Sum(counted.size))
    )


def _worse(one: Tally | None, row: Mapping[str, Any]) -> Tally:
    """The worse currency of a factory, with the rows of both."""
    other = Tally(Decimal(row["num"]), Decimal(row["den"]), int(row["n"]), Decimal(row["size"]))
    if one is None:
        return other
    worst = max(one, other, key=lambda tally: -1 if tally.rate is None else tally.rate)
    return Tally(worst.num, worst.den, one.n + other.n, one.size + other.size)
