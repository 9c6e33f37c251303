"""The rules for one subject as set-based SQL: what a line, a delivery, a lot and an order x material count as.

Each function gives a SELECT over the source rows with the columns of its outcome table, in its order. `%(as_of)s` is the
day from which nothing is known yet (G-8); `filtered` narrows it to `%(lines)s` or `%(materials)s`. The same rules stand as
plain functions in `production.duedates` and `production.reconcile`; `tests/test_outcomes.py` holds the two together.
"""

LINE_COLUMNS = (
    "line_id, order_id, factory_id, category_id, state, due_on, limit_on, qty_due, qty_on_time, qty_received, is_otif, "
    "is_otd, is_open, is_early, is_over, completed_on, days_late, cycle_days"
)
DELIVERY_COLUMNS = "delivery_id, line_id, factory_id, category_id, received_on, quantity, is_inspected"
LOT_COLUMNS = (
    "lot_id, line_id, order_id, inspection_id, factory_id, category_id, inspected_on, inspected, critical, major, minor, "
    "is_accepted, is_census, qty_delivered"
)
MATERIAL_COLUMNS = (
    "order_material_id, order_id, factory_id, category_id, closed_on, currency, issued, net_issued, theoretical, loss, "
    "allowed, excess, unit_cost, value_net, value_loss, charge, is_set_aside"
)
OPEN_COLUMNS = "order_material_id, order_id, factory_id, material_id, currency, net, needed, loss, allowed, goods_in_on"

# The inspection of a lot that counts (DEF-4): first original one of the highest source, own reports and in-line left out.
COUNTED_INSPECTION = """
    SELECT DISTINCT ON (i.lot_id) i.*
    FROM production_inspection i
    WHERE i.is_original AND i.stage <> 'inline' AND i.source <> 'factory' AND i.inspected_on <= %(as_of)s {only}
    ORDER BY i.lot_id, CASE i.source WHEN 'receiving' THEN 2 ELSE 1 END, i.inspected_on, i.id
"""


def _only(filtered: bool, column: str, name: str) -> str:
    return f"AND {column} = ANY(%({name})s)" if filtered else ""


def _set_aside(column: str, narrowed: str = "") -> str:
    """The subjects of one kind that two people set aside and nobody lifted (EXC-1): a few, read once and hashed."""
    return f"""(SELECT x.{column} FROM production_exclusion x
        WHERE x.{column} IS NOT NULL AND x.state IN ('approved', 'lifted') AND x.decided_on <= %(as_of)s
            AND (x.lifted_on IS NULL OR x.lifted_on > %(as_of)s) {narrowed})"""


def line_outcomes(filtered: bool) -> str:
    """OTD-1 to OTD-14 and EXC-1 for every order line, or for `%(lines)s`."""
    return f"""
WITH revised AS (
    SELECT DISTINCT ON (r.line_id) r.line_id, r.new_on
    FROM production_daterevision r
    WHERE r.approved_on <= %(as_of)s AND r.cause IN ('buyer', 'force_majeure') {_only(filtered, "r.line_id", "lines")}
    ORDER BY r.line_id, r.approved_on DESC, r.id DESC
), taken_back AS (
    SELECT v.reverses_id, sum(v.quantity) AS quantity
    FROM production_delivery v
    WHERE v.kind = 'reversal' AND v.known_on <= %(as_of)s {_only(filtered, "v.line_id", "lines")}
    GROUP BY v.reverses_id
), standing AS (
    SELECT d.line_id, d.received_on, sum(COALESCE(d.quantity + t.quantity, d.quantity)) OVER (
        PARTITION BY d.line_id ORDER BY d.received_on) AS level
    FROM production_delivery d LEFT JOIN taken_back t ON t.reverses_id = d.id
    WHERE d.kind = 'receipt' AND d.received_on <= %(as_of)s AND (t.quantity IS NULL OR d.quantity + t.quantity > 0)
        {_only(filtered, "d.line_id", "lines")}
), received AS (  -- the days of the receipts, oldest first, and what had come by then: levels[width_bucket(day, days)] by any day
    SELECT s.line_id, array_agg(s.received_on ORDER BY s.received_on) AS days, array_agg(s.level ORDER BY s.received_on) AS levels
    FROM standing s
    GROUP BY s.line_id
), dued AS (
    SELECT l.id, l.order_id, l.factory_id, p.category_id, o.confirmed_on, l.quantity, l.tol_under, l.tol_over,
        l.over_policy, l.early_days, l.early_policy, l.single_delivery, l.grace_days, l.grace_unit, l.calendar_id,
        CASE WHEN l.closed_short_on <= %(as_of)s THEN l.closed_short_on END AS closed_short_on,
        l.id IN (SELECT c.line_id FROM production_cancellation c
            WHERE c.cancelled_on <= %(as_of)s {_only(filtered, "c.line_id", "lines")}) AS is_cancelled,
        CASE WHEN l.rolls_to_working_day AND COALESCE(l.committed_on, l.requested_on) IS NOT NULL THEN (
            SELECT min(w.day) FROM factories_workingday w
            WHERE w.calendar_id = l.calendar_id AND w.day >= COALESCE(r.new_on, l.committed_on, l.requested_on))
        WHEN COALESCE(l.committed_on, l.requested_on) IS NOT NULL THEN COALESCE(r.new_on, l.committed_on, l.requested_on)
        END AS due_on
    FROM production_orderline l
    JOIN production_purchaseorder o ON o.id = l.order_id
    JOIN production_product p ON p.id = l.product_id
    LEFT JOIN revised r ON r.line_id = l.id
    WHERE TRUE {_only(filtered, "l.id", "lines")}
    OFFSET 0  -- a fence, here and below: what is looked up is planned and done once, not wherever it is named
), limited AS (
    SELECT d.*, CASE WHEN d.grace_unit = 'working' AND d.grace_days > 0 THEN (
            SELECT w.day FROM factories_workingday w
            WHERE w.calendar_id = d.calendar_id AND w.ordinal = d.grace_days + (
                SELECT v.ordinal FROM factories_workingday v WHERE v.calendar_id = d.calendar_id AND v.day <= d.due_on
                ORDER BY v.day DESC LIMIT 1))
        ELSE d.due_on + d.grace_days END AS limit_on
    FROM dued d
    OFFSET 0
), needed AS (
    SELECT l.*, l.quantity - CASE WHEN l.is_cancelled THEN COALESCE((
            SELECT sum(c.quantity) FROM production_cancellation c
            WHERE c.line_id = l.id AND c.by = 'buyer' AND c.cancelled_on <= l.limit_on AND c.cancelled_on <= %(as_of)s), 0)
        ELSE 0 END AS qty_due
    FROM limited l
    OFFSET 0
), reached AS (
    SELECT n.*, n.qty_due * (1 - n.tol_under) AS need, r.days, r.levels, cardinality(r.days) AS receipts,
        COALESCE(width_bucket(n.limit_on, r.days), 0) AS receipts_by_limit
    FROM needed n LEFT JOIN received r ON r.line_id = n.id
    OFFSET 0
), judged AS (
    SELECT m.*, COALESCE(m.levels[m.receipts], 0) AS qty_received, COALESCE(m.levels[m.receipts_by_limit], 0) AS by_limit,
        m.days[m.receipts] AS last_on, COALESCE(m.days[1] < m.due_on - m.early_days, FALSE) AS is_early,
        CASE WHEN m.tol_over > 0 THEN m.qty_due * (1 + m.tol_over) ELSE m.qty_due END AS most,
        CASE WHEN m.qty_due <= 0 THEN NULL WHEN m.levels[1] >= m.need THEN m.days[1] WHEN m.receipts > 1 THEN m.days[
            width_bucket(m.need, m.levels) + CASE WHEN m.levels[width_bucket(m.need, m.levels)] = m.need THEN 0 ELSE 1 END]
        END AS completed_on
    FROM reached m
    OFFSET 0
), ended AS (
    SELECT j.*, j.by_limit >= j.need AS on_time, CASE
        WHEN j.completed_on IS NOT NULL THEN j.completed_on
        WHEN j.closed_short_on IS NOT NULL THEN COALESCE(j.last_on, j.closed_short_on)
        WHEN j.is_cancelled AND j.quantity - j.qty_due < (  -- not all of it in time
            SELECT sum(c.quantity) FROM production_cancellation c WHERE c.line_id = j.id AND c.cancelled_on <= %(as_of)s)
        THEN (
            SELECT min(g.day) FROM (
                SELECT m.day, sum(sum(m.quantity)) OVER (ORDER BY m.day) AS level FROM (
                    SELECT d.received_on AS day, d.quantity FROM production_delivery d
                    WHERE d.line_id = j.id AND d.known_on <= %(as_of)s
                    UNION ALL
                    SELECT c.cancelled_on, c.quantity FROM production_cancellation c
                    WHERE c.line_id = j.id AND c.cancelled_on <= %(as_of)s
                        AND (j.limit_on IS NULL OR NOT (c.by = 'buyer' AND c.cancelled_on <= j.limit_on))
                ) m GROUP BY m.day
            ) g WHERE g.level >= j.need)
        END AS ended_on
    FROM judged j
    OFFSET 0
)
SELECT id, order_id, factory_id, category_id,
    CASE WHEN due_on IS NULL THEN 'unmeasurable' WHEN qty_due = 0 THEN 'excluded'
        WHEN id IN {_set_aside("line_id", _only(filtered, "x.line_id", "lines"))} THEN 'set_aside' ELSE 'counted' END,
    due_on, limit_on, qty_due, LEAST(by_limit, qty_due), qty_received,
    COALESCE(on_time AND NOT (single_delivery AND receipts_by_limit > 1) AND NOT (is_early AND early_policy = 'miss')
        AND NOT (by_limit > most AND over_policy = 'miss') AND due_on IS NOT NULL, FALSE),
    COALESCE((on_time OR (closed_short_on IS NOT NULL AND last_on <= limit_on)) AND due_on IS NOT NULL, FALSE),
    ended_on IS NULL AND closed_short_on IS NULL AND qty_due > 0, is_early, qty_received > most, completed_on,
    CASE WHEN ended_on IS NOT NULL AND due_on IS NOT NULL THEN GREATEST(0, ended_on - due_on) END, completed_on - confirmed_on
FROM ended
"""


def _delivered(filtered: bool, which: str = "TRUE") -> str:
    """Each delivery with the lot that it counts for: a reversal goes with the lot of its receipt."""
    return f"""(
    SELECT d.id, d.line_id, d.factory_id, d.received_on, d.quantity, CASE WHEN d.kind = 'reversal' THEN (
        SELECT b.lot_id FROM production_delivery b WHERE b.id = d.reverses_id) ELSE d.lot_id END AS of_lot
    FROM production_delivery d
    WHERE d.known_on <= %(as_of)s AND {which} {_only(filtered, "d.line_id", "lines")}
    OFFSET 0)"""


def delivery_outcomes(filtered: bool) -> str:
    """What each delivery adds to the coverage of its day (DEF-8)."""
    return f"""
SELECT d.id, d.line_id, d.factory_id, p.category_id, d.received_on, d.quantity, EXISTS (
    SELECT 1 FROM production_inspection i
    WHERE i.lot_id = d.of_lot AND i.is_original AND i.stage <> 'inline' AND i.source <> 'factory' AND i.inspected_on <= %(as_of)s)
FROM {_delivered(filtered)} d
JOIN production_orderline l ON l.id = d.line_id
JOIN production_product p ON p.id = l.product_id
"""


def lot_outcomes(filtered: bool) -> str:
    """The inspection that counts for each lot (DEF-4) and the quantity delivered of it (DEF-6); none for one set aside."""
    only = "AND i.lot_id IN (SELECT id FROM production_lot WHERE line_id = ANY(%(lines)s))" if filtered else ""
    return f"""
SELECT t.id, t.line_id, l.order_id, c.id, t.factory_id, p.category_id, c.inspected_on, c.units_inspected, c.units_critical,
    c.units_major, c.units_minor, CASE c.verdict WHEN 'accepted' THEN TRUE WHEN 'rejected' THEN FALSE END,
    COALESCE(c.lot_quantity = c.units_inspected, FALSE), COALESCE(q.quantity, 0)
FROM ({COUNTED_INSPECTION.format(only=only)}) c
JOIN production_lot t ON t.id = c.lot_id
JOIN production_orderline l ON l.id = t.line_id
JOIN production_product p ON p.id = l.product_id
LEFT JOIN (
    SELECT d.of_lot, sum(d.quantity) AS quantity
    FROM {_delivered(filtered, "(d.lot_id IS NOT NULL OR d.kind = 'reversal')")} d
    GROUP BY d.of_lot
) q ON q.of_lot = t.id
WHERE t.id NOT IN {_set_aside("lot_id")}
"""


def material_outcomes(filtered: bool) -> str:
    """MAT-1 to MAT-5 and MAT-7 for the materials of closed orders, or for `%(materials)s` of them.

    A material that no bill of the order names has no theoretical consumption, so it has no outcome either. One that is set
    aside has its outcome, and a claim may be made of it; it only does not count.
    """
    only_material = _only(filtered, "m.id", "materials")
    return f"""
WITH closed AS (
    SELECT m.id, m.order_id, m.factory_id, m.material_id, m.currency, o.closed_on,
        COALESCE(m.allowance, o.loss_allowance) AS allowance,
        COALESCE(NULLIF(m.loss_base, ''), o.loss_base) AS loss_base, (
            SELECT p.category_id FROM production_product p WHERE p.id = (
                SELECT l.product_id FROM production_orderline l WHERE l.order_id = o.id ORDER BY l.id LIMIT 1)) AS category_id
    FROM production_ordermaterial m JOIN production_purchaseorder o ON o.id = m.order_id
    WHERE o.closed_on <= %(as_of)s {only_material}
), moved AS (
    SELECT v.order_material_id,
        sum(v.quantity) FILTER (WHERE v.kind IN ('issue', 'transfer_in')) AS came,
        sum(v.quantity) FILTER (WHERE v.kind IN ('return', 'transfer_out')) AS went,
        sum(v.quantity) FILTER (WHERE v.kind = 'scrap') AS scrap,
        sum(v.quantity * v.unit_cost) FILTER (WHERE v.kind IN ('issue', 'transfer_in')) AS came_value,
        sum(v.quantity * v.salvage_unit) FILTER (WHERE v.kind = 'scrap') AS scrap_value
    FROM production_materialmovement v JOIN closed c ON c.id = v.order_material_id
    WHERE v.moved_on <= %(as_of)s
    GROUP BY v.order_material_id
), got AS (
    SELECT d.line_id, sum(d.quantity) AS quantity
    FROM production_delivery d JOIN production_orderline l ON l.id = d.line_id
    WHERE d.known_on <= %(as_of)s AND l.order_id IN (SELECT order_id FROM closed)
    GROUP BY d.line_id
), spoiled AS (
    SELECT t.line_id, sum(i.units_rejected - CASE WHEN i.material_fault_approved_on <= %(as_of)s
        THEN i.units_material_fault ELSE 0 END) AS quantity
    FROM ({
        COUNTED_INSPECTION.format(
            only='''AND i.lot_id IN (
            SELECT t2.id FROM production_lot t2 JOIN production_orderline l2 ON l2.id = t2.line_id
            WHERE l2.order_id IN (SELECT order_id FROM closed))'''
        )
    }) i
    JOIN production_lot t ON t.id = i.lot_id
    GROUP BY t.line_id
), theory AS (
    SELECT c.id, sum(b.quantity_per_unit * GREATEST(COALESCE(g.quantity, 0) - COALESCE(s.quantity, 0), 0)) AS quantity
    FROM closed c
    JOIN production_orderline l ON l.order_id = c.order_id
    JOIN production_billline b ON b.bill_id = l.bill_id AND b.material_id = c.material_id
    LEFT JOIN got g ON g.line_id = l.id
    LEFT JOIN spoiled s ON s.line_id = l.id
    GROUP BY c.id
), balance AS (
    SELECT c.*, v.came, v.came - COALESCE(v.went, 0) AS net, t.quantity AS theoretical,
        v.came - COALESCE(v.went, 0) - t.quantity AS loss,
        round(c.allowance * CASE c.loss_base WHEN 'theoretical' THEN t.quantity
            ELSE v.came - COALESCE(v.went, 0) END, 12) AS allowed,
        round(v.came_value::numeric(60, 30) / v.came, 12) AS unit_cost, COALESCE(v.scrap, 0) AS scrap,
        CASE WHEN v.scrap > 0 THEN round(v.scrap_value::numeric(60, 30) / v.scrap, 12) ELSE 0 END AS salvage
    FROM closed c JOIN moved v ON v.order_material_id = c.id JOIN theory t ON t.id = c.id
    WHERE v.came > 0
)
SELECT id, order_id, factory_id, category_id, closed_on, currency, came, net, theoretical, loss, allowed,
    GREATEST(loss - allowed, 0), unit_cost, round(unit_cost * net, 12), round(unit_cost * loss, 12),
    GREATEST(round(GREATEST(loss - allowed, 0) * unit_cost - LEAST(scrap, GREATEST(loss - allowed, 0)) * salvage, 12), 0),
    id IN {_set_aside("order_material_id", _only(filtered, "x.order_material_id", "materials"))}
FROM balance
"""


def open_materials(filtered: bool) -> str:
    """MAT-9 for the materials issued to open orders, or for `%(materials)s` of them; reads the outcomes of their lines.

    Each is looked up by the indexes: the open orders are few among all. `goods_in_on` is the last receipt that was kept.
    """
    return f"""
WITH opened AS MATERIALIZED (
    SELECT m.*, COALESCE(m.allowance, o.loss_allowance) AS share, COALESCE(NULLIF(m.loss_base, ''), o.loss_base) AS base
    FROM production_ordermaterial m JOIN production_purchaseorder o ON o.id = m.order_id
    WHERE o.closed_on IS NULL {_only(filtered, "m.id", "materials")}
)
SELECT m.id, m.order_id, m.factory_id, m.material_id, m.currency, v.came - v.went, n.needed, v.came - v.went - n.needed,
    round(m.share * CASE m.base WHEN 'theoretical' THEN n.needed ELSE v.came - v.went END, 12),
    CASE WHEN n.is_in THEN (
        SELECT max(d.received_on) FROM production_orderline l JOIN production_delivery d ON d.line_id = l.id
        WHERE l.order_id = m.order_id AND d.kind = 'receipt' AND d.quantity + COALESCE((
            SELECT sum(r.quantity) FROM production_delivery r WHERE r.reverses_id = d.id), 0) > 0) END
FROM opened m
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(w.quantity) FILTER (WHERE w.kind IN ('issue', 'transfer_in')), 0) AS came,
        COALESCE(sum(w.quantity) FILTER (WHERE w.kind IN ('return', 'transfer_out')), 0) AS went
    FROM production_materialmovement w WHERE w.order_material_id = m.id
    OFFSET 0
) v
CROSS JOIN LATERAL (
    SELECT bool_and(x.is_open IS FALSE) AS is_in, sum((
            SELECT b.quantity_per_unit FROM production_billline b
            WHERE b.bill_id = l.bill_id AND b.material_id = m.material_id
        ) * CASE WHEN x.is_open THEN GREATEST(x.qty_received, x.qty_due) ELSE x.qty_received END) AS needed
    FROM production_orderline l
    LEFT JOIN production_lineoutcome x ON x.line_id = l.id
    WHERE l.order_id = m.order_id
    OFFSET 0
) n
WHERE v.came > 0
"""


def bucket_sums(family: str, source: str) -> str:
    """The sums of one family (metrics.md, daily sums) from outcome rows: a SELECT of key columns and sums."""
    return FAMILIES[family][1].format(source=source)


def bucket_columns(family: str) -> str:
    return FAMILIES[family][0]


DEFECTIVE = "(critical + major)"
FAMILIES = {
    "defect": (
        "factory_id, category_id, day, family, currency, lots, lots_accepted, lots_rejected, lots_with_critical, "
        "units_inspected, units_critical, units_major, units_minor, s2, sum_rate, sum_q, sum_q_rate",
        f"""SELECT factory_id, category_id, inspected_on, 'defect', '', count(*), count(*) FILTER (WHERE is_accepted),
            count(*) FILTER (WHERE NOT is_accepted), count(*) FILTER (WHERE critical > 0), sum(inspected), sum(critical),
            sum(major), sum(minor),
            sum(round(({DEFECTIVE}::bigint * {DEFECTIVE})::numeric(60, 30) / inspected, 12)),
            sum(round({DEFECTIVE}::numeric(60, 30) / inspected, 12)), sum(qty_delivered),
            sum(round((qty_delivered * {DEFECTIVE})::numeric(60, 30) / inspected, 12))
        FROM {{source}} GROUP BY 1, 3, 2""",
    ),
    "coverage": (
        "factory_id, category_id, day, family, currency, qty_delivered, qty_delivered_inspected",
        """SELECT factory_id, category_id, received_on, 'coverage', '', sum(quantity),
            COALESCE(sum(quantity) FILTER (WHERE is_inspected), 0)
        FROM {source} GROUP BY 1, 3, 2""",
    ),
    "delivery": (
        "factory_id, category_id, day, family, currency, lines, otif, otd, qty_due, qty_on_time, late_closed, "
        "days_late_closed, open_count, open_due_ordinal",
        """SELECT factory_id, category_id, limit_on, 'delivery', '', count(*), count(*) FILTER (WHERE is_otif),
            count(*) FILTER (WHERE is_otd), sum(qty_due), sum(qty_on_time), count(*) FILTER (WHERE days_late > 0),
            COALESCE(sum(days_late) FILTER (WHERE NOT is_open), 0), count(*) FILTER (WHERE is_open),
            COALESCE(sum(due_on - DATE '0001-01-01' + 1) FILTER (WHERE is_open), 0)
        FROM {source} WHERE state = 'counted' GROUP BY 1, 3, 2""",
    ),
    "cycle": (
        "factory_id, category_id, day, family, currency, cycle_histogram",
        """SELECT factory_id, category_id, completed_on, 'cycle', '', jsonb_object_agg(cycle_days, lines) FROM (
            SELECT factory_id, category_id, completed_on, cycle_days, count(*) AS lines FROM {source}
            WHERE state = 'counted' AND completed_on IS NOT NULL AND cycle_days IS NOT NULL GROUP BY 1, 3, 2, 4
        ) AS days GROUP BY 1, 3, 2""",
    ),
    "material": (
        "factory_id, category_id, day, family, currency, orders, value_net, value_loss_pos, value_loss_neg, charge",
        """SELECT factory_id, category_id, closed_on, 'material', currency, count(DISTINCT order_id), sum(value_net),
            sum(GREATEST(value_loss, 0)), sum(LEAST(value_loss, 0)), sum(charge)
        FROM {source} WHERE NOT is_set_aside GROUP BY factory_id, closed_on, category_id, currency""",
    ),
}
