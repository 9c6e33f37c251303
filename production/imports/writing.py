"""Writes a plan: new rows by COPY, five thousand at a time, and what an update changes."""

import io
import itertools
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Model

from production.imports.orders import STORED_AS, PlannedLine, PlannedOrder, batches, delivery_key, line_values
from production.imports.rows import Row
from production.models import Delivery, OrderLine, PurchaseOrder

CHANGED_AT_ONCE = 500
REPORTED_EVERY = 4

Progress = Callable[[str], None]
Values = dict[str, Any]

ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def write(lines: list[PlannedLine], today: date, progress: Progress) -> dict[str, int]:
    """Creates and changes orders, lines and deliveries; returns how many of each."""
    counts = _write_orders(lines) | _write_changes(lines)
    counts |= {"lines_created": 0, "deliveries_created": 0}
    pending = [line for line in lines if line.stored_id is None or line.new_deliveries()]
    for number, some in enumerate(batches(pending), 1):
        created = [line for line in some if line.stored_id is None]
        ids = insert(OrderLine, [_new_line(line, today) for line in created])
        for line, pk in zip(created, ids, strict=True):
            line.stored_id = pk
        deliveries = [_new_delivery(line, row) for line in some for row in line.new_deliveries()]
        insert(Delivery, deliveries)
        counts["lines_created"] += len(created)
        counts["deliveries_created"] += len(deliveries)
        if number % REPORTED_EVERY == 0:
            progress(f"{counts['lines_created']:,} lines written")
    return counts


def _write_orders(lines: list[PlannedLine]) -> dict[str, int]:
    orders = list({id(line.order): line.order for line in lines}.values())
    created = [order for order in orders if order.stored_id is None]
    changed = {order.stored_id: order.changes for order in orders if order.changes}
    for some in batches(created):
        for order, pk in zip(some, insert(PurchaseOrder, [_new_order(order) for order in some]), strict=True):
            order.stored_id = pk
    _change(PurchaseOrder, changed)
    return {"orders_created": len(created), "orders_updated": len(changed)}


def _write_changes(lines: list[PlannedLine]) -> dict[str, int]:
    unchanged = sum(len(line.rows) for line in lines if line.is_unchanged())
    changed: dict[int | None, Values] = {}
    for line in lines:
        if line.stored_id is not None and line.changes:
            changed[line.stored_id] = dict(line.changes)
            if order := changed[line.stored_id].pop("order", None):
                changed[line.stored_id] |= {"order_id": order.stored_id, "factory_id": order.factory.pk}
    deliveries = {pk: said for line in lines for pk, said in (line.changed_deliveries or {}).items()}
    _change(OrderLine, changed)
    _change(Delivery, deliveries)
    return {"unchanged": unchanged, "lines_updated": len(changed), "deliveries_updated": len(deliveries)}


def _change(model: type[Model], changes: dict[Any, Values]) -> None:
    """Gives stored rows, by their keys, the values that differ."""
    for some in batches(list(changes)):
        found = model._default_manager.in_bulk(some)
        for pk, row in found.items():
            for name, value in changes[pk].items():
                setattr(row, name, value)
        names = {name.removesuffix("_id") for pk in some for name in changes[pk]}
        model._default_manager.bulk_update(found.values(), sorted(names), batch_size=CHANGED_AT_ONCE)


def _new_order(order: PlannedOrder) -> Values:
    order.frozen_on = order.says.get("confirmed_on") or order.says.get("ordered_on")
    said = {STORED_AS.get(name, name): value for name, value in order.says.items()}
    return {"factory_id": order.factory.pk, "number": order.number, **said}


def _new_line(line: PlannedLine, today: date) -> Values:
    row = line.row
    said = {name: value for name, value in line_values(row).items() if value is not None}
    # Terms count as agreed from the confirmation; where none is known, from what is known instead, so that they stand.
    return said | {
        "factory_id": line.order.factory.pk, "order_id": line.order.stored_id, "number": row.line_number,
        "product_id": said.pop("product").pk, "site_id": said.pop("site").pk, "source_key": row.key,
        "terms_frozen_on": line.order.frozen_on or today,
    }  # fmt: skip


def _new_delivery(line: PlannedLine, row: Row) -> Values:
    return {
        "factory_id": line.order.factory.pk, "line_id": line.stored_id, "site_id": row.receiving.pk,
        "quantity": row.delivered_quantity, "received_on": row.delivered_on, "known_on": row.delivered_on,
        "document": row.document or "", "idem": delivery_key(row),
    }  # fmt: skip


def insert(model: type[Model], rows: list[Values]) -> list[int]:
    """Inserts rows given by column attribute, with the model's defaults for the rest; returns their new keys.

    COPY costs a third of what `bulk_create` does here, and fires the same statement triggers. History's context is set
    for the transaction by the statement before it.
    """
    if not rows:
        return []
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    defaults = {field.attname: field.get_default() for field in fields}
    table, columns = model._meta.db_table, ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        # Not a SELECT: history sets its context before writing statements only.
        cursor.execute(
            "WITH new AS (SELECT nextval(pg_get_serial_sequence(%s, 'id')) AS id FROM generate_series(1, %s)) "
            "SELECT id FROM new",
            [table, len(rows)],
        )
        ids = list(itertools.chain.from_iterable(cursor.fetchall()))
        content = io.StringIO()
        for pk, row in zip(ids, rows, strict=True):
            content.write(_copied((pk, *(row.get(name, default) for name, default in defaults.items()))))
        content.seek(0)
        with connection.wrap_database_errors:
            cursor.copy_expert(f'COPY {table} ("id", {columns}) FROM STDIN', content)
    return ids


def _copied(values: Iterable[Any]) -> str:
    """One line of COPY's text format."""
    return "\t".join(r"\N" if value is None else str(value).translate(ESCAPES) for value in values) + "\n"
