"""A comparison as a file: every factory of the list with the numbers behind each figure."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from django.http import HttpResponseBase

from assessments import comparison
from assessments.compared import COMPARED, LINES, LOTS, ORDERS, POINTS, UNITS
from assessments.comparison import Ranked, Tally
from assessments.models import Policy
from assessments.views.csvs import file_answer
from assessments.windows import Window
from factories.models import Factory
from production.rollup_sums import half_up

PLACES = 6
FACTORY = ["factory", "name", "country", "category"]
ROWS = {LINES: "lines", UNITS: "lots", LOTS: "lots", ORDERS: "orders"}  # what a figure was counted from


def by_month(
    kind: str, measure: str, factories: Sequence[Factory], months: Sequence[Window],
    tallies: Mapping[tuple[int, datetime.date], Tally], in_force: Mapping[int, Policy | None], least: int | None = None,
) -> HttpResponseBase:  # fmt: skip
    """One row for each figure of the heatmap, in its order; of material no amounts, as on the page."""
    head = [*FACTORY, "month", "rate", *sums_head(measure), "data"]
    rows = (
        [*of(factory), f"{month.first:%Y-%m}", share(found.rate), *sums(measure, found), data(measure, found, policy, least)]
        for factory in factories
        for month in months
        if (found := tallies.get((factory.pk, month.first))) and found.rate is not None
        and (policy := in_force[factory.pk])
    )  # fmt: skip
    return file_answer(kind, f"compare-{measure}-months", head, rows)


def league(kind: str, measure: str, ranked: Iterable[Ranked], by_pk: Mapping[int, Factory]) -> HttpResponseBase:
    """The ranking by the shrunken rate."""
    head = ["place", *FACTORY, "ranked_by", "rate", "low", "high", "numerator", "denominator", "trend"]
    rows = ([place, *of(by_pk[each.factory]), *ranks(measure, each)] for place, each in enumerate(ranked, 1))
    return file_answer(kind, f"compare-{measure}-league", head, rows)


def league_by_rate(
    kind: str, measure: str, known: Iterable[tuple[int, Tally]], by_pk: Mapping[int, Factory]
) -> HttpResponseBase:
    """The ranking of what is ranked by the rate itself; of material without amounts."""
    head = ["place", *FACTORY, "rate", *sums_head(measure)]
    rows = (
        [place, *of(by_pk[pk]), share(found.rate), *sums(measure, found)] for place, (pk, found) in enumerate(known, 1)
    )
    return file_answer(kind, f"compare-{measure}-league", head, rows)


def of(factory: Factory) -> list[str]:
    return [factory.code, factory.name, factory.country, factory.category.code]


def ranks(measure: str, found: Ranked) -> list[Any]:
    """The rates are those of the measure: of lines the share that was on time."""
    lower = COMPARED[measure].lower
    low, high = (found.interval.lower, found.interval.upper) if found.interval else (0.0, 1.0)
    bad = Fraction(found.bad, found.total)
    shrunken, rate = (found.shrunken, bad) if lower else (1 - found.shrunken, 1 - bad)
    ends = [low, high] if lower else [1 - high, 1 - low]
    sums = [found.bad if lower else found.total - found.bad, found.total]
    return [share(shrunken), share(rate), *(round(end, PLACES) for end in ends), *sums, found.trend.arrow]


def sums_head(measure: str) -> list[str]:
    """No amounts of material, as on the page; of a score nothing is divided."""
    of = COMPARED[measure].of
    if of in (ORDERS, POINTS):
        return [ROWS[of]] if of in ROWS else []
    return ["numerator", "denominator", *([ROWS[of]] if of in ROWS else [])]


def sums(measure: str, found: Tally) -> list[Any]:
    of = COMPARED[measure].of
    if of in (ORDERS, POINTS):
        return [found.n] if of in ROWS else []
    return [found.num, found.den, *([found.n] if of in ROWS else [])]


def data(measure: str, found: Tally, policy: Policy, least: int | None) -> str:
    return "enough" if comparison.enough(measure, found, policy, least) else "too few"


def share(rate: Fraction | None) -> Any:
    return None if rate is None else half_up(rate, PLACES)
