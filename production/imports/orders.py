"""From rows to purchase orders, lines and deliveries: all or nothing, the same file twice adds nothing.

A line is known again by its source key: the mapping's name and the source's own line id. What differs from what is
stored is a conflict; it is reported, and applied only where the caller says so.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from production.imports.mapping import ORDER_FIELDS, Mapping
from production.imports.problems import Problems
from production.imports.references import BATCH
from production.imports.rows import Row
from production.models import Delivery, OrderLine, PurchaseOrder
from production.models.orders import TERM_FIELDS

NAMESPACE = uuid.UUID("5b1e7f5e-9c62-4a52-9a52-6a2f2f6d9a01")
LINE_FIELDS = ("product", "site", "quantity", "unit_price", "requested_on", "committed_on", "forecast_on", *TERM_FIELDS)
STORED_AS = {"order_note": "note"}


@dataclass(slots=True)
class PlannedOrder:
    """One order of the file: its rows, what they say of it, and the stored one, if there is one."""

    factory: Any
    number: str
    rows: list[Row] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    stored: PurchaseOrder | None = None
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class PlannedLine:
    """One line of the file: the row that describes it, all its rows with deliveries, and the stored line, if any."""

    order: PlannedOrder
    row: Row
    rows: list[Row]
    stored: OrderLine | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    new_deliveries: list[Row] = field(default_factory=list)
    changed_deliveries: list[tuple[Delivery, dict[str, Any]]] = field(default_factory=list)

    @property
    def is_unchanged(self) -> bool:
        return bool(self.stored and not (self.changes or self.new_deliveries or self.changed_deliveries))


def delivery_key(row: Row) -> uuid.UUID:
    """The key by which a delivery of the file is known again."""
    return uuid.uuid5(NAMESPACE, row.key if row.delivery_number is None else f"{row.key}\n{row.delivery_number}")


def batches(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


class Plan:
    """What an import would do: worked out by a few queries per 5,000 rows, before anything is written."""

    def __init__(
        self, rows: list[Row], mapping: Mapping, headers: dict[str, str], problems: Problems, update: bool
    ) -> None:
        self.mapping, self.headers, self.problems, self.update = mapping, headers, problems, update
        self.orders: dict[tuple[int, str], PlannedOrder] = {}
        self.lines: dict[str, PlannedLine] = {}
        self._gather(rows)
        self._check_orders()
        self._find_orders()
        self._find_lines()
        self._check_numbers()
        self._find_deliveries()

    def _refuse(self, row: Row, name: str, reason: str, *, conflict: bool = False) -> None:
        value = getattr(row, name, None)
        self.problems.refuse(row.row, self.headers.get(name, name), value, reason, conflict=conflict)

    def _differs(self, row: Row, name: str, stored: Any) -> None:
        """A stored value that the file contradicts: a conflict, or with update a change that is reported."""
        if self.update:
            self.problems.replace(row.row, self.headers.get(name, name), getattr(row, name, None), stored)
        else:
            self._refuse(row, name, f"was imported before as “{stored}”; use --update to replace it.", conflict=True)

    def _gather(self, rows: list[Row]) -> None:
        """Sorts the rows into lines and orders; a row that repeats another's key is refused."""
        deliveries: dict[uuid.UUID, int] = {}
        for row in rows:
            order = self.orders.setdefault(
                (id(row.factory), row.order_number), PlannedOrder(row.factory, row.order_number)
            )
            order.rows.append(row)
            line = self.lines.get(row.key)
            if line is None:
                self.lines[row.key] = PlannedLine(order, row, [row])
            elif row.delivery_number is None or line.row.delivery_number is None:
                self.problems.refuse(row.row, None, row.key, f"The row has the same key as row {line.row.row}.")
                continue
            else:
                differing = [
                    name
                    for name in (
                        "order_number",
                        "line_number",
                        "factory",
                        "product",
                        "quantity",
                        "committed_on",
                        "requested_on",
                        "forecast_on",
                        "unit_price",
                    )
                    if getattr(row, name) != getattr(line.row, name)
                ]
                for name in differing:
                    self._refuse(row, name, f"differs from row {line.row.row}, which is the same line.")
                line.rows.append(row)
            if row.delivered_on is not None:
                known = deliveries.setdefault(delivery_key(row), row.row)
                if known != row.row:
                    self._refuse(row, "delivery_number", f"names the same delivery as row {known}.")

    def _check_orders(self) -> None:
        """The rows of one order must agree about it; one number at several factories only where that is allowed."""
        at: dict[str, PlannedOrder] = {}
        for order in self.orders.values():
            first = at.setdefault(order.number, order)
            if first is not order and not self.mapping.splits_orders:
                for row in order.rows:
                    self._refuse(row, "order_number", f"is an order of another factory in row {first.rows[0].row}.")
            for row in order.rows:
                for name in ORDER_FIELDS:
                    value = getattr(row, name)
                    if value is None or order.says.setdefault(name, value) == value:
                        continue
                    column = self.mapping.columns.get(name)
                    if column is not None and column.keeps_first:
                        self.problems.warn(
                            row.row,
                            self.headers.get(name),
                            value,
                            f"differs from the order's first row {order.rows[0].row}, which was kept.",
                        )
                    else:
                        self._refuse(row, name, f"differs from row {order.rows[0].row}, which is the same order.")

    def _find_orders(self) -> None:
        numbers = sorted({order.number for order in self.orders.values() if order.factory.pk})
        by_factory = {(order.factory.pk, order.number): order for order in self.orders.values() if order.factory.pk}
        for some in batches(numbers):
            for stored in PurchaseOrder.objects.filter(number__in=some):
                order = by_factory.get((stored.factory_id, stored.number))
                if order is not None:
                    order.stored = stored
                    self._compare_order(order, stored)

    def _compare_order(self, order: PlannedOrder, stored: PurchaseOrder) -> None:
        for name, value in order.says.items():
            known = getattr(stored, STORED_AS.get(name, name))
            if known == value:
                continue
            column = self.mapping.columns.get(name)
            if column is not None and column.keeps_first:
                self.problems.warn(
                    order.rows[0].row, self.headers.get(name), value, f"differs from “{known}”, which was kept."
                )
                continue
            order.changes[STORED_AS.get(name, name)] = value
            for row in order.rows:
                self._differs(row, name, known)

    def _find_lines(self) -> None:
        for some in batches(sorted(self.lines)):
            for stored in OrderLine.objects.filter(source_key__in=some).select_related("order"):
                line = self.lines[stored.source_key]
                line.stored = stored
                self._compare_line(line, stored)
        for line in self.lines.values():
            closed = line.order.stored.closed_on if line.order.stored else None
            if line.stored is None and closed is not None:
                self._refuse(
                    line.row, "order_number", f"is an order that was closed on {closed}; it takes no new lines."
                )

    def _compare_line(self, line: PlannedLine, stored: OrderLine) -> None:
        row = line.row
        if (stored.order.factory_id, stored.order.number) != (line.order.factory.pk, line.order.number):
            line.changes["order"] = line.order
            moved = stored.order.number != line.order.number
            self._differs(
                row,
                "order_number" if moved or "factory_name" not in self.headers else "factory_name",
                stored.order.number if moved else f"the order of factory {stored.order.factory_id}",
            )
        if row.line_number is not None and stored.number != row.line_number:
            line.changes["number"] = row.line_number
            self._differs(row, "line_number", stored.number)
        for name, value in line_values(row).items():
            if value is None:
                continue
            known = getattr(stored, name if name not in ("product", "site") else f"{name}_id")
            if known != (value if name not in ("product", "site") else value.pk):
                line.changes[name] = value
                told = {"product": "product_code" if row.product_code else "product_name", "calendar_id": "calendar"}
                self._differs(row, told.get(name, name), known)

    def _check_numbers(self) -> None:
        """Two lines of one order never bear one number; a line without one gets the next free one."""
        stored_ids = [order.stored.pk for order in self.orders.values() if order.stored is not None]
        taken: dict[tuple[int, str], set[str]] = {}
        of_order = {order.stored.pk: key for key, order in self.orders.items() if order.stored is not None}
        kept = {line.stored.pk for line in self.lines.values() if line.stored is not None and "number" in line.changes}
        for some in batches(stored_ids):
            for pk, order_id, number in OrderLine.objects.filter(order_id__in=some).values_list(
                "id", "order_id", "number"
            ):
                if pk not in kept:
                    taken.setdefault(of_order[order_id], set()).add(number)
        for line in self.lines.values():
            if line.stored is not None and not {"number", "order"} & set(line.changes):
                continue
            numbers = taken.setdefault((id(line.order.factory), line.order.number), set())
            number = line.row.line_number or (line.stored.number if line.stored is not None else None)
            if number is None:
                number = line.row.line_number = str(
                    next(n for n in range(len(numbers) + 1, 10**9) if str(n) not in numbers)
                )
            elif number in numbers:
                self._refuse(line.row, "line_number", "is taken: the order already has another line with this number.")
            numbers.add(number)

    def _find_deliveries(self) -> None:
        rows = {
            delivery_key(row): (line, row)
            for line in self.lines.values()
            for row in line.rows
            if line.stored is not None
        }
        stored: dict[uuid.UUID, Delivery] = {}
        others: dict[int, list[tuple[date, Any]]] = {}
        for some in batches(list(rows)):
            stored |= {delivery.idem: delivery for delivery in Delivery.objects.filter(idem__in=some)}
        lines = [line.stored.pk for line in self.lines.values() if line.stored is not None]
        for some in batches(lines):
            found = Delivery.objects.filter(line_id__in=some, kind=Delivery.Kind.RECEIPT)
            for line_id, idem, day, quantity in found.values_list("line_id", "idem", "received_on", "quantity"):
                if idem not in stored:
                    others.setdefault(line_id, []).append((day, quantity))
        for line in self.lines.values():
            for row in line.rows:
                self._compare_delivery(line, row, stored.get(delivery_key(row)), others)

    def _compare_delivery(self, line: PlannedLine, row: Row, known: Delivery | None, others: dict[int, Any]) -> None:
        if row.delivered_on is None:
            if known is not None:
                self._refuse(
                    row,
                    "delivered_on",
                    f"is empty, but a delivery on {known.received_on} was imported before. "
                    "Record a reversal if it did not take place.",
                    conflict=True,
                )
            return
        if known is None:
            besides = others.get(line.stored.pk, []) if line.stored is not None else []
            if (row.delivered_on, row.delivered_quantity) in besides:
                return
            if besides and row.delivery_number is None:
                day, quantity = besides[0]
                self._refuse(
                    row,
                    "delivered_on",
                    f"contradicts a delivery of {quantity.normalize():f} on {day} that was not imported from here.",
                    conflict=True,
                )
            else:
                line.new_deliveries.append(row)
            return
        changes: dict[str, Any] = {}
        for name, attribute in (
            ("delivered_on", "received_on"),
            ("delivered_quantity", "quantity"),
            ("document", "document"),
        ):
            value, old = getattr(row, name), getattr(known, attribute)
            if value is not None and value != old:
                changes[attribute] = value
                self._differs(row, name if name in self.headers else "quantity", old)
        if changes:
            if "received_on" in changes:
                changes["known_on"] = changes["received_on"]
            line.changed_deliveries.append((known, changes))

    def accepted(self) -> list[PlannedLine]:
        """The lines of which no row is refused."""
        return [line for line in self.lines.values() if not any(self.problems.is_refused(row.row) for row in line.rows)]


def line_values(row: Row) -> dict[str, Any]:
    """What a row says of its line, by the line's own field names; None where it says nothing."""
    said = {name: getattr(row, name) for name in LINE_FIELDS if name not in ("site", "calendar_id", "product")}
    calendar = row.working_calendar
    return {**said, "product": row.product, "site": row.receiving, "calendar_id": calendar.pk if calendar else None}
