"""In which encoding a text file is: a mark at its start, else the mapping's list, each tried strictly on all of it."""

import codecs
from pathlib import Path

from production.imports.problems import ImportProblem, Problems

# Only what people's files are written in; `unicode_escape`, `idna` and the like decode too, and are traps.
KNOWN = frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp",
     "euc_kr", "cp949", "koi8-r", "koi8-u", "cp437", "cp850", "cp874", "iso8859-1"}
    | {f"cp125{digit}" for digit in range(9)}
    | {f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
)  # fmt: skip
CHUNK = 1 << 20
MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32", 4),
    (codecs.BOM_UTF8, "utf-8", 3),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
]


def canonical(encoding: str) -> str:
    """Python's name of an encoding; ValueError when it is unknown or not one for files."""
    try:
        found = codecs.lookup(encoding).name
    except LookupError:
        found = ""
    if found == "utf-8-sig":
        found = "utf-8"
    if found not in KNOWN:
        raise ValueError(f"“{encoding}” is not an encoding that files are read in.")
    return found


def encoding_of(path: Path, tried: tuple[str, ...], problems: Problems) -> tuple[str, int]:
    """The encoding and the length of the mark at the start; ImportProblem where nothing fits or a NUL is inside."""
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, encoding, length in MARKS:
        if start.startswith(mark):
            if encoding == "utf-32":
                raise ImportProblem("The file is UTF-32, which is not read. Save it as UTF-8.")
            if failed := _decodes(path, encoding, length):
                raise _undecodable(path, encoding, failed)
            return encoding, length
    half = len(start) // 4
    if not tried[0].startswith("utf-16") and half and max(start[0::2].count(0), start[1::2].count(0)) > half:
        raise ImportProblem("The file looks like UTF-16 without a mark. Choose the encoding: utf-16-le or utf-16-be.")
    first: tuple[str, _Failed] | None = None
    for encoding in tried:
        failed = _decodes(path, encoding)
        if failed is None:
            _warn_of_doubt(path, encoding, tried, problems)
            return encoding, 0
        if failed.is_nul:
            raise _undecodable(path, encoding, failed)
        first = first or (encoding, failed)
    assert first is not None
    raise _undecodable(path, *first)


class _Failed:
    """Where a strict decoding stopped."""

    def __init__(self, offset: int, byte: int, *, is_nul: bool = False) -> None:
        self.offset, self.byte, self.is_nul = offset, byte, is_nul


def _decodes(path: Path, encoding: str, skip: int = 0) -> _Failed | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    characters = 0
    with path.open("rb") as file:
        file.seek(skip)
        at = skip
        while True:
            chunk = file.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                offset = at - (len(error.object) - len(chunk)) + error.start
                return _Failed(offset, error.object[error.start])
            if (nul := text.find("\0")) >= 0:
                width = 2 if encoding.startswith("utf-16") else 1
                inside = chunk.find(b"\0") if width == 1 else 2 * nul
                return _Failed(at + max(inside, 0), 0, is_nul=True)
            characters += len(text)
            if not chunk:
                return None
            at += len(chunk)


def _undecodable(path: Path, encoding: str, failed: _Failed) -> ImportProblem:
    width = 2 if encoding.startswith("utf-16") else 1
    with path.open("rb") as file:
        before = file.read(failed.offset)
    lines = max(before.count(b"\n"), before.count(b"\r")) + 1
    if failed.is_nul:
        return ImportProblem(f"The file holds a NUL character at byte {failed.offset:,}.", lines)
    what = f"byte 0x{failed.byte:02X}" if width == 1 else "a broken character"
    return ImportProblem(
        f"The file is not {encoding}: {what} at byte {failed.offset:,} does not belong there. "
        "Name its encoding in the mapping, or save it as UTF-8.",
        lines,
    )


def _warn_of_doubt(path: Path, encoding: str, tried: tuple[str, ...], problems: Problems) -> None:
    """Says when another encoding would have fitted too: such a file may be read wrongly without any error."""
    highest, lowest = 0, 0x10FFFF
    with path.open("r", encoding=encoding, newline="") as file:
        while text := file.read(CHUNK):
            if not text.isascii():
                strange = [char for char in set(text) if char > "\x7f"]
                highest, lowest = max(highest, ord(max(strange))), min(lowest, ord(min(strange)))
    if not highest:
        return
    if encoding != "utf-8" and _decodes(path, "utf-8") is None:
        problems.warn(None, None, None, f"The file was read as {encoding}, but it is also valid UTF-8.")
    chinese = [other for other in tried if other in ("gb18030", "gbk", "gb2312", "big5")]
    if encoding == "utf-8" and chinese and 0x80 <= lowest and highest <= 0x7FF and _decodes(path, chinese[0]) is None:
        problems.warn(None, None, None, f"The file was read as UTF-8, but its few letters could also be {chinese[0]}.")
