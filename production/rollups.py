"""The daily sums: what was touched is worked out again from its source rows, old and new bucket whole, never +/-.

One transaction, in READ COMMITTED: take the lock, delete the marks that are seen, then in later statements (which see at
least the facts those marks stand for) rewrite one outcome per subject and the buckets it left and entered (ROL-2).
"""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from production import marks, outcomes
from production.prepared import FEW, Prepared

NEVER = datetime.date(9999, 12, 31)
FIRST_DAY = datetime.date(2000, 1, 1)
LOCK = 0x706C756D62  # "plumb"
Bucket = tuple[int, int, datetime.date]
Span = tuple[datetime.date, datetime.date]


@dataclass
class Rebuilt:
    """What one run did: how many marks it took, the buckets it wrote of each family (all of them where it is `whole`), and
    the first and the last day on which each factory's sums may be other ones."""

    marks: int = 0
    whole: bool = False
    buckets: dict[str, set[Bucket]] = field(default_factory=lambda: defaultdict(set))
    days: dict[int, Span] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One outcome table: how its rows are worked out, and by which day each family of sums files them.

    One that no sum files is worked out from the others, once these and their indexes are there.
    """

    name: str
    key: str  # the columns of its primary key
    columns: str
    sql: Callable[[bool], str]
    days: dict[str, str]  # family -> column with the day
    matches: str  # which stored rows belong to the touched subjects


TABLES = [
    Table(
        "production_lineoutcome", "line_id", outcomes.LINE_COLUMNS, outcomes.line_outcomes,
        {"delivery": "limit_on", "cycle": "completed_on"}, "line_id = ANY(%(lines)s)",
    ),
    Table(
        "production_deliveryoutcome", "line_id, delivery_id", outcomes.DELIVERY_COLUMNS, outcomes.delivery_outcomes,
        {"coverage": "received_on"}, "line_id = ANY(%(lines)s)",
    ),
    Table(
        "production_lotoutcome", "lot_id", outcomes.LOT_COLUMNS, outcomes.lot_outcomes,
        {"defect": "inspected_on"}, "(line_id = ANY(%(lines)s) OR lot_id = ANY(%(lots)s))",
    ),
    Table(
        "production_materialoutcome", "order_material_id", outcomes.MATERIAL_COLUMNS, outcomes.material_outcomes,
        {"material": "closed_on"}, "order_material_id = ANY(%(materials)s)",
    ),
    Table(
        "production_openmaterial", "order_material_id", outcomes.OPEN_COLUMNS, outcomes.open_materials,
        {}, "order_material_id = ANY(%(materials)s)",
    ),
]  # fmt: skip
# The arrays that name buckets of a family.
BUCKET_KEYS = {"factory_id": "bigint[]", "category_id": "bigint[]", "day": "date[]"}
SOURCE_OF = {family: (table.name, day) for table in TABLES for family, day in table.days.items()}

EXPAND = Prepared("""
WITH touched_lines AS (
    SELECT unnest(%(line)s::bigint[]) AS id
    UNION SELECT line_id FROM production_lot WHERE id = ANY(%(lot)s)
    UNION SELECT line_id FROM production_lotoutcome WHERE lot_id = ANY(%(lot)s)
    UNION SELECT id FROM production_orderline WHERE order_id = ANY(%(order)s)
    UNION SELECT line_id FROM production_lineoutcome WHERE order_id = ANY(%(order)s)
), touched_orders AS (
    SELECT unnest(%(order)s::bigint[]) AS id
    UNION SELECT order_id FROM production_orderline WHERE id IN (SELECT id FROM touched_lines)
    UNION SELECT order_id FROM production_lineoutcome WHERE line_id IN (SELECT id FROM touched_lines)
    UNION SELECT order_id FROM production_orderline WHERE bill_id = ANY(%(bill)s)
)
SELECT 'line', id FROM touched_lines
UNION ALL SELECT 'material', m.id FROM touched_orders o, LATERAL (
    SELECT id FROM production_ordermaterial WHERE order_id = o.id OFFSET 0) m  -- by the index, order for order
UNION ALL SELECT 'material', m.id FROM touched_orders o, LATERAL (
    SELECT order_material_id AS id FROM production_materialoutcome WHERE order_id = o.id OFFSET 0) m
""", **dict.fromkeys(["line", "lot", "order", "bill"], "bigint[]"))  # fmt: skip
COARSE = """
SELECT id FROM production_orderline WHERE product_id = ANY(%(product)s)
UNION SELECT id FROM production_orderline WHERE calendar_id IN (
    SELECT id FROM factories_workingcalendar WHERE id = ANY(%(calendar)s) OR base_id = ANY(%(calendar)s))
"""


def _rewriting(*tables: Table) -> Prepared:
    """Replaces the outcomes of the touched subjects of some tables; gives the buckets they were in and are in now."""
    parts, told = [], []
    for number, table in enumerate(tables):
        values = [name.strip() for name in table.columns.split(",")]
        sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in values if name not in table.key.split(", "))
        days = "category_id, " + ", ".join(table.days.values()) if table.days else "NULL::bigint, NULL::date"
        parts += [
            f"fresh{number} AS MATERIALIZED ({table.sql(True)})",
            f"named{number} ({table.columns}) AS (SELECT * FROM fresh{number})",
            f"old{number} AS (SELECT factory_id, {days} FROM {table.name} WHERE {table.matches})",
            f"gone{number} AS (DELETE FROM {table.name} WHERE {table.matches} "
            f"AND ({table.key}) NOT IN (SELECT {table.key} FROM named{number}))",
            f"new{number} AS (INSERT INTO {table.name} ({table.columns}) SELECT * FROM named{number} "
            f"ON CONFLICT ({table.key}) DO UPDATE SET {sets} RETURNING factory_id, {days})",
        ]
        told += [f"SELECT * FROM old{number} UNION SELECT * FROM new{number}"]
    return Prepared(f"WITH {', '.join(parts)} {' UNION '.join(told)}", **SUBJECTS)


def on_days(family: str, days: str) -> str:
    """What follows FROM for the outcomes `s` that a family files on some days of factories; AND may follow it.

    `days` names a table of (factory_id, day), which is `b` in it.
    """
    source, day = SOURCE_OF[family]
    on = f"(s.factory_id, s.{day}) = (b.factory_id, b.day)"
    if family != "coverage":
        return f"{source} s JOIN {days} b ON TRUE WHERE {on}"
    # The outcomes of deliveries have no index by day: they are the most, and each index takes its time to be built. Day for day
    # by the index of the deliveries; where the database takes another way, it may compare every day with every delivery.
    return (
        f"{days} b CROSS JOIN LATERAL (SELECT o.* FROM production_delivery d "
        f"JOIN {source} o ON (o.line_id, o.delivery_id) = (d.line_id, d.id) "
        f"WHERE (d.factory_id, d.received_on) = (b.factory_id, b.day) OFFSET 0) s WHERE {on}"
    )


def _filling(rows: Callable[[str], str], order: str = "") -> str:
    """One statement that works out the daily sums of every family from the rows of its outcomes, told as SQL."""
    inserts = [
        f"{family} AS (INSERT INTO production_factoryday ({outcomes.bucket_columns(family)}) "
        f"{outcomes.bucket_sums(family, rows(family))}{order})"
        for family in SOURCE_OF
    ]
    return f"WITH {', '.join(inserts)} SELECT"


def _of_every_bucket(family: str) -> str:
    source, day = SOURCE_OF[family]
    return f"(SELECT * FROM {source} WHERE {day} IS NOT NULL) AS rows"


def _of_some_buckets(family: str) -> str:
    named = ", ".join(f"%({family}_{name})s::{kind}" for name, kind in BUCKET_KEYS.items())
    return (
        f"(WITH named ({', '.join(BUCKET_KEYS)}) AS (SELECT * FROM unnest({named})) "
        f"SELECT s.* FROM {on_days(family, 'named')} AND s.category_id = b.category_id) AS rows"
    )


# As the unique key wants them.
EVERY_BUCKET = _filling(_of_every_bucket, " ORDER BY 1, 3, 2")
SOME_BUCKETS = _filling(_of_some_buckets)


SUBJECTS = {"as_of": "date", "lines": "bigint[]", "lots": "bigint[]", "materials": "bigint[]"}
LINES, DELIVERIES, LOTS, MATERIALS, OPEN_MATERIALS = TABLES
# What is worked out again in one statement, by the first of its tables.
REWRITE = {
    first.name: _rewriting(first, *more)
    for first, *more in ([LINES], [DELIVERIES], [LOTS], [MATERIALS, OPEN_MATERIALS])
}
REMOVE_BUCKETS = Prepared(
    "DELETE FROM production_factoryday f "
    "USING unnest(%(family)s::text[], %(factory)s::bigint[], %(category)s::bigint[], %(day)s::date[]) "
    "AS b (family, factory_id, category_id, day) WHERE (f.family, f.factory_id, f.category_id, f.day) = "
    "(b.family, b.factory_id, b.category_id, b.day)",
    family="text[]", factory="bigint[]", category="bigint[]", day="date[]",
)  # fmt: skip
REWRITE_BUCKETS = Prepared(SOME_BUCKETS, **{
    f"{family}_{name}": kind for family in SOURCE_OF for name, kind in BUCKET_KEYS.items()
})  # fmt: skip


def rebuild() -> Rebuilt:
    """Works out again whatever is marked, and deletes the marks; safe to run at any time, twice, or in parallel.

    Falls back to `rebuild_all` by itself where most lines are touched. Deleting the marks would make a second worker
    wait; the lock makes it wait before it holds anything, so that two never deadlock.
    """
    done = Rebuilt()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(
            "WITH gone AS (DELETE FROM production_touched RETURNING kind, subject_id) "
            "SELECT kind, array_agg(DISTINCT subject_id), count(*) FROM gone GROUP BY kind"
        )
        seen: dict[str, list[int]] = {kind: [] for kind in marks.KINDS}
        for kind, ids, count in cursor.fetchall():
            seen[kind] = ids
            done.marks += count
        if not done.marks:
            return done
        if _is_most(cursor, seen):
            return _rebuild_all(cursor, done)
        if seen["product"] or seen["calendar"]:
            cursor.execute(COARSE, seen)
            seen["line"] += [row[0] for row in cursor.fetchall()]
        lines, materials = set(seen["line"]), set(seen["material"])
        EXPAND.execute(cursor, seen, sum(map(len, seen.values())) <= FEW)
        for kind, id_ in cursor.fetchall():
            (lines if kind == "line" else materials).add(id_)
        subjects: dict[str, Any] = {
            "lines": sorted(lines), "lots": seen["lot"], "materials": sorted(materials), "as_of": NEVER,
        }  # fmt: skip
        written: set[int] = set()
        for table in (LINES, DELIVERIES, LOTS, MATERIALS):
            if subjects["materials" if "materials" in table.matches else "lines"] or subjects["lots"]:
                written |= _rewrite(cursor, table, subjects, done.buckets)
        _rewrite_buckets(cursor, done.buckets)
        for factory, _, day in set().union(*done.buckets.values()):
            first, last = done.days.get(factory, (day, day))
            done.days[factory] = min(day, first), max(day, last)
        if written:
            firsts, lasts = [first for first, _ in done.days.values()], [last for _, last in done.days.values()]
            told = {"written": sorted(written), "factories": list(done.days), "first": firsts, "last": lasts}
            TELL.execute(cursor, told, len(written) <= FEW)
    return done


def rebuild_all() -> Rebuilt:
    """Works out every outcome and every sum from the source rows, and deletes the marks seen before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        return _rebuild_all(cursor, Rebuilt())


# Who judges has to judge the factories whose sums changed, wherever one of these days counts: whoever rebuilt the sums may
# not be the judge. And every factory that had or has one of the outcomes written is raised by one: who kept what it read can tell.
TELL = Prepared("""
WITH owed AS (
    INSERT INTO production_tojudge (factory_id, first_on, last_on)
    SELECT * FROM unnest(%(factories)s::bigint[], %(first)s::date[], %(last)s::date[])
)
INSERT INTO production_written AS w (factory_id, number) SELECT id, 1 FROM unnest(%(written)s::bigint[]) AS id
ON CONFLICT (factory_id) DO UPDATE SET number = w.number + 1
""", written="bigint[]", factories="bigint[]", first="date[]", last="date[]")  # fmt: skip
TELL_ALL = """
WITH raised AS (
    INSERT INTO production_written AS w (factory_id, number) SELECT id, 1 FROM factories_factory
    ON CONFLICT (factory_id) DO UPDATE SET number = w.number + 1
)
INSERT INTO production_tojudge (factory_id, first_on) SELECT id, %(first)s FROM factories_factory f
WHERE EXISTS (SELECT FROM production_factoryday d WHERE d.factory_id = f.id) RETURNING factory_id, first_on, last_on
"""


def _is_most(cursor: Any, seen: dict[str, list[int]]) -> bool:
    touched = len(seen["line"]) + len(seen["lot"]) + 4 * len(seen["order"])
    coarse = seen["product"] or seen["calendar"]
    if touched < 5_000 and not coarse:
        return False
    cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'production_orderline'::regclass")
    return bool(touched > max(cursor.fetchone()[0], 20_000) // 25)


def _rebuild_all(cursor: Any, done: Rebuilt) -> Rebuilt:
    done.whole = True
    with _emptied(cursor, ["production_factoryday", *(table.name for table in TABLES)]):
        for table in TABLES:
            if table.days:
                cursor.execute(_fill(table), {"as_of": NEVER})
        cursor.execute(EVERY_BUCKET)
    from_outcomes = [_fill(table) for table in TABLES if not table.days]
    cursor.execute("; ".join([*from_outcomes, TELL_ALL]), {"as_of": NEVER, "first": FIRST_DAY})
    done.days = {factory: (first, last) for factory, first, last in cursor.fetchall()}
    return done


def _fill(table: Table) -> str:
    return f"INSERT INTO {table.name} ({table.columns}) {table.sql(False)}"


# All lines at once, in memory; groups by sorting, because a hash of so many sums would not fit.
FOR_ALL = "SET LOCAL work_mem = '128MB'; SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL enable_hashagg = off"


@contextmanager
def _emptied(cursor: Any, tables: list[str]) -> Iterator[None]:
    """Empties tables to be filled, and takes the marks. Their indexes are built afterwards: sorting once costs less than
    finding each row's place.
    """
    cursor.execute(
        "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, quote_ident(c.conname), "
        "COALESCE(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) FROM pg_index i "
        "LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid "
        "WHERE i.indrelid = ANY(%s::regclass[]) ORDER BY 1, 2",
        [tables],
    )
    drops, builds = [], []
    for table, index, constraint, definition in cursor.fetchall():
        drops.append(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}" if constraint else f"DROP INDEX {index}")
        builds.append(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}" if constraint else definition)
    cursor.execute(
        f"DO $$BEGIN {FOR_ALL}; DELETE FROM production_touched; TRUNCATE {', '.join(tables)}; {'; '.join(drops)}; END$$"
    )
    yield
    cursor.execute(f"DO $$BEGIN {'; '.join(builds)}; END$$")


def _rewrite(cursor: Any, table: Table, subjects: dict[str, Any], buckets: dict[str, set[Bucket]]) -> set[int]:
    """Replaces the outcomes of the touched subjects and notes the buckets they were in and are in now; their factories."""
    few = len(subjects["lines"]) + len(subjects["lots"]) + len(subjects["materials"]) <= FEW
    REWRITE[table.name].execute(cursor, subjects, few)
    written = set()
    for factory, category, *found in cursor.fetchall():
        written.add(factory)
        for family, day in zip(table.days, found, strict=True):
            if day is not None:
                buckets[family].add((factory, category, day))
    return written


def _rewrite_buckets(cursor: Any, buckets: dict[str, set[Bucket]]) -> None:
    """Replaces whole buckets from the outcomes; a bucket without rows is gone (ROL-3)."""
    keys = [(family, *bucket) for family in sorted(buckets) for bucket in sorted(buckets[family])]
    if not keys:
        return
    few = len(keys) <= FEW
    columns = (list(column) for column in zip(*keys, strict=True))
    REMOVE_BUCKETS.execute(cursor, dict(zip(("family", "factory", "category", "day"), columns, strict=True)), few)
    values = {
        f"{family}_{name}": [bucket[place] for bucket in sorted(buckets.get(family, ()))]
        for family in SOURCE_OF
        for place, name in enumerate(BUCKET_KEYS)
    }
    REWRITE_BUCKETS.execute(cursor, values, few)
