"""The sums of many windows of many factories in a constant number of statements."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from production import outcomes, rollups


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
    """The sums of one asked window; counts are 0 and `money` is empty where there is nothing."""

    counts: dict[str, Any] = field(default_factory=dict)
    money: list[dict[str, Any]] = field(default_factory=list)  # one per currency
    largest_lot: int = 0
    evidence_on: dict[str, datetime.date | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.counts.get(name) or 0


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the sums come from: the stored daily sums, or those worked out afresh for a past day."""

    days: str = "production_factoryday"
    lots: str = "production_lotoutcome"
    lines: str = "production_lineoutcome"
    materials: str = "production_materialoutcome"


STORED = Tables()
COUNTS = [
    "lots", "lots_accepted", "lots_rejected", "lots_with_critical", "units_inspected", "units_critical", "units_major",
    "units_minor", "s2", "sum_rate", "sum_q", "sum_q_rate", "qty_delivered", "qty_delivered_inspected", "lines", "otif",
    "otd", "qty_due", "qty_on_time", "late_closed", "days_late_closed", "open_count", "open_due_ordinal",
]  # fmt: skip
MONEY = ["orders", "value_net", "value_loss_pos", "value_loss_neg", "charge"]
ASKED = (
    "unnest(%(places)s::int[], %(factories)s::bigint[], %(categories)s::bigint[], %(firsts)s::date[], %(lasts)s::date[], "
    "%(due_lasts)s::date[]) AS a (place, factory_id, category_id, first, last, due_last)"
)
EVIDENCE = {"defect": "defect", "otif": "delivery", "loss": "material"}


def sums(asked: Sequence[Asked], tables: Tables = STORED) -> list[Found]:
    """What stands in each asked window, in the same order. Three statements, however many windows."""
    found = [Found() for _ in asked]
    if not asked:
        return found
    values = {
        "places": list(range(len(asked))),
        "factories": [window.factory for window in asked],
        "categories": [window.category for window in asked],
        "firsts": [window.first for window in asked],
        "lasts": [window.last for window in asked],
        "due_lasts": [window.due_last for window in asked],
    }
    join = (
        f"FROM {ASKED} JOIN {{table}} d ON d.factory_id = a.factory_id "
        "AND (a.category_id IS NULL OR d.category_id = a.category_id) AND d.{day} BETWEEN a.first AND a.last "
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.place, "
            + ", ".join(f"sum(d.{name})" for name in COUNTS)
            + "".join(f", max(d.day) FILTER (WHERE d.family = '{family}')" for family in EVIDENCE.values())
            + " " + join.format(table=tables.days, day="day")
            + "AND (d.family <> 'delivery' OR d.day <= a.due_last) GROUP BY a.place",
            values,
        )  # fmt: skip
        for place, *row in cursor.fetchall():
            found[place].counts = dict(zip(COUNTS, row, strict=False))
            found[place].evidence_on = dict(zip(EVIDENCE, row[len(COUNTS) :], strict=True))
        cursor.execute(
            "SELECT a.place, d.currency, " + ", ".join(f"sum(d.{name})" for name in MONEY) + " "
            + join.format(table=tables.days, day="day")
            + "AND d.family = 'material' GROUP BY a.place, d.currency ORDER BY a.place, d.currency",
            values,
        )  # fmt: skip
        for place, currency, *row in cursor.fetchall():
            found[place].money.append({"currency": currency, **dict(zip(MONEY, row, strict=True))})
        cursor.execute(
            "SELECT a.place, max(d.inspected) "
            + join.format(table=tables.lots, day="inspected_on")
            + "GROUP BY a.place",
            values,
        )
        for place, largest in cursor.fetchall():
            found[place].largest_lot = largest
    return found


def with_material(factories: Iterable[int]) -> set[int]:
    """Those of the factories that were ever given material of the seller; for the others loss does not apply (MAT-7)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.id FROM unnest(%s::bigint[]) AS f (id) WHERE EXISTS (SELECT 1 FROM production_materialmovement m "
            "WHERE m.factory_id = f.id AND m.kind IN ('issue', 'transfer_in'))",
            [list(factories)],
        )
        return {row[0] for row in cursor.fetchall()}


def categories_with_data(categories: Sequence[int]) -> set[tuple[int, int]]:
    """(factory, category) pairs that have any sums, for the given categories."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT factory_id, category_id FROM production_factoryday WHERE category_id = ANY(%s)",
            [list(categories)],
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
        for table in rollups.TABLES:
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


def decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value or 0)
