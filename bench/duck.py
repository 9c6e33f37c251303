"""The same sums in DuckDB, an embedded database made for aggregates: the reference statement on a copy of the same rows.

It counts in floating point where ours is exact, keeps no outcomes, and nobody else could write to it meanwhile. The copy is
loaded untimed.
"""

import tempfile
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
}  # fmt: skip
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
        select = select.replace(ours, theirs)
    return f"CREATE OR REPLACE TABLE {SUMS} AS {select}"


def fill(database: duckdb.DuckDBPyConnection) -> None:
    database.execute(statement())


def differences(database: duckdb.DuckDBPyConnection) -> int:
    """How many rows with other counts than the reference in PostgreSQL; sums of fractions are not compared."""
    counts = "factory_id, category_id, day, family, currency, lots, units_major, lines, otif, days_late_closed, orders"
    mine = {tuple(row) for row in database.execute(f"SELECT {counts} FROM {SUMS}").fetchall()}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts} FROM {reference.COPY}")
        theirs = {tuple(row) for row in cursor.fetchall()}
    return len(mine ^ theirs)
