"""What happened once and is no rate: late orders, lots with a critical unit, materials to be charged; found in the outcomes."""

import datetime
from collections.abc import Collection

from django.db import connection

from assessments.models import Breach, BreachStep
from production.prepared import Prepared

TENANT = "main"
CATCH_UP_DAYS = 31
LATE_ORDERS = """
    (SELECT DISTINCT ON (o.order_id) 'late_order' AS event, 'otif' AS measure, 'breach' AS severity, o.factory_id, o.order_id,
        NULL::bigint AS order_material_id, NULL::bigint AS lot_id, o.limit_on + 1 AS opened_on, NULL::numeric AS value
    FROM production_lineoutcome o
    WHERE o.state = 'counted' AND NOT o.is_otd AND o.limit_on BETWEEN %(from)s AND %(on)s
        AND (%(now)s::timestamptz IS NULL
            OR o.limit_on < (%(now)s::timestamptz AT TIME ZONE 'Etc/GMT+12')::date  -- over everywhere: no look at the site
            OR o.limit_on < (
                SELECT (%(now)s::timestamptz AT TIME ZONE s.time_zone)::date
                FROM production_orderline l JOIN production_site s ON s.id = l.site_id WHERE l.id = o.line_id))
    ORDER BY o.order_id, o.limit_on)
    UNION ALL"""
EVENTS = """
WITH facts AS ({late_orders}
    SELECT 'critical_lot' AS event, 'defect' AS measure, 'breach' AS severity, o.factory_id, o.order_id,
        NULL::bigint AS order_material_id, o.lot_id, o.inspected_on AS opened_on, o.critical::numeric AS value
    FROM production_lotoutcome o
    WHERE o.critical > 0 AND o.inspected_on BETWEEN %(from)s AND %(on)s + 1 {only}
    UNION ALL
    SELECT 'charge', 'loss', 'breach', o.factory_id, o.order_id, o.order_material_id, NULL, o.closed_on,
        CASE WHEN o.net_issued > 0 THEN round(o.loss / o.net_issued, 12) END
    FROM production_materialoutcome o
    WHERE o.excess > 0 AND NOT o.is_set_aside AND o.closed_on BETWEEN %(from)s AND %(on)s + 1 {only}
), keyed AS (
    SELECT f.*, encode(sha256(convert_to('v1|t=' || %(tenant)s || '|f=' || f.factory_id || '|m=' || f.event
        || '|scope=all|w=event|k=event|' || COALESCE(f.lot_id, f.order_material_id, f.order_id), 'UTF8')), 'hex') AS key
    FROM facts f
)
INSERT INTO assessments_breach (key, factory_id, event, measure, severity, state, order_id, order_material_id, lot_id, value,
    opened_on, opened_at, ok_streak, flaps, reason)
SELECT k.key, k.factory_id, k.event, k.measure, k.severity, 'open', k.order_id, k.order_material_id, k.lot_id, k.value,
    k.opened_on, now(), 0, 0, ''
FROM keyed k
WHERE NOT EXISTS (SELECT 1 FROM assessments_breach b WHERE b.key = k.key)
ON CONFLICT DO NOTHING
RETURNING id
"""
NIGHT_EVENTS = EVENTS.format(late_orders=LATE_ORDERS, only="")
LIVE_EVENTS = Prepared(
    EVENTS.format(late_orders="", only="AND o.factory_id = ANY(%(factories)s)"),
    factories="bigint[]", on="date", tenant="text", **{"from": "date"},
)  # fmt: skip


def opened(on: datetime.date, factories: Collection[int] | None, now: datetime.datetime | None) -> list[Breach]:
    """One breach for each of them that is new: opened once, closed by hand.

    Without `factories` as a night looks: late orders too, and back over CATCH_UP_DAYS, so a job that did not run for days
    loses nothing.
    """
    if factories is not None and not factories:
        return []
    values = {"on": on, "from": on - datetime.timedelta(days=CATCH_UP_DAYS), "tenant": TENANT, "now": now}
    with connection.cursor() as cursor:
        if factories is None:
            cursor.execute(NIGHT_EVENTS, values)
        else:
            LIVE_EVENTS.execute(cursor, values | {"factories": sorted(factories)})
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    new = list(
        Breach.objects.filter(pk__in=ids)
        .select_related("factory", "order", "lot", "order_material__material")
        .order_by("pk")
    )
    BreachStep.objects.bulk_create(
        BreachStep(breach=breach, on=breach.opened_on, what="opened", value=breach.value) for breach in new
    )
    return new
