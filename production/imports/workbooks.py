"""One sheet of an XLSX file as a table, row by row."""

import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import defusedxml
import openpyxl
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries
from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from production.imports.archives import SheetScan, scan
from production.imports.problems import ImportProblem, Problems
from production.imports.tabular import COLUMNS, ROWS, Table, clean_header
from production.imports.values import ErrorCell, Formula

BLANK_ROWS = 100_000
STRING, INLINE, TEXT, RUN = (f"{{{SHEET_MAIN_NS}}}{name}" for name in ("si", "is", "t", "r"))


@dataclass
class Book:
    """An opened workbook: its sheets with their parts in the archive, its strings, and what makes a number a date."""

    reader: ExcelReader
    sheets: dict[str, tuple[str, str]]  # name -> part, "visible" or how it is hidden
    strings: list[str]

    @property
    def epoch(self) -> Any:
        return self.reader.wb.epoch


def open_workbook(path: Path, sheet: str | None, header_row: int, problems: Problems) -> Table:
    """The named sheet, or the only one; ImportProblem for a file that is not fit to open or lacks the sheet."""
    # Without defusedxml openpyxl parses with the standard library, which expands entities.
    if not (defusedxml and openpyxl.DEFUSEDXML):
        raise RuntimeError("openpyxl does not use defusedxml; install it before any workbook is opened.")
    scans = scan(path)
    book = _load(path)
    name = _choose(book, sheet)
    part, state = book.sheets[name]
    found = scans.get(part)
    if found is None:
        raise ImportProblem("The sheet is kept at an unusual place in the file; save it again with Excel.")
    _warn(name, state, found, problems)
    _check_dimension(found)
    rows = _rows(book, part, found.has_formulas)
    header: list[str] = []
    for row, cells in rows:
        if row == header_row:
            header = clean_header([_bare(cell) for cell in cells])
        if row >= header_row:
            break
    if not header:
        raise ImportProblem(f"The sheet “{name}” has no rows.")
    return Table(header, _fitted(rows, len(header), found, problems), "xlsx", f"sheet {name}", header_row, book.epoch)


def _load(path: Path) -> Book:
    """What openpyxl reads of a workbook before its cells; its own loading would parse the whole sheet for its size."""
    try:
        reader = ExcelReader(path, read_only=True, data_only=True, keep_links=False)
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        sheets = {
            sheet.name: (relation.target, sheet.state)
            for sheet, relation in reader.parser.find_sheets()
            if "chartsheet" not in relation.Type
        }
        shared = reader.package.find(SHARED_STRINGS)
        strings = []
        if shared is not None:
            with reader.archive.open(shared.PartName.lstrip("/")) as source:
                for _, element in ElementTree.iterparse(source):
                    if element.tag == STRING:
                        strings.append(_text(element))
                        element.clear()
        return Book(reader, sheets, strings)
    except Exception as error:  # openpyxl raises whatever the parts make it raise
        raise ImportProblem(f"The file cannot be read as a workbook: {type(error).__name__}.") from error


def _text(element: Any) -> str:
    """The text of a shared or an inline string: its runs, without the readings of East Asian words."""
    if len(element) == 1 and element[0].tag == TEXT:
        parts = [element[0].text or ""]
    else:
        parts = [found.text or "" for part in element if part.tag in (TEXT, RUN) for found in part.iter(TEXT)]
    return "".join(parts).replace("x005F_", "")


class Cells(WorkSheetParser):
    """openpyxl's reading of cells, with a short way for strings that stand in the cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        if element.get("t") != "inlineStr" or (found := element.find(INLINE)) is None:
            return super().parse_cell(element)  # type: ignore[no-any-return]
        place = element.get("r")
        column = coordinate_to_tuple(place)[1] if place else self.col_counter + 1
        self.col_counter = column
        return {"column": column, "value": _text(found), "data_type": "s"}


def _choose(book: Book, sheet: str | None) -> str:
    if not book.sheets:
        raise ImportProblem("The file has no sheet with rows.")
    visible = [name for name, (_, state) in book.sheets.items() if state == "visible"]
    if sheet is not None:
        if sheet not in book.sheets:
            raise ImportProblem(f"There is no sheet “{sheet}”; the file has {_quoted(visible)}.")
        return sheet
    if len(visible) != 1:
        raise ImportProblem(f"The file has several sheets: {_quoted(visible)}. Name one with --sheet.")
    return visible[0]


def _quoted(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names) or "none that is visible"


def _warn(name: str, state: str, found: SheetScan, problems: Problems) -> None:
    hidden = [
        f"{count} hidden {what}{'s' if count > 1 else ''}"
        for count, what in ((found.hidden_rows, "row"), (found.hidden_columns, "column definition"))
        if count
    ]
    if state != "visible":
        hidden.insert(0, "is hidden")
    if hidden:
        problems.warn(None, None, None, f"The sheet “{name}”: {', '.join(hidden)}. All of it was read.")
    if found.has_filter:
        problems.warn(None, None, None, f"The sheet “{name}” has a filter; the rows it hides were read too.")


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


def _rows(book: Book, part: str, has_formulas: bool) -> Iterator[tuple[int, list[Any]]]:
    """Every row that the sheet holds, with its number; formula and error cells come wrapped.

    openpyxl reads the cells, but over the standard library's parser: defusedxml's is three times as slow, and what it
    guards against, declarations, `scan` has refused in every part already.
    """
    workbook, archive = book.reader.wb, book.reader.archive
    try:
        with archive.open(part) as source:
            parser = Cells(
                source,
                book.strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=workbook._date_formats,
                timedelta_formats=workbook._timedelta_formats,
            )
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
        archive.close()


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
