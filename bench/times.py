"""Seconds of the wall clock and of the database server's processors, figure by figure and round by round."""

import gc
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection


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
