"""A file as a table: a header and rows of cells, whatever it was stored as. Limits first, then reading."""

import csv
import io
import itertools
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl.utils.datetime import WINDOWS_EPOCH

from production.imports.encodings import encoding_of
from production.imports.problems import ImportProblem, Problems
from production.imports.values import LONGEST_CELL

FILE_BYTES = 50 * 1024 * 1024
ROWS = 100_000
COLUMNS = 256
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass
class Table:
    """An opened file: `header` as written, `rows` of (row number in the spreadsheet, cells as wide as the header)."""

    header: list[str]
    rows: Iterator[tuple[int, list[Any]]]
    kind: str
    detail: str
    header_row: int
    epoch: datetime = WINDOWS_EPOCH

    @property
    def is_workbook(self) -> bool:
        return self.kind == "xlsx"


def kind_of(path: Path) -> str:
    """ "csv" or "xlsx" by what the file is, not by its name; ImportProblem for anything else and for a wrong name."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise ImportProblem(f"The file cannot be opened: {getattr(error, 'strerror', None) or error}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImportProblem("This is not a file.")
    if status.st_size == 0:
        raise ImportProblem("The file is empty: it has no rows.")
    if status.st_size > FILE_BYTES:
        raise ImportProblem(f"The file has {status.st_size:,} bytes; at most {FILE_BYTES:,} are read.")
    try:
        with path.open("rb") as file:
            start = file.read(2048)
    except OSError as error:
        raise ImportProblem(f"The file cannot be opened: {error.strerror}.") from None
    suffix = path.suffix.lower()
    if start.startswith(OLE):
        raise ImportProblem(
            "The file is an old Excel file (.xls) or is protected by a password. Save it as .xlsx without one."
        )
    if start.startswith(b"PK"):
        if suffix in (".xlsm", ".xltm", ".xlsb", ".ods"):
            raise ImportProblem(f"{suffix} files are not read. Save the sheet as .xlsx or .csv.")
        return "xlsx"
    if start.startswith((b"%PDF", b"{\\rtf", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")):
        raise ImportProblem("The file is not a table. Save the sheet as .xlsx or .csv.")
    text = start.decode("latin-1").lstrip("\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(("<!doctype", "<html", "<table", "<?xml", "<head", "<meta", "<script")):
        raise ImportProblem("The file is a web page or XML, whatever its name says. Save the sheet as .xlsx or .csv.")
    if suffix in (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"):
        raise ImportProblem(f"The file is named {suffix} but is not an Excel file. If it is text, rename it to .csv.")
    return "csv"


def clean_header(cells: list[Any]) -> list[str]:
    """The column names on one line each, empty ones at the end left out; ImportProblem for two that count as equal."""
    names = ["" if cell is None else " ".join(_visible(str(cell)).split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > COLUMNS:
        raise ImportProblem(f"The table has {len(names):,} columns; at most {COLUMNS} are read.")
    seen: dict[str, str] = {}
    for found in names:
        if found and (known := seen.setdefault(same_header(found), found)) is not found:
            raise ImportProblem(f"Two columns are named “{known}”; give each column its own name.", column=found)
    return names


def same_header(text: str) -> str:
    """The form in which two column names count as equal: NFKC, one blank, no case, nothing hidden."""
    return " ".join(_visible(unicodedata.normalize("NFKC", text)).split()).casefold()


def _visible(text: str) -> str:
    return text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def open_csv(
    path: Path, encodings: tuple[str, ...], delimiter: str, header_row: int, expected: set[str], problems: Problems
) -> Table:
    """A delimited text file; `delimiter` "auto" takes the one that shows most of the `expected` column names."""
    encoding, mark = encoding_of(path, encodings, problems)
    if delimiter == "auto":
        delimiter = _delimiter(path, encoding, mark, header_row, expected)
    records = _records(path, encoding, mark, delimiter, problems)
    header: list[str] = []
    for row, cells in records:
        if row == header_row:
            header = clean_header(cells or [])
            break
    if not header:
        raise ImportProblem("The file has no rows.")
    detail = f"{encoding}, {DELIMITERS.get(delimiter, repr(delimiter))}"
    return Table(header, _fitted(records, len(header), problems), "csv", detail, header_row)


def _fitted(
    records: Iterator[tuple[int, list[str] | None]], width: int, problems: Problems
) -> Iterator[tuple[int, list[Any]]]:
    """The records that are not blank, each as wide as the header; a row that is not is refused and comes as []."""
    count = 0
    for row, cells in records:
        if cells is not None and not any(map(str.strip, cells)):
            continue
        count += 1
        if count > ROWS:
            raise ImportProblem(f"The file has more than {ROWS:,} rows; split it.", row)
        if cells is None:
            yield row, []
        elif len(cells) != width:
            more = "more" if len(cells) > width else "fewer"
            problems.refuse(row, None, None, f"The row has {more} cells than the header.")
            if len(cells) > COLUMNS:
                raise ImportProblem(f"The row has {len(cells):,} cells; at most {COLUMNS} are read.", row)
            yield row, []
        elif max(map(len, cells)) > LONGEST_CELL:
            problems.refuse(row, None, None, f"A cell is longer than {LONGEST_CELL:,} characters.")
            yield row, []
        else:
            yield row, cells


def _records(
    path: Path, encoding: str, mark: int, delimiter: str, problems: Problems
) -> Iterator[tuple[int, list[str] | None]]:
    """Every record with its number, blank ones included, as a spreadsheet would count them; None for a broken one."""
    previous = csv.field_size_limit(FILE_BYTES)
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding, "strict", newline="") as file:
            raw.seek(mark)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in itertools.count(1):
                first_line = reader.line_num + 1
                try:
                    yield row, next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "unexpected end of data" in str(error):
                        raise ImportProblem(
                            f"A quotation mark opened on line {first_line:,} is never closed.", row
                        ) from None
                    problems.refuse(row, None, None, "A quotation mark inside a quoted cell must be doubled.")
                    yield row, None
    finally:
        csv.field_size_limit(previous)


def _delimiter(path: Path, encoding: str, mark: int, header_row: int, expected: set[str]) -> str:
    """The delimiter under which the header shows most expected names; a tie is for the user to settle."""
    found: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        for row, cells in _records(path, encoding, mark, delimiter, Problems()):
            if row == header_row and cells is not None:
                found[delimiter] = (len({same_header(cell) for cell in cells} & expected), len(cells))
            if row >= header_row:
                break
    best = sorted(found, key=lambda delimiter: found[delimiter], reverse=True)
    if len(best) > 1 and found[best[0]] == found[best[1]] and found[best[0]][1] > 1:
        raise ImportProblem("The delimiter is not clear; name it in the mapping.", header_row)
    return best[0] if best else ","
