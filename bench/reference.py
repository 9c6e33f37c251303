"""The yardstick: one INSERT .. SELECT, written by hand, that gives every daily sum straight from the facts, and a second
one that gives the windows of 36 months of every factory from these sums.

It knows nothing of marks, outcomes or days of knowledge and keeps nothing but its result. It was written from the text of
`docs/metrics.md`, not from `production.outcomes`; `equal` and `tests/test_bench_reference.py` hold the two together.
"""

import datetime

from django.db import connection, transaction

from production.models.rollups import SUM_FIELDS

COPY = "bench_factoryday"
NUMBERS = ", ".join([*SUM_FIELDS, "cycle_histogram"])

SQL = f"""
WITH aside AS (  -- what two people set aside is not counted
    SELECT line_id, lot_id, order_material_id FROM production_exclusion WHERE state = 'approved'
), revised AS (  -- the newest approved revision that the factory did not cause
    SELECT DISTINCT ON (line_id) line_id, new_on FROM production_daterevision
    WHERE approved_on IS NOT NULL AND cause <> 'factory' ORDER BY line_id, approved_on DESC, id DESC
), due AS (
    SELECT l.id, l.factory_id, p.category_id, o.confirmed_on, l.quantity, l.tol_under, l.tol_over, l.over_policy, l.early_days,
        l.early_policy, l.single_delivery, l.closed_short_on, l.grace_days, l.grace_unit, l.calendar_id,
        CASE WHEN NOT l.rolls_to_working_day THEN d.day ELSE (
            SELECT min(w.day) FROM factories_workingday w WHERE w.calendar_id = l.calendar_id AND w.day >= d.day) END AS due_on
    FROM production_orderline l
    JOIN production_purchaseorder o ON o.id = l.order_id
    JOIN production_product p ON p.id = l.product_id
    LEFT JOIN revised r ON r.line_id = l.id
    CROSS JOIN LATERAL (SELECT COALESCE(r.new_on, l.committed_on, l.requested_on) AS day) AS d
    WHERE COALESCE(l.committed_on, l.requested_on) IS NOT NULL
    OFFSET 0
), limits AS (
    SELECT d.*, CASE WHEN d.grace_unit = 'calendar' OR d.grace_days = 0 THEN d.due_on + d.grace_days ELSE (
        SELECT w.day FROM factories_workingday w WHERE w.calendar_id = d.calendar_id AND w.ordinal = d.grace_days + (
            SELECT v.ordinal FROM factories_workingday v WHERE v.calendar_id = d.calendar_id AND v.day <= d.due_on
            ORDER BY v.day DESC LIMIT 1)
        ) END AS limit_on
    FROM due d
), cancelled AS (  -- what we cancelled in time shrinks the line, the rest only settles it one day
    SELECT c.line_id, sum(c.quantity) FILTER (WHERE c.in_time) AS in_time, bool_or(NOT c.in_time) AS any_late
    FROM (
        SELECT c.line_id, c.quantity, c.by = 'buyer' AND c.cancelled_on <= l.limit_on AS in_time
        FROM production_cancellation c JOIN limits l ON l.id = c.line_id
    ) AS c GROUP BY c.line_id
), lines AS (
    SELECT l.*, l.quantity - COALESCE(c.in_time, 0) AS wanted, (l.quantity - COALESCE(c.in_time, 0)) * (1 - l.tol_under) AS need,
        COALESCE(c.any_late, FALSE) AS any_late
    FROM limits l LEFT JOIN cancelled c ON c.line_id = l.id
), reversed AS (
    SELECT reverses_id, sum(quantity) AS quantity FROM production_delivery WHERE kind = 'reversal' GROUP BY reverses_id
), receipts AS (
    SELECT d.line_id, d.received_on, sum(d.quantity + COALESCE(r.quantity, 0)) OVER (
        PARTITION BY d.line_id ORDER BY d.received_on) AS level
    FROM production_delivery d LEFT JOIN reversed r ON r.reverses_id = d.id
    WHERE d.kind = 'receipt' AND (r.quantity IS NULL OR d.quantity + r.quantity > 0)
), got AS (
    SELECT l.id, max(r.received_on) AS last_on, min(r.received_on) AS first_on,
        min(r.received_on) FILTER (WHERE r.level >= l.need) AS completed_on,
        COALESCE(max(r.level) FILTER (WHERE r.received_on <= l.limit_on), 0) AS in_time,
        count(*) FILTER (WHERE r.received_on <= l.limit_on) AS parts
    FROM lines l JOIN receipts r ON r.line_id = l.id GROUP BY l.id
), judged AS (
    SELECT l.factory_id, l.category_id, l.limit_on, l.due_on, l.wanted, l.closed_short_on, g.completed_on,
        g.completed_on - l.confirmed_on AS cycle_days, LEAST(COALESCE(g.in_time, 0), l.wanted) AS on_time,
        g.in_time >= l.need AND NOT (l.single_delivery AND g.parts > 1)
            AND NOT (l.early_policy = 'miss' AND COALESCE(g.first_on < l.due_on - l.early_days, FALSE))
            AND NOT (l.over_policy = 'miss' AND g.in_time > l.wanted * (1 + COALESCE(l.tol_over, 0))) AS otif,
        g.in_time >= l.need OR l.closed_short_on IS NOT NULL AND g.last_on <= l.limit_on AS otd,
        CASE WHEN g.completed_on IS NOT NULL THEN g.completed_on
            WHEN l.closed_short_on IS NOT NULL THEN COALESCE(g.last_on, l.closed_short_on)
            WHEN l.any_late THEN (
                SELECT min(s.day) FROM (
                    SELECT m.day, sum(m.quantity) OVER (ORDER BY m.day) AS level FROM (
                        SELECT d.received_on AS day, d.quantity FROM production_delivery d WHERE d.line_id = l.id
                        UNION ALL
                        SELECT c.cancelled_on, c.quantity FROM production_cancellation c
                        WHERE c.line_id = l.id AND NOT (c.by = 'buyer' AND c.cancelled_on <= l.limit_on)
                    ) AS m
                ) AS s WHERE s.level >= l.need)
        END AS settled_on
    FROM lines l LEFT JOIN got g ON g.id = l.id
    WHERE l.wanted > 0 AND NOT EXISTS (SELECT FROM aside a WHERE a.line_id = l.id)
), looked_at AS (  -- our own and the company's looks come before the receiving site's
    SELECT DISTINCT ON (lot_id) * FROM production_inspection
    WHERE is_original AND stage <> 'inline' AND source <> 'factory'
    ORDER BY lot_id, (source = 'receiving'), inspected_on, id
), received AS (
    SELECT d.factory_id, p.category_id, d.line_id, d.received_on, d.quantity, CASE WHEN d.reverses_id IS NULL THEN d.lot_id ELSE (
        SELECT b.lot_id FROM production_delivery b WHERE b.id = d.reverses_id) END AS lot_id
    FROM production_delivery d
    JOIN production_orderline l ON l.id = d.line_id
    JOIN production_product p ON p.id = l.product_id
), lots AS (
    SELECT i.factory_id, p.category_id, i.inspected_on, i.verdict, i.units_inspected AS n, i.units_critical, i.units_major,
        i.units_minor, (i.units_critical + i.units_major)::numeric AS bad, COALESCE(q.quantity, 0) AS quantity
    FROM looked_at i
    JOIN production_lot t ON t.id = i.lot_id
    JOIN production_orderline l ON l.id = t.line_id
    JOIN production_product p ON p.id = l.product_id
    LEFT JOIN (SELECT lot_id, sum(quantity) AS quantity FROM received WHERE lot_id IS NOT NULL GROUP BY lot_id) AS q
        ON q.lot_id = i.lot_id
    WHERE NOT EXISTS (SELECT FROM aside a WHERE a.lot_id = i.lot_id)
), material AS (
    SELECT m.id, m.factory_id, m.order_id, m.material_id, m.currency, o.closed_on, COALESCE(m.allowance, o.loss_allowance) AS allowance,
        COALESCE(NULLIF(m.loss_base, ''), o.loss_base) = 'theoretical' AS of_theory
    FROM production_ordermaterial m JOIN production_purchaseorder o ON o.id = m.order_id WHERE o.closed_on IS NOT NULL
), first_line AS (
    SELECT DISTINCT ON (l.order_id) l.order_id, p.category_id
    FROM production_orderline l JOIN production_product p ON p.id = l.product_id
    WHERE l.order_id IN (SELECT order_id FROM material) ORDER BY l.order_id, l.id
), rejected AS (
    SELECT t.line_id, sum(i.units_rejected - CASE WHEN i.material_fault_approved_on IS NULL THEN 0 ELSE i.units_material_fault END)
        AS units
    FROM production_lot t JOIN looked_at i ON i.lot_id = t.id GROUP BY t.line_id
), good_units AS (
    SELECT l.order_id, l.bill_id, GREATEST(0, COALESCE(d.units, 0) - COALESCE(r.units, 0)) AS units
    FROM production_orderline l
    JOIN production_purchaseorder o ON o.id = l.order_id AND o.closed_on IS NOT NULL
    LEFT JOIN (SELECT line_id, sum(quantity) AS units FROM production_delivery GROUP BY line_id) AS d ON d.line_id = l.id
    LEFT JOIN rejected r ON r.line_id = l.id
    WHERE l.bill_id IS NOT NULL
), consumed AS MATERIALIZED (
    SELECT m.id, sum(b.quantity_per_unit * g.units) AS theory
    FROM material m JOIN good_units g ON g.order_id = m.order_id
    JOIN production_billline b ON b.bill_id = g.bill_id AND b.material_id = m.material_id GROUP BY m.id
), moved AS MATERIALIZED (
    SELECT v.order_material_id AS id, sum(v.quantity) FILTER (WHERE v.unit_cost IS NOT NULL AND v.kind IN ('issue', 'transfer_in')) AS came,
        sum(v.quantity * v.unit_cost) FILTER (WHERE v.kind IN ('issue', 'transfer_in')) AS paid,
        COALESCE(sum(v.quantity) FILTER (WHERE v.kind IN ('return', 'transfer_out')), 0) AS went,
        COALESCE(sum(v.quantity) FILTER (WHERE v.kind = 'scrap'), 0) AS scrap,
        sum(v.quantity * v.salvage_unit) FILTER (WHERE v.kind = 'scrap') AS salvage
    FROM production_materialmovement v WHERE v.order_material_id IN (SELECT id FROM material) GROUP BY 1
), losses AS (
    SELECT m.*, v.scrap, v.came - v.went AS net, v.came - v.went - c.theory AS loss,
        round(v.paid::numeric(60, 30) / v.came, 12) AS cost,
        CASE WHEN v.scrap > 0 THEN round(v.salvage::numeric(60, 30) / v.scrap, 12) ELSE 0 END AS salvage,
        v.came - v.went - c.theory - round(m.allowance * CASE WHEN m.of_theory THEN c.theory ELSE v.came - v.went END, 12) AS over
    FROM material m JOIN moved v ON v.id = m.id AND v.came > 0 JOIN consumed c ON c.id = m.id
)
INSERT INTO {COPY} (factory_id, category_id, day, family, currency, {NUMBERS})
SELECT factory_id, category_id, inspected_on, 'defect', '',
    count(*), count(*) FILTER (WHERE verdict = 'accepted'), count(*) FILTER (WHERE verdict = 'rejected'),
    count(*) FILTER (WHERE units_critical > 0), sum(n), sum(units_critical), sum(units_major), sum(units_minor),
    sum(round((bad * bad)::numeric(60, 30) / n, 12)), sum(round(bad::numeric(60, 30) / n, 12)), sum(quantity),
    sum(round((quantity * bad)::numeric(60, 30) / n, 12)),
    {", ".join(["NULL::numeric"] * 2 + ["NULL::bigint"] * 3 + ["NULL::numeric"] * 2 + ["NULL::bigint"] * 4)},
    {", ".join(["NULL::bigint"] + ["NULL::numeric"] * 4)}, NULL::jsonb
FROM lots GROUP BY factory_id, category_id, inspected_on
UNION ALL
SELECT factory_id, category_id, received_on, 'coverage', '', {", ".join(["NULL"] * 12)}, sum(quantity),
    COALESCE(sum(quantity) FILTER (WHERE lot_id IN (SELECT lot_id FROM looked_at)), 0), {", ".join(["NULL"] * 15)}
FROM received GROUP BY factory_id, category_id, received_on
UNION ALL
SELECT factory_id, category_id, limit_on, 'delivery', '', {", ".join(["NULL"] * 14)},
    count(*), count(*) FILTER (WHERE otif), count(*) FILTER (WHERE otd), sum(wanted), sum(on_time),
    count(*) FILTER (WHERE settled_on > due_on), COALESCE(sum(GREATEST(settled_on - due_on, 0)) FILTER (WHERE settled_on IS NOT NULL), 0),
    count(*) FILTER (WHERE settled_on IS NULL AND closed_short_on IS NULL),
    COALESCE(sum(due_on - DATE '0001-01-01' + 1) FILTER (WHERE settled_on IS NULL AND closed_short_on IS NULL), 0),
    {", ".join(["NULL"] * 6)}
FROM judged GROUP BY factory_id, category_id, limit_on
UNION ALL
SELECT factory_id, category_id, completed_on, 'cycle', '', {", ".join(["NULL"] * 28)}, jsonb_object_agg(cycle_days, n)
FROM (
    SELECT factory_id, category_id, completed_on, cycle_days, count(*) AS n FROM judged
    WHERE cycle_days IS NOT NULL GROUP BY factory_id, category_id, completed_on, cycle_days
) AS days GROUP BY factory_id, category_id, completed_on
UNION ALL
SELECT l.factory_id, f.category_id, l.closed_on, 'material', l.currency, {", ".join(["NULL"] * 23)},
    count(DISTINCT l.order_id), sum(round(l.cost * l.net, 12)), sum(round(l.cost * GREATEST(l.loss, 0), 12)),
    sum(round(l.cost * LEAST(l.loss, 0), 12)),
    sum(GREATEST(0, round(GREATEST(l.over, 0) * l.cost - LEAST(l.scrap, GREATEST(l.over, 0)) * l.salvage, 12))), NULL
FROM losses l JOIN first_line f ON f.order_id = l.order_id
WHERE NOT EXISTS (SELECT FROM aside a WHERE a.order_material_id = l.id)
GROUP BY l.factory_id, f.category_id, l.closed_on, l.currency
ORDER BY 1, 4, 3, 2
"""


def create() -> None:
    """A copy of the table of daily sums with its indexes."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {COPY}")
        cursor.execute(f"CREATE TABLE {COPY} (LIKE production_factoryday INCLUDING ALL)")


def fill() -> None:
    """Works out every sum into the emptied copy, in one statement with the planner's settings that the product takes, too."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL enable_hashagg = off")  # a sixth of the processor time less
        cursor.execute(f"TRUNCATE {COPY}")
        cursor.execute(SQL)


def differences() -> int:
    """How many rows of the copy and of the product's sums are not in the other."""
    columns = f"factory_id, category_id, day, family, currency, {NUMBERS}"
    mine, theirs = f"SELECT {columns} FROM {COPY}", f"SELECT {columns} FROM production_factoryday"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM (({mine} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {mine})) AS different"
        )
        return int(cursor.fetchone()[0])


# The second statement: what the 36 evaluations of each factory rest on.

MONTHS_TABLE = "bench_month"
RATES = "bad, inspected, lots, on_time, lines, loss, net, currency"

MONTHS_SQL = f"""
WITH ends AS (
    SELECT (date_trunc('month', %(today)s::date) - n * INTERVAL '1 month')::date - 1 AS last FROM generate_series(0, %(months)s - 1) AS n
), edges AS (  -- the running sums are read off at the end of a window and on the day before its first
    SELECT DISTINCT f.id AS factory_id, e.last - back AS day FROM factories_factory f, ends e, unnest(ARRAY[0, 90, 365]) AS back
), days AS (
    SELECT factory_id, day, sum(units_critical + units_major) AS bad, sum(units_inspected) AS inspected, sum(lots) AS lots,
        sum(otif) AS on_time, sum(lines) AS lines, FALSE AS is_edge
    FROM {COPY} WHERE family IN ('defect', 'delivery') GROUP BY factory_id, day
    UNION ALL SELECT factory_id, day, NULL, NULL, NULL, NULL, NULL, TRUE FROM edges
), running AS (
    SELECT factory_id, day, is_edge, COALESCE(sum(bad) OVER w, 0) AS bad, COALESCE(sum(inspected) OVER w, 0) AS inspected,
        COALESCE(sum(lots) OVER w, 0) AS lots, COALESCE(sum(on_time) OVER w, 0) AS on_time, COALESCE(sum(lines) OVER w, 0) AS lines
    FROM days WINDOW w AS (PARTITION BY factory_id ORDER BY day)
), edge AS MATERIALIZED (
    SELECT * FROM running WHERE is_edge
), windowed AS (
    SELECT b.factory_id, b.day AS last, a.back, b.bad - a.bad AS bad, b.inspected - a.inspected AS inspected, b.lots - a.lots AS lots,
        b.on_time - a.on_time AS on_time, b.lines - a.lines AS lines
    FROM ends e JOIN edge b ON b.day = e.last
    JOIN (SELECT e.*, back FROM edge e, unnest(ARRAY[90, 365]) AS back) AS a ON a.factory_id = b.factory_id AND a.day = b.day - a.back
), chosen AS (  -- 90 days where these hold data enough, else 365
    SELECT DISTINCT ON (factory_id, last) * FROM windowed
    ORDER BY factory_id, last, (back = 90 AND inspected >= 200 AND lots >= 3 AND lines >= 5 OR back = 365) DESC, back
), money AS (
    SELECT c.factory_id, c.last, d.currency, sum(d.value_loss_pos) AS loss, sum(d.value_net) AS net
    FROM chosen c JOIN {COPY} d ON d.factory_id = c.factory_id AND d.family = 'material' AND d.day BETWEEN c.last - c.back + 1 AND c.last
    GROUP BY c.factory_id, c.last, d.currency
), worst AS (
    SELECT DISTINCT ON (factory_id, last) * FROM money
    ORDER BY factory_id, last, CASE WHEN net > 0 THEN loss / net END DESC NULLS LAST, currency
)
INSERT INTO {MONTHS_TABLE}
SELECT c.factory_id, c.last, c.back, c.bad, c.inspected, c.lots, c.on_time, c.lines, COALESCE(w.loss, 0), COALESCE(w.net, 0), w.currency,
    round(c.bad / NULLIF(c.inspected, 0), 12), round(c.on_time / NULLIF(c.lines, 0), 12), round(w.loss / NULLIF(w.net, 0), 12)
FROM chosen c LEFT JOIN worst w ON w.factory_id = c.factory_id AND w.last = c.last
ORDER BY 1, 2
"""

STORED_MONTHS = """
SELECT factory_id, as_of, window_days, (measures->'defect'->>'num')::numeric, (measures->'defect'->>'den')::numeric,
    (measures->'defect'->>'lots')::numeric, (measures->'otif'->>'num')::numeric, (measures->'otif'->>'den')::numeric,
    (measures->'loss'->>'num')::numeric, (measures->'loss'->>'den')::numeric, measures->'loss'->>'currency'
FROM assessments_evaluation WHERE kind = 'month' AND category_id IS NULL
"""


def create_months() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {MONTHS_TABLE}")
        cursor.execute(
            f"CREATE TABLE {MONTHS_TABLE} (factory_id bigint, last date, back int, bad numeric, inspected numeric, lots numeric, "
            "on_time numeric, lines numeric, loss numeric, net numeric, currency text, defect_rate numeric, otif_rate numeric, "
            "loss_rate numeric, PRIMARY KEY (factory_id, last))"
        )


def fill_months(today: datetime.date, months: int) -> None:
    """The windows of the last closed months of every factory with their three rates, in one statement."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute(f"TRUNCATE {MONTHS_TABLE}")
        cursor.execute(MONTHS_SQL, {"today": today, "months": months})


def different_months() -> int:
    """How many windows differ from those of the stored evaluations: days, numerators and denominators of each measure."""
    mine = f"SELECT factory_id, last, back, {RATES} FROM {MONTHS_TABLE}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM (({mine} EXCEPT ALL {STORED_MONTHS}) UNION ALL ({STORED_MONTHS} EXCEPT ALL {mine})) AS different"
        )
        return int(cursor.fetchone()[0])
