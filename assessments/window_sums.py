"""The sums of many windows of many factories in a constant number of statements."""

import datetime
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cache
from operator import add, sub
from typing import Any

from django.db import connection, models, transaction

from production import outcomes, rollups
from production.models.rollups import FactoryDay
from production.prepared import FEW, Prepared


@dataclass(frozen=True, slots=True)
class Asked:
    """One window of one factory (of one category, or of all): its days, and the last limit day that counts."""

    factory: int
    category: int | None
    first: datetime.date
    last: datetime.date
    due_last: datetime.date


@dataclass(slots=True)
class Found:
    """The sums of one asked window; `counts` is empty where nothing at all lies in it."""

    counts: dict[str, int | Decimal] = field(default_factory=dict)
    money: list[dict[str, Any]] = field(default_factory=list)  # one per currency
    largest_lot: int = 0
    evidence_on: dict[str, datetime.date | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the sums come from: the stored daily sums, or those worked out afresh for a past day."""

    days: str = "production_factoryday"
    lots: str = "production_lotoutcome"
    lines: str = "production_lineoutcome"
    materials: str = "production_materialoutcome"


STORED = Tables()
DAY = datetime.timedelta(days=1)
DIGITS = 60  # more than any sum has
FAMILIES = {
    "defect": [
        "lots", "lots_accepted", "lots_rejected", "lots_with_critical", "units_inspected", "units_critical", "units_major",
        "units_minor", "s2", "sum_rate", "sum_q", "sum_q_rate",
    ],
    "coverage": ["qty_delivered", "qty_delivered_inspected"],
    "delivery": [
        "lines", "otif", "otd", "qty_due", "qty_on_time", "late_closed", "days_late_closed", "open_count", "open_due_ordinal",
    ],
    "material": ["orders", "value_net", "value_loss_pos", "value_loss_neg", "charge"],
}  # fmt: skip
MONEY = FAMILIES["material"]
COUNTS = [name for family, names in FAMILIES.items() if family != "material" for name in names]
EVIDENCE = {"defect": "defect", "delivery": "otif", "material": "loss"}
WHOLE = {column.name for column in FactoryDay._meta.fields if isinstance(column, models.BigIntegerField)}
# Of each family the names of its columns in the statement that reads all: counts first, then amounts.
COUNTED = {family: [name for name in names if name in WHOLE] for family, names in FAMILIES.items()}
SUMMED = {family: [name for name in names if name not in WHOLE] for family, names in FAMILIES.items()}
READ = {family: COUNTED[family] + SUMMED[family] for family in FAMILIES}
MOST_COUNTED, MOST_SUMMED = (max(map(len, names.values())) for names in (COUNTED, SUMMED))


@dataclass(slots=True)
class Series:
    """One family of sums of a factory (in one category and currency, where these are told apart), stretch by stretch.

    `totals` are running totals: those before the first stretch are 0.
    """

    category: int | None
    currency: str
    totals: list[list[Any]]
    stretches: list[int] = field(default_factory=list)
    lasts: list[datetime.date] = field(default_factory=list)


@cache
def _reading(tables: Tables, by_category: bool, with_lots: bool) -> Prepared:
    """The sums of every family in each stretch and the largest lot, per factory (and category), where there are any.

    And which of the factories are supplied.
    """
    category = "category_id" if by_category else "NULL::bigint"
    selects = []
    for family in FAMILIES:
        counted, summed = COUNTED[family], SUMMED[family]
        sums = [f"COALESCE(sum({name}), 0)::bigint" for name in counted] + ["0"] * (MOST_COUNTED - len(counted))
        sums += [f"COALESCE(sum({name}), 0)" for name in summed] + ["NULL"] * (MOST_SUMMED - len(summed))
        selects.append(
            f"SELECT factory_id, '{family}' AS family, {category} AS category, currency, "
            f"width_bucket(day, %(edges)s::date[]) AS stretch, max(day), {', '.join(sums)} FROM {tables.days} "
            f"WHERE family = '{family}' AND factory_id = ANY(%(factories)s) AND day >= %(first)s AND day < %(end)s "
            "GROUP BY 1, 2, 3, 4, 5"
        )
    if with_lots:
        lots = ["max(inspected)::bigint"] + ["0"] * (MOST_COUNTED - 1) + ["NULL"] * MOST_SUMMED
        selects.append(
            f"SELECT factory_id, 'lots', {category}, '', width_bucket(inspected_on, %(edges)s::date[]), NULL, {', '.join(lots)} "
            f"FROM {tables.lots} WHERE factory_id = ANY(%(factories)s) AND inspected_on >= %(first)s AND inspected_on < %(end)s "
            "GROUP BY 1, 2, 3, 4, 5"
        )
    selects.append(
        f"SELECT f.id, 'supplied', NULL, '', 0, NULL, {', '.join(['0'] * MOST_COUNTED + ['NULL'] * MOST_SUMMED)} "
        "FROM unnest(%(factories)s) AS f (id) WHERE EXISTS (SELECT FROM production_materialmovement m "
        "WHERE m.factory_id = f.id AND m.kind IN ('issue', 'transfer_in'))"
    )
    sql = " UNION ALL ".join(selects) + " ORDER BY factory_id, family, category, currency, stretch"
    return Prepared(sql, factories="bigint[]", edges="date[]", first="date", end="date")


class Sums:
    """What stands in each of many windows. One statement, however many windows.

    The days on which a window begins or is over cut the calendar into stretches. Each daily sum is read once, into the
    sum of its stretch; a window is the difference of two running totals. `supplied` are the factories that were ever given
    material of the seller; for the others loss does not apply (MAT-7). No grade hangs on the largest lot, which takes a look
    at each lot: without `with_lots` it is left at 0.
    """

    def __init__(self, asked: Iterable[Asked], tables: Tables = STORED, with_lots: bool = True) -> None:
        asked = set(asked)
        edges = {day for window in asked for day in (window.first, window.last + DAY, window.due_last + DAY)}
        self.place = {day: place for place, day in enumerate(sorted(edges))}
        self.series: dict[tuple[int, str], list[Series]] = defaultdict(list)
        self.lots: dict[int, list[tuple[int | None, int, int]]] = defaultdict(list)
        self.supplied: set[int] = set()
        if asked:
            self._read(asked, tables, with_lots)

    def _read(self, asked: set[Asked], tables: Tables, with_lots: bool) -> None:
        factories = sorted({window.factory for window in asked})
        values = {"factories": factories, "edges": list(self.place), "first": min(self.place), "end": max(self.place)}
        few = tables is STORED and len(factories) * len(self.place) <= FEW
        with connection.cursor() as cursor, localcontext(prec=DIGITS):
            by_category = any(window.category for window in asked)
            _reading(tables, by_category, with_lots).execute(cursor, values, few)
            last = None
            for factory, family, category, currency, stretch, last_on, *row in cursor.fetchall():
                if family == "lots":
                    self.lots[factory].append((category, stretch, row[0]))
                    continue
                if family == "supplied":
                    self.supplied.add(factory)
                    continue
                if last != (factory, family, category, currency):
                    last = (factory, family, category, currency)
                    before = [0] * len(FAMILIES[family])
                    series = Series(category, currency, [before])
                    self.series[factory, family].append(series)
                found = row[: len(COUNTED[family])] + row[MOST_COUNTED : MOST_COUNTED + len(SUMMED[family])]
                series.stretches.append(stretch)
                series.lasts.append(last_on)
                before = list(map(add, before, found))
                series.totals.append(before)

    def of(self, window: Asked) -> Found:
        """What stands in one of the windows asked for."""
        begin, end = self.place[window.first], self.place[window.last + DAY]
        counts: dict[str, Any] = dict.fromkeys(COUNTS, 0)
        evidence: dict[str, datetime.date | None] = dict.fromkeys(EVIDENCE.values())
        money: dict[str, dict[str, Any]] = {}
        met = set()
        with localcontext(prec=DIGITS):
            for family, names in READ.items():
                until = self.place[window.due_last + DAY] if family == "delivery" else end
                for series in self.series.get((window.factory, family), ()):
                    if window.category not in (None, series.category):
                        continue
                    before, through = bisect_right(series.stretches, begin), bisect_right(series.stretches, until)
                    if before >= through:
                        continue
                    into = money.setdefault(series.currency, {}) if family == "material" else counts
                    held = zip(names, map(sub, series.totals[through], series.totals[before]), strict=True)
                    if (family, series.currency) in met:  # of another category
                        into.update((name, into[name] + value) for name, value in held)
                    else:
                        into.update(held)
                        met.add((family, series.currency))
                    if family in EVIDENCE:
                        last = series.lasts[through - 1]
                        evidence[EVIDENCE[family]] = max(evidence[EVIDENCE[family]] or last, last)
        if not met:
            return Found()
        largest = max(
            (largest for category, stretch, largest in self.lots[window.factory]
             if begin < stretch <= end and window.category in (None, category)), default=0,
        )  # fmt: skip
        return Found(counts, [{"currency": name, **money[name]} for name in sorted(money)], largest, evidence)


def categories_with_data(factories: Collection[int], categories: Sequence[int]) -> set[tuple[int, int]]:
    """(factory, category) pairs that have any sums, of the given factories and categories."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.id, c.id FROM unnest(%s::bigint[]) AS f (id), unnest(%s::bigint[]) AS c (id) "
            # By the index of the lines where it never had one: the sums of a factory are not ordered by category. Each pair by
            # itself (LIMIT): many of them at once would read every sum there is.
            "WHERE (SELECT TRUE FROM production_lineoutcome o WHERE (o.factory_id, o.category_id) = (f.id, c.id) LIMIT 1) "
            "AND (SELECT TRUE FROM production_factoryday d WHERE (d.factory_id, d.category_id) = (f.id, c.id) LIMIT 1)",
            [list(factories), list(categories)],
        )
        return set(cursor.fetchall())


@contextmanager
def as_known_on(day: datetime.date, factories: Sequence[int]) -> Iterator[Tables]:
    """The outcomes and sums of some factories from the facts known on `day`, as temporary tables (G-8)."""
    made = Tables("past_days", "past_lots", "past_lines", "past_materials")
    names = {
        "production_lineoutcome": made.lines, "production_deliveryoutcome": "past_deliveries",
        "production_lotoutcome": made.lots, "production_materialoutcome": made.materials,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM production_orderline WHERE factory_id = ANY(%s)", [list(factories)])
        lines = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT id FROM production_ordermaterial WHERE factory_id = ANY(%s)", [list(factories)])
        materials = [row[0] for row in cursor.fetchall()]
        values = {"as_of": day, "lines": lines, "materials": materials}
        for table in (table for table in rollups.TABLES if table.days):
            cursor.execute(f"CREATE TEMPORARY TABLE {names[table.name]} (LIKE {table.name}) ON COMMIT DROP")
            cursor.execute(f"INSERT INTO {names[table.name]} ({table.columns}) {table.sql(True)}", values)
        cursor.execute(
            "CREATE TEMPORARY TABLE past_days (LIKE production_factoryday INCLUDING DEFAULTS INCLUDING IDENTITY) ON COMMIT DROP"
        )
        for family, (source, column) in rollups.SOURCE_OF.items():
            cursor.execute(
                f"INSERT INTO past_days ({outcomes.bucket_columns(family)}) "
                + outcomes.bucket_sums(family, f"(SELECT * FROM {names[source]} WHERE {column} IS NOT NULL) AS rows")
            )
        try:
            yield made
        finally:
            for name in (*names.values(), made.days):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
