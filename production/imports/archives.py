"""An XLSX file before anything opens it: the ZIP archive is inflated once under a budget, its parts are looked through.

Declared sizes are not believed: what counts is what comes out. A part is never kept, only scanned.
"""

import re
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from production.imports.problems import ImportProblem

INFLATED_BYTES = 200 * 1024 * 1024
PART_BYTES = 50 * 1024 * 1024  # of one part that is held in memory whole: shared strings
STYLE_BYTES = 8 * 1024 * 1024
RATIO, RATIO_FROM = 100, 1024 * 1024
ENTRIES = 1_000
CHUNK = 1 << 18
OVERLAP = 512
UNFIT = "The file is not a sound .xlsx file"

# No pattern may run past the next "<": with it a hostile part would be scanned in quadratic time.
TAG = rb"<(?:[A-Za-z0-9_]+:)?"
FORMULA_SIGNS = [start + b"f" + end for start in (b"<", b":") for end in (b">", b" ", b"/", b"\t", b"\n", b"\r")]
MERGED = re.compile(TAG + rb"mergeCell\s[^<>]*?ref=[\"']([A-Z0-9:$]{2,40})[\"']")
HIDDEN_ROW = re.compile(TAG + rb"row\s(?:[^<>]*?\s)?hidden=[\"'](?:1|true)[\"']")
HIDDEN_COLUMN = re.compile(TAG + rb"col\s(?:[^<>]*?\s)?hidden=[\"'](?:1|true)[\"']")
DIMENSION = re.compile(TAG + rb"dimension\s[^<>]*?ref=[\"']([A-Z0-9:$]{2,40})[\"']")
DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
ENCODED = re.compile(rb"^\s*<\?xml[^>]*?encoding=[\"']([A-Za-z0-9._-]+)[\"']")
RELATION = re.compile(rb"<(?:[A-Za-z0-9_]+:)?Relationship\s[^<>]*>")


@dataclass
class SheetScan:
    """What a sheet holds beside its cells."""

    has_formulas: bool = False
    merged: set[str] = field(default_factory=set)
    hidden_rows: int = 0
    hidden_columns: int = 0
    has_filter: bool = False
    dimension: str = ""


def scan(path: Path) -> dict[str, SheetScan]:
    """What each worksheet part holds, by its path in the archive; ImportProblem for a file that is not fit to open."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(archive)
            return _scan_parts(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ImportProblem(f"{UNFIT}: {error}.") from None
    except (OSError, ValueError, OverflowError, UnicodeError) as error:
        raise ImportProblem(f"{UNFIT}: {error}.") from None


def _check_entries(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > ENTRIES:
        raise ImportProblem(f"{UNFIT}: it has {len(entries):,} parts; at most {ENTRIES:,} are read.")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if entry.flag_bits & 0x1:
            raise ImportProblem("The file is protected by a password. Save it without one.")
        if (
            name.startswith(("/", "\\")) or "\\" in entry.orig_filename or "\0" in entry.orig_filename
            or ".." in name.split("/") or re.match("[A-Za-z]:", name)
        ):  # fmt: skip
            raise ImportProblem(f"{UNFIT}: a part is named “{name}”.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ImportProblem(f"{UNFIT}: the part “{name}” is a link.")
        if name.casefold() in seen:
            raise ImportProblem(f"{UNFIT}: the part “{name}” is there twice.")
        seen.add(name.casefold())
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ImportProblem(f"{UNFIT}: a part is compressed in a way that Excel does not use.")
        if name.casefold().endswith("vbaproject.bin"):
            raise ImportProblem("The file holds macros. Save it as .xlsx or .csv.")
        if name.startswith("xl/externalLinks/"):
            raise ImportProblem("The file draws on other files. Break the links and save it again.")
    if "mimetype" in seen or "content.xml" in seen:
        raise ImportProblem("The file is an OpenDocument sheet (.ods). Save it as .xlsx or .csv.")
    if "xl/workbook.bin" in seen:
        raise ImportProblem("The file is a binary workbook (.xlsb). Save it as .xlsx or .csv.")
    if not {"[content_types].xml", "xl/workbook.xml"} <= seen:
        raise ImportProblem(f"{UNFIT}: it has no workbook inside.")


def _scan_parts(archive: zipfile.ZipFile) -> dict[str, SheetScan]:
    total = 0
    sheets: dict[str, SheetScan] = {}
    for entry in archive.infolist():
        is_sheet = entry.filename.startswith("xl/worksheets/") and entry.filename.endswith(".xml")
        is_markup = entry.filename.endswith((".xml", ".rels", ".vml"))
        found = sheets.setdefault(entry.filename, SheetScan()) if is_sheet else None
        most = STYLE_BYTES if entry.filename == "xl/styles.xml" else INFLATED_BYTES if is_sheet else PART_BYTES
        size, tail, small = 0, b"", b""
        with archive.open(entry) as part:
            while chunk := part.read(CHUNK):
                size += len(chunk)
                total += len(chunk)
                if total > INFLATED_BYTES or size > most:
                    raise ImportProblem("The file is too large when unpacked.")
                if size > RATIO_FROM and size > RATIO * max(entry.compress_size, 1):
                    raise ImportProblem("The file unpacks to more than a hundred times its size; it is not read.")
                if is_markup:
                    if size == len(chunk):
                        _check_markup(entry.filename, chunk)
                    if b"<!" in (joined := tail + chunk) and DECLARATION.search(joined):
                        raise ImportProblem(f"{UNFIT}: the part “{entry.filename}” declares entities.")
                if found is not None:
                    _look_through(found, tail, chunk)
                elif entry.filename.endswith(".rels") or entry.filename == "[Content_Types].xml":
                    small += chunk
                tail = (tail + chunk)[-OVERLAP:]
        if entry.filename.endswith(".rels"):
            _check_relations(small)
        if entry.filename == "[Content_Types].xml" and b"macroEnabled" in small:
            raise ImportProblem("The file is a workbook with macros. Save it as .xlsx or .csv.")
    return sheets


def _check_markup(name: str, start: bytes) -> None:
    """XML in another encoding would hide from the scan, so it is refused; Excel writes UTF-8."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")):
        raise ImportProblem(f"{UNFIT}: the part “{name}” is not UTF-8.")
    declared = ENCODED.match(start.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise ImportProblem(f"{UNFIT}: the part “{name}” is not UTF-8.")


def _check_relations(content: bytes) -> None:
    for relation in RELATION.findall(content):
        if b"TargetMode" in relation and b"xternal" in relation and b"/hyperlink" not in relation:
            raise ImportProblem("The file draws on other files. Break the links and save it again.")


def _look_through(found: SheetScan, tail: bytes, chunk: bytes) -> None:
    """Adds what stands in this chunk; a match that ends inside the tail was counted with the chunk before.

    The plain searches come first: they are a hundred times as fast as the patterns, and mostly find nothing.
    """
    text, seam = tail + chunk, len(tail)

    def fresh(pattern: re.Pattern[bytes]) -> list[re.Match[bytes]]:
        return [match for match in pattern.finditer(text) if match.end() > seam]

    found.has_formulas = found.has_formulas or any(sign in text for sign in FORMULA_SIGNS)
    found.has_filter = found.has_filter or b"autoFilter" in text
    if b"hidden=" in text:
        found.hidden_rows += len(fresh(HIDDEN_ROW))
        found.hidden_columns += len(fresh(HIDDEN_COLUMN))
    if not found.dimension and b"dimension" in text and (dimension := fresh(DIMENSION)):
        found.dimension = dimension[0][1].decode()
    if b"mergeCell" in text:
        found.merged.update(match[1].decode() for match in fresh(MERGED))
        if len(found.merged) > 10_000:
            raise ImportProblem("The sheet has more than 10,000 merged cells.")
