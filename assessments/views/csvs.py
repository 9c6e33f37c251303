"""Lists as files: the same rows as on the screen, all pages."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.http import HttpResponse, HttpResponseBase, QueryDict

from assessments.filters import link
from production.exports import FORMATS, STARTS_A_FORMULA, xlsx_file

BOM = "\ufeff"  # Excel reads UTF-8 only with it


def file_asked(params: QueryDict) -> str:
    """Which kind of file a query string asks for; empty for a page."""
    kind = params.get("format", "")
    return kind if kind in FORMATS else ""


def files(params: QueryDict) -> list[tuple[str, str]]:
    """A list as files: (kind, address)."""
    return [(kind.upper(), link(params, format=kind, page=None)) for kind in FORMATS]


def file_answer(kind: str, name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponseBase:
    return csv_answer(name, head, rows) if kind == "csv" else xlsx_file(name, head, rows)


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    response = HttpResponse(BOM, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    writer.writerow(head)
    writer.writerows([plain(cell) for cell in row] for row in rows)
    return response


def plain(cell: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front; a number its digits, never 0E-12."""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, str) and STARTS_A_FORMULA.match(cell) and not _is_number(cell):
        return f"'{cell}"
    return "" if cell is None else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
