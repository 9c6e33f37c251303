"""Facts that were entered, changed or deleted after the month of their day was published: who, when, what, and why."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

# One row per event of the history: what it is about, the day it counts for, and the reason that was given.
EDITS = {
    "delivery": """
        SELECT 'delivery', e.id, e.factory_id, e.received_on, e.pgh_id, e.pgh_created_at, e.pgh_label, e.pgh_context, e.line_id,
            CASE WHEN e.kind = 'reversal' THEN e.reason ELSE e.note END, e.kind
        FROM production_deliveryevent e""",
    "inspection": """
        SELECT 'inspection', e.id, e.factory_id, e.inspected_on, e.pgh_id, e.pgh_created_at, e.pgh_label, e.pgh_context, t.line_id,
            e.note, ''
        FROM production_inspectionevent e LEFT JOIN production_lot t ON t.id = e.lot_id""",
    "cancellation": """
        SELECT 'cancellation', e.id, l.factory_id, e.cancelled_on, e.pgh_id, e.pgh_created_at, e.pgh_label, e.pgh_context, e.line_id,
            e.reason, ''
        FROM production_cancellationevent e JOIN production_orderline l ON l.id = e.line_id""",
    "revision": """
        SELECT 'revision', e.id, l.factory_id, COALESCE(l.committed_on, l.requested_on), e.pgh_id, e.pgh_created_at, e.pgh_label,
            e.pgh_context, e.line_id, e.reason, ''
        FROM production_daterevisionevent e JOIN production_orderline l ON l.id = e.line_id
        WHERE e.approved_on IS NOT NULL""",
    "movement": """
        SELECT 'movement', e.id, e.factory_id, o.closed_on, e.pgh_id, e.pgh_created_at, e.pgh_label, e.pgh_context, NULL,
            o.note, o.number
        FROM production_materialmovementevent e JOIN production_ordermaterial m ON m.id = e.order_material_id
        JOIN production_purchaseorder o ON o.id = m.order_id
        WHERE o.closed_on IS NOT NULL""",
    "closing": """
        SELECT 'closing', e.id, e.factory_id, e.closed_on, e.pgh_id, e.pgh_created_at, e.pgh_label, e.pgh_context, NULL, e.note, e.number
        FROM production_purchaseorderevent e
        WHERE e.closed_on IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM production_purchaseorderevent b
            WHERE b.pgh_obj_id = e.pgh_obj_id AND b.pgh_id < e.pgh_id AND b.closed_on = e.closed_on)""",
}  # fmt: skip
# A month is published by its first evaluation; what the history notes later came late for it.
LATE = f"""
WITH published AS (
    SELECT factory_id, as_of, computed_at FROM assessments_evaluation
    WHERE kind = 'month' AND category_id IS NULL AND revision = 1 AND factory_id = ANY(%(factories)s)
), edits (kind, id, factory_id, day, event, at, label, context, line_id, reason, detail) AS (
    {" UNION ALL ".join(EDITS.values())}
)
SELECT e.kind, e.id, e.factory_id, e.day, e.at, e.label, (e.context ->> 'user')::bigint, e.reason, e.detail,
    o.number, l.number, count(*) OVER ()
FROM edits e
JOIN published p ON p.factory_id = e.factory_id AND e.at > p.computed_at
    AND p.as_of = (date_trunc('month', e.day) + interval '1 month - 1 day')::date
LEFT JOIN production_orderline l ON l.id = e.line_id
LEFT JOIN production_purchaseorder o ON o.id = l.order_id
ORDER BY e.at DESC, e.kind, e.event DESC
LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """One late edit. `label` is insert, update or delete; `user` is None where the system or an import wrote it."""

    kind: str
    id: int
    factory: int
    day: datetime.date
    at: datetime.datetime
    label: str
    user: int | None
    reason: str
    detail: str
    order: str
    line: str


def edits(factories: Sequence[int], limit: int | None, offset: int = 0) -> tuple[list[Edit], int]:
    """The late edits of these factories, newest first, and how many there are from `offset` on. One query."""
    with connection.cursor() as cursor:
        cursor.execute(LATE, {"factories": list(factories), "limit": limit, "offset": offset})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    found = [Edit(*row[:7], row[7] or "", row[8] or "", row[9] or "", row[10] or "") for row in rows]
    return found, rows[0][11] if rows else 0
