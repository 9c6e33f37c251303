"""The stored evaluations as rows: what was stored last, what months published, and storing more of them."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection

from assessments.publication import HISTORY
from production.prepared import FEW, Prepared

NEWEST = Prepared("""
SELECT DISTINCT ON (e.kind, e.factory_id, e.category_id, e.as_of) e.kind, e.factory_id, e.category_id, e.as_of,
    e.revision, e.digest, e.published_grade, e.is_carried
FROM unnest(%(kinds)s::text[], %(factories)s::bigint[], %(days)s::date[]) AS j (kind, factory_id, as_of)
JOIN assessments_evaluation e ON (e.kind, e.factory_id, e.as_of) = (j.kind, j.factory_id, j.as_of)
ORDER BY e.kind, e.factory_id, e.category_id, e.as_of, e.revision DESC
""", kinds="text[]", factories="bigint[]", days="date[]")  # fmt: skip


def newest(asked: Collection[tuple[str, int, datetime.date]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What was stored last of each kind, factory and day, in any category."""
    kinds, factories, days = map(list, zip(*asked, strict=True))
    with connection.cursor() as cursor:
        NEWEST.execute(cursor, {"kinds": kinds, "factories": factories, "days": days}, len(days) <= FEW)
        names = [column.name for column in cursor.description][4:]
        return {row[:4]: dict(zip(names, row[4:], strict=True)) for row in cursor.fetchall()}


PUBLISHED = """
SELECT factory_id, as_of, published_grade, raw_grade, is_carried FROM assessments_evaluation
WHERE kind = 'month' AND category_id IS NULL AND revision = 1 AND factory_id = ANY(%(factories)s)
    AND as_of >= %(first)s AND as_of <= %(end)s
"""


def published(
    factories: Collection[int], ends: Collection[datetime.date]
) -> dict[int, dict[datetime.date, dict[str, Any]]]:
    """Per factory what its months published at first, and the raw grade then: those of `ends` and the months before."""
    if not ends:
        return {}
    values = {"factories": sorted(set(factories)), "first": min(ends) - HISTORY, "end": max(ends)}
    with connection.cursor() as cursor:
        cursor.execute(PUBLISHED, values)
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found: dict[int, dict[datetime.date, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["factory_id"], {})[row["as_of"]] = row
    return found


COLUMNS = {
    "factory_id": "bigint", "category_id": "bigint", "kind": "text", "as_of": "date", "revision": "int",
    "policy_id": "bigint", "window_days": "int", "is_extended": "boolean", "sums": "jsonb", "measures": "jsonb",
    "gates": "jsonb", "flags": "jsonb", "score": "numeric", "ungated_grade": "text", "raw_grade": "text",
    "published_grade": "text", "is_carried": "boolean", "evidence_on": "jsonb", "digest": "text", "code_version": "text",
}  # fmt: skip


STORE = (
    "INSERT INTO assessments_evaluation ({names}) SELECT {values} FROM unnest({arrays}) AS rows ({names}) "
    "ON CONFLICT DO NOTHING RETURNING id, kind, factory_id, category_id, as_of"
).format(
    names=", ".join(COLUMNS),
    values=", ".join(f"{name}::jsonb" if kind == "jsonb" else name for name, kind in COLUMNS.items()),
    arrays=", ".join("%s::text[]" if kind == "jsonb" else f"%s::{kind}[]" for kind in COLUMNS.values()),
)


def insert(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Stores evaluations in one statement; (id, kind, factory, category, day) of each.

    One that another run stored meanwhile is left out.
    """
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(STORE, [list(column) for column in zip(*rows, strict=True)])
        return list(cursor.fetchall())
