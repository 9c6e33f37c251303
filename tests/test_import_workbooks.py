"""XLSX files, sound, odd and hostile: read truly, warned of, or refused before anything opens them."""

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

from production.imports import archives
from tests.dirty_files import HEADER, ROW, reader, text_file
from tests.make import day


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


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


# Formulas


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


# The archive and its sheets


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


# Whatever comes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 4_000), byte=st.integers(0, 255))
def test_a_workbook_with_a_broken_byte_gives_an_outcome(read, place, byte):
    content = bytearray(workbook(XLSX_ROW))
    content[place % len(content)] = byte
    read(bytes(content), "orders.xlsx")
