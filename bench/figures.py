"""What is measured, and the table of it. Every round measures each figure once, so that all of them share the same noise."""

import datetime
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from assessments import evaluations, jobs
from bench import reference, world
from production import rollups

MONTHS = 36
SINGLE_CHANGES = 15  # changes of one delivery in a round
SHARE_SCATTERED = 1000  # one delivery of so many
BULK_ROWS, BULK_BATCH = 100_000, 5_000
TRIGGERS = {
    "plain insert": [],
    "insert with marks": ["pgtrigger_mark_"],
    "insert with marks and history": ["pgtrigger_mark_", "pgtrigger_insert_insert_"],
    "insert with every trigger": ["pgtrigger_"],
}


def run(sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


class Times:
    """Seconds of every figure, one or more in each round, and the processor seconds of the database server."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, list[float]]] = []
        self.processor: list[dict[str, float]] = []
        self.server = int(run("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")[0][0])

    def next_round(self) -> None:
        self.rounds.append({})
        self.processor.append({})

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        gc.collect()
        used, begun = processor_seconds(self.server), time.perf_counter()
        result = work()
        self.add(name, time.perf_counter() - begun)
        self.add_processor(name, processor_seconds(self.server) - used)
        return result

    def add_processor(self, name: str, used: float) -> None:
        self.processor[-1][name] = self.processor[-1].get(name, 0) + used

    def add(self, name: str, took: float) -> None:
        self.rounds[-1].setdefault(name, []).append(took)
        if took > 2:
            print(f"  {name}: {took:.1f} s", flush=True)


def processor_seconds(server: int) -> float:
    """What the server and all its processes, those that have ended too, have used; 0 if it is not on this machine."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            process, fields = int(path.parent.name), path.read_text().rpartition(")")[2].split()
            own, of_ended = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
            ticks += own + of_ended if process == server else own if int(fields[1]) == server else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(size: world.Size, repeats: int) -> dict[str, Any]:
    """Builds the world and takes every figure `repeats` times."""
    times = Times()
    print(f"Building {size.factories} factories with {size.lines:,} order lines over {size.years} years", flush=True)
    world.build(size)
    reference.create()
    statements = 0
    # Once untimed: caches, and the statistics of the tables that this fills.
    rollups.rebuild_all()
    run("VACUUM (ANALYZE)")
    run("CHECKPOINT")
    for number in range(1, repeats + 1):
        print(f"Round {number} of {repeats}", flush=True)
        times.next_round()
        pair = [("reference", reference.fill), ("rebuild of all sums", rollups.rebuild_all)]
        for name, work in pair if number % 2 else reversed(pair):
            times.time(name, work)
        if number == 1:
            differences = reference.differences()
            counts = world.counts()
        run("ANALYZE")
        measure_evaluations(times, size)
        statements = max(statements, measure_single_changes(times, size))
        measure_scattered_changes(times)
        measure_bulk_inserts(times, size)
    return {
        "size": {"lines": size.lines, "factories": size.factories, "years": size.years, "repeats": repeats},
        "server": run("SHOW server_version")[0][0],
        "rows": counts,
        "differences": differences,
        "statements": statements,
        "rounds": times.rounds,
        "processor": times.processor,
    }


def month_ends(today: datetime.date) -> list[datetime.date]:
    """The last days of the latest closed months, oldest first."""
    ends = [today.replace(day=1) - datetime.timedelta(days=1)]
    while len(ends) < MONTHS:
        ends.insert(0, ends[0].replace(day=1) - datetime.timedelta(days=1))
    return ends


def measure_evaluations(times: Times, size: world.Size) -> None:
    """All months and one night of every factory, each time with nothing judged before."""
    run("TRUNCATE assessments_evaluation CASCADE")
    times.time("evaluation of 36 months", lambda: [evaluations.evaluate_month(end) for end in month_ends(size.today)])
    yesterday = size.today - datetime.timedelta(days=1)
    times.time("nightly evaluation", lambda: evaluations.evaluate_night(yesterday))
    run("ANALYZE assessments_evaluation")


def measure_single_changes(times: Times, size: world.Size) -> int:
    """One delivery gets another quantity and another day; the greatest number of statements for the sums."""
    now = datetime.datetime.combine(size.today, datetime.time(12), datetime.UTC)
    jobs.assess(now)
    statements = 0
    for name, since in (("recent", size.today - datetime.timedelta(days=30)), ("any", size.first_day)):
        for number, change in enumerate(some_changes(SINGLE_CHANGES, since)):
            # The yardstick is the same UPDATE on a database that keeps nothing up.
            with user_triggers("production_delivery", []):
                times.time("plain update", lambda change=change: apply(change))
            times.time("update with marks and history", lambda change=change: apply(change))
            if number % 2:
                with counted() as count:
                    times.time("one change, sums", rollups.rebuild)
                statements = max(statements, count[0])
                jobs.assess(now)
            else:
                times.time(f"one change ({name}), everything", lambda: jobs.assess(now))
    return statements


def measure_scattered_changes(times: Times) -> None:
    count = run("SELECT count(*) FROM production_delivery")[0][0] // SHARE_SCATTERED
    with transaction.atomic():
        for change in some_changes(count, datetime.date(2000, 1, 1)):
            apply(change)
    times.time("0.1 % scattered, sums", rollups.rebuild)


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


def measure_bulk_inserts(times: Times, size: world.Size) -> None:
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


def table(measured: dict[str, Any]) -> str:
    """The figures as a Markdown table: medians of the rounds, and medians of the ratios within each round."""
    rounds = [{name: statistics.median(found) for name, found in one.items()} for one in measured["rounds"]]
    for one in rounds:
        one["full recompute"] = one["rebuild of all sums"] + one["evaluation of 36 months"]
    size, rows = measured["size"], measured["rows"]
    lines = [
        f"{size['lines']:,} order lines, {rows['delivery']:,} deliveries, {size['factories']} factories, {size['years']} years, "
        f"{rows['factoryday']:,} rows of daily sums; medians of {size['repeats']} rounds; PostgreSQL {measured['server']}",
        "",
        "| figure | time | ratio |",
        "|---|---:|---|",
    ]

    def times(name: str, base: str) -> str:
        ratio = statistics.median(one[name] / one[base] for one in rounds)
        # Too short to tell, or mostly work of ours outside the server.
        if not all(one.get(base, 0) > 0.2 for one in measured["processor"]) or name in (
            "evaluation of 36 months",
            "full recompute",
        ):
            return f"{ratio:.2f}x {base}"
        used = statistics.median(one[name] / one[base] for one in measured["processor"])
        return f"{ratio:.2f}x {base} ({used:.2f}x the processor time)"

    def cheaper(name: str, base: str) -> str:
        return f"1/{statistics.median(one[base] / one[name] for one in rounds):,.0f} of the {base}"

    def row(name: str, *ratios: str) -> None:
        seconds = statistics.median(one[name] for one in rounds)
        shown = f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
        lines.append(f"| {name} | {shown} | {'; '.join(ratios)} |")

    row("reference")
    for name in ("rebuild of all sums", "evaluation of 36 months", "full recompute"):
        row(name, times(name, "reference"))
    row("nightly evaluation", cheaper("nightly evaluation", "full recompute"))
    row("0.1 % scattered, sums", times("0.1 % scattered, sums", "rebuild of all sums"))
    row("plain update")
    row("update with marks and history", times("update with marks and history", "plain update"))
    row(
        "one change, sums",
        times("one change, sums", "plain update"),
        cheaper("one change, sums", "rebuild of all sums"),
        f"{measured['statements']} statements",
    )
    for name in ("one change (recent), everything", "one change (any), everything"):
        row(name, times(name, "plain update"), cheaper(name, "full recompute"))
    row("plain insert")
    for name in list(TRIGGERS)[1:]:
        row(name, times(name, "plain insert"))
    return "\n".join(lines)
