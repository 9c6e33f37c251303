"""A comparison as a file: every factory of the list with the numbers behind each figure."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from django.http import HttpResponseBase

from assessments import comparison, wording
from assessments.comparison import Ranked, Tally
from assessments.models import Policy
from assessments.views.csvs import file_answer
from assessments.windows import Window
from factories.models import Factory
from production.rollup_sums import half_up

PLACES = 6
FACTORY = ["factory", "name", "country", "category"]
COUNTED = {"otif": "lines", "defect": "lots", "loss": "orders"}


def by_month(
    kind: str, measure: str, factories: Sequence[Factory], months: Sequence[Window],
    tallies: Mapping[tuple[int, datetime.date], Tally], in_force: Mapping[int, Policy | None],
) -> HttpResponseBase:  # fmt: skip
    """One row for each figure of the heatmap, in its order; of material no amounts, as on the page."""
    head = [*FACTORY, "month", "rate", *sums_head(measure), "data"]
    rows = (
        [*of(factory), f"{month.first:%Y-%m}", share(found.rate), *sums(measure, found), data(measure, found, policy)]
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


def league_of_loss(kind: str, known: Iterable[tuple[int, Tally]], by_pk: Mapping[int, Factory]) -> HttpResponseBase:
    """The ranking of material loss, by the rate itself and without amounts."""
    rows = ([place, *of(by_pk[pk]), share(found.rate), found.n] for place, (pk, found) in enumerate(known, 1))
    return file_answer(kind, "compare-loss-league", ["place", *FACTORY, "rate", "orders"], rows)


def of(factory: Factory) -> list[str]:
    return [factory.code, factory.name, factory.country, factory.category.code]


def ranks(measure: str, found: Ranked) -> list[Any]:
    """The rates are those of the measure: of lines the share that was on time."""
    lower = wording.LOWER_IS_BETTER[measure]
    low, high = (found.interval.lower, found.interval.upper) if found.interval else (0.0, 1.0)
    bad = Fraction(found.bad, found.total)
    shrunken, rate = (found.shrunken, bad) if lower else (1 - found.shrunken, 1 - bad)
    ends = [low, high] if lower else [1 - high, 1 - low]
    sums = [found.bad if lower else found.total - found.bad, found.total]
    return [share(shrunken), share(rate), *(round(end, PLACES) for end in ends), *sums, found.trend.arrow]


def sums_head(measure: str) -> list[str]:
    return [COUNTED[measure]] if measure == "loss" else ["numerator", "denominator", COUNTED[measure]]


def sums(measure: str, found: Tally) -> list[Any]:
    return [found.n] if measure == "loss" else [found.num, found.den, found.n]


def data(measure: str, found: Tally, policy: Policy) -> str:
    return "enough" if comparison.enough(measure, found, policy) else "too few"


def share(rate: Fraction | None) -> Any:
    return None if rate is None else half_up(rate, PLACES)
