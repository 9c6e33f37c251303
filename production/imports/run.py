"""One import from the file to the database: open, read, plan, write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pghistory
from django.db import DatabaseError, connection, transaction

from production.imports.mapping import Mapping
from production.imports.orders import STORED_AS, Plan, PlannedLine, batches, delivery_key, line_values
from production.imports.problems import ImportProblem, Problems
from production.imports.references import References, resolve
from production.imports.rows import Row, RowReader
from production.imports.tabular import Table, kind_of, open_csv
from production.imports.workbooks import open_workbook
from production.models import Delivery, OrderLine, PurchaseOrder

LOCK = 0x696D706F72  # "impor": two imports never look for the same order at once
CHANGED_AT_ONCE = 500
REPORTED_EVERY = 10_000

Progress = Callable[[str], None]


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
    result = Result(path.name, mapping.name, dry_run, counts=dict.fromkeys(COUNTS, 0))
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
        with pghistory.context(command="import_orders", file=path.name, mapping=mapping.name), transaction.atomic():
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
    _write_orders(lines, result.counts)
    _write_lines(lines, result.counts, today, progress)
    _count_created(new, result.counts)
    result.is_applied = True


def _count_created(new: References, counts: dict[str, int]) -> None:
    for name in ("factories", "products", "sites", "categories"):
        counts[f"{name}_created"] = len(getattr(new, name))


def _write_orders(lines: list[PlannedLine], counts: dict[str, int]) -> None:
    orders = list({id(line.order): line.order for line in lines}.values())
    created = [order for order in orders if order.stored is None]
    for some in batches(created):
        for order in some:
            said = {STORED_AS.get(name, name): value for name, value in order.says.items()}
            order.stored = PurchaseOrder(factory=order.factory, number=order.number, **said)
        PurchaseOrder.objects.bulk_create([order.stored for order in some])
    changed = [order for order in orders if order.changes]
    for order in changed:
        for name, value in order.changes.items():
            setattr(order.stored, name, value)
    if changed:
        names = sorted({name for order in changed for name in order.changes})
        PurchaseOrder.objects.bulk_update([order.stored for order in changed], names, batch_size=CHANGED_AT_ONCE)
    counts["orders_created"], counts["orders_updated"] = len(created), len(changed)


def _write_lines(lines: list[PlannedLine], counts: dict[str, int], today: date, progress: Progress) -> None:
    _change(lines, counts)
    for some in batches(lines):
        created = [line for line in some if line.stored is None]
        for line in created:
            line.stored = _new_line(line, today)
        OrderLine.objects.bulk_create([line.stored for line in created])
        deliveries = [_new_delivery(line, row) for line in some for row in line.new_deliveries]
        Delivery.objects.bulk_create(deliveries)
        counts["lines_created"] += len(created)
        counts["deliveries_created"] += len(deliveries)
        for line in created:
            line.stored = None  # its work is done; holding a hundred thousand of them would cost memory
        progress(f"{counts['lines_created']:,} lines written")


def _change(lines: list[PlannedLine], counts: dict[str, int]) -> None:
    counts["unchanged"] = sum(len(line.rows) for line in lines if line.is_unchanged)
    changed = [line for line in lines if line.stored is not None and line.changes]
    for line in changed:
        for name, value in line.changes.items():
            if name == "order":
                line.stored.order, line.stored.factory = line.order.stored, line.order.factory
            else:
                setattr(line.stored, name, value)
    if changed:
        names = {name for line in changed for name in line.changes} | {"factory"}
        OrderLine.objects.bulk_update([line.stored for line in changed], sorted(names), batch_size=CHANGED_AT_ONCE)
    deliveries = [found for line in lines for found in line.changed_deliveries]
    for delivery, changes in deliveries:
        for name, value in changes.items():
            setattr(delivery, name, value)
    if deliveries:
        names = {name for _, changes in deliveries for name in changes}
        Delivery.objects.bulk_update([found for found, _ in deliveries], sorted(names), batch_size=CHANGED_AT_ONCE)
    counts["lines_updated"], counts["deliveries_updated"] = len(changed), len(deliveries)


def _new_line(line: PlannedLine, today: date) -> OrderLine:
    row, order = line.row, line.order.stored
    said: dict[str, Any] = {name: value for name, value in line_values(row).items() if value is not None}
    # Terms count as agreed from the confirmation; where none is known, from what is known instead, so that they stand.
    frozen_on = order.confirmed_on or order.ordered_on or today
    return OrderLine(
        factory=line.order.factory,
        order=order,
        number=row.line_number,
        source_key=row.key,
        terms_frozen_on=frozen_on,
        **said,
    )


def _new_delivery(line: PlannedLine, row: Row) -> Delivery:
    return Delivery(
        factory=line.order.factory,
        line=line.stored,
        site=row.receiving,
        quantity=row.delivered_quantity,
        received_on=row.delivered_on,
        known_on=row.delivered_on,
        document=row.document or "",
        idem=delivery_key(row),
    )
