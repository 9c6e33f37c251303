"""Are the stored outcomes and sums what the source rows give? (ROL-4) Whole factories by hand, some orders every night."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from production import outcomes
from production.rollups import NEVER, SOURCE_OF, TABLES, Table, on_days

TABLE = {table.name: table for table in TABLES}
Difference = tuple[dict[str, Any]]  # a row that stands on one side only


def differences(factories: Iterable[int] | None = None) -> list[Difference]:
    """The stored sums that differ from sums worked out afresh from the source rows; empty when all is well.

    For some factories only their own rows are read.
    """
    narrowed = factories is not None
    values: dict[str, Any] = {"as_of": NEVER, "factories": list(factories or []), "lots": []}
    from_source = " UNION ALL ".join(
        f"SELECT to_jsonb(b) FROM ({_fresh(family, narrowed)}) AS b" for family in SOURCE_OF
    )
    stored = "SELECT to_jsonb(f) FROM production_factoryday f"
    stored += " WHERE factory_id = ANY(%(factories)s)" if narrowed else ""
    with connection.cursor() as cursor:
        if narrowed:
            for name, table in (("lines", "production_orderline"), ("materials", "production_ordermaterial")):
                cursor.execute(f"SELECT id FROM {table} WHERE factory_id = ANY(%(factories)s)", values)
                values[name] = [row[0] for row in cursor.fetchall()]
        cursor.execute(_unequal(stored, from_source), values)
        return list(cursor.fetchall())


def _fresh(family: str, narrowed: bool) -> str:
    source, day = SOURCE_OF[family]
    table = TABLE[source]
    rows = f"(SELECT * FROM ({table.sql(narrowed)}) AS r ({table.columns}) WHERE {day} IS NOT NULL) AS rows"
    return f"SELECT * FROM ({outcomes.bucket_sums(family, rows)}) AS s ({outcomes.bucket_columns(family)})"


def _unequal(stored: str, fresh: str) -> str:
    """The JSON rows that stand on one side only; a null is as good as nothing."""
    ours, theirs = (f"SELECT jsonb_strip_nulls(j) FROM ({rows}) AS x (j)" for rows in (stored, fresh))
    return f"(({ours}) EXCEPT ALL ({theirs})) UNION ALL (({theirs}) EXCEPT ALL ({ours}))"


def differences_of_orders(orders: Sequence[int]) -> list[Difference]:
    """The same for some orders, whatever the history: their outcomes, and the sums of every day on which these lie.

    The outcomes are worked out again from the source rows, the sums from the stored outcomes of those days.
    """
    values: dict[str, Any] = {"as_of": NEVER, "orders": list(orders), "lots": []}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ARRAY(SELECT id FROM production_orderline WHERE order_id = ANY(%(orders)s)), "
            "ARRAY(SELECT id FROM production_ordermaterial WHERE order_id = ANY(%(orders)s))",
            values,
        )
        values["lines"], values["materials"] = cursor.fetchone()
        parts = [*(_outcomes_unequal(table) for table in TABLES), *(_sums_unequal(family) for family in SOURCE_OF)]
        cursor.execute(" UNION ALL ".join(f"({part})" for part in parts), values)
        return list(cursor.fetchall())


def _outcomes_unequal(table: Table) -> str:
    row = f"jsonb_populate_record(NULL::{table.name}, to_jsonb(r))"  # takes the digits that the table stores
    fresh = f"SELECT to_jsonb({row}) FROM ({table.sql(True)}) AS r ({table.columns})"
    return _unequal(f"SELECT to_jsonb(s) FROM {table.name} s WHERE {table.matches}", fresh)


def _sums_unequal(family: str) -> str:
    source, day = SOURCE_OF[family]
    days = f"SELECT DISTINCT factory_id, {day} AS day FROM {source} WHERE {TABLE[source].matches}"
    rows = f"(SELECT s.* FROM {on_days(family, 'days')}) AS rows"
    columns = outcomes.bucket_columns(family)
    summed = f"SELECT to_jsonb(s) FROM ({outcomes.bucket_sums(family, rows)}) AS s ({columns})"
    stored = (
        f"SELECT to_jsonb(f) FROM production_factoryday f JOIN days d USING (factory_id, day) "
        f"WHERE f.family = '{family}'"
    )
    return f"WITH days AS MATERIALIZED ({days}) {_unequal(stored, summed)}"
