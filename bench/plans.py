"""What the pages that follow milestone plans take, with few and with many open orders that have one."""

import datetime
import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from assessments.views import home
from bench import figures, pages, world
from production import late_risk, plan_outcomes, rollups

OPEN = (2_000, 20_000)
TIMES = 7

# Every second order becomes an open one: due from ten days ago to fifty days ahead, and nothing of it has come.
OPENED = [
    "CREATE TABLE bench_opened AS SELECT id, row_number() OVER (ORDER BY id) AS place, "
    "%(today)s::date - 10 + mod(id * 7, 60)::int AS due FROM production_purchaseorder WHERE mod(id, 2) = 0 "
    "ORDER BY id LIMIT %(open)s",
    *(
        f"DELETE FROM {table} WHERE {column} IN (SELECT l.id FROM production_orderline l JOIN bench_opened b ON b.id = l.order_id)"
        for table, column in (("production_delivery", "line_id"), ("production_cancellation", "line_id"),
                              ("production_daterevision", "line_id"))
    ),
    "DELETE FROM production_inspection WHERE lot_id IN (SELECT t.id FROM production_lot t JOIN production_orderline l "
    "ON l.id = t.line_id JOIN bench_opened b ON b.id = l.order_id)",
    "DELETE FROM production_lot WHERE line_id IN (SELECT l.id FROM production_orderline l JOIN bench_opened b ON b.id = l.order_id)",
    "UPDATE production_purchaseorder o SET closed_on = NULL, ordered_on = b.due - 73, confirmed_on = b.due - 70 "
    "FROM bench_opened b WHERE b.id = o.id",
    "UPDATE production_orderline l SET closed_short_on = NULL, requested_on = b.due, committed_on = b.due, terms_frozen_on = b.due - 70 "
    "FROM bench_opened b WHERE b.id = l.order_id",
]  # fmt: skip
# Eight milestones: code, what it waits for, how many days before the end.
STEPS = [
    ("confirmed", "{}", 65), ("materials_ordered", "{confirmed}", 60), ("materials", "{materials_ordered}", 40),
    ("sample", "{confirmed}", 42), ("started", "{materials,sample}", 38), ("finished", "{started}", 22),
    ("shipped", "{finished}", 18), ("received", "{shipped}", 0),
]  # fmt: skip
# A quarter of the plans runs up to a week late; what is over was reached and recorded that day, the end by the deliveries.
PLANNED = """
INSERT INTO production_milestone (factory_id, order_id, position, code, title, predecessors, responsible, planned_on, frozen_at,
    actual_on, evidence, recorded_at)
SELECT o.factory_id, o.id, s.n, s.code, s.code, s.preds::varchar[], 'factory', p.due - s.days, (p.due - 70)::timestamptz, r.day,
    CASE WHEN r.day IS NULL THEN '' ELSE 'Report' END, r.day::timestamptz + INTERVAL '12 hours'
FROM ({orders}) AS p JOIN production_purchaseorder o ON o.id = p.id
CROSS JOIN unnest(%(codes)s::text[], %(preds)s::text[], %(days)s::int[]) WITH ORDINALITY AS s (code, preds, days, n)
CROSS JOIN LATERAL (SELECT p.due - s.days + CASE WHEN mod(o.id / 2, 4) = 0 AND s.n > 3 THEN 1 + mod(o.id, 7)::int ELSE 0 END AS day) AS a
LEFT JOIN LATERAL (SELECT a.day WHERE a.day < %(today)s AND s.code <> 'received') AS r ON TRUE
"""
PAST = (
    "SELECT order_id AS id, max(committed_on) AS due FROM production_orderline WHERE mod(order_id, 2) = 1 "
    "GROUP BY order_id HAVING max(committed_on) IS NOT NULL"
)
SOME = "SELECT id, due FROM bench_opened WHERE place BETWEEN %(first)s AND %(last)s"
SAID = """
INSERT INTO production_milestoneforecast (factory_id, milestone_id, forecast_on, reason, stated_at)
SELECT m.factory_id, m.id, m.planned_on + 5, 'No space', %(today)s::timestamptz - INTERVAL '1 day'
FROM production_milestone m JOIN bench_opened b ON b.id = m.order_id
WHERE m.code = 'shipped' AND m.actual_on IS NULL AND mod(b.id / 2, 7) = 0 AND b.place BETWEEN %(first)s AND %(last)s
"""


def build(size: world.Size) -> None:
    """The seller with so many open orders, judged for a month and a night; all that is past has a plan."""
    print(f"Building {size.factories} factories with {size.lines:,} order lines", flush=True)
    world.build(size)
    values = {"today": size.today, "open": max(OPEN)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for step in OPENED:
            cursor.execute(step, values)
    plan(PAST, size.today)
    print("Working out all sums", flush=True)
    rollups.rebuild_all()
    figures.judge(size, months=1)


def plan(orders: str, today: datetime.date, **values: int) -> None:
    codes, preds, days = (list(column) for column in zip(*STEPS, strict=True))
    figures.run(PLANNED.format(orders=orders), {"codes": codes, "preds": preds, "days": days, "today": today, **values})


def plan_open(first: int, last: int, today: datetime.date) -> None:
    """Plans for those of the open orders, with what was said about some of them."""
    plan(SOME, today, first=first, last=last)
    figures.run(SAID, {"today": today, "first": first, "last": last})
    plan_outcomes.rebuild()
    figures.run("VACUUM (ANALYZE)")


def asked(client: Client) -> dict[str, Callable[[], Any]]:
    """The pages: that of one order shows how many comparable orders were late."""
    number, factory = figures.run(
        "SELECT o.number, f.code FROM production_purchaseorder o JOIN factories_factory f ON f.id = o.factory_id "
        "JOIN bench_opened b ON b.id = o.id WHERE b.place BETWEEN 900 AND 1100 AND mod(o.id / 2, 4) = 0 "
        "ORDER BY b.due DESC, o.id LIMIT 1"
    )[0]
    manager = User.objects.get(email=pages.BENCH)
    return {
        "start page of a manager": lambda: client.get("/"),
        "its slipping orders alone": lambda: home.slipping(manager),
        "orders at risk": lambda: client.get("/orders/?state=at-risk"),
        "open orders": lambda: client.get("/orders/"),
        "one order": lambda: client.get(f"/orders/{factory}/{number}/"),
    }


def measure(size: world.Size) -> dict[str, Any]:
    """Milliseconds of each page with few and with many open plans: medians in one process, and their queries."""
    pages.collect_static()
    client, found, planned = pages.signed_in(), {}, 0
    for count in OPEN:
        plan_open(planned + 1, count, size.today)
        planned = count
        found[count] = _timed(client, size.today)
    return {"plans": found}


def _timed(client: Client, today: datetime.date) -> dict[str, dict[str, float]]:
    took: dict[str, dict[str, float]] = {}
    with pages.on(today):
        for name, ask in asked(client).items():
            late_risk.tests.values.clear()
            each = [_once(ask) for _ in range(TIMES)]
            with CaptureQueriesContext(connection) as captured:
                ask()
            took[name] = {
                "first ms": round(each[0] * 1000, 1),
                "ms": round(statistics.median(each[1:]) * 1000, 1),
                "queries": len(captured),
            }
    return took


def _once(ask: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    answer = ask()
    assert isinstance(answer, dict) or answer.status_code == 200, answer
    return time.perf_counter() - begun


def table(measured: dict[str, Any]) -> str:
    """A row for each page, a column for each number of open plans: the median, the first time, the queries."""
    counts = list(measured["plans"])
    lines = [
        "| page | " + " | ".join(f"{count:,} open plans" for count in counts) + " |",
        "|---|" + "---:|" * len(counts),
    ]
    for name in measured["plans"][counts[0]]:
        cells = []
        for count in counts:
            one = measured["plans"][count][name]
            cells.append(f"{one['ms']:.0f} ms, at first {one['first ms']:.0f} ms; {one['queries']:.0f} queries")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
