"""The same change set worked off by one and by two workers that share nothing but the two servers.

Each worker is a Celery process of its own with one child, in namespaces of its own for network, host name and shared memory,
as on a machine of its own; it reaches PostgreSQL and the broker through their sockets. Where namespaces are not permitted
the workers run side by side, and the result says so.
"""

import datetime
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from bench import figures, world
from config import embedded
from config.celery import app

TASK = "assessments.tasks.assess"
GIVE_UP = 3600  # seconds


def isolation() -> list[str]:
    """What goes in front of a worker's command so that it runs as on another machine; empty where that is not permitted."""
    for user in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *user, "--net", "--uts", "--ipc"]
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    return []


@contextmanager
def workers(count: int, today: datetime.date, log: Path) -> Iterator[None]:
    """So many running workers, each with one child process."""
    started = []
    env = os.environ | {"BENCH_TODAY": today.isoformat()}
    try:
        for number in range(1, count + 1):
            name = f"bench{number}"
            celery = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "config",
                "worker",
                "--concurrency",
                "1",
                "--without-gossip",
            ]
            celery += ["--without-mingle", "--hostname", f"{name}@{name}", "--loglevel", "INFO"]
            alone = isolation()
            command = [*alone, "sh", "-c", 'hostname "$0"; exec "$@"', name, *celery] if alone else celery
            path = log / f"{name}.log"
            path.unlink(missing_ok=True)
            process = embedded.Process(name, command, path, env=env, grace=20)
            process.ready = lambda path=path: path.exists() and " ready." in path.read_text()
            started.append(process)
            process.start()
        for process in started:
            process.wait_until_ready(120)
        yield
    finally:
        for process in started:
            process.stop()


def change(count: int) -> int:
    """One more piece in so many receipts, evenly over all factories and years."""
    every = max(1, figures.run("SELECT count(*) FROM production_delivery")[0][0] // count)
    figures.run(
        "UPDATE production_delivery d SET quantity = quantity + 1 WHERE kind = 'receipt' AND mod(id, %s) = 0 "
        "AND NOT EXISTS (SELECT 1 FROM production_delivery r WHERE r.reverses_id = d.id)",
        [every],
    )
    return figures.run("SELECT count(*) FROM production_touched WHERE kind = 'line'")[0][0]


def work_off() -> tuple[float, float]:
    """Rings once; seconds until the sums are worked out, and from then until every factory is judged."""
    begun = time.perf_counter()
    app.send_task(TASK)
    _wait("production_touched", begun)
    summed = time.perf_counter()
    _wait("production_tojudge", begun)
    return summed - begun, time.perf_counter() - summed


def _wait(table: str, begun: float) -> None:
    while figures.run(f"SELECT EXISTS (SELECT 1 FROM {table})")[0][0]:
        if time.perf_counter() - begun > GIVE_UP:
            raise RuntimeError(f"{table} is not worked off after {GIVE_UP} s; see the logs of the workers.")
        time.sleep(0.02)


def measure(size: world.Size, changes: int, repeats: int, again: bool = False) -> dict[str, Any]:
    """The change set worked off by one and by two workers, in turns."""
    if not again:
        figures.build_judged(size)
    log = settings.BASE_DIR / "var" / "log"
    log.mkdir(parents=True, exist_ok=True)
    rounds: list[dict[str, Any]] = []
    for number in range(1, repeats + 1):
        found: dict[str, Any] = {}
        for count in (1, 2) if number % 2 else (2, 1):
            with workers(count, size.today, log):
                found["lines"] = change(changes)
                before = figures.run("SELECT count(*) FROM assessments_evaluation")[0][0]
                sums, judging = work_off()
                stored = figures.run("SELECT count(*) FROM assessments_evaluation")[0][0] - before
            print(
                f"Round {number} of {repeats}, {count} at work: sums {sums:.1f} s, judging {judging:.1f} s, {stored} stored",
                flush=True,
            )
            found[str(count)] = {"sums": sums, "judging": judging, "stored": stored}
        rounds.append(found)
    return {
        "size": {
            "lines": size.lines,
            "factories": size.factories,
            "years": size.years,
            "changes": changes,
            "repeats": repeats,
        },
        "isolated": bool(isolation()),
        "processors": os.cpu_count(),
        "rounds": rounds,
    }


def table(measured: dict[str, Any]) -> str:
    """Seconds of one and of two workers, and the speed-up."""
    lines = ["| part | one worker | two workers | speed-up |", "|---|---:|---:|---:|"]
    parts = {"sums": ["sums"], "judging": ["judging"], "together": ["sums", "judging"]}
    for name, names in parts.items():
        one, two = ([sum(found[count][part] for part in names) for found in measured["rounds"]] for count in ("1", "2"))
        ratio = statistics.median(slow / fast for slow, fast in zip(one, two, strict=True))
        lines.append(f"| {name} | {statistics.median(one):.1f} s | {statistics.median(two):.1f} s | {ratio:.2f}x |")
    where = "with network, host name and shared memory of their own" if measured["isolated"] else "side by side"
    last = measured["rounds"][-1]
    lines += [
        "",
        f"{last['lines']:,} lines touched, {last['2']['stored']:,} evaluations stored, {measured['processors']} processors",
    ]
    lines += [f"The workers ran {where}."]
    return "\n".join(lines)
