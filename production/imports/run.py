"""One import from the file to the database: open, read, plan, write."""

import getpass
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pghistory
from django.db import DatabaseError, connection, transaction

from production.imports.mapping import Mapping
from production.imports.orders import Plan
from production.imports.problems import ImportProblem, Problems
from production.imports.references import resolve
from production.imports.rows import Row, RowReader
from production.imports.tabular import Table, kind_of, open_csv
from production.imports.workbooks import open_workbook
from production.imports.writing import Progress, write

LOCK = 0x696D706F72  # "impor": two imports never look for the same order at once
REPORTED_EVERY = 10_000


@dataclass
class Result:
    """What an import did, or with `dry_run` would have done; all counts 0 where it was refused."""

    file: str
    mapping: str
    dry_run: bool
    rows: int = 0
    skipped_rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    unused: list[str] = field(default_factory=list)
    detail: str = ""
    is_applied: bool = False


COUNTS = (
    "orders_created",
    "lines_created",
    "deliveries_created",
    "factories_created",
    "products_created",
    "sites_created",
    "categories_created",
    "orders_updated",
    "lines_updated",
    "deliveries_updated",
    "unchanged",
)


def open_table(path: Path, mapping: Mapping, sheet: str | None, problems: Problems) -> Table:
    """The file as a table, after every limit has been checked."""
    kind = kind_of(path)
    if kind == "xlsx":
        return open_workbook(path, sheet, mapping.header_row, problems)
    if sheet is not None:
        raise ImportProblem("A text file has no sheets; leave --sheet out.")
    return open_csv(path, mapping.encodings, mapping.delimiter, mapping.header_row, mapping.headers, problems)


def account() -> str:
    """The operating system's name of who runs this; empty where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return ""


def import_file(
    path: Path,
    mapping: Mapping,
    *,
    today: date,
    dry_run: bool = False,
    skip_bad: bool = False,
    update: bool = False,
    sheet: str | None = None,
    progress: Progress = lambda text: None,
) -> Result:
    """Imports a file. Refused rows refuse everything unless `skip_bad`; `today` is the business day of the import.

    Never raises for what is in the file: a file that cannot be read at all comes back as one problem without a row.
    """
    # A file's name may hold bytes that are no text.
    name = path.name.encode(errors="backslashreplace").decode()
    result = Result(name, mapping.name, dry_run, counts=dict.fromkeys(COUNTS, 0))
    problems = result.problems
    try:
        table = open_table(path, mapping, sheet, problems)
        result.detail = table.detail
        reader = RowReader(table, mapping, problems, today)
        result.unused = reader.unused
        rows = []
        for row in reader.read():
            rows.append(row)
            if reader.rows % REPORTED_EVERY == 0:
                progress(f"{reader.rows:,} rows read")
        result.rows, result.skipped_rows = reader.rows, reader.skipped
        if not result.rows:
            raise ImportProblem("The file has no rows below its header.")
        told = {"command": "import_orders", "file": name, "mapping": mapping.name, "account": account()}
        with pghistory.context(**told), transaction.atomic():
            _apply(rows, mapping, reader.headers, result, today, skip_bad, update, progress)
            if dry_run:
                transaction.set_rollback(True)
    except ImportProblem as refusal:
        found = refusal.problem
        problems.refused.append(found)
        if found.row is not None:
            problems.bad_rows.add(found.row)
    except DatabaseError as error:
        problems.refuse(None, None, None, f"The database refused the import: {str(error).splitlines()[0]}")
        result.counts, result.is_applied = dict.fromkeys(COUNTS, 0), False
    return result


def _apply(
    rows: list[Row],
    mapping: Mapping,
    headers: dict[str, str],
    result: Result,
    today: date,
    skip_bad: bool,
    update: bool,
    progress: Progress,
) -> None:
    problems = result.problems
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    new = resolve(rows, mapping, headers, problems)
    plan = Plan([row for row in rows if not problems.is_refused(row.row)], mapping, headers, problems, update)
    if problems.of_the_file or (problems.refused and not skip_bad):
        return
    lines = plan.accepted()
    progress(f"{len(lines):,} lines to compare or write")
    if update:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('plumbline.correcting', 'on', TRUE)")
    new.save(row for line in lines for row in line.rows)
    result.counts |= write(lines, today, progress)
    for name in ("factories", "products", "sites", "categories"):
        result.counts[f"{name}_created"] = len(getattr(new, name))
    result.is_applied = True
