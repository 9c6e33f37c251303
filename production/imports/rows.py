"""Cells to facts: each row of a table as one `Row` by a mapping, every problem of every row noted on the way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from factories.models import LAST_DAY
from production.currencies import CURRENCIES
from production.duedates import due_from_cycle
from production.imports import mapping as fields
from production.imports import values
from production.imports.mapping import Column, Mapping
from production.imports.problems import ImportProblem, Problems
from production.imports.tabular import Table, same_header
from production.imports.values import Unreadable

KEY_LENGTH = 160
MOST_DAYS = 3650
REMEMBERED = 50_000
FAR_AHEAD = timedelta(days=731)
UNLIKELY = Decimal("1.5")


class Row:
    """One row of the file: our fields as attributes (None where nothing is said), and where it stands."""

    __slots__ = (*fields.FIELDS, "factory", "key", "product", "receiving", "row", "working_calendar")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, row: int) -> None:
        self.row = row
        for name in fields.FIELDS:
            setattr(self, name, None)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell was read as: its value, what to warn of, and why it could not be read."""

    value: Any = None
    warnings: tuple[str, ...] = ()
    error: str | None = None


class Reader:
    """Reads the cells of one column and remembers what it has read: most columns repeat themselves."""

    def __init__(self, column: Column, header: str, index: int, table: Table, mapping: Mapping) -> None:
        self.column, self.header, self.index, self.table = column, header, index, table
        self.parse = parser(column, mapping, table)
        self.is_number = column.field in (*fields.NUMBERS, *fields.WHOLES)
        self.remembered: dict[str, Cell] = {}

    def read(self, value: Any) -> Cell:
        if not isinstance(value, str):
            return Cell() if value is None else self._read(value)
        found = self.remembered.get(value)
        if found is None:
            found = self._read(value)
            if len(self.remembered) < REMEMBERED:
                self.remembered[value] = found
        return found

    def _read(self, value: Any) -> Cell:
        warnings: list[str] = []
        try:
            value = values.plain(value, warnings.append)
            if value is None or isinstance(value, str) and is_null(value, self.column.null_words):
                return Cell(None, tuple(warnings))
            if self.table.is_workbook and self.is_number and isinstance(value, str):
                warnings.append("is a number stored as text.")
            return Cell(self.parse(value, warnings.append), tuple(warnings))
        except Unreadable as problem:
            return Cell(None, tuple(warnings), str(problem))


def is_null(text: str, null_words: frozenset[str]) -> bool:
    bare = " ".join(text.split()).casefold()
    return not bare or bare in null_words


def parser(column: Column, mapping: Mapping, table: Table) -> Callable[[Any, values.Warn], Any]:
    """The function that reads a cell of this column."""
    name = column.field
    if name in fields.IDENTIFIERS:
        longest = fields.IDENTIFIERS[name]
        return lambda value, warn: values.identifier(value, warn, longest, mapping.id_letters)
    if name in fields.NAMES:
        longest = fields.NAMES[name]
        return lambda value, warn: values.name(value, warn, longest)
    if name in fields.NUMBERS or name in fields.WHOLES:
        pattern = column.number.pattern()
        is_whole = name in fields.WHOLES
        return lambda value, warn: _number(values.number(value, warn, column.number, pattern), is_whole)
    if name in fields.DAYS:
        return lambda value, warn: values.day(value, warn, column.forms, table.epoch)
    if name in fields.FLAGS:
        return lambda value, warn: values.flag(value)
    if name in fields.CHOICES:
        return lambda value, warn: _choice(str(value).strip(), fields.CHOICES[name])
    if name == "currency":
        return lambda value, warn: _currency(str(value).strip())
    return lambda value, warn: _code(str(value).strip(), fields.CODES[name])


def _number(value: Decimal, is_whole: bool) -> Decimal | int:
    if not is_whole:
        return value
    if value != int(value) or not 0 <= value <= MOST_DAYS:
        raise Unreadable(f"is not a whole number of days from 0 to {MOST_DAYS}.")
    return int(value)


def _choice(text: str, allowed: tuple[str, ...]) -> str:
    if text.casefold() not in allowed:
        raise Unreadable(f"is none of {', '.join(allowed)}.")
    return text.casefold()


def _code(text: str, length: int) -> str:
    if not re.fullmatch(f"[A-Z]{{{length}}}", text):
        raise Unreadable(f"is not {length} capital letters.")
    return text


def _currency(text: str) -> str:
    if _code(text, fields.CODES["currency"]) not in CURRENCIES:
        raise Unreadable("is no currency of ISO 4217.")
    return text


class RowReader:
    """Reads a whole table by a mapping; ImportProblem where a column is missing or told twice."""

    def __init__(self, table: Table, mapping: Mapping, problems: Problems, today: date) -> None:
        self.table, self.mapping, self.problems, self.today = table, mapping, problems, today
        self.places = {same_header(header): index for index, header in enumerate(table.header) if header}
        missing = [header for header in mapping.key if same_header(header) not in self.places]
        missing += [skip.header for skip in mapping.skips if same_header(skip.header) not in self.places]
        self.readers = []
        for column in mapping.columns.values():
            found = [header for header in column.headers if same_header(header) in self.places]
            if len(found) > 1:
                raise ImportProblem(f"The columns {' and '.join(found)} mean the same; keep one.", table.header_row)
            if found:
                index = self.places[same_header(found[0])]
                self.readers.append(Reader(column, table.header[index], index, table, mapping))
            elif not column.is_optional:
                missing.append(column.headers[0])
        if missing:
            said = ", ".join(f"“{header}”" for header in dict.fromkeys(missing))
            raise ImportProblem(
                f"Columns are missing: {said}. The file has: {', '.join(table.header)}.", table.header_row
            )
        self.headers = {reader.column.field: reader.header for reader in self.readers}
        self.constants = {name: self._constant(name, value) for name, value in mapping.constants.items()}
        self.keys = [self.places[same_header(header)] for header in mapping.key]
        self.skips = [(self.places[same_header(skip.header)], skip.words) for skip in mapping.skips]
        self.orders_shown: dict[str, dict[str, int]] = {}
        self.rows = self.skipped = 0

    @property
    def unused(self) -> list[str]:
        return [header for header in self.table.header if header and same_header(header) not in self.mapping.headers]

    def _constant(self, name: str, value: Any) -> Any:
        column = Column(name, (), forms=(values.DateForm.of("YYYY-MM-DD", None),))
        try:
            value = Decimal(str(value)) if isinstance(value, float) else value
            return parser(column, self.mapping, self.table)(
                str(value) if isinstance(value, Decimal) else value, lambda _: None
            )
        except Unreadable as problem:
            raise ImportProblem(f"The mapping's constant {name} “{value}” {problem}") from None

    def read(self) -> Iterator[Row]:
        """The rows without a problem; those with one are only in `problems`."""
        for number, cells in self.table.rows:
            self.rows += 1
            if not cells:
                continue
            if any(isinstance(cells[index], str) and is_null_word(cells[index], words) for index, words in self.skips):
                self.skipped += 1
                continue
            row = self._row(number, cells)
            if row is not None and self._check(row):
                yield row
        self._check_orders_shown()

    def _check_orders_shown(self) -> None:
        """A column that proves both orders of day and month: none of its numeric days can be trusted."""
        lenient = {reader.header for reader in self.readers if reader.column.warns_if_unreadable}
        for header, shown in self.orders_shown.items():
            if len(shown) > 1:
                reason = (
                    f"The column “{header}” writes the day first in row {shown['day first']}, the month first in row "
                    f"{shown['month first']}; no day of it can be trusted."
                )
                if header in lenient:
                    self.problems.warn(None, header, None, reason)
                else:
                    self.problems.refuse(None, header, None, reason)

    def _row(self, number: int, cells: list[Any]) -> Row | None:
        row, refused, unread = Row(number), set(), set()
        for reader in self.readers:
            cell = cells[reader.index]
            if reader.column.forms and (shown := values.order_shown(cell)):
                self.orders_shown.setdefault(reader.header, {}).setdefault(shown, number)
            found = reader.read(cell)
            value = found.value
            for warning in found.warnings:
                self.problems.warn(number, reader.header, _said(cell), warning)
            if found.error is not None:
                if reader.column.warns_if_unreadable:
                    self.problems.warn(number, reader.header, _said(cell), f"{found.error} It was left empty.")
                    unread.add(reader.column.field)
                else:
                    self.problems.refuse(number, reader.header, _said(cell), found.error)
                    refused.add(reader.header)
            setattr(row, reader.column.field, value)
        for name, value in self.constants.items():
            if getattr(row, name) is None and name not in unread:
                setattr(row, name, value)
        row.key = self._key(number, cells, refused)
        return row if row.key is not None and not refused else None

    def _key(self, number: int, cells: list[Any], refused: set[str]) -> str | None:
        parts = []
        for index in self.keys:
            header = self.table.header[index]
            try:
                value = values.plain(cells[index], lambda _: None)
                if value is None or isinstance(value, str) and not value.strip():
                    raise Unreadable("is missing; it is part of the key of the line.")
                parts.append(values.identifier(value, lambda _: None, KEY_LENGTH, self.mapping.id_letters))
            except Unreadable as problem:
                if header not in refused:
                    self.problems.refuse(number, header, _said(cells[index]), str(problem))
                return None
        key = f"{self.mapping.name}:{'|'.join(parts)}"
        if len(key) > KEY_LENGTH:
            self.problems.refuse(
                number,
                self.table.header[self.keys[0]],
                key,
                f"The key of the line is longer than {KEY_LENGTH} characters.",
            )
            return None
        return key

    def _check(self, row: Row) -> bool:
        """The rules of one row: what must be there, and what cannot be true together."""
        problems: list[tuple[str, str]] = []
        for one, other in (
            ("order_number", ""),
            ("quantity", ""),
            ("site", ""),
            ("factory_code", "factory_name"),
            ("product_code", "product_name"),
        ):
            if getattr(row, one) is not None:
                continue
            if not other or getattr(row, other) is None:
                problems.append((one if one in self.headers or not other else other, "is missing."))
            elif one in self.mapping.columns and not self.mapping.columns[one].is_optional:
                problems.append((one, f"is missing; the mapping does not say that {other} is enough."))
        if row.currency is None and {"currency", "unit_price"} & {*self.mapping.columns, *self.constants}:
            problems.append(("currency", "is missing."))
        if row.quantity is not None and row.quantity <= 0:
            problems.append(("quantity", "must be more than 0."))
        if row.unit_price is not None and row.unit_price < 0:
            problems.append(("unit_price", "cannot be negative."))
        if row.tol_under is not None and not 0 <= row.tol_under < 1:
            problems.append(("tol_under", "must be a share from 0 to below 1, such as 0.05."))
        if row.tol_over is not None and not 0 <= row.tol_over < 1000:
            problems.append(("tol_over", "must be a share such as 0.05."))
        if (row.grace_unit == "working" or row.rolls_to_working_day) and row.calendar is None:
            problems.append(("calendar", "is missing; terms in working days need a calendar."))
        self._check_delivery(row, problems)
        if row.committed_on is None and row.confirmed_on is not None and row.cycle_days is not None:
            row.committed_on = due_from_cycle(row.confirmed_on, row.cycle_days)
            if row.committed_on > LAST_DAY:
                problems.append(("cycle_days", f"leads beyond {LAST_DAY.year}."))
        for name, reason in problems:
            self.problems.refuse(row.row, self.headers.get(name, name), getattr(row, name), reason)
        if not problems:
            self._warn(row)
        return not problems

    def _check_delivery(self, row: Row, problems: list[tuple[str, str]]) -> None:
        if row.delivered_quantity is not None and row.delivered_quantity < 0:
            problems.append(("delivered_quantity", "cannot be negative."))
        elif row.delivered_quantity == 0:
            if row.delivered_on is not None:
                reason = "has a day of delivery beside it, but nothing came; no delivery was recorded."
                self.problems.warn(row.row, self.headers.get("delivered_quantity"), 0, reason)
            row.delivered_quantity = row.delivered_on = None
        elif row.delivered_on is None and row.delivered_quantity is not None:
            problems.append(("delivered_on", "is missing, though a delivered quantity is given."))
        elif row.delivered_on is not None and row.delivered_quantity is None:
            if self.mapping.delivers_in_full:
                row.delivered_quantity = row.quantity
            else:
                problems.append(("delivered_quantity", "is missing, though a delivery day is given."))

    def _warn(self, row: Row) -> None:
        def warn(name: str, reason: str) -> None:
            self.problems.warn(row.row, self.headers.get(name, name), getattr(row, name), reason)

        promised = row.committed_on or row.requested_on
        if promised is None:
            warn("committed_on", "is empty and so is the requested day; whether the line was on time cannot be said.")
        elif promised > self.today + FAR_AHEAD:
            warn("committed_on" if row.committed_on else "requested_on", "is more than two years ahead.")
        for earlier, later in (
            ("ordered_on", "confirmed_on"),
            ("ordered_on", "requested_on"),
            ("ordered_on", "committed_on"),
        ):
            first, then = getattr(row, earlier), getattr(row, later)
            if first is not None and then is not None and then < first:
                warn(later, "is before the day of the order.")
        if row.delivered_on is not None:
            if row.delivered_on > self.today:
                warn("delivered_on", "lies in the future.")
            if row.ordered_on is not None and row.delivered_on < row.ordered_on:
                warn("delivered_on", "is before the day of the order.")
            if row.delivered_quantity > row.quantity * UNLIKELY:
                warn("delivered_quantity", "is more than one and a half times the ordered quantity.")


def is_null_word(text: str, words: frozenset[str]) -> bool:
    return " ".join(text.split()).casefold() in words


def _said(cell: Any) -> Any:
    return cell.value if isinstance(cell, values.Formula) else cell
