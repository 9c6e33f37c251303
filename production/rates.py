"""The three measures over any range of days, straight from the source rows by business date (docs/rates.md).

Defect rate (DEF-5): units with a critical or major defect of units inspected, by inspection day. On time in full
(OTD-15): lines on time in full of lines whose limit day has come, by limit day. Material loss (MAT-11): value lost of
net value issued, by the day the order closed, per currency; amounts of two currencies are never added.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection

from production import outcomes
from production.errors import BadInput
from production.rollup_sums import half_up

DEFECT, OTIF, LOSS = "defect", "otif", "loss"
MEASURES = (DEFECT, OTIF, LOSS)
SPLITS = ("factory", "month", "product")
LONGEST_DAYS = 50 * 366
SEVERAL = "several products"


@dataclass(frozen=True, slots=True)
class Rate:
    """One measure of one group: exact numerator and denominator in units, lines or money; rate None without data.

    `key` is the factory's or product's code or the month (2026-03), empty for the whole; `currency` only for loss,
    where each currency has its own row and `is_headline` marks the worst one.
    """

    key: str
    label: str
    measure: str
    numerator: Decimal
    denominator: Decimal
    currency: str = ""
    is_headline: bool = True

    @property
    def exact(self) -> Fraction | None:
        """The rate as an exact fraction, or None where nothing was counted: never 0 and never 1."""
        return Fraction(self.numerator) / Fraction(self.denominator) if self.denominator > 0 else None

    @property
    def rate(self) -> Decimal | None:
        """The rate to 12 places, half up."""
        return None if self.exact is None else half_up(self.exact, 12)

    @property
    def percent(self) -> Decimal | None:
        """The rate in per cent to 4 places, half up, from the exact fraction."""
        return None if self.exact is None else half_up(self.exact * 100, 4)


# For each split: the key, the label, and the joins they need; {row} is the outcome row, {day} its attribution day.
GROUPS = {
    None: ("''", "''", ""),
    "factory": ("f.code", "f.name", "JOIN factories_factory f ON f.id = r.factory_id"),
    "month": ("to_char(r.{day}, 'YYYY-MM')", "to_char(r.{day}, 'YYYY-MM')", ""),
    "product": (
        "p.code",
        "p.name",
        "JOIN production_orderline l ON l.id = r.line_id JOIN production_product p ON p.id = l.product_id",
    ),
}
# Material is issued for an order; it has a product only where all lines of the order are of one.
MATERIAL_PRODUCT = (
    "COALESCE(p.code, '')",
    f"COALESCE(p.name, '{SEVERAL}')",
    "JOIN LATERAL (SELECT min(l.product_id) AS one, max(l.product_id) AS other FROM production_orderline l "
    "WHERE l.order_id = r.order_id) o ON TRUE LEFT JOIN production_product p ON p.id = o.one AND o.one = o.other",
)

# Measure -> outcome columns and SELECT, attribution day, numerator, denominator, currency, condition.
SOURCES = {
    DEFECT: (
        outcomes.LOT_COLUMNS,
        outcomes.lot_outcomes,
        "inspected_on",
        "sum(r.critical + r.major)",
        "sum(r.inspected)",
        "''",
        "TRUE",
    ),
    OTIF: (
        outcomes.LINE_COLUMNS,
        outcomes.line_outcomes,
        "limit_on",
        "count(*) FILTER (WHERE r.is_otif)",
        "count(*)",
        "''",
        "r.state = 'counted'",
    ),
    LOSS: (
        outcomes.MATERIAL_COLUMNS,
        outcomes.material_outcomes,
        "closed_on",
        "sum(GREATEST(r.value_loss, 0))",
        "sum(r.value_net)",
        "r.currency",
        "NOT r.is_set_aside",
    ),
}


def rates(first: date, last: date, as_of: date, by: str | None = None) -> list[Rate]:
    """Every measure from `first` to `last` on what was known at the end of `as_of`, by group and then by measure.

    Each group bears all three measures; a month of the range without any data is there too. A line counts when its limit
    day lies in the range and is not after `as_of` (OTD-2). BadInput for a range that cannot be.
    """
    if first > last:
        raise BadInput("The first day lies after the last.", "first")
    if (last - first).days > LONGEST_DAYS:
        raise BadInput("The range is longer than fifty years.", "last")
    if by is not None and by not in SPLITS:
        raise BadInput(f"Rates are split by {', '.join(SPLITS)}.", "by")
    labels: dict[str, str] = {"": "all"} if by is None else {}
    if by == "month":
        labels = {month: month for month in _months(first, last)}
    found: dict[tuple[str, str], list[Rate]] = {}
    for measure in MEASURES:
        for row in _sums(measure, first, min(last, as_of), as_of, by):
            rate = Rate(row[0], row[1] if by else "all", measure, Decimal(row[2]), Decimal(row[3]), row[4])
            labels[rate.key] = rate.label
            found.setdefault((rate.key, measure), []).append(rate)
    result: list[Rate] = []
    for key in sorted(labels):
        for measure in MEASURES:
            nothing = Rate(key, labels[key], measure, Decimal(0), Decimal(0))
            result += _worst_first(found.get((key, measure), [nothing]))
    return result


def _worst_first(group: list[Rate]) -> list[Rate]:
    """The currencies of one loss rate, the worst one first and as the headline; of equal ones, the first by code."""
    ordered = sorted(group, key=lambda rate: (rate.exact is None, -(rate.exact or 0), rate.currency))
    return [
        Rate(rate.key, rate.label, rate.measure, rate.numerator, rate.denominator, rate.currency, index == 0)
        for index, rate in enumerate(ordered)
    ]


def _sums(measure: str, first: date, last: date, as_of: date, by: str | None) -> list[tuple[Any, ...]]:
    columns, source, day, numerator, denominator, currency, condition = SOURCES[measure]
    key, label, joins = MATERIAL_PRODUCT if measure == LOSS and by == "product" else GROUPS[by]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key.format(day=day)}, {label.format(day=day)}, {numerator}, {denominator}, {currency} "
            f"FROM ({source(False)}) AS r ({columns}) {joins} "
            f"WHERE {condition} AND r.{day} BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 5",
            {"first": first, "last": last, "as_of": as_of},
        )
        return list(cursor.fetchall())


def _months(first: date, last: date) -> Iterator[str]:
    day = first.replace(day=1)
    while day <= last:
        yield f"{day:%Y-%m}"
        day = (day + timedelta(days=31)).replace(day=1)
