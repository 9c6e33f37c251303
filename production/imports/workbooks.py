"""One sheet of an XLSX file as a table, row by row."""

import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import defusedxml
import openpyxl
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, WorkSheetParser

from production.imports.archives import SheetScan, scan
from production.imports.problems import ImportProblem, Problems
from production.imports.tabular import COLUMNS, ROWS, Table, clean_header
from production.imports.values import ErrorCell, Formula

BLANK_ROWS = 100_000


def open_workbook(path: Path, sheet: str | None, header_row: int, problems: Problems) -> Table:
    """The named sheet, or the only one; ImportProblem for a file that is not fit to open or lacks the sheet."""
    # Without defusedxml openpyxl parses with the standard library, which expands entities.
    if not (defusedxml and openpyxl.DEFUSEDXML):
        raise RuntimeError("openpyxl does not use defusedxml; install it before any workbook is opened.")
    scans = scan(path)
    values = _load(path)
    chosen = _choose(values, sheet)
    found = scans.get(getattr(chosen, "_worksheet_path", "").lstrip("/"))
    if found is None:
        raise ImportProblem("The sheet is kept at an unusual place in the file; save it again with Excel.")
    _warn(chosen, found, problems)
    _check_dimension(found)
    rows = _rows(chosen, found.has_formulas)
    header: list[str] = []
    for row, cells in rows:
        if row == header_row:
            header = clean_header([_bare(cell) for cell in cells])
            break
    if not header:
        raise ImportProblem(f"The sheet “{chosen.title}” has no rows.")
    return Table(
        header, _fitted(rows, len(header), found, problems), "xlsx", f"sheet {chosen.title}", header_row, values.epoch
    )


def _load(path: Path) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # openpyxl raises whatever the parts make it raise
        raise ImportProblem(f"The file cannot be read as a workbook: {type(error).__name__}.") from error


def _choose(workbook: Any, sheet: str | None) -> Any:
    sheets = {found.title: found for found in workbook.worksheets}
    if not sheets:
        raise ImportProblem("The file has no sheet with rows.")
    visible = [title for title, found in sheets.items() if found.sheet_state == "visible"]
    if sheet is not None:
        if sheet not in sheets:
            raise ImportProblem(f"There is no sheet “{sheet}”; the file has {_quoted(visible)}.")
        return sheets[sheet]
    if len(visible) != 1:
        raise ImportProblem(f"The file has several sheets: {_quoted(visible)}. Name one with --sheet.")
    return sheets[visible[0]]


def _quoted(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names) or "none that is visible"


def _warn(chosen: Any, found: SheetScan, problems: Problems) -> None:
    hidden = [
        f"{count} hidden {what}{'s' if count > 1 else ''}"
        for count, what in ((found.hidden_rows, "row"), (found.hidden_columns, "column definition"))
        if count
    ]
    if chosen.sheet_state != "visible":
        hidden.insert(0, "is hidden")
    if hidden:
        problems.warn(None, None, None, f"The sheet “{chosen.title}”: {', '.join(hidden)}. All of it was read.")
    if found.has_filter:
        problems.warn(None, None, None, f"The sheet “{chosen.title}” has a filter; the rows it hides were read too.")


def _check_dimension(found: SheetScan) -> None:
    if not found.dimension:
        return
    try:
        _, _, columns, rows = range_boundaries(found.dimension)
    except ValueError:
        raise ImportProblem("The sheet says it covers no proper range of cells.") from None
    if (rows or 0) > ROWS + BLANK_ROWS:
        raise ImportProblem(f"The sheet says it has {rows:,} rows; at most {ROWS:,} are read.")
    if (columns or 0) > COLUMNS:
        raise ImportProblem(f"The sheet says it has {columns:,} columns; at most {COLUMNS} are read.")


def _rows(chosen: Any, has_formulas: bool) -> Iterator[tuple[int, list[Any]]]:
    """Every row that the sheet holds, with its number; formula and error cells come wrapped.

    openpyxl reads the cells, but over the standard library's parser: defusedxml's is three times as slow, and what it
    guards against, declarations, `scan` has refused in every part already.
    """
    book = chosen.parent
    try:
        with book._archive.open(chosen._worksheet_path) as source:
            parser = WorkSheetParser(
                source, chosen._shared_strings, data_only=True, epoch=book.epoch, date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
            )  # fmt: skip
            last = 0
            for _, element in ElementTree.iterparse(source):
                if element.tag != ROW_TAG:
                    continue
                number, cells = parser.parse_row(element)
                if number <= last:
                    raise ImportProblem("The rows of the sheet are not in order; save it again with Excel.", number)
                last = number
                yield number, _cells(number, element, cells, has_formulas)
                element.clear()
    except ImportProblem:
        raise
    except (zipfile.BadZipFile, OSError) as error:
        raise ImportProblem(f"The file is damaged: {error}.") from error
    except Exception as error:  # the parser raises whatever a broken part makes it raise
        raise ImportProblem(f"The sheet cannot be read: {type(error).__name__}.") from error
    finally:
        book.close()


def _cells(number: int, element: Any, cells: list[dict[str, Any]], has_formulas: bool) -> list[Any]:
    row: list[Any] = []
    for place, cell in enumerate(cells):
        column = cell["column"]
        if column > COLUMNS:
            raise ImportProblem(f"The row has {column:,} cells; at most {COLUMNS} are read.", number)
        if column > len(row):
            row.extend([None] * (column - len(row)))
        value = ErrorCell(str(cell["value"])) if cell["data_type"] == "e" else cell["value"]
        if has_formulas and element[place].find(FORMULA_TAG) is not None:
            value = Formula(value)
        row[column - 1] = value
    return row


def _bare(cell: Any) -> Any:
    return cell.value if isinstance(cell, Formula) else cell


def _fitted(
    rows: Iterator[tuple[int, list[Any]]], width: int, found: SheetScan, problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """The rows that are not blank, as wide as the header; a row that is not is refused and comes as []."""
    merged = deque(_merged_ranges(found))
    open_until, reference = 0, ""
    count = 0
    for row, cells in rows:
        if row > ROWS + BLANK_ROWS:
            raise ImportProblem(f"The sheet reaches beyond row {ROWS + BLANK_ROWS:,}; delete its empty rows.", row)
        while merged and merged[0][0] <= row:
            _, last, name = merged.popleft()
            if last > open_until:
                open_until, reference = last, name
        while cells and (cells[-1] is None or cells[-1] == ""):
            cells.pop()
        if not cells or not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in cells):
            continue
        count += 1
        if count > ROWS:
            raise ImportProblem(f"The sheet has more than {ROWS:,} rows; split it.", row)
        if row <= open_until:
            problems.refuse(row, None, reference, "The row holds merged cells; undo the merging.")
            yield row, []
        elif len(cells) > width:
            problems.refuse(row, None, None, "The row has more cells than the header.")
            yield row, []
        else:
            yield row, cells + [None] * (width - len(cells))


def _merged_ranges(found: SheetScan) -> list[tuple[int, int, str]]:
    """First row, last row and reference of each merged range, from the top down."""
    ranges = []
    for reference in found.merged:
        try:
            _, first, _, last = range_boundaries(reference)
        except ValueError:
            continue
        ranges.append((first or 1, last or 1, reference))
    return sorted(ranges)
