"""What is measured, and the table of it. Every round measures each figure once, so that all of them share the same noise."""

import datetime
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from assessments import backtest, evaluations, jobs, window_sums
from assessments.models import Policy
from bench import duck, reference, world
from bench.times import Times, processor_seconds, run
from production import rollups

PARTS = ("full", "nights", "changes", "scattered", "bulk", "edits")
MONTHS = 36
BACK_TEST = "back-test of a draft (12 months)"
SINGLE_CHANGES = 20  # changes of one delivery in a round
SCATTERED = {"0.1 %": 1000, "1 %": 100, "5 %": 20, "20 %": 5, "50 %": 2}  # one delivery of so many
LOOPED = 10  # one factory of so many is measured in the loop over factories
BULK_ROWS, BULK_BATCH = 100_000, 5_000
TRIGGERS = {
    "plain insert": [],
    "insert with marks": ["pgtrigger_mark_"],
    "insert with marks and history": ["pgtrigger_mark_", "pgtrigger_insert_insert_"],
    "insert with every trigger": ["pgtrigger_"],
}


def measure(
    size: world.Size,
    repeats: int,
    save: Callable[[dict[str, Any]], None],
    again: bool = False,
    only: Collection[str] = PARTS,
) -> dict[str, Any]:
    """Builds the world and takes the figures `repeats` times; what is measured so far is saved after each round."""
    times, counts, differences = Times(), {}, {}
    if not again:
        build(size)
    reference.create()
    reference.create_months()
    measured = {
        "size": {"lines": size.lines, "factories": size.factories, "years": size.years, "repeats": repeats},
        "server": run("SHOW server_version")[0][0],
        "rows": world.counts(),
        "bytes": {},
        "differences": differences,
        "statements": counts,
        "rounds": times.rounds,
        "processor": times.processor,
    }
    print("Copying the facts to DuckDB" if "full" in only else "Without the full recompute", flush=True)
    with duck.opened() if "full" in only else nullcontext() as copy:
        for number in range(1, repeats + 1):
            print(f"Round {number} of {repeats}", flush=True)
            times.next_round()
            if "full" in only:
                measure_everything(times, counts, size, number, copy)
                if number == 1:
                    differences["sums"] = reference.differences()
                    differences["counts in DuckDB"] = duck.differences(copy)
                    times.add("loop over factories, sums", loop_over_factories())
                run("ANALYZE")
                measure_evaluations(times, counts, size)
                if number == 1:
                    differences["months"] = reference.different_months()
                    measured["bytes"] |= table_sizes()
            if "nights" in only:
                measure_nights(times, counts, size)
            if "changes" in only:
                measure_single_changes(times, counts, size)
            if "scattered" in only:
                measure_scattered_changes(times)
            if "bulk" in only:
                measure_bulk_inserts(times, size, measured["bytes"])
            save(measured)
    if "edits" in only:
        print("Comparing every sum after random edits, moves and deletes", flush=True)
        edit_at_random()
        rollups.rebuild()
        reference.fill()
        differences["sums after random edits, moves and deletes"] = reference.differences()
    return measured


def measure_everything(times: Times, counts: dict[str, int], size: world.Size, number: int, copy: Any) -> None:
    """The reference, the product and DuckDB; in every other round the product comes first."""
    works = [
        ("reference, sums", reference.fill),
        ("reference, months", lambda: reference.fill_months(size.today, MONTHS)),
        ("rebuild of all sums", rollups.rebuild_all),
        ("DuckDB, sums", lambda: duck.fill(copy)),
    ]
    for name, work in works if number % 2 else works[2:] + works[:2]:
        with counted() as count:
            times.time(name, work)
        counts[name] = count[0]


def build(size: world.Size) -> None:
    """The world with its sums; once untimed, for the caches and the statistics of the tables that this fills."""
    print(f"Building {size.factories} factories with {size.lines:,} order lines over {size.years} years", flush=True)
    world.build(size)
    print("Working out all sums", flush=True)
    rollups.rebuild_all()
    run("TRUNCATE production_tojudge")
    run("VACUUM (ANALYZE)")
    run("CHECKPOINT")


def build_judged(size: world.Size) -> None:
    """The world with its sums, 36 judged months, and one night."""
    build(size)
    judge(size)


def judge(size: world.Size, months: int = MONTHS) -> None:
    """So many months, the latest last, and one night."""
    print(f"Judging {months} months", flush=True)
    evaluations.evaluate_months(month_ends(size.today)[-months:])
    run("TRUNCATE production_tojudge")
    jobs.night(after_midnight(size.today) - datetime.timedelta(days=1))
    run("VACUUM (ANALYZE)")
    run("CHECKPOINT")


def after_midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(1), datetime.UTC)


def loop_over_factories() -> float:
    """Seconds to work out the sums factory by factory, from a tenth of the factories by their number of lines."""
    factories = run("SELECT factory_id, count(*) FROM production_orderline GROUP BY factory_id ORDER BY 2, 1")
    chosen = factories[LOOPED // 2 :: LOOPED] or factories
    begun = time.perf_counter()
    for factory, _ in chosen:
        with window_sums.as_known_on(rollups.NEVER, [factory]):
            pass
    return (time.perf_counter() - begun) * sum(row[1] for row in factories) / sum(row[1] for row in chosen)


def table_sizes() -> dict[str, dict[str, int]]:
    """Rows, and bytes with indexes and long values, of the larger tables."""
    run("ANALYZE")
    sizes = run(
        "SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
        "AND relname ~ '^(production|assessments|notifications)_' AND reltuples > 1000 ORDER BY 3 DESC"
    )
    return {name: {"rows": rows, "bytes": taken} for name, rows, taken in sizes}


def month_ends(today: datetime.date) -> list[datetime.date]:
    """The last days of the latest closed months, oldest first."""
    ends = [today.replace(day=1) - datetime.timedelta(days=1)]
    while len(ends) < MONTHS:
        ends.insert(0, ends[0].replace(day=1) - datetime.timedelta(days=1))
    return ends


def measure_evaluations(times: Times, counts: dict[str, int], size: world.Size) -> None:
    """All months of every factory, with nothing judged before; then a draft tried on the last twelve."""
    run("TRUNCATE assessments_evaluation, assessments_jobslot CASCADE")
    with counted() as count:
        times.time("evaluation of 36 months", lambda: evaluations.evaluate_months(month_ends(size.today)))
    counts["evaluation of 36 months"] = count[0]
    draft = Policy(effective_from=size.today, defect_limit=Decimal("0.02"), otif_floor=Decimal("0.85"))
    with counted() as count:
        times.time(BACK_TEST, lambda: backtest.compare(draft, size.today - datetime.timedelta(days=1)))
    counts[BACK_TEST] = count[0]
    run("TRUNCATE production_tojudge")
    run("ANALYZE assessments_evaluation")


def measure_nights(times: Times, counts: dict[str, int], size: world.Size) -> None:
    """Two nights, one after the other: every window moves by a day. Then one with nothing to do."""
    now = after_midnight(size.today)
    jobs.night(now - datetime.timedelta(days=1))  # opens what was broken before
    called: list[int] = []
    with counted() as count:
        times.time("night", lambda: jobs.night(now, called.append))
    counts["night"], counts["night, messages"] = count[0], 1 + sum(called)
    with counted() as count:
        times.time("night, nothing new", lambda: jobs.night(now))
    counts["night, nothing new"] = count[0]


def measure_single_changes(times: Times, counts: dict[str, int], size: world.Size) -> None:
    """One delivery gets another quantity and another day; then the same UPDATE on a database that keeps nothing up."""
    now = datetime.datetime.combine(size.today, datetime.time(12), datetime.UTC)
    for name, since in (("recent", size.today - datetime.timedelta(days=30)), ("any", size.first_day)):
        first, *changes = some_changes(SINGLE_CHANGES + 1, since)
        apply(first)  # the worker has worked before: what its connection keeps is there
        jobs.assess(now)
        stored = []
        for number, change in enumerate(changes):
            times.time("update with marks and history", lambda change=change: apply(change))
            if number % 2:
                with counted() as count:
                    times.time("one change, sums", rollups.rebuild)
                counts["one change, sums"] = max(counts.get("one change, sums", 0), count[0])
                jobs.assess(now)
            else:
                newest = newest_evaluation()
                times.time(f"one change ({name}), everything", lambda: jobs.assess(now))
                stored.append(run("SELECT count(*) FROM assessments_evaluation WHERE id > %s", [newest])[0][0])
        rows = counts[f"stored ({name})"] = int(statistics.median(stored))
        with user_triggers("production_delivery", []):
            for change in changes:
                times.time("plain update", lambda change=change: apply(change))
                times.time(
                    f"plain update, as much stored ({name})",
                    lambda change=change, rows=rows: apply_and_store(change, rows),
                )
        run(
            "INSERT INTO production_touched (kind, subject_id) SELECT 'line', line_id FROM production_delivery WHERE id = ANY(%s)",
            [[delivery for _, delivery in changes]],
        )
        rollups.rebuild()  # what these updates kept quiet about
        run("TRUNCATE production_tojudge")


def newest_evaluation() -> int:
    return int(run("SELECT COALESCE(max(id), 0) FROM assessments_evaluation")[0][0])


def apply_and_store(change: tuple[int, int], rows: int) -> None:
    """The same, and in the same transaction so many rows like those that judging stores."""
    with transaction.atomic():
        apply(change)
        run(
            f"INSERT INTO assessments_evaluation ({COPIED}, revision) SELECT {COPIED}, 100000 + (random() * 1000000000)::int "
            "FROM (SELECT * FROM assessments_evaluation ORDER BY id DESC LIMIT %s) AS e",
            [rows],
        )


COPIED = (
    "factory_id, category_id, kind, as_of, policy_id, window_days, is_extended, sums, measures, gates, flags, score, "
    "ungated_grade, raw_grade, published_grade, is_carried, evidence_on, digest, code_version"
)


def measure_scattered_changes(times: Times) -> None:
    """So many deliveries all over the factories and years; only their marks are of interest, so history is left out."""
    for name, one_in in SCATTERED.items():
        with user_triggers("production_delivery", ["pgtrigger_mark_"]):
            run(
                "UPDATE production_delivery d SET quantity = quantity + 1, received_on = received_on - 1, known_on = known_on - 1 "
                "WHERE kind = 'receipt' AND mod(id * 7919, %s) = %s "
                "AND NOT EXISTS (SELECT 1 FROM production_delivery r WHERE r.reverses_id = d.id)",
                [one_in, int(time.time()) % one_in],
            )
        times.time(f"{name} scattered, sums", rollups.rebuild)
        run("TRUNCATE production_tojudge")


def edit_at_random() -> None:
    """Deliveries and inspections edited, moved to other lines and deleted, with all triggers of ours."""
    for sql in (
        "UPDATE production_inspection SET units_major = LEAST(units_inspected - units_critical, units_major + 2) "
        "WHERE mod(id, 97) = 5",
        "DELETE FROM production_delivery d WHERE mod(id, 211) = 9 AND lot_id IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM production_delivery r WHERE r.reverses_id = d.id)",
        "UPDATE production_delivery d SET line_id = l.id FROM production_orderline m, production_orderline l "
        "WHERE m.id = d.line_id AND l.order_id = m.order_id AND l.id = m.id + 1 AND mod(d.id, 307) = 11 AND d.lot_id IS NULL "
        "AND d.kind = 'receipt' AND NOT EXISTS (SELECT 1 FROM production_delivery r WHERE r.reverses_id = d.id)",
        "UPDATE production_orderline SET closed_short_on = committed_on + 20 WHERE mod(id, 401) = 3 AND committed_on IS NOT NULL",
        "UPDATE production_purchaseorder SET closed_on = closed_on - 3 WHERE mod(id, 203) = 7 AND closed_on IS NOT NULL",
        "DELETE FROM production_materialmovement WHERE mod(id, 503) = 1 AND kind = 'return'",
    ):
        run(sql)


def some_changes(count: int, since: datetime.date) -> list[tuple[int, int]]:
    """(quantity to add, delivery) of that many random receipts since a day."""
    found = run(
        "SELECT 1 + mod(id, 9), id FROM production_delivery d WHERE kind = 'receipt' AND received_on >= %s "
        "AND NOT EXISTS (SELECT 1 FROM production_delivery r WHERE r.reverses_id = d.id) ORDER BY random() LIMIT %s",
        [since, count],
    )
    return [(quantity, delivery) for quantity, delivery in found]


def apply(change: tuple[int, int]) -> None:
    """The quantity and the day of one receipt."""
    run(
        "UPDATE production_delivery SET quantity = quantity + %s, received_on = received_on - 1, known_on = known_on - 1 "
        "WHERE id = %s",
        change,
    )


def measure_bulk_inserts(times: Times, size: world.Size, sizes: dict[str, dict[str, int]]) -> None:
    """New receipts of random lines in batches, each batch committed; removed again untimed."""
    run("DROP TABLE IF EXISTS bench_new")
    run(
        "CREATE TEMPORARY TABLE bench_new AS SELECT row_number() OVER () AS n, l.factory_id, l.id AS line_id, l.site_id "
        "FROM (SELECT * FROM production_orderline ORDER BY random() LIMIT %s) AS l",
        [BULK_ROWS],
    )
    rows = run("SELECT count(*) FROM bench_new")[0][0]
    last = run("SELECT max(id) FROM production_delivery")[0][0]

    def insert(first: int) -> None:
        run(
            "INSERT INTO production_delivery (factory_id, line_id, site_id, kind, quantity, received_on, known_on, condition, "
            "reason, document, note, is_over, recorded_at) SELECT factory_id, line_id, site_id, 'receipt', 10, %s, %s, 'fine', "
            "'', 'DN', '', FALSE, now() FROM bench_new WHERE n BETWEEN %s AND %s",
            [size.today, size.today, first, first + BULK_BATCH - 1],
        )

    seconds = dict.fromkeys(TRIGGERS, 0.0)
    for batch, first in enumerate(range(1, rows + 1, BULK_BATCH)):
        # Batch by batch in turn, each time another one first: a checkpoint or a busy neighbour meets all of them.
        names = list(TRIGGERS)
        for name in names[batch % len(names) :] + names[: batch % len(names)]:
            with user_triggers("production_delivery", TRIGGERS[name]):
                used, begun = processor_seconds(times.server), time.perf_counter()
                insert(first)
                seconds[name] += time.perf_counter() - begun
                times.add_processor(name, processor_seconds(times.server) - used)
    for name, took in seconds.items():
        times.add(name, took)
    history = table_sizes().get("production_deliveryevent")
    if history:
        sizes["production_deliveryevent"] = history
    with user_triggers("production_delivery", []):
        run("DELETE FROM production_delivery WHERE id > %s", [last])
    run("TRUNCATE production_touched, production_deliveryevent")
    run("VACUUM (ANALYZE) production_delivery")


@contextmanager
def user_triggers(table: str, prefixes: list[str]) -> Iterator[None]:
    """Only the triggers whose names begin so work, besides the foreign keys."""
    names = [
        row[0]
        for row in run("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table])
    ]
    run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for name in names:
        if any(name.startswith(prefix) for prefix in prefixes):
            run(f"ALTER TABLE {table} ENABLE TRIGGER {name}")
    try:
        yield
    finally:
        run(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@contextmanager
def counted() -> Iterator[list[int]]:
    """Counts the statements, without the ends of transactions."""
    count = [0]

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        count[0] += not sql.startswith(("SAVEPOINT", "RELEASE"))
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield count
