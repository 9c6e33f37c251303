"""From rows to purchase orders, lines and deliveries: all or nothing, the same file twice adds nothing.

A line is known again by its source key: the mapping's name and the source's own line id. What differs from what is
stored is a conflict; it is reported, and applied only where the caller says so.
"""

import itertools
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
REFERENCES = ("product", "site", "calendar_id")
SAID_FIELDS = ("quantity", "unit_price", "requested_on", "committed_on", "forecast_on",
               *(name for name in TERM_FIELDS if name not in REFERENCES))  # fmt: skip
# What `line_values` names, by the attribute in which the stored line has it.
STORED_LINE = {name: name for name in SAID_FIELDS} | {
    "product": "product_id", "site": "site_id", "calendar_id": "calendar_id",
}  # fmt: skip
DELIVERY_NAMES = ("delivered_on", "delivered_quantity", "document")
DELIVERY_FIELDS = ("received_on", "quantity", "document")
STORED_AS = {"order_note": "note"}


SAME_LINE = (
    "order_number", "line_number", "factory", "product", "quantity", "committed_on", "requested_on", "forecast_on",
    "unit_price",
)  # fmt: skip


@dataclass(slots=True)
class PlannedOrder:
    """One order of the file: its rows, what they say of it, and the stored one, if there is one."""

    factory: Any
    number: str
    rows: list[Row]
    says: dict[str, Any] = field(default_factory=dict)
    stored_id: int | None = None
    closed_on: date | None = None
    frozen_on: date | None = None
    changes: dict[str, Any] | None = None


@dataclass(slots=True)
class PlannedLine:
    """One line of the file: its rows (several only with several deliveries), and the stored line, if there is one.

    A hundred thousand of these are held at once, so they keep keys, not model instances, and lists only when needed.
    """

    order: PlannedOrder
    row: Row
    more_rows: list[Row] | None = None
    stored_id: int | None = None
    stored_number: str | None = None
    changes: dict[str, Any] | None = None
    known_deliveries: set[int] | None = None
    changed_deliveries: dict[int, dict[str, Any]] | None = None

    @property
    def rows(self) -> list[Row]:
        return [self.row, *(self.more_rows or ())]

    def new_deliveries(self) -> list[Row]:
        """The rows that report a delivery which is not stored yet."""
        known = self.known_deliveries or ()
        return [row for row in self.rows if row.delivered_on is not None and row.row not in known]

    def knows(self, row: Row) -> None:
        self.known_deliveries = (self.known_deliveries or set()) | {row.row}

    def is_unchanged(self) -> bool:
        return self.stored_id is not None and not (self.changes or self.changed_deliveries or self.new_deliveries())


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
        self._refuse_whole_lines()

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
        deliveries: dict[tuple[str, str], int] = {}
        for row in rows:
            key = (id(row.factory), row.order_number)
            order = self.orders.get(key)
            if order is None:
                order = self.orders[key] = PlannedOrder(row.factory, row.order_number, [])
            order.rows.append(row)
            if row.delivery_number is not None and row.delivered_on is not None:
                known = deliveries.setdefault((row.key, row.delivery_number), row.row)
                if known != row.row:
                    self._refuse(row, "delivery_number", f"names the same delivery as row {known}.")
                    continue
            line = self.lines.get(row.key)
            if line is None:
                self.lines[row.key] = line = PlannedLine(order, row)
            elif row.delivery_number is None or line.row.delivery_number is None:
                self.problems.refuse(row.row, None, row.key, f"The row has the same key as row {line.row.row}.")
                continue
            else:
                for name in SAME_LINE:
                    if getattr(row, name) != getattr(line.row, name):
                        self._refuse(row, name, f"differs from row {line.row.row}, which is the same line.")
                line.more_rows = [*(line.more_rows or ()), row]

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
        by_key = {(order.factory.pk, order.number): order for order in self.orders.values() if order.factory.pk}
        for some in batches(sorted({number for _, number in by_key})):
            for stored in PurchaseOrder.objects.filter(number__in=some):
                order = by_key.get((stored.factory_id, stored.number))
                if order is not None:
                    order.stored_id, order.closed_on = stored.pk, stored.closed_on
                    order.frozen_on = stored.confirmed_on or stored.ordered_on
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
            order.changes = {**(order.changes or {}), STORED_AS.get(name, name): value}
            for row in order.rows:
                self._differs(row, name, known)

    def _find_lines(self) -> None:
        wanted = ["source_key", "id", "number", "order_id", "order__number", *STORED_LINE.values()]
        for some in batches(sorted(self.lines)):
            for key, pk, *known in OrderLine.objects.filter(source_key__in=some).values_list(*wanted):
                line = self.lines[key]
                line.stored_id, line.stored_number = pk, known[0]
                self._compare_line(line, known[1], known[2], dict(zip(STORED_LINE, known[3:], strict=True)))
        for line in self.lines.values():
            if line.stored_id is None and line.order.closed_on is not None:
                reason = f"is an order that was closed on {line.order.closed_on}; it takes no new lines."
                self._refuse(line.row, "order_number", reason)

    def _compare_line(self, line: PlannedLine, order_id: int, order_number: str, known: dict[str, Any]) -> None:
        row, changes = line.row, {}
        if order_id != line.order.stored_id:
            changes["order"] = line.order
            if order_number != line.order.number:
                self._differs(row, "order_number", order_number)
            else:
                self._differs(
                    row, "factory_code" if row.factory_code else "factory_name", "an order of another factory"
                )
        if row.line_number is not None and line.stored_number != row.line_number:
            changes["number"] = row.line_number
            self._differs(row, "line_number", line.stored_number)
        for name, value in line_values(row).items():
            if value is not None and known[name] != getattr(value, "pk", value):
                changes[name] = value
                told = {"product": "product_code" if row.product_code else "product_name", "calendar_id": "calendar"}
                self._differs(row, told.get(name, name), "another one" if name in REFERENCES else known[name])
        line.changes = changes or None

    def _check_numbers(self) -> None:
        """Two lines of one order never bear one number; a line without one gets the next free one."""
        stay = [line for line in self.lines.values() if not (line.changes and {"number", "order"} & set(line.changes))]
        stay = [line for line in stay if line.stored_id is not None]
        if len(stay) == len(self.lines):
            return
        of_order = {order.stored_id: key for key, order in self.orders.items() if order.stored_id is not None}
        leaving = {line.stored_id for line in self.lines.values()} - {line.stored_id for line in stay}
        taken: dict[tuple[int, str], set[str]] = {}
        for some in batches(list(of_order)):
            found = OrderLine.objects.filter(order_id__in=some).values_list("id", "order_id", "number")
            for pk, order_id, number in found:
                if pk not in leaving:
                    taken.setdefault(of_order[order_id], set()).add(number)
        settled = {id(line) for line in stay}
        for line in self.lines.values():
            if id(line) in settled:
                continue
            numbers = taken.setdefault((id(line.order.factory), line.order.number), set())
            number = line.row.line_number or line.stored_number
            if number is None:
                free = (str(n) for n in itertools.count(len(numbers) + 1) if str(n) not in numbers)
                number = line.row.line_number = next(free)
            elif number in numbers:
                self._refuse(line.row, "line_number", "is taken: the order already has another line with this number.")
            numbers.add(number)

    def _find_deliveries(self) -> None:
        fields = ("line_id", "idem", "id", "received_on", "quantity", "document")
        for some in batches([line for line in self.lines.values() if line.stored_id is not None]):
            receipts = Delivery.objects.filter(
                line_id__in=[line.stored_id for line in some], kind=Delivery.Kind.RECEIPT
            )
            stored: dict[int, dict[uuid.UUID | None, list[Any]]] = {}
            for line_id, idem, *known in receipts.values_list(*fields):
                stored.setdefault(line_id, {}).setdefault(idem, []).append(known)
            for line in some:
                of_line = stored.get(line.stored_id or 0, {})
                ours = {delivery_key(row) for row in line.rows}
                besides = [known for idem, found in of_line.items() if idem not in ours for known in found]
                for row in line.rows:
                    self._compare_delivery(line, row, of_line.get(delivery_key(row), [None])[0], besides)

    def _compare_delivery(self, line: PlannedLine, row: Row, known: Any, besides: list[Any]) -> None:
        if row.delivered_on is None:
            if known is not None:
                reason = f"is empty, but a delivery on {known[1]} was imported before. Record a reversal if it did not occur."
                self._refuse(row, "delivered_on", reason, conflict=True)
            return
        if known is None:
            if any((row.delivered_on, row.delivered_quantity) == (day, quantity) for _, day, quantity, _ in besides):
                line.knows(row)
            elif besides and row.delivery_number is None:
                _, day, quantity, _ = besides[0]
                reason = f"contradicts a delivery of {quantity.normalize():f} on {day} that was not imported from here."
                self._refuse(row, "delivered_on", reason, conflict=True)
            return
        line.knows(row)
        changes: dict[str, Any] = {}
        for name, attribute, old in zip(DELIVERY_NAMES, DELIVERY_FIELDS, known[1:], strict=True):
            value = getattr(row, name)
            if value is not None and value != old:
                changes[attribute] = value
                self._differs(row, name if name in self.headers else "quantity", old)
        if changes:
            if "received_on" in changes:
                changes["known_on"] = changes["received_on"]
            line.changed_deliveries = {**(line.changed_deliveries or {}), known[0]: changes}

    def _is_refused(self, row: Row) -> bool:
        return self.problems.is_refused(row.row)

    def accepted(self) -> list[PlannedLine]:
        """The lines of which no row is refused."""
        return [line for line in self.lines.values() if not any(map(self._is_refused, line.rows))]

    def _refuse_whole_lines(self) -> None:
        """A line is taken with all its deliveries or not at all, so a refused row takes the others of its line along."""
        for line in self.lines.values():
            if line.more_rows is None or not (refused := [row.row for row in line.rows if self._is_refused(row)]):
                continue
            for row in line.rows:
                if row.row not in refused:
                    self._refuse(row, "key", f"is the same line as row {refused[0]}, which was refused.")


def line_values(row: Row) -> dict[str, Any]:
    """What a row says of its line, by the line's own field names; None where it says nothing."""
    said = {name: getattr(row, name) for name in SAID_FIELDS}
    calendar = row.working_calendar
    return {**said, "product": row.product, "site": row.receiving, "calendar_id": calendar.pk if calendar else None}
