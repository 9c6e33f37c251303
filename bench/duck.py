"""The same sums in DuckDB, an embedded database made for aggregates: the reference statement on a copy of the same rows.

It counts in floating point where ours is exact, keeps no outcomes, and nobody else could write to it meanwhile. The copy is
loaded untimed.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from django.db import connection

from bench import reference

FACTS = [
    "factories_workingday", "production_product", "production_purchaseorder", "production_orderline", "production_daterevision",
    "production_cancellation", "production_delivery", "production_lot", "production_inspection", "production_ordermaterial",
    "production_materialmovement", "production_billline", "production_exclusion",
]  # fmt: skip
TYPES = {
    "bigint": "BIGINT", "integer": "INTEGER", "smallint": "INTEGER", "date": "DATE", "boolean": "BOOLEAN", "numeric": "DOUBLE",
}  # fmt: skip
WORDS = {
    "::numeric(60, 30)": "::double", "::numeric": "::double", "NULL::jsonb": "NULL", "(SELECT FROM ": "(SELECT 1 FROM ",
    "jsonb_object_agg(cycle_days, n)": "map_from_entries(list((cycle_days, n)))",
    # It has no index to read from one end: it is given the calendar with every day in it, and looks for equal days.
    "SELECT min(w.day) FROM factories_workingday w WHERE w.calendar_id = l.calendar_id AND w.day >= d.day":
        "SELECT w.next_on FROM every_day w WHERE w.calendar_id = l.calendar_id AND w.day = d.day",
    "v.ordinal FROM factories_workingday v WHERE v.calendar_id = d.calendar_id AND v.day <= d.due_on":
        "v.ordinal FROM every_day v WHERE v.calendar_id = d.calendar_id AND v.day = d.due_on",
    "ORDER BY v.day DESC LIMIT 1": "",
}  # fmt: skip
EVERY_DAY = """
CREATE TABLE every_day AS SELECT c.calendar_id, d.day::date AS day, max(w.ordinal) OVER upto AS ordinal, min(w.day) OVER after AS next_on
FROM (SELECT DISTINCT calendar_id FROM factories_workingday) c
CROSS JOIN (SELECT unnest(generate_series(min(day), max(day), INTERVAL 1 DAY)) AS day FROM factories_workingday) d
LEFT JOIN factories_workingday w ON w.calendar_id = c.calendar_id AND w.day = d.day
WINDOW upto AS (PARTITION BY c.calendar_id ORDER BY d.day),
    after AS (PARTITION BY c.calendar_id ORDER BY d.day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
"""
AT_MOST = 180
SUMS = f"{reference.COPY}_sums"
COLUMNS = ["factory_id", "category_id", "day", "family", "currency", *reference.NUMBERS.split(", ")]


@contextmanager
def opened() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB database in a file, with a copy of the facts."""
    with tempfile.TemporaryDirectory(prefix="plumbline-duck-") as place:
        database = duckdb.connect(str(Path(place) / "facts.duckdb"))
        try:
            for table in FACTS:
                _copy(database, table, Path(place) / f"{table}.csv")
            database.execute(EVERY_DAY)
            yield database
        finally:
            database.close()


def _copy(database: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
            "AND data_type = ANY(%s) ORDER BY ordinal_position",
            [table, [*TYPES, "character varying"]],
        )
        columns = {name: TYPES.get(kind, "VARCHAR") for name, kind in cursor.fetchall()}
        with path.open("w") as file:
            cursor.copy_expert(
                f"COPY (SELECT {', '.join(columns)} FROM {table}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)", file
            )
    types = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items()) + "}"
    # What is quoted and empty is an empty text, what is bare and empty is unknown: PostgreSQL writes it so.
    options = (
        """auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false"""
    )
    database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{path}', columns = {types}, {options})")
    path.unlink()


def statement() -> str:
    """The reference in DuckDB's words: doubles for numerics, a map for the histogram."""
    begins = "\nSELECT factory_id, category_id, inspected_on"
    tables, _, _ = reference.SQL.partition("INSERT INTO")
    _, begin, sums = reference.SQL.partition(begins)
    select = f"{tables} SELECT * FROM ({begin}{sums}) AS s ({', '.join(COLUMNS)})"
    for ours, theirs in WORDS.items():
        if ours not in select:
            raise ValueError(f"The reference no longer says {ours!r}.")
        select = select.replace(ours, theirs)
    return f"CREATE OR REPLACE TABLE {SUMS} AS {select}"


def fill(database: duckdb.DuckDBPyConnection) -> None:
    """Works out every sum; given up after `AT_MOST` seconds, and then there are none."""
    alarm = threading.Timer(AT_MOST, database.interrupt)
    alarm.start()
    try:
        database.execute(statement())
    except duckdb.InterruptException:
        print(f"  DuckDB was stopped after {AT_MOST} s", flush=True)
        database.execute(f"DROP TABLE IF EXISTS {SUMS}")
    finally:
        alarm.cancel()


def differences(database: duckdb.DuckDBPyConnection) -> int:
    """How many rows with other counts than the reference in PostgreSQL; sums of fractions are not compared.

    0 where it was stopped: it is measured for information, and its time says at least how long it would have taken.
    """
    counts = "factory_id, category_id, day, family, currency, lots, units_major, lines, otif, days_late_closed, orders"
    try:
        mine = {tuple(row) for row in database.execute(f"SELECT {counts} FROM {SUMS}").fetchall()}
    except duckdb.CatalogException:
        print("  Nothing to compare: DuckDB did not come to an end", flush=True)
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts} FROM {reference.COPY}")
        theirs = {tuple(row) for row in cursor.fetchall()}
    return len(mine ^ theirs)
