"""One sheet of an XLSX file as a table, row by row."""

import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import defusedxml
import openpyxl
from openpyxl.utils.cell import range_boundaries

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
    values = _load(path, data_only=True)
    chosen = _choose(values, sheet)
    found = scans.get(getattr(chosen, "_worksheet_path", "").lstrip("/"))
    if found is None:
        raise ImportProblem("The sheet is kept at an unusual place in the file; save it again with Excel.")
    _warn(chosen, found, problems)
    _check_dimension(found)
    formulas = _load(path, data_only=False)[chosen.title] if found.has_formulas else None
    rows = _rows(chosen, formulas)
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


def _load(path: Path, *, data_only: bool) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=data_only, keep_links=False)
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


def _rows(chosen: Any, formulas: Any) -> Iterator[tuple[int, list[Any]]]:
    """Every row with its number; formula and error cells come wrapped."""
    chosen.reset_dimensions()
    if formulas is not None:
        formulas.reset_dimensions()
    beside = iter(formulas.iter_rows()) if formulas is not None else None
    try:
        for number, cells in enumerate(chosen.iter_rows(), 1):
            if len(cells) > COLUMNS:
                raise ImportProblem(f"The row has {len(cells):,} cells; at most {COLUMNS} are read.", number)
            row = [ErrorCell(str(cell.value)) if cell.data_type == "e" else cell.value for cell in cells]
            if beside is not None:
                for index, cell in enumerate(next(beside, ())):
                    if cell.data_type == "f" and index < len(row):
                        row[index] = Formula(row[index])
            yield number, row
    except ImportProblem:
        raise
    except (zipfile.BadZipFile, OSError) as error:
        raise ImportProblem(f"The file is damaged: {error}.") from error
    except Exception as error:  # the parser raises whatever a broken part makes it raise
        raise ImportProblem(f"The sheet cannot be read: {type(error).__name__}.") from error
    finally:
        for sheet in filter(None, (chosen, formulas)):
            sheet.parent.close()


def _bare(cell: Any) -> Any:
    return cell.value if isinstance(cell, Formula) else cell


def _fitted(
    rows: Iterator[tuple[int, list[Any]]], width: int, found: SheetScan, problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """The rows that are not blank, as wide as the header; a row that is not is refused and comes as []."""
    merged = deque(_merged_ranges(found))
    open_until, reference = 0, ""
    count = blank = 0
    for row, cells in rows:
        while merged and merged[0][0] <= row:
            _, last, name = merged.popleft()
            if last > open_until:
                open_until, reference = last, name
        while cells and (cells[-1] is None or cells[-1] == ""):
            cells.pop()
        if not cells or not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in cells):
            blank += 1
            if blank > BLANK_ROWS:
                raise ImportProblem(f"The sheet has more than {BLANK_ROWS:,} empty rows; delete them.", row)
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
