"""What grows with the volume and with the years: the same figures on sellers of different size, one server, in turns."""

import datetime
import os
import statistics
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from django.db import connection

from assessments import jobs
from bench import figures, pages, world

FIGURES = ["plain update", "one change, sums", "one change (recent), everything", "night"]


def parse(text: str, factories: int) -> world.Size:
    """`1M` is a million lines over three years; `15y` five million over fifteen; `200k/5y` says both."""
    lines, _, years = (
        text.rpartition("/") if "/" in text else (text, "", "3y") if not text.endswith("y") else ("5M", "", text)
    )
    number = float(lines[:-1]) * {"k": 1_000, "M": 1_000_000}[lines[-1]] if lines[-1] in "kM" else float(lines)
    return world.Size(int(number), factories, int(years.removesuffix("y")))


def use(name: str) -> None:
    """The connection of this process goes to that database of the server."""
    connection.close()
    connection.settings_dict["NAME"] = name


def next_night() -> datetime.datetime:
    """When the night after the last one judged is over."""
    last = figures.run("SELECT max(slot) FROM assessments_jobslot WHERE job = 'night'")[0][0]
    return figures.after_midnight(datetime.date.fromisoformat(last) + datetime.timedelta(days=2))


def measure(names: list[str], factories: int, repeats: int, again: bool = False) -> dict[str, Any]:
    """Builds one database for each size, or takes those that an earlier run built; then every figure of each in turn."""
    template = urlsplit(os.environ["DATABASE_URL"]).path.rpartition("/")[2]
    parameters = connection.get_connection_params()
    connection.close()
    sizes = {name: parse(name, factories) for name in names}
    databases = {name: f"bench_{number}" for number, name in enumerate(names)}
    for name in [] if again else names:
        admin = psycopg2.connect(**{**parameters, "dbname": "postgres"})
        admin.autocommit = True
        admin.cursor().execute(f"CREATE DATABASE {databases[name]} TEMPLATE {template}")
        admin.close()
        use(databases[name])
        figures.build_judged(sizes[name])
    times: dict[str, figures.Times] = {}
    asked: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(1, repeats + 1):
        for name in names if number % 2 else reversed(names):
            print(f"Round {number} of {repeats}: {name}", flush=True)
            use(databases[name])
            took = times.setdefault(name, figures.Times())
            took.next_round()
            figures.measure_single_changes(took, {}, sizes[name])
            night = next_night()
            took.time("night", lambda night=night: jobs.night(night))
            asked[name].append(pages.measure(sizes[name].today, 1))
    return {
        "sizes": {name: vars(size) | {"today": size.today.isoformat()} for name, size in sizes.items()},
        "rounds": {name: took.rounds for name, took in times.items()},
        "pages": asked,
    }


def table(measured: dict[str, Any]) -> str:
    """Each figure at each size, and its ratio to the first size."""
    names = list(measured["rounds"])
    rows: dict[str, dict[str, list[float]]] = {figure: {} for figure in FIGURES}
    for name in names:
        for figure in FIGURES:
            rows[figure][name] = [statistics.median(one[figure]) for one in measured["rounds"][name]]
        for one in measured["pages"][name]:
            for page, found in one["rounds"][0].items():
                rows.setdefault(f"{page}, seconds for one", {}).setdefault(name, []).append(1 / found)
    lines = ["| figure | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for figure, found in rows.items():
        first = found[names[0]]
        cells = [
            f"{statistics.median(found[name]) * 1000:.1f} ms, "
            f"{statistics.median(now / then for now, then in zip(found[name], first, strict=True)):.2f}x"
            for name in names
        ]
        lines.append(f"| {figure} | {' | '.join(cells)} |")
    queries = {name: measured["pages"][name][-1]["queries"] for name in names}
    lines += ["", *(f"* {name}: queries {found}" for name, found in queries.items())]
    return "\n".join(lines)
