"""Bad files: each is read truly, warned of, or refused with row, column and reason; none is changed silently or crashes.

The cases follow the groups of the corpus: encoding, structure, formula, XLSX, number, date, text, references.
"""

import csv
import datetime
import io
import random
import resource
import stat
import time
import zipfile
from decimal import Decimal

import defusedxml
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from production.imports import archives, values
from production.imports.mapping import load
from production.imports.problems import ImportProblem, Problems, shown
from production.imports.rows import RowReader
from production.imports.run import open_table
from tests.make import day

TODAY = day("2026-11-20")
HEADER = ["Factory", "Order", "Line", "Product", "Quantity", "Price", "Due", "Note"]
ROW = ["VN-001", "PO-1", "1", "Shirt", "100", "2.50", "2026-10-01", "plain"]
MAPPING = """
name = "corpus"
[file]
encodings = {encodings}
delimiter = "auto"
[numbers]
decimal = {decimal!r}
thousands = {thousands!r}
[dates]
forms = {forms}
pivot = 49
[key]
columns = ["Order", "Line"]
[columns]
factory_code = "Factory"
order_number = "Order"
line_number = "Line"
product_name = "Product"
quantity = {quantity}
unit_price = "Price"
committed_on = {due}
order_note = "Note"
[constants]
site = "MAIN"
"""


class Outcome:
    """What reading a file without a database gives: rows, problems, warnings, or why it was refused whole."""

    def __init__(self, path, mapping, sheet=None):
        self.problems, self.refusal, self.rows, self.detail = Problems(), None, [], ""
        try:
            table = open_table(path, mapping, sheet, self.problems)
            self.detail = table.detail
            self.rows = list(RowReader(table, mapping, self.problems, TODAY).read())
        except ImportProblem as refusal:
            self.refusal = refusal.problem

    @property
    def refused(self):
        return [(problem.row, problem.column, problem.reason) for problem in self.problems.refused]

    @property
    def warned(self):
        return [problem.reason for problem in self.problems.warned]

    def value(self, field):
        assert self.refusal is None, self.refusal
        assert not self.problems.refused, self.problems.refused
        return getattr(self.rows[0], field)


@pytest.fixture
def read(tmp_path):
    """read(bytes or rows, name="orders.csv", sheet=None, **mapping) -> the Outcome of reading such a file."""

    def run(content, name="orders.csv", sheet=None, encodings=("utf-8",), decimal=".", thousands="", quantity='"Quantity"',
            forms=("YYYY-MM-DD", "D-Mon-YY"), order_letters="", due='"Due"'):  # fmt: skip
        path, toml = tmp_path / name, tmp_path / "mapping.toml"
        text = MAPPING.format(encodings=list(encodings), decimal=decimal, thousands=thousands, forms=list(forms),
                              quantity=quantity, due=due)  # fmt: skip
        toml.write_text(text.replace('delimiter = "auto"', f'delimiter = "auto"\nid_letters = "{order_letters}"'))
        if not isinstance(content, bytes):
            content = text_file(content)
        path.write_bytes(content)
        return Outcome(path, load(str(toml)), sheet)

    return run


def text_file(rows, encoding="utf-8", header=HEADER, **options):
    out = io.StringIO()
    csv.writer(out, **options).writerows([header, *rows])
    return out.getvalue().encode(encoding)


def row(**changes):
    return [changes.get(name.lower(), value) for name, value in zip(HEADER, ROW, strict=True)]


def workbook(*rows, change=lambda book: None):
    """The bytes of an XLSX file with our header and these rows."""
    book = openpyxl.Workbook()
    for each in (HEADER, *rows):
        book.active.append(each)
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


XLSX_ROW = ["VN-001", "PO-1", "1", "Shirt", 100, 2.5, day("2026-10-01"), "plain"]


def repacked(content, replace=None, add=(), flags=0):
    """An archive with some parts replaced ({name: bytes or function}) and others added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            part = old.read(entry)
            change = (replace or {}).get(entry.filename)
            new.writestr(entry.filename, change(part) if callable(change) else change if change is not None else part)
        for name, part in add:
            new.writestr(name, part)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


# Encoding


@pytest.mark.parametrize(
    "encoding, chosen",
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16-le", None), ("utf-16-be", None), ("gb18030", "gb18030"),
     ("big5", "big5"), ("cp932", "cp932")],
)  # fmt: skip
def test_encodings_are_read_truly(read, encoding, chosen):
    name = "供應商" if encoding == "big5" else "供应商" if encoding != "cp932" else "工場"
    content = text_file([row(product=name)], encoding)
    if chosen is None:
        content = ("\ufeff").encode(encoding) + content
    outcome = read(content, encodings=["utf-8"] if chosen in (None, "utf-8") else ["utf-8", chosen])
    assert outcome.value("product_name") == name
    assert not outcome.warned


def test_utf_16_without_a_mark_asks_for_its_encoding(read):
    content = text_file([row()], "utf-16-le")
    assert "Choose the encoding" in read(content).refusal.reason
    assert read(content, encodings=["utf-16-le"]).value("product_name") == "Shirt"


def test_gb18030_that_is_also_utf_8_is_pointed_out(read):
    outcome = read(text_file([row(product="茅台")], "gb18030"), encodings=["utf-8", "gb18030"])
    assert any("could also be gb18030" in reason for reason in outcome.warned)


def test_utf_8_taken_for_gb18030_is_pointed_out(read):
    outcome = read(text_file([row(product="数量")]), encodings=["gb18030"])
    assert "The file was read as gb18030, but it is also valid UTF-8." in outcome.warned
    assert "looks wrongly decoded; check the encoding of the file." in outcome.warned


def test_cp1252_only_where_the_mapping_says_so(read):
    content = text_file([row(product="Müller – Köln")], "cp1252")
    assert read(content, encodings=["utf-8", "cp1252"]).value("product_name") == "Müller – Köln"
    refusal = read(content).refusal
    assert refusal.reason.startswith("The file is not utf-8: byte 0xFC at byte ")
    assert f"{content.index(0xFC)}" in refusal.reason
    assert refusal.row == 2


def test_one_invalid_byte_far_inside_is_named_by_offset_and_row(read):
    content = text_file([row(line=str(n), note="x" * 2_000) for n in range(1_500)])
    place = 2_500_000
    outcome = read(content[:place] + b"\xff" + content[place + 1 :])
    assert "byte 0xFF at byte 2,500,000" in outcome.refusal.reason
    assert outcome.refusal.row == content[:place].count(b"\n") + 1


def test_mixed_encodings_are_refused(read):
    content = text_file([row(product="Müller")]) + text_file([row(product="Köln")], "cp1252").splitlines()[1]
    assert "The file is not utf-8" in read(content).refusal.reason


# Structure


@pytest.mark.parametrize("content", [b"", b"\n\n \n", ",".join(HEADER).encode(), b",,,\n,,,\n"])
def test_files_without_rows(read, content):
    outcome = read(content)
    assert not outcome.rows
    assert outcome.refusal or not outcome.problems.refused


@pytest.mark.parametrize("twin", ["Quantity", "quantity ", "Ｑuantity", "Quan\u200btity", " QUANTITY\u00a0"])
def test_duplicate_headers_after_normalising(read, twin):
    outcome = read(text_file([[*ROW, "5"]], header=[*HEADER, twin]))
    assert "Two columns are named" in outcome.refusal.reason


@pytest.mark.parametrize("header", ["quantity", "  Quantity ", "ＱＵＡＮＴＩＴＹ", "Quantity\u00a0", "\u200bQuantity"])
def test_header_is_found_however_it_is_spelt(read, header):
    names = [header if name == "Quantity" else name for name in HEADER]
    assert read(text_file([ROW], header=names)).value("quantity") == 100


def test_columns_in_another_order_and_unknown_ones(read):
    outcome = read(text_file([["x", *reversed(ROW)]], header=["Other", *reversed(HEADER)]))
    assert outcome.value("quantity") == 100


def test_missing_columns_are_all_named(read):
    outcome = read(text_file([["PO-1"]], header=["Order"]))
    assert "Columns are missing: “Line”, “Factory”, “Product”, “Quantity”" in outcome.refusal.reason


def test_rows_longer_and_shorter_than_the_header(read):
    outcome = read(text_file([ROW[:-1], [*row(line="2"), "more"], row(line="3")]))
    assert [(r, reason) for r, _, reason in outcome.refused] == [
        (2, "The row has fewer cells than the header."), (3, "The row has more cells than the header."),
    ]  # fmt: skip
    assert [r.row for r in outcome.rows] == [4]


def test_unterminated_quote_is_named_where_it_opens(read):
    content = text_file([ROW, ROW]) + b'VN-001,"PO-1,1,Shirt,5,1,2026-10-01,x\r\n' + text_file([ROW] * 3)
    outcome = read(content)
    assert outcome.refusal.reason == "A quotation mark opened on line 4 is never closed."
    assert outcome.refusal.row == 4


def test_stray_quote_in_a_quoted_cell(read):
    content = text_file([ROW]) + b'VN-001,PO-1,2,"Shirt "blue"",5,1,2026-10-01,x\r\n' + text_file([row(line="3")])[64:]
    outcome = read(content)
    assert (3, None, "A quotation mark inside a quoted cell must be doubled.") in outcome.refused


def test_quotes_commas_and_line_breaks_inside_cells(read):
    outcome = read(text_file([row(product='5" pipe, "blue"', note="two\nlines"), row(line="2", quantity="x")]))
    assert outcome.rows[0].product_name == '5" pipe, "blue"'
    assert outcome.rows[0].order_note == "two lines"
    assert outcome.refused == [(3, "Quantity", "is not a number.")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(read, delimiter, ending):
    outcome = read(text_file([ROW, row(line="2")], delimiter=delimiter, lineterminator=ending))
    assert (len(outcome.rows), outcome.value("quantity")) == (2, 100)
    assert not outcome.warned


def test_mixed_line_ends_and_blank_lines_keep_the_row_numbers(read):
    lines = text_file([ROW, row(line="2"), row(line="3", quantity="x")]).decode().splitlines()
    outcome = read(f"{lines[0]}\r\n\n{lines[1]}\r{lines[2]}\n,,,,,,,\n{lines[3]}".encode())
    assert [r.row for r in outcome.rows] == [3, 4]
    assert outcome.refused == [(6, "Quantity", "is not a number.")]


@pytest.mark.parametrize("length", [32_768, 131_073, 1_000_000])
def test_cell_that_is_too_long(read, length):
    outcome = read(text_file([row(note="x" * length), row(line="2")]))
    assert outcome.refused == [(2, None, "A cell is longer than 32,767 characters.")]
    assert len(outcome.rows) == 1


def test_nul_is_refused_with_its_place(read):
    content = text_file([row(note="a\0b")])
    assert read(content).refusal.reason == f"The file holds a NUL character at byte {content.index(0)}."


def test_too_many_columns(read):
    outcome = read(text_file([["1"] * 300], header=[f"c{n}" for n in range(300)]))
    assert outcome.refusal.reason == "The table has 300 columns; at most 256 are read."


def test_too_many_rows_stop_the_reading(read):
    line = ",".join(ROW).encode() + b"\n"
    outcome = read(",".join(HEADER).encode() + b"\n" + line * 100_001)
    assert (outcome.refusal.reason, outcome.refusal.row) == ("The file has more than 100,000 rows; split it.", 100_002)


def test_file_that_is_too_large_is_not_opened(read, tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    outcome = Outcome(path, load("orders"))
    assert "at most 52,428,800 are read" in outcome.refusal.reason


def test_folder_and_missing_file(tmp_path):
    assert Outcome(tmp_path, load("orders")).refusal.reason == "This is not a file."
    assert "cannot be opened" in Outcome(tmp_path / "nothing.csv", load("orders")).refusal.reason


# Formula


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_text_is_text_in_names_and_refused_in_numbers_and_days(read, text):
    assert read([row(note=text)]).value("order_note") == " ".join(text.split())
    for column in ("quantity", "price", "due"):
        ((where, name, _),) = read([row(**{column: text})]).refused
        assert (where, name.lower()) == (2, column)


def test_a_negative_number_is_a_number_and_refused_by_rule(read):
    assert read([row(quantity="-5")]).refused == [(2, "Quantity", "must be more than 0.")]
    assert read([row(price="-5")]).refused == [(2, "Price", "cannot be negative.")]


def formula_book(cached):
    content = workbook(XLSX_ROW, change=lambda book: book.active.__setitem__("E2", "=50+50"))
    cell = b"<f>50+50</f><v>100</v>" if cached else b"<f>50+50</f><v></v>"
    return repacked(content, {SHEET: lambda part: part.replace(b"<f>50+50</f><v></v>", cell).replace(
        b"<f>50+50</f><v />", cell)})  # fmt: skip


def test_formula_with_a_remembered_value_is_used_and_pointed_out(read):
    outcome = read(formula_book(cached=True), "orders.xlsx")
    assert outcome.value("quantity") == 100
    assert outcome.warned == ["is a formula; the value the file remembers was used."]


def test_formula_without_a_value_is_refused(read):
    ((where, column, reason),) = read(formula_book(cached=False), "orders.xlsx").refused
    assert (where, column) == (2, "Quantity")
    assert "whose value the file does not hold" in reason


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!"])
def test_error_cells_are_refused(read, error):
    cells = [*XLSX_ROW]
    cells[4] = error
    assert read(workbook(cells), "orders.xlsx").refused == [(2, "Quantity", "is an error of the spreadsheet.")]


def test_hyperlink_is_its_text(read):
    def link(book):
        book.active["D2"].hyperlink = "https://example.com/"

    assert read(workbook(XLSX_ROW, change=link), "orders.xlsx").value("product_name") == "Shirt"


def test_external_relations_are_refused(read):
    relation = (
        b'<Relationship Id="rId9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath" '
        b'Target="file:///etc/passwd" TargetMode="External"/></Relationships>'
    )
    content = repacked(workbook(XLSX_ROW), {
        "xl/_rels/workbook.xml.rels": lambda part: part.replace(b"</Relationships>", relation)})  # fmt: skip
    assert "draws on other files" in read(content, "orders.xlsx").refusal.reason
    content = repacked(workbook(XLSX_ROW), add=[("xl/externalLinks/externalLink1.xml", b"<x/>")])
    assert "draws on other files" in read(content, "orders.xlsx").refusal.reason


# XLSX


def test_defusedxml_is_in_use():
    assert defusedxml
    assert openpyxl.DEFUSEDXML


def test_zip_bomb_is_refused_at_once_and_costs_no_memory(read):
    content = repacked(workbook(XLSX_ROW), add=[("xl/media/image1.png", b"\0" * 200 * 1024 * 1024)])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    outcome = read(content, "orders.xlsx")
    assert "more than a hundred times its size" in outcome.refusal.reason
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_budget_counts_what_comes_out_of_all_parts(read, monkeypatch):
    monkeypatch.setattr(archives, "INFLATED_BYTES", 3_000_000)
    noise = random.Random(1).randbytes(1_600_000)
    content = repacked(workbook(XLSX_ROW), add=[("xl/media/1.png", noise), ("xl/media/2.png", noise)])
    assert read(content, "orders.xlsx").refusal.reason == "The file is too large when unpacked."


def test_declared_sizes_are_not_believed(read):
    content = bytearray(repacked(workbook(XLSX_ROW), add=[("xl/media/1.png", b"\0" * 300_000_00)]))
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"xl/media/1.png"))
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    assert read(bytes(content), "orders.xlsx").refusal is not None


def test_dimension_bomb_is_refused(read):
    def lie(part):
        return part.replace(b'<dimension ref="A1:H2"', b'<dimension ref="A1:XFD1048576"')

    outcome = read(repacked(workbook(XLSX_ROW), {SHEET: lie}), "orders.xlsx")
    assert "1,048,576 rows; at most 100,000 are read" in outcome.refusal.reason


def test_far_away_cells_are_refused(read):
    far_row = repacked(workbook(XLSX_ROW), {SHEET: lambda part: part.replace(
        b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData>')})  # fmt: skip
    assert "reaches beyond row" in read(far_row, "orders.xlsx").refusal.reason
    far_column = repacked(workbook(XLSX_ROW), {SHEET: lambda part: part.replace(
        b"</sheetData>", b'<row r="3"><c r="XFD3"><v>1</v></c></row></sheetData>')})  # fmt: skip
    assert "at most 256 are read" in read(far_column, "orders.xlsx").refusal.reason


LAUGHS = b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>'


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml", "docProps/app.xml"])
@pytest.mark.parametrize("declaration", [LAUGHS, b'<!DOCTYPE x SYSTEM "file:///etc/passwd">'])
def test_declarations_of_entities_are_refused(read, part, declaration):
    def plant(content):
        start = content.index(b"?>") + 2 if content.startswith(b"<?xml") else 0
        return content[:start] + declaration + content[start:]

    content = repacked(workbook(XLSX_ROW), {part: plant})
    assert "declares entities" in read(content, "orders.xlsx").refusal.reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "cp037"])
def test_parts_in_another_encoding_cannot_hide_from_the_scan(read, encoding):
    def plant(part):
        text = part.decode().split("?>", 1)[-1]
        return f'<?xml version="1.0" encoding="{encoding}"?>{LAUGHS.decode()}{text}'.encode(encoding)

    assert read(repacked(workbook(XLSX_ROW), {SHEET: plant}), "orders.xlsx").refusal is not None


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def other_archive(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"application/vnd.oasis.opendocument.spreadsheet")
    return out.getvalue()


@pytest.mark.parametrize(
    "content, name, reason",
    [
        (OLE, "orders.xls", "old Excel file (.xls) or is protected by a password"),
        (OLE, "orders.xlsx", "old Excel file (.xls) or is protected by a password"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "orders.xls", "web page"),
        (b"  <!DOCTYPE html><html></html>", "orders.csv", "web page"),
        (text_file([ROW]), "orders.xlsx", "named .xlsx but is not an Excel file"),
        (other_archive("mimetype", "content.xml"), "orders.xlsx", "OpenDocument"),
        (other_archive("mimetype", "content.xml"), "orders.ods", ".ods files are not read"),
        (other_archive("readme.txt"), "orders.xlsx", "it has no workbook inside"),
        (workbook(XLSX_ROW), "orders.xlsm", ".xlsm files are not read"),
        (repacked(workbook(XLSX_ROW), add=[("xl/vbaProject.bin", b"x")]), "orders.xlsx", "holds macros"),
        (repacked(workbook(XLSX_ROW), add=[("xl/workbook.bin", b"x")]), "orders.xlsx", "binary workbook"),
        (workbook(XLSX_ROW)[:-600], "orders.xlsx", "not a sound .xlsx file"),
        (b"PK\x03\x04" + b"\0" * 100, "orders.xlsx", "not a sound .xlsx file"),
        (b"%PDF-1.7", "orders.csv", "not a table"),
    ],
)
def test_other_kinds_of_file_are_refused_with_a_plain_reason(read, content, name, reason):
    assert reason in read(content, name).refusal.reason


def test_macro_content_type_is_refused(read):
    content = repacked(workbook(XLSX_ROW), {"[Content_Types].xml": lambda part: part.replace(
        b"spreadsheetml.sheet.main", b"x.macroEnabled.main")})  # fmt: skip
    assert "macros" in read(content, "orders.xlsx").refusal.reason


@pytest.mark.parametrize("name", ["../evil.xml", "/etc/passwd", "xl/../../evil.xml", "C:/evil.xml"])
def test_entries_with_paths_are_refused(read, name):
    assert "a part is named" in read(repacked(workbook(XLSX_ROW), add=[(name, b"x")]), "orders.xlsx").refusal.reason


def test_links_twins_passwords_and_swarms_of_entries_are_refused(read):
    link = zipfile.ZipInfo("xl/link.xml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "is a link" in read(repacked(workbook(XLSX_ROW), add=[(link, b"/etc/passwd")]), "orders.xlsx").refusal.reason
    with pytest.warns(UserWarning, match="Duplicate name"):
        twins = repacked(workbook(XLSX_ROW), add=[(SHEET, b"<x/>")])
    assert "is there twice" in read(twins, "orders.xlsx").refusal.reason
    swarm = repacked(workbook(XLSX_ROW), add=[(f"xl/{n}.xml", b"") for n in range(1_001)])
    assert "at most 1,000 are read" in read(swarm, "orders.xlsx").refusal.reason
    locked = bytearray(workbook(XLSX_ROW))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert "protected by a password" in read(bytes(locked), "orders.xlsx").refusal.reason


def two_sheets(book):
    other = book.create_sheet("Other")
    for each in (HEADER, XLSX_ROW):
        other.append(each)


def test_several_sheets_ask_for_one(read):
    content = workbook(XLSX_ROW, change=two_sheets)
    assert "several sheets: “Sheet”, “Other”. Name one with --sheet." in read(content, "orders.xlsx").refusal.reason
    assert read(content, "orders.xlsx", sheet="Other").value("quantity") == 100
    assert "There is no sheet “Third”" in read(content, "orders.xlsx", sheet="Third").refusal.reason


def test_hidden_things_are_read_and_counted(read):
    def hide(book):
        two_sheets(book)
        book["Sheet"].row_dimensions[2].hidden = True
        book["Sheet"].column_dimensions["H"].hidden = True
        book["Sheet"].auto_filter.ref = "A1:H2"
        book["Other"].sheet_state = "hidden"

    content = workbook(XLSX_ROW, change=hide)
    outcome = read(content, "orders.xlsx")
    assert outcome.value("quantity") == 100
    assert any("1 hidden row, 1 hidden column definition" in reason for reason in outcome.warned)
    assert any("has a filter" in reason for reason in outcome.warned)
    assert any("is hidden" in reason for reason in read(content, "orders.xlsx", sheet="Other").warned)


def test_merged_cells_in_the_data_are_refused(read):
    content = workbook(XLSX_ROW, XLSX_ROW, XLSX_ROW, change=lambda book: book.active.merge_cells("A3:A4"))
    outcome = read(content, "orders.xlsx")
    assert [where for where, _, _ in outcome.refused] == [3, 4]
    assert len(outcome.rows) == 1


@pytest.mark.parametrize(
    "cell, warning",
    [
        (day("2026-10-01"), None),
        (datetime.datetime(2026, 10, 1), None),
        ("2026-10-01", None),
        (46296, "is a bare number; it was read as Excel's day 2026-10-01."),
        (datetime.datetime(2026, 10, 1, 23, 30), "holds a time of day; only its day was used."),
    ],
)
def test_days_in_cells(read, cell, warning):
    outcome = read(workbook([*XLSX_ROW[:6], cell, "x"]), "orders.xlsx")
    assert outcome.value("committed_on") == day("2026-10-01")
    assert outcome.warned == ([warning] if warning else [])


def test_1904_date_system(read):
    def old_mac(book):
        book.epoch = CALENDAR_MAC_1904

    assert read(workbook(XLSX_ROW, change=old_mac), "orders.xlsx").value("committed_on") == day("2026-10-01")


def test_number_stored_as_text_warns_and_keeps_zeros_in_ids(read):
    outcome = read(workbook(["VN-001", "00123", "007", "Shirt", "00123", 2.5, day("2026-10-01"), "x"]), "orders.xlsx")
    assert (outcome.value("order_number"), outcome.value("line_number"), outcome.value("quantity")) == (
        "00123",
        "007",
        123,
    )
    assert outcome.warned == ["is a number stored as text."]


def test_numbers_in_id_cells(read):
    outcome = read(workbook(["VN-001", 4500012345, 10.0, "Shirt", 5, 1, day("2026-10-01"), 3]), "orders.xlsx")
    assert (outcome.value("order_number"), outcome.value("line_number"), outcome.value("order_note")) == (
        "4500012345",
        "10",
        "3",
    )
    rounded = read(workbook(["VN-001", 12345678901234567, 1, "Shirt", 5, 1, day("2026-10-01"), 3]), "orders.xlsx")
    assert "which Excel has rounded" in rounded.refused[0][2]


@pytest.mark.parametrize("cell", [True, day("2026-10-01"), datetime.time(3), 1e15, 0.1234567])
def test_cells_that_are_no_quantities(read, cell):
    ((where, column, _),) = read(workbook([*XLSX_ROW[:4], cell, *XLSX_ROW[5:]]), "orders.xlsx").refused
    assert (where, column) == (2, "Quantity")


SHARED = b"""<?xml version="1.0" encoding="UTF-8"?>
<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>PO-1</t></si>
<si><r><t>Blue </t></r><r><rPr><b/></rPr><t>Shirt</t></r><rPh sb="0" eb="1"><t>reading</t></rPh></si></sst>"""


def with_shared_strings(content, strings=SHARED):
    """The workbook with order number and product as shared strings, as Excel writes them."""
    kind = (
        b'<Override PartName="/xl/sharedStrings.xml" '
        b'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
    )

    def share(part):
        for cell, index in ((b"B2", b"0"), (b"D2", b"1")):
            start = part.index(b'<c r="' + cell)
            end = part.index(b"</c>", start) + 4
            part = part[:start] + b'<c r="' + cell + b'" t="s"><v>' + index + b"</v></c>" + part[end:]
        return part

    types = {"[Content_Types].xml": lambda part: part.replace(b"</Types>", kind)}
    return repacked(content, {SHEET: share, **types}, add=[("xl/sharedStrings.xml", strings)])


def test_shared_strings_are_their_runs_without_readings(read):
    outcome = read(with_shared_strings(workbook(XLSX_ROW)), "orders.xlsx")
    assert (outcome.value("order_number"), outcome.value("product_name")) == ("PO-1", "Blue Shirt")


def test_shared_strings_are_watched_too(read):
    hostile = SHARED.replace(b"<sst", LAUGHS + b"<sst")
    assert "declares entities" in read(with_shared_strings(workbook(XLSX_ROW), hostile), "orders.xlsx").refusal.reason
    missing = SHARED.replace(b"<si><t>PO-1</t></si>", b"")
    assert "cannot be read" in read(with_shared_strings(workbook(XLSX_ROW), missing), "orders.xlsx").refusal.reason


def test_sum_of_tenths_is_what_excel_shows(read):
    assert read(workbook([*XLSX_ROW[:5], 0.1 + 0.2, *XLSX_ROW[6:]]), "orders.xlsx").value("unit_price") == Decimal(
        "0.3"
    )


# Number


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "Infinity", "-inf", "1e309", "1e5", "9" * 30, "9" * 5_000, "1_000", "１２", "١٢", "1,000", "1 000", "1,5",
     "1.005.0", "12 pcs", "5%", "3oo", "0x10", "--5", "1.0000001", "٫5", "½", "1,00,000", ".", "-", "1.", "1..5"],
)  # fmt: skip
def test_what_is_not_a_number_is_refused(read, text):
    ((where, column, _),) = read([row(quantity=text)]).refused
    assert (where, column) == (2, "Quantity")


@pytest.mark.parametrize(
    "text, amount", [("-0", "0"), ("+5", "5"), ("007", "7"), (" 12\u00a0", "12"), ("1.500000", "1.5")]
)
def test_what_is_a_number_is_exact(read, text, amount):
    assert read([row(price=text)]).value("unit_price") == Decimal(amount)


@pytest.mark.parametrize(
    "text, decimal, thousands, amount",
    [("1,000", ".", ",", "1000"), ("1.000", ",", ".", "1000"), ("1 000", ",", " ", "1000"), ("1\u202f000,5", ",", " ", "1000.5"),
     ("1,5", ",", ".", "1.5"), ("1'000.25", ".", "'", "1000.25"), ("1000", ",", ".", "1000"), ("1,0000", ".", ",", None),
     ("1.5", ",", ".", None), ("10,00", ".", ",", None), ("1.5", "", "", None)],
)  # fmt: skip
def test_separators_are_those_of_the_mapping(read, text, decimal, thousands, amount):
    outcome = read([row(quantity=text, price="1")], decimal=decimal, thousands=thousands)
    if amount is None:
        assert outcome.refused[0][:2] == (2, "Quantity")
        assert "ambiguous" in outcome.refused[0][2]
    else:
        assert outcome.value("quantity") == Decimal(amount)


def test_three_decimals_that_may_be_thousands_are_pointed_out(read):
    outcome = read([row(quantity="1.000")])
    assert outcome.value("quantity") == 1
    assert "was read as 1.000, a number with decimals" in outcome.warned[0]


def test_unit_and_percent_only_where_the_column_declares_them(read):
    assert read([row(quantity="12 PCS")], quantity='{ column = "Quantity", unit = "pcs" }').value("quantity") == 12
    assert read([row(quantity="50%")], quantity='{ column = "Quantity", percent = true }').value("quantity") == Decimal(
        "0.5"
    )


# Date


@pytest.mark.parametrize(
    "text",
    ["02/30/2026", "2026-02-30", "00/00/0000", "31/04/2026", "2026-13-01", "02/03/2026", "0001-01-01", "9999-12-31",
     "1999-12-31", "2050-01-01", "2026-10-01T23:30Z", "2026-10-01 23:30", "soon", "45000", "2026-1O-01", "31-Feb-26", "1-Xyz-26",
     "２０２６-10-01", "2026–10–01", "20261001"],
)  # fmt: skip
def test_what_is_not_a_day_is_refused(read, text):
    ((where, column, _),) = read([row(due=text)]).refused
    assert (where, column) == (2, "Due")


@pytest.mark.parametrize(
    "text, forms, pivot_day",
    [("02/03/2026", ["D/M/YYYY"], "2026-03-02"), ("02/03/2026", ["M/D/YYYY"], "2026-02-03"), ("2-Jun-12", ["D-Mon-YY"], "2012-06-02"),
     ("6/2/12", ["D-Mon-YY", "M/D/YY"], "2012-06-02"), ("02.06.2012", ["DD.MM.YYYY"], "2012-06-02"),
     ("2 JUN 2012", ["D Mon YYYY"], "2012-06-02")],
)  # fmt: skip
def test_days_are_read_as_the_mapping_says(read, text, forms, pivot_day):
    assert read([row(due=text)], forms=forms).value("committed_on") == day(pivot_day)


def test_two_digit_years_beyond_the_pivot_are_of_the_last_century(read):
    ((_, _, reason),) = read([row(due="2-Jun-62")]).refused
    assert reason == "lies outside 2000 to 2049."


def test_column_that_mixes_day_and_month_first_is_refused_whole(read):
    rows = [row(due="13/02/2026"), row(line="2", due="05/06/2026"), row(line="3", due="02/13/2026")]
    outcome = read(rows, forms=["D/M/YYYY"])
    (problem,) = outcome.problems.of_the_file
    assert "writes the day first in row 2, the month first in row 4" in problem.reason


def test_mixed_column_whose_unreadable_days_may_be_empty_is_only_pointed_out(read, tmp_path):
    rows = [row(due="13/02/2026"), row(line="2", due="02/13/2026")]
    outcome = read(rows, forms=["D/M/YYYY"], due='{ column = "Due", unreadable = "warn" }')
    assert not outcome.problems.refused
    assert [one.committed_on for one in outcome.rows] == [day("2026-02-13"), None]
    assert any("writes the day first in row 2, the month first in row 3" in reason for reason in outcome.warned)


def test_unlikely_days_are_pointed_out(read):
    assert read([row(due="2029-10-01")]).warned == ["is more than two years ahead."]
    assert "cannot be said" in read([row(due="")]).warned[0]


# Text


@pytest.mark.parametrize("sign", ["\u200b", "\u202e", "\ufeff", "\x07", "\u2066", "\xad"])
def test_hidden_characters_go_from_names_and_are_refused_in_ids(read, sign):
    outcome = read([row(product=f"Sh{sign}irt")])
    assert outcome.value("product_name") == "Shirt"
    assert outcome.warned == ["held hidden characters or line breaks; they were left out."]
    ((_, column, _),) = read([row(order=f"PO{sign}-1")]).refused
    assert column == "Order"


@pytest.mark.parametrize("text", ["РО-1", "ΡO-1", "PO‑1", "PО-1"])
def test_look_alikes_in_ids_are_refused_with_what_they_look_like(read, text):
    ((where, column, reason),) = read([row(order=text)]).refused
    assert (where, column) == (2, "Order")
    assert "It looks like “PO-1”." in reason


def test_letters_that_the_mapping_allows_in_ids(read):
    assert read([row(order="ÄB-1")], order_letters="Ä").value("order_number") == "ÄB-1"


@pytest.mark.parametrize("text", ["ＰＯ-1", "PO-1\u00a0", " PO-1"])
def test_ids_are_equal_after_normalising(read, text):
    assert read([row(order=text)]).value("order_number") == "PO-1"


def test_composed_and_decomposed_names_are_equal(read):
    outcome = read([row(product="Cafe\u0301"), row(line="2", product="Café\u00a0")])
    assert {one.product_name for one in outcome.rows} == {"Café"}
    assert values.same_name("ＣＡＦÉ ") == values.same_name("café")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{7*7}}", "{0.__class__}", "%s %d", "مصنع", "👕" * 200])
def test_text_is_stored_as_it_is(read, text):
    assert read([row(product=text)]).value("product_name") == text


def test_line_breaks_cannot_reach_a_name(read):
    assert read([row(product="Shirt\r\nBcc: a@example.com")]).value("product_name") == "Shirt Bcc: a@example.com"


@pytest.mark.parametrize("length, fits", [(199, True), (200, True), (201, False)])
def test_limits_count_characters(read, length, fits):
    outcome = read([row(product="é" * length)])
    assert bool(outcome.rows) == fits
    if not fits:
        assert outcome.refused == [(2, "Product", "has 201 characters; at most 200 are kept.")]


def test_report_shows_no_control_characters():
    assert shown("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"
    assert len(shown("x" * 10_000)) < 200


# Whatever comes


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_bytes_give_an_outcome(read, content):
    read(content)
    read(b"PK\x03\x04" + content, "orders.xlsx")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 4_000), byte=st.integers(0, 255))
def test_a_workbook_with_a_broken_byte_gives_an_outcome(read, place, byte):
    content = bytearray(workbook(XLSX_ROW))
    content[place % len(content)] = byte
    read(bytes(content), "orders.xlsx")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(TEXT, min_size=8, max_size=8))
def test_any_cells_give_rows_or_reasons(read, cells):
    outcome = read([cells])
    if outcome.refusal is None and any(cell.strip() for cell in cells):
        assert len(outcome.rows) == 1 or all(where and reason for where, _, reason in outcome.refused)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=30), min_size=1, max_size=5),
    quantity=st.decimals("0.000001", "999999999999", places=6),
    due=st.dates(datetime.date(2000, 1, 1), datetime.date(2028, 12, 31)),
)  # fmt: skip
def test_what_was_written_is_read_back(read, names, quantity, due):
    outcome = read(
        [row(line=str(n), product=name, quantity=f"{quantity:f}", due=due.isoformat()) for n, name in enumerate(names)]
    )
    assert not outcome.problems.refused
    assert [one.quantity for one in outcome.rows] == [quantity] * len(names)
    assert {one.committed_on for one in outcome.rows} == {due}
    assert [values.same_name(one.product_name) for one in outcome.rows] == [values.same_name(name) for name in names]
