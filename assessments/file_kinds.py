"""What an attached file really is, read from its bytes; only kinds that are evidence and that no browser runs."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from production.errors import BadInput

MOST_BYTES = 15 * 1024 * 1024
MOST_PIXELS = 50_000_000
ENTRIES = 2_000
NAME_LENGTH = 150
JPEG_QUALITY = 92
# Which way up it is, and when it was taken; the place, the owner and all the rest are left out.
KEPT_TAGS = {0x0112, 0x0132}
KEPT_OF_THE_PICTURE = {0x9003, 0x9004, 0x9011, 0x9012}
PHOTO_PART = 0x8769
UNSAFE_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff/\\:*?\"<>|]")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")
MARKUP = re.compile(r"\s*<(?:!doctype|!--|\?xml|html|head|body|script|svg|iframe)", re.IGNORECASE)
PDF, XLSX, DOCX = (
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
)
PICTURES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# The endings that a file of each kind may bear; the first is the usual one.
ENDINGS = {
    PDF: (".pdf",), "image/jpeg": (".jpg", ".jpeg"), "image/png": (".png",), "image/webp": (".webp",), XLSX: (".xlsx",),
    DOCX: (".docx",), "text/csv": (".csv",), "text/plain": (".txt",),
}  # fmt: skip
ACCEPTED = tuple(ending for endings in ENDINGS.values() for ending in endings)
IN_WORDS = "PDF, JPEG, PNG, WebP, XLSX, DOCX, CSV, TXT"


@dataclass(frozen=True, slots=True)
class Known:
    """A file that may be kept: its tidied name, what it is, and the bytes to store."""

    name: str
    content_type: str
    content: bytes


def known(name: str, content: bytes) -> Known:
    """The file as it will be kept; BadInput, naming the file, where it is none of the kinds, empty, or too large.

    Pictures are written anew without the place where they were taken; all else stays byte for byte.
    """
    name = tidy(name)
    if not content:
        raise BadInput(f"“{name}” is empty.", "files")
    if len(content) > MOST_BYTES:
        raise BadInput(f"“{name}” is larger than {MOST_BYTES // 1024 // 1024} MB.", "files")
    ending = _ending(name)
    if ending not in ACCEPTED:
        raise BadInput(f"“{name}”: only these kinds are taken: {IN_WORDS}.", "files")
    for starts, kind in STARTS:
        if starts(content):
            content_type, content = kind(name, content)
            break
    else:
        content_type = _text(name, content, ending)
    if ending not in ENDINGS[content_type]:
        usual = ENDINGS[content_type][0]
        raise BadInput(f"“{name}” ends in {ending}, but inside it is a {usual} file.", "files")
    return Known(name, content_type, content)


def tidy(name: str) -> str:
    """A file's own name without directories, controls, and marks that turn the direction of writing."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    name = UNSAFE_IN_NAMES.sub("", name).strip(" .")
    ending = _ending(name)
    return name[: NAME_LENGTH - len(ending)] + ending if len(name) > NAME_LENGTH else name or "unnamed"


def _ending(name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found[0].lower() if found else ""


def _pdf(name: str, content: bytes) -> tuple[str, bytes]:
    return PDF, content


def _picture(name: str, content: bytes) -> tuple[str, bytes]:
    """Its kind, and the picture written anew: what hides behind or between its pixels is gone."""
    try:
        with Image.open(io.BytesIO(content), formats=list(PICTURES)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput(f"“{name}” has more than {MOST_PIXELS // 1_000_000} million pixels.", "files")
            found = picture.format or ""
            exif = _moment(picture)
            profile = picture.info.get("icc_profile")
            picture.load()
            written = io.BytesIO()
            options = {"quality": JPEG_QUALITY} if found != "PNG" else {}
            picture.save(written, found, exif=exif, icc_profile=profile, **options)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as bad:
        if isinstance(bad, BadInput):
            raise
        raise BadInput(f"“{name}” is not a sound picture.", "files") from None
    return PICTURES[found], written.getvalue()


def _moment(picture: Image.Image) -> Image.Exif:
    """Which way up the picture is and when it was taken, and nothing else that the camera wrote."""
    there, kept = picture.getexif(), Image.Exif()
    for tag in KEPT_TAGS & there.keys():
        kept[tag] = there[tag]
    inside = there.get_ifd(PHOTO_PART)
    for tag in KEPT_OF_THE_PICTURE & inside.keys():
        kept.get_ifd(PHOTO_PART)[tag] = inside[tag]
    return kept


def _office(name: str, content: bytes) -> tuple[str, bytes]:
    """A workbook or a document without macros and without a password; nothing of it is unpacked but the list of its kinds."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            parts = {entry.filename.casefold() for entry in entries}
            if len(entries) > ENTRIES or any(entry.flag_bits & 0x1 for entry in entries):
                raise BadInput(f"“{name}” has a password, or too many parts.", "files")
            kinds = _start_of(archive, "[Content_Types].xml") if "[content_types].xml" in parts else b""
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, KeyError, OSError) as bad:
        raise BadInput(f"“{name}” is damaged: {bad}.", "files") from None
    if any(part.endswith("vbaproject.bin") for part in parts) or b"macroEnabled" in kinds:
        raise BadInput(f"“{name}” holds macros. Save it without them.", "files")
    if kinds and "xl/workbook.xml" in parts:
        return XLSX, content
    if kinds and "word/document.xml" in parts:
        return DOCX, content
    raise BadInput(f"“{name}” is an archive. Attach the files that are in it.", "files")


def _start_of(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(1 << 20)


def _text(name: str, content: bytes, ending: str) -> str:
    """Plain text that is text to the last byte, and no page for a browser."""
    found = _decoded(content)
    if found is None or CONTROLS.search(found):
        raise BadInput(f"“{name}” is not what its name says: inside it is none of {IN_WORDS}.", "files")
    if MARKUP.match(found):
        raise BadInput(f"“{name}” is a page for a browser. Attach it as a PDF.", "files")
    return "text/csv" if ending == ".csv" else "text/plain"


def _decoded(content: bytes) -> str | None:
    encodings = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(starts)


STARTS: list[tuple[Callable[[bytes], bool], Callable[[str, bytes], tuple[str, bytes]]]] = [
    (_begins(b"%PDF-"), _pdf),
    (_begins(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"), _picture),
    (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", _picture),
    (_begins(b"PK\x03\x04", b"PK\x05\x06"), _office),
]
