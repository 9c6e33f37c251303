"""`./dev bench` measures what keeping the sums up costs, side by side in one run; `docs/speed.md` explains the tables.

It fills the database that DATABASE_URL names, which must be empty, and leaves it filled. `./dev bench` gives it a server of
its own with the durability of production and deletes that afterwards.
"""

import argparse
import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402

from bench import figures, growth, pages, plans, tables, workers, world  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="order lines (default 1,000,000)")
    parser.add_argument("--factories", type=int, default=500, help="factories (default 500)")
    parser.add_argument("--years", type=int, default=3, help="years of history (default 3)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds; every round measures everything once (default 3)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--pages", action="store_true", help="only the pages, against a bare page")
    kind.add_argument(
        "--plans", action="store_true", help="pages that follow plans; with --lines 200000 in some minutes"
    )
    kind.add_argument("--workers", action="store_true", help="one change set worked off by one and by two workers")
    kind.add_argument(
        "--compare", nargs="+", metavar="SIZE", help="sellers of several sizes in turns: 1M, 15y (5M lines), 200k/5y"
    )
    parser.add_argument(
        "--again", action="store_true", help="on what an earlier run of the same size left in this database"
    )
    parser.add_argument("--only", nargs="+", choices=figures.PARTS, default=figures.PARTS, help="some of the figures")
    parser.add_argument("--changes", type=int, default=20_000, help="changed deliveries for --workers (default 20,000)")
    options = parser.parse_args()
    if not world.is_empty() and not options.again:
        sys.exit("bench: this database has factories in it; name an empty one in DATABASE_URL, or use ./dev bench.")
    size = world.Size(options.lines, options.factories, options.years)
    if options.compare:
        finish(
            "compare", growth.measure(options.compare, options.factories, options.repeats, options.again), growth.table
        )
    elif options.workers:
        measured = workers.measure(size, options.changes, options.repeats, options.again)
        finish("workers", measured, workers.table)
    elif options.plans:
        plans.build(size)
        finish("plans", plans.measure(size), plans.table)
    elif options.pages:
        if not options.again:
            figures.build_judged(size)
        finish("pages", pages.measure(size.today, options.repeats), pages.table)
    else:
        measured = figures.measure(
            size, options.repeats, lambda so_far: save("sums", so_far), options.again, options.only
        )
        finish("sums", measured, tables.table)
        if any(measured["differences"].values()):
            sys.exit("bench: some results differ from the reference.")


def save(name: str, measured: dict[str, Any]) -> str:
    """Writes what was measured as JSON; the path."""
    path = settings.BASE_DIR / "var" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=2) + "\n")
    return str(path)


def finish(name: str, measured: dict[str, Any], table: Any) -> None:
    path = save(name, measured)
    print(f"\n{table(measured)}\n\nWritten to {path}")


main()
