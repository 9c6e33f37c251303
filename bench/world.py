"""An invented seller of any size, built by set-based SQL with a fixed seed and without triggers.

Factories have log-normal sizes, a main category and usually a second one, and a punctuality and a defect rate of their own.
Some lines come in parts, some are late, early, short, over or still open; a few were revised, cancelled or reversed; a
fifth is inspected; a tenth of the orders works with the seller's material.
"""

import datetime
from dataclasses import dataclass

from django.db import connection, transaction


@dataclass(frozen=True)
class Size:
    """How large the seller is; the facts lie in the `years` before `today`."""

    lines: int = 1_000_000
    factories: int = 500
    years: int = 3
    today: datetime.date = datetime.date(2026, 6, 30)

    @property
    def first_day(self) -> datetime.date:
        return self.today - datetime.timedelta(days=365 * self.years)


CATEGORIES, PRODUCTS, MATERIALS = 6, 1_200, 30

STEPS = [
    "INSERT INTO factories_category (id, code, name, is_soft) SELECT n, 'goods-' || n, 'Goods ' || n, n <= 2 "
    "FROM generate_series(1, %(categories)s) AS n",
    "INSERT INTO factories_workingcalendar (id, code, name, weekend, country, known_years) "
    "VALUES (1, 'week', 'Week', '{6,7}', '', '{}'), (2, 'six', 'Six', '{7}', '', '{}')",
    "INSERT INTO factories_calendarexception (calendar_id, day, is_open, name, source) "
    "SELECT c, make_date(y, m, 1), FALSE, 'Holiday', '' FROM generate_series(1, 2) AS c, generate_series(2020, 2030) AS y, "
    "unnest(ARRAY[1, 5, 10]) AS m",
    "SELECT factories_rebuild_working_days(id) FROM factories_workingcalendar",
    # How many orders a factory gets, how punctual it is (in days) and how good (share of defective units).
    "CREATE TEMPORARY TABLE bench_traits ON COMMIT DROP AS "
    "SELECT n AS id, exp(random_normal()) AS weight, 2 * random_normal() AS slip, 0.008 * exp(random_normal() * 0.7) AS bad "
    "FROM generate_series(1, %(factories)s) AS n",
    "INSERT INTO factories_factory (id, code, name, local_name, local_language, country, city, time_zone, status, category_id, "
    "calendar_id, is_demo) SELECT id, 'VN-' || lpad(id::text, 4, '0'), 'Factory ' || id, '', '', 'VN', '', 'Asia/Ho_Chi_Minh', "
    "'active', 1 + mod(id, %(categories)s), 1 + mod(id, 2), FALSE FROM bench_traits",
    "INSERT INTO production_site (id, code, name, time_zone, calendar_id) "
    "SELECT n, 'SITE-' || n, 'Site ' || n, 'Europe/Berlin', 1 FROM generate_series(1, 4) AS n",
    "INSERT INTO production_product (id, code, name, unit, category_id) "
    "SELECT n, 'SKU-' || n, 'Product ' || n, 'pcs', 1 + mod(n, %(categories)s) FROM generate_series(1, %(products)s) AS n",
    "INSERT INTO production_material (id, code, name, unit) "
    "SELECT n, 'MAT-' || n, 'Material ' || n, 'm' FROM generate_series(1, %(materials)s) AS n",
    "INSERT INTO production_billofmaterials (id, product_id, version) SELECT id, id, 1 FROM production_product",
    "INSERT INTO production_billline (bill_id, material_id, quantity_per_unit) "
    "SELECT p.id, 1 + mod(p.id + 7 * k, %(materials)s), 1.25 + k FROM production_product p, generate_series(0, 1) AS k",
    # Five lines an order; an order goes to a factory in proportion to its weight.
    """INSERT INTO production_purchaseorder (id, factory_id, number, currency, ordered_on, confirmed_on, closed_on,
        loss_allowance, loss_base, note, is_demo)
    SELECT o.id, o.factory, 'PO-' || o.id, CASE WHEN mod(o.id, 10) = 0 THEN 'CNY' ELSE 'USD' END, o.day - 3, o.day,
        CASE WHEN o.day + 120 <= %(today)s AND mod(o.id, 7) > 0 THEN o.day + 120 END, 0.03,
        CASE WHEN mod(o.id, 3) = 0 THEN 'theoretical' ELSE 'net_issued' END, '', FALSE
    FROM (  -- numbered as they were placed
        SELECT row_number() OVER (ORDER BY day, n) AS id, factory, day FROM (
            SELECT n, 1 + width_bucket(random(), w.bounds) AS factory,
                %(first_day)s::date + (random() * %(days)s)::int AS day
            FROM generate_series(1, (%(lines)s + 4) / 5) AS n, (
                SELECT array_agg(upto / total ORDER BY upto) AS bounds FROM (
                    SELECT sum(weight) OVER (ORDER BY id) AS upto, sum(weight) OVER () AS total FROM bench_traits) AS t
                WHERE upto < total) AS w
        ) AS placed
    ) AS o""",
    """INSERT INTO production_orderline (id, factory_id, order_id, number, product_id, site_id, bill_id, quantity, unit_price,
        requested_on, committed_on, terms_frozen_on, version, grace_days, grace_unit, tol_under, tol_over, over_policy,
        early_days, early_policy, single_delivery, rolls_to_working_day, calendar_id)
    SELECT l.id, l.factory_id, l.order_id, l.number, l.product, 1 + mod(l.id, 4),
        CASE WHEN mod(l.order_id, 10) = 3 THEN l.product END, l.quantity, 4.5, CASE WHEN r > 0.005 THEN l.promised - 5 END,
        CASE WHEN r > 0.03 THEN l.promised END, l.confirmed_on, 1, (ARRAY[0, 0, 2, 3])[1 + mod(l.order_id, 4)],
        CASE WHEN working THEN 'working' ELSE 'calendar' END, CASE WHEN mod(l.order_id, 3) = 0 THEN 0.05 ELSE 0 END,
        CASE WHEN mod(l.order_id, 2) = 0 THEN 0.05 END, CASE WHEN mod(l.order_id, 6) = 0 THEN 'miss' ELSE 'ok' END,
        CASE WHEN mod(l.order_id, 5) = 0 THEN 14 END, CASE WHEN mod(l.order_id, 10) = 0 THEN 'miss' ELSE 'ok' END,
        mod(l.order_id, 20) = 9, mod(l.order_id, 20) = 11, CASE WHEN working OR mod(l.order_id, 20) = 11 THEN 1 END
    FROM (
        SELECT n AS id, o.id AS order_id, o.factory_id, o.confirmed_on, mod(n - 1, 5) + 1 AS number,
            o.confirmed_on + 30 + (random() * 60)::int AS promised, ceil(exp(5.5 + 0.9 * random_normal()))::int AS quantity,
            random() AS r, mod(o.id, 10) = 6 AS working,
            -- The main category of the factory for most lines, the next one for the others.
            %(categories)s * (1 + (random() * 190)::int)
                + mod(o.factory_id + CASE WHEN random() < 0.15 THEN 1 ELSE 0 END, %(categories)s) AS product
        FROM generate_series(1, %(lines)s) AS n JOIN production_purchaseorder o ON o.id = (n + 4) / 5
    ) AS l""",
    # One to three receipts a line, around the promised day; what would come after today has not come yet.
    """INSERT INTO production_delivery (factory_id, line_id, site_id, kind, quantity, received_on, known_on, condition, reason,
        document, note, is_over, recorded_at)
    SELECT r.factory_id, r.line_id, r.site_id, 'receipt', r.quantity, r.day, r.day, 'fine', '', 'DN-' || r.line_id, '', FALSE,
        r.day + TIME '16:00'
    FROM (
        SELECT l.factory_id, l.id AS line_id, l.site_id, CASE WHEN k < l.parts THEN GREATEST(l.total / l.parts, 1)
            ELSE GREATEST(l.total - (l.parts - 1) * (l.total / l.parts), 1) END AS quantity, l.day + 3 * (k - 1) AS day
        FROM (
            SELECT l.factory_id, l.id, l.site_id, CASE WHEN random() < 0.75 THEN 1 WHEN random() < 0.8 THEN 2 ELSE 3 END AS parts,
                GREATEST((l.quantity * CASE WHEN random() < 0.06 THEN 0.96 WHEN random() < 0.05 THEN 1.04 ELSE 1 END)::int, 1)
                    AS total,
                GREATEST(o.confirmed_on + 5, COALESCE(l.committed_on, o.confirmed_on + 60)
                    + (t.slip - 3 + 4 * random_normal() + CASE WHEN random() < 0.05 THEN 20 * random() ELSE 0 END)::int) AS day
            FROM production_orderline l JOIN production_purchaseorder o ON o.id = l.order_id
            JOIN bench_traits t ON t.id = l.factory_id
            WHERE random() > 0.01
            ORDER BY l.id
        ) AS l, generate_series(1, l.parts) AS k
    ) AS r
    WHERE r.day <= %(today)s
    ORDER BY r.day, r.line_id""",
    # A lot for each receipt of every fifth line.
    "INSERT INTO production_lot (id, factory_id, line_id, code, quantity) SELECT id, factory_id, line_id, 'LOT-' || id, quantity "
    "FROM production_delivery WHERE mod(line_id, 5) = 2 ORDER BY id",
    "UPDATE production_delivery SET lot_id = id WHERE mod(line_id, 5) = 2",
    "INSERT INTO production_delivery (factory_id, line_id, site_id, lot_id, kind, reverses_id, quantity, received_on, known_on, "
    "condition, reason, document, note, is_over, recorded_at) SELECT factory_id, line_id, site_id, lot_id, 'reversal', id, "
    "-ceil(quantity / 2), received_on, received_on + 4, 'fine', 'counted again', '', '', FALSE, received_on + TIME '17:00' "
    "FROM production_delivery WHERE mod(id, 200) = 77 AND received_on + 4 <= %(today)s ORDER BY id",
    # The first look at each lot; then repeats after rework, second looks at receipt, and the factory's own reports.
    """INSERT INTO production_inspection (factory_id, lot_id, stage, source, is_original, inspected_on, lot_quantity,
        units_inspected, units_critical, units_major, units_minor, verdict, units_rejected, units_material_fault, note, recorded_at)
    SELECT i.factory_id, i.id, i.stage, i.source, i.is_original, i.day, i.lot_quantity, i.units, i.critical, i.major,
        LEAST(i.major * 2, i.units - i.critical - i.major), CASE WHEN i.critical + i.major > 5 THEN 'rejected' ELSE 'accepted' END,
        i.major, 0, '', i.day + TIME '12:00'
    FROM (
        SELECT t.factory_id, t.id, k.stage, k.source, k.is_original, d.received_on - 2 + k.n AS day,
            t.quantity::int AS lot_quantity, u.units, CASE WHEN random() < 0.002 THEN 1 ELSE 0 END AS critical,
            LEAST(u.units - 1, GREATEST(0, round(b.bad * u.units + sqrt(b.bad * u.units) * random_normal())))::int AS major
        FROM production_lot t
        JOIN production_delivery d ON d.id = t.id
        JOIN bench_traits b ON b.id = t.factory_id
        JOIN (VALUES (1, 'final', 'buyer', TRUE, 1), (2, 'final', 'buyer', FALSE, 12), (3, 'receiving', 'receiving', TRUE, 20),
            (4, 'final', 'factory', TRUE, 25)) AS k (n, stage, source, is_original, one_in) ON mod(t.id, k.one_in) = 0
        CROSS JOIN LATERAL (SELECT LEAST(t.quantity::int, (ARRAY[50, 80, 125])[1 + mod(t.id, 3)]) AS units) AS u
    ) AS i
    WHERE i.units > 1
    ORDER BY i.day, i.id""",
    """INSERT INTO production_daterevision (line_id, new_on, cause, reason, asked_on, approved_on)
    SELECT id, committed_on + 10, (ARRAY['buyer', 'factory', 'force_majeure'])[1 + mod(id, 3)], '', committed_on - 10,
        CASE WHEN mod(id, 4) > 0 THEN committed_on - 8 END
    FROM production_orderline WHERE mod(id, 33) = 5 AND committed_on IS NOT NULL ORDER BY id""",
    """INSERT INTO production_cancellation (line_id, quantity, cancelled_on, by, reason)
    SELECT id, CASE WHEN mod(id / 50, 4) = 0 THEN quantity ELSE ceil(quantity / 3) END, committed_on - 12 + mod(id / 50, 24)::int,
        CASE WHEN mod(id / 50, 5) = 0 THEN 'factory' ELSE 'buyer' END, ''
    FROM production_orderline WHERE mod(id, 50) = 8 AND committed_on IS NOT NULL ORDER BY id""",
    "UPDATE production_orderline SET closed_short_on = committed_on + 30 WHERE mod(id, 100) = 41 AND committed_on + 30 <= %(today)s",
    # Every tenth order gets the two materials of its first product.
    """INSERT INTO production_ordermaterial (factory_id, order_id, material_id, currency, loss_base)
    SELECT l.factory_id, l.order_id, b.material_id, o.currency, ''
    FROM production_orderline l JOIN production_billline b ON b.bill_id = l.bill_id
    JOIN production_purchaseorder o ON o.id = l.order_id
    WHERE l.number = '1' ORDER BY l.order_id, b.material_id""",
    """INSERT INTO production_materialmovement (factory_id, order_material_id, kind, moved_on, quantity_entered, unit_entered,
        factor_numerator, factor_denominator, unit_cost, salvage_unit, document)
    SELECT m.factory_id, m.id, k.kind, o.confirmed_on + k.days, ceil(n.units * k.share), 'yd', 9144, 10000,
        CASE WHEN k.kind = 'issue' THEN 2.75 + mod(m.id, 3) END, CASE WHEN k.kind = 'scrap' THEN 0.4 ELSE 0 END, ''
    FROM production_ordermaterial m
    JOIN production_purchaseorder o ON o.id = m.order_id
    JOIN (
        SELECT m.id, sum(l.quantity * b.quantity_per_unit) * (0.99 + 0.08 * random()) AS units
        FROM production_ordermaterial m JOIN production_orderline l ON l.order_id = m.order_id
        JOIN production_billline b ON b.bill_id = l.bill_id AND b.material_id = m.material_id
        GROUP BY m.id
    ) AS n ON n.id = m.id
    CROSS JOIN (VALUES ('issue', 5, 0.8), ('issue', 20, 0.35), ('return', 80, 0.03), ('scrap', 90, 0.01)) AS k (kind, days, share)
    WHERE o.confirmed_on + k.days <= %(today)s
    ORDER BY o.confirmed_on, m.id""",
]

BUILT = [
    "factories_category", "factories_workingcalendar", "factories_factory", "production_site", "production_product",
    "production_material", "production_billofmaterials", "production_purchaseorder", "production_orderline", "production_lot",
]  # fmt: skip


def build(size: Size) -> None:
    """Fills an empty database; marks and history stay empty, outcomes and sums too."""
    values = {
        "lines": size.lines, "factories": size.factories, "first_day": size.first_day, "today": size.today,
        "days": (size.today - size.first_day).days, "categories": CATEGORIES, "products": PRODUCTS, "materials": MATERIALS,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # random() in one fixed order
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SELECT setseed(0.25)")
        for step in STEPS:
            cursor.execute(step, values)
        for table in BUILT:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather TO DEFAULT")
        cursor.execute("SET LOCAL work_mem TO DEFAULT")
        cursor.execute("ANALYZE")


def is_empty() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT 1 FROM factories_factory)")
        return bool(cursor.fetchone()[0])


def counts() -> dict[str, int]:
    """How many rows of each kind there are."""
    tables = [
        "orderline",
        "delivery",
        "lot",
        "inspection",
        "daterevision",
        "cancellation",
        "materialmovement",
        "factoryday",
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"(SELECT count(*) FROM production_{table})" for table in tables))
        return dict(zip(tables, cursor.fetchone(), strict=True))
