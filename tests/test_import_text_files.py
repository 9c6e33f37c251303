"""Delimited files in every encoding and shape: read truly, or refused with the place and the reason; nothing crashes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from production.imports.mapping import load
from tests.dirty_files import HEADER, ROW, Outcome, reader, row, text_file


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


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


# Whatever comes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_bytes_give_an_outcome(read, content):
    read(content)
    read(b"PK\x03\x04" + content, "orders.xlsx")
