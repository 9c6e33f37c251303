"""A list as a file: the rows of the screen, all pages of them, sent while they are read."""

import csv
import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

FORMATS = ("csv", "xlsx")
ROWS_PER_SHEET = 1_000_000
STARTS_A_FORMULA = re.compile(r"^[\s'\x00-\x1f]*[=+\-@＝＋－＠]|^[\t\r\n]")


def safe(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula: text that would begin one gets an apostrophe in front.

    Numbers and days stay what they are, so that -5 remains a number; whole Decimals lose their zeros.
    """
    if value is None:
        return ""
    if isinstance(value, Decimal):
        value = value.normalize()
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, (int, float, date, datetime)):
        return value
    text = ILLEGAL_CHARACTERS_RE.sub("", str(value))
    return f"'{text}" if STARTS_A_FORMULA.match(text) else text


def export(kind: str, name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """The file `name.csv` or `name.xlsx`."""
    return (csv_file if kind == "csv" else xlsx_file)(name, head, rows)


class _Echo:
    def write(self, text: str) -> bytes:
        return text.encode()


def csv_file(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """UTF-8 with its mark, so that spreadsheet programs read names in any script."""
    writer = csv.writer(_Echo())

    def lines():
        yield b"\xef\xbb\xbf" + writer.writerow([safe(cell) for cell in head])
        for row in rows:
            yield writer.writerow([safe(cell) for cell in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def xlsx_file(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """Written row by row into a file on disk; a sheet holds a million rows, more go on another one."""
    book, sheet = Workbook(write_only=True), None
    for number, row in enumerate(rows):
        if number % ROWS_PER_SHEET == 0:
            sheet = book.create_sheet()
            sheet.append([safe(cell) for cell in head])
        sheet.append([safe(cell) for cell in row])
    if sheet is None:
        book.create_sheet().append([safe(cell) for cell in head])
    file = tempfile.TemporaryFile()
    book.save(file)
    file.seek(0)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return FileResponse(file, as_attachment=True, filename=f"{name}.xlsx", content_type=kind)
