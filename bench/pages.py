"""How many pages a second gunicorn answers with two workers, against a bare Django page in the same round."""

import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from assessments.views import factories as list_view
from bench import figures, tables
from config import embedded
from production import drawn_pages, filters

SECONDS, CONNECTIONS, WORKERS = 5, 4, 2
BARE = "bare page"
BENCH = "bench@example.com"  # the manager who reads them


def addresses() -> dict[str, str]:
    """The pages: a list of 50 factories, the scorecards of 50 factories of middling size in turns, all deliveries."""
    middle = figures.run(
        "SELECT code FROM (SELECT f.code, count(*) AS n FROM factories_factory f JOIN production_orderline l "
        "ON l.factory_id = f.id GROUP BY f.code) AS sizes ORDER BY n, code "
        "OFFSET (SELECT GREATEST(count(*) / 2 - 25, 0) FROM factories_factory) LIMIT 50"
    )
    scorecards = ",".join(f"/factories/{code}/" for (code,) in middle)
    return {"factory list": "/factories/", "scorecard": scorecards, "list of deliveries": "/deliveries/"}


def signed_in() -> Client:
    user, _ = User.objects.get_or_create(email=BENCH, defaults={"role": User.Role.MANAGER})
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


@contextmanager
def on(today: datetime.date) -> Iterator[None]:
    """The clock of this process at noon of a day."""
    noon = datetime.datetime.combine(today, datetime.time(12), datetime.UTC)
    with mock.patch.object(timezone, "now", return_value=noon):
        yield


def queries(client: Client, today: datetime.date) -> dict[str, Any]:
    """Per page the number of queries with 50 and with 200 rows, and how many of them count rows of a whole table."""
    found: dict[str, Any] = {}
    with on(today):
        for name, paths in addresses().items():
            path, each = paths.split(",")[0], []
            for rows in (50, 200):
                with (
                    mock.patch.object(list_view, "PAGE", rows),
                    mock.patch.object(
                        filters.page_of, "__kwdefaults__", filters.page_of.__kwdefaults__ | {"size": rows}
                    ),
                ):
                    client.get(path)  # what is cached for a minute is cached
                    with CaptureQueriesContext(connection) as captured:
                        answer = client.get(path)
                assert answer.status_code == 200, f"{path} answers {answer.status_code}"
                each.append(len(captured))
                counting = [
                    q["sql"]
                    for q in captured.captured_queries
                    if "COUNT(*)" in q["sql"] and "production_delivery" in q["sql"]
                ]
            found[name] = {
                "with 50 rows": each[0],
                "with 200 rows": each[1],
                "counts over the deliveries": len(counting),
            }
    return found


@contextmanager
def served(today: datetime.date, database: str) -> Iterator[dict[str, Path]]:
    """Two gunicorns with two workers each: the product and the bare page; their sockets."""
    sockets, processes = {}, []
    with tempfile.TemporaryDirectory(prefix="plumbline-pages-") as place:
        env = os.environ | {"DATABASE_URL": database, "BENCH_TODAY": today.isoformat()}
        try:
            for name in ("product", "bare"):
                sockets[name] = Path(place) / f"{name}.sock"
                command = [sys.executable, "-m", "gunicorn", f"bench.site:{name}()", "--bind", f"unix:{sockets[name]}"]
                command += ["--workers", WORKERS, "--no-control-socket", "--log-level", "warning"]
                process = embedded.Process(name, command, Path(place) / f"{name}.log", env=env)
                process.ready = sockets[name].exists
                processes.append(process)
                process.start()
                process.wait_until_ready(60)
            yield sockets
        finally:
            for process in processes:
                process.stop()


def ask(sockets: dict[str, Path], name: str, path: str, cookie: str, seconds: float) -> float:
    """Answers a second."""
    place = sockets["bare" if name == BARE else "product"]
    command = [sys.executable, settings.BASE_DIR / "bench" / "load.py", place, path, cookie, seconds, CONNECTIONS]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return float(done.stdout.split()[0])


def database_url() -> str:
    """DATABASE_URL with the database that this process uses now."""
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{connection.settings_dict['NAME']}"


def collect_static() -> None:
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        check=True,
    )


def measure(today: datetime.date, repeats: int, seconds: float = SECONDS) -> dict[str, Any]:
    """Answers a second of every page, in turns; and their queries."""
    collect_static()
    client = signed_in()
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    paths = {BARE: "/", **addresses()}
    rounds: list[dict[str, float]] = []
    with served(today, database_url()) as sockets:
        for name, path in paths.items():  # templates compiled, connections open, every page seen by every process
            ask(sockets, name, path, cookie, 1 + path.count(",") / 5)
        for number in range(1, repeats + 1):
            print(f"Pages, round {number} of {repeats}", flush=True)
            rounds.append({name: ask(sockets, name, path, cookie, seconds) for name, path in paths.items()})
    return {"rounds": rounds, "queries": queries(client, today), "drawn": drawn(client, today)}


def drawn(client: Client, today: datetime.date) -> dict[str, float]:
    """Seconds to draw each page anew in this process, where none is kept: the median of some."""
    found = {}
    with on(today):
        for name, paths in addresses().items():
            took = []
            for path in (paths.split(",") * 10)[:20]:
                drawn_pages.pages.values.clear()
                begun = time.perf_counter()
                client.get(path)
                took.append(time.perf_counter() - begun)
            found[name] = statistics.median(took)
    return found


def table(measured: dict[str, Any]) -> str:
    shown = tables.Table([{name: [1 / found] for name, found in one.items()} for one in measured["rounds"]], [])
    lines = [
        "| page | answers a second | of the bare page's | queries with 50 and 200 rows | drawn anew by one process |",
        "|---|---:|---:|---|---:|",
    ]
    for name in shown.rounds[0]:
        counted = measured["queries"].get(name, {})
        asked = f"{counted['with 50 rows']} and {counted['with 200 rows']}" if counted else "none"
        if counted and name == "list of deliveries":
            asked += f"; {counted['counts over the deliveries']} count the table"
        anew = f"{measured['drawn'][name] * 1000:.0f} ms" if name in measured["drawn"] else ""
        lines.append(f"| {name} | {1 / shown.seconds(name):.1f} | {shown.ratio(BARE, name):.3f} | {asked} | {anew} |")
    return "\n".join(lines)
