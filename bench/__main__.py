"""`./dev bench` measures what keeping the sums up costs, side by side in one run; `docs/speed.md` explains the table.

It fills the database that DATABASE_URL names, which must be empty, and leaves it filled. `./dev bench` gives it a server of
its own with the durability of production and deletes that afterwards.
"""

import argparse
import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402

from bench import figures, world  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="order lines (default 1,000,000)")
    parser.add_argument("--factories", type=int, default=500, help="factories (default 500)")
    parser.add_argument("--years", type=int, default=3, help="years of history (default 3)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds; every round measures everything once (default 3)"
    )
    options = parser.parse_args()
    if not world.is_empty():
        sys.exit("bench: this database has factories in it; name an empty one in DATABASE_URL, or use ./dev bench.")
    size = world.Size(options.lines, options.factories, options.years)
    measured = figures.measure(size, options.repeats)
    print()
    print(figures.table(measured))
    path = settings.BASE_DIR / "var" / "bench" / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=2) + "\n")
    print(f"\nWritten to {path}")
    if measured["differences"]:
        sys.exit(f"bench: {measured['differences']} sums differ from the reference.")


main()
