"""One cell at a time: text, numbers, days as the mapping declares them; nothing is guessed or silently changed."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from openpyxl.utils.datetime import from_excel

from factories.models import FIRST_DAY, LAST_DAY

LONGEST_CELL = 32_767
WHOLE_DIGITS, DECIMAL_PLACES = 12, 6
EXACT_IN_EXCEL = 15
SERIAL_DAYS = (36_526, 54_788)  # 2000-01-01 and 2049-12-31 as Excel counts days
ID_CHARACTERS = "A-Za-z0-9 ._/#:()+&,*-"
YES, NO = frozenset({"yes", "y", "true", "1"}), frozenset({"no", "n", "false", "0"})
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Letters of other scripts that print like ASCII ones: only for the hint, never for a correction.
LOOK_ALIKES = str.maketrans(
    "АВЕЗКМНОРСТУХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ‐‑‒–—−",
    "ABE3KMHOPCTYXaeopcyxijsABEZHIKMNOPTYXovp------",
)
# What GB18030 makes of UTF-8 Chinese, and what Windows-1252 makes of UTF-8.
MOJIBAKE = re.compile("�|Ã[\u0080-¿]|â€|[鏁閲锛鍙鐨缂绱搴璁鍒][\u4e00-\u9fff]")

Warn = Callable[[str], None]


class Unreadable(ValueError):
    """A cell that is not what its column should hold; the message says why."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An XLSX cell that is worked out; `value` is what the file remembers of it, None if nothing."""

    value: Any


@dataclass(frozen=True, slots=True)
class ErrorCell:
    """An XLSX cell that holds an error such as #N/A."""

    text: str

    def __str__(self) -> str:
        return self.text


def plain(value: Any, warn: Warn) -> Any:
    """The cell without its spreadsheet wrapping: a formula's remembered value, or Unreadable."""
    if isinstance(value, Formula):
        if value.value is None:
            raise Unreadable("is a formula whose value the file does not hold; open and save it in Excel first.")
        warn("is a formula; the value the file remembers was used.")
        value = value.value
    if isinstance(value, ErrorCell):
        raise Unreadable("is an error of the spreadsheet.")
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        raise Unreadable(f"is longer than {LONGEST_CELL:,} characters.")
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        value = _exact(value)
        return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    return str(value)


def name(value: Any, warn: Warn, longest: int) -> str:
    """A name or a note on one line: NFC, outer and doubled blanks gone; hidden characters go with a warning."""
    text = _as_text(value)
    if not (text.isascii() and text.isprintable()):
        if MOJIBAKE.search(text):
            warn("looks wrongly decoded; check the encoding of the file.")
        kept = "".join(
            char if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf") else "" for char in text
        )
        if kept != text or any(char in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029" for char in text.strip()):
            warn("held hidden characters or line breaks; they were left out.")
        text = unicodedata.normalize("NFC", kept)
    text = " ".join(text.split())
    if len(text) > longest:
        raise Unreadable(f"has {len(text):,} characters; at most {longest} are kept.")
    return text


def same_name(text: str) -> str:
    """The form in which two names count as equal: NFKC, one blank, no case."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def identifier(value: Any, warn: Warn, longest: int, letters: str = "") -> str:
    """An order number, code or key: NFKC, then ASCII letters, digits, a few signs and the mapping's own letters."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10**EXACT_IN_EXCEL:
        raise Unreadable(
            f"is a number of more than {EXACT_IN_EXCEL} digits, which Excel has rounded; store it as text."
        )
    text = _as_text(value)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.strip(" \u00a0")
    if not re.fullmatch(f"[{ID_CHARACTERS}{re.escape(letters)}]+", text):
        likely = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cf")).translate(LOOK_ALIKES)
        hint = f" It looks like “{likely}”." if likely != text and re.fullmatch(f"[{ID_CHARACTERS}]+", likely) else ""
        raise Unreadable(f"holds characters that a number or code may not have.{hint}")
    if len(text) > longest:
        raise Unreadable(f"has {len(text):,} characters; at most {longest} fit.")
    return text


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How numbers are written in one column. Empty `decimal`: whole numbers only."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    percent: bool = False

    def pattern(self) -> re.Pattern[str]:
        blanks = "[ \u00a0\u202f]" if self.thousands == " " else re.escape(self.thousands)
        whole = f"(?:[0-9]{{1,3}}(?:{blanks}[0-9]{{3}})+|[0-9]+)" if self.thousands else "[0-9]+"
        part = f"(?:{re.escape(self.decimal)}([0-9]+))?" if self.decimal else "()"
        return re.compile(f"([+-]?)({whole}){part}")


def number(value: Any, warn: Warn, form: NumberForm, pattern: re.Pattern[str]) -> Decimal:
    """An exact number of at most 12 digits before and 6 after the decimal sign."""
    if isinstance(value, bool) or isinstance(value, date | time):
        raise Unreadable("is not a number.")
    if isinstance(value, int | float):
        return _fits(_exact(value))
    text = str(value).strip(" \u00a0")
    if form.unit and text.casefold().endswith(form.unit.casefold()):
        text = text[: -len(form.unit)].rstrip(" \u00a0")
    if is_percent := form.percent and text.endswith("%"):
        text = text[:-1].rstrip()
    found = pattern.fullmatch(text) if len(text) <= 60 else None
    if found is None:
        raise Unreadable(_why_no_number(text, form))
    sign, whole, part = found.groups()
    whole = re.sub("[^0-9]", "", whole)
    if form.decimal == "." and not form.thousands and part and len(part) == 3 and 0 < len(whole) < 4 and whole != "0":
        warn(f"was read as {whole}.{part}, a number with decimals, because the mapping says so.")
    result = _fits(Decimal(f"{sign}{whole}.{part or 0}"))
    return _fits(result / 100) if is_percent else result


def _exact(value: float) -> Decimal:
    """The number as Excel shows it: 15 significant digits, so 0.1 + 0.2 is 0.3."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise Unreadable("is not a finite number.")
    if abs(value) >= 10**EXACT_IN_EXCEL:
        raise Unreadable(f"has more than {WHOLE_DIGITS} digits.")
    return Decimal(format(value, f".{EXACT_IN_EXCEL}g"))


def _fits(value: Decimal) -> Decimal:
    if abs(value) >= 10**WHOLE_DIGITS:
        raise Unreadable(f"has more than {WHOLE_DIGITS} digits.")
    if value != round(value, DECIMAL_PLACES):
        raise Unreadable(f"has more than {DECIMAL_PLACES} decimals.")
    return value + 0 if value else Decimal(0)


def _why_no_number(text: str, form: NumberForm) -> str:
    bare = text.lstrip("+-")
    if len(text) > 60:
        return f"has more than {WHOLE_DIGITS} digits."
    if re.fullmatch(r"[0-9]+([.,'’ \u00a0\u202f][0-9]+)+", bare):
        written = f"“{form.decimal}” for decimals" if form.decimal else "no decimals"
        groups = f"“{form.thousands}” for thousands" if form.thousands else "no sign for thousands"
        return f"is ambiguous; the mapping says {written} and {groups}."
    if re.fullmatch(r"[0-9.,]+[eE][+-]?[0-9]+", bare):
        return "is written with an exponent; write the number out."
    if any(char.isdigit() and not char.isascii() for char in text):
        return "holds digits other than 0 to 9."
    if bare.endswith("%"):
        return "is a percentage; the mapping does not say that this column holds percentages."
    return "is not a number."


DATE_PARTS = {
    "YYYY": "(?P<year>[0-9]{4})", "YY": "(?P<short>[0-9]{2})", "Mon": "(?P<name>[A-Za-z]{3})",
    "MM": "(?P<month>[0-9]{2})", "M": "(?P<month>[0-9]{1,2})", "DD": "(?P<day>[0-9]{2})", "D": "(?P<day>[0-9]{1,2})",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DateForm:
    """One way to write a day, such as D-Mon-YY; two-digit years up to `pivot` belong to this century."""

    written: str
    tokens: tuple[str, ...]
    pattern: re.Pattern[str]
    pivot: int

    @classmethod
    def of(cls, written: str, pivot: int | None) -> "DateForm":
        """ValueError for a form that lacks a part, names one twice, or has YY without a pivot."""
        tokens = re.findall("YYYY|YY|Mon|MM|M|DD|D|[^A-Za-z0-9]+|.", written)
        kinds = sorted(token[0] for token in tokens if token in DATE_PARTS)
        if kinds != ["D", "M", "Y"] or any(token.isalnum() and token not in DATE_PARTS for token in tokens):
            raise ValueError(f"“{written}” is not a date form; use D or DD, M, MM or Mon, YY or YYYY, each once.")
        if "YY" in tokens and pivot is None:
            raise ValueError(f"“{written}” has a two-digit year; say the last year of this century with pivot.")
        pattern = "".join(DATE_PARTS.get(token, re.escape(token)) for token in tokens)
        return cls(written, tuple(tokens), re.compile(pattern), pivot or 0)

    def read(self, text: str) -> date | None:
        """The day, or None where the text is not of this form; Unreadable for a day that does not exist."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        if "name" in parts:
            if parts["name"].casefold() not in MONTHS:
                return None
            month = MONTHS.index(parts["name"].casefold()) + 1
        else:
            month = int(parts["month"])
        if "short" in parts:
            year = int(parts["short"]) + (2000 if int(parts["short"]) <= self.pivot else 1900)
        else:
            year = int(parts["year"])
        try:
            return date(year, month, int(parts["day"]))
        except ValueError:
            raise Unreadable(f"is not a day of the calendar, read as {self.written}.") from None

    def write(self, day: date) -> str:
        parts = {
            "YYYY": f"{day.year:04}", "YY": f"{day.year % 100:02}", "Mon": MONTHS[day.month - 1].title(),
            "MM": f"{day.month:02}", "M": str(day.month), "DD": f"{day.day:02}", "D": str(day.day),
        }  # fmt: skip
        return "".join(parts.get(token, token) for token in self.tokens)


def ambiguous_forms(forms: Sequence[DateForm]) -> tuple[str, str] | None:
    """Two forms that read one text as different days, such as D/M/YY and M/D/YY; None if there are none."""
    samples = [date(2003, 1, 2), date(2010, 11, 12), date(2003, 1, 12), date(2010, 11, 2)]
    for form, other, sample in itertools.product(forms, forms, samples):
        try:
            if other.read(form.write(sample)) not in (None, sample):
                return form.written, other.written
        except Unreadable:
            return form.written, other.written
    return None


NUMERIC_DAY = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2(?:[0-9]{4}|[0-9]{2})")


def order_shown(value: Any) -> str | None:
    """What a numeric day proves about its order: "day first", "month first", or None."""
    if not isinstance(value, str) or (found := NUMERIC_DAY.fullmatch(value.strip())) is None:
        return None
    first, second = int(found[1]), int(found[3])
    if 12 < first <= 31 and 1 <= second <= 12:
        return "day first"
    return "month first" if 12 < second <= 31 and 1 <= first <= 12 else None


def day(value: Any, warn: Warn, forms: Sequence[DateForm], epoch: datetime) -> date:
    """A day between 2000 and 2049; a day and time of a spreadsheet gives its day, with a warning."""
    if isinstance(value, datetime):
        if value.time() != time():
            warn("holds a time of day; only its day was used.")
        return _within(value.date())
    if isinstance(value, date):
        return _within(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not SERIAL_DAYS[0] - 1462 <= value <= SERIAL_DAYS[1] or value != int(value):
            raise Unreadable("is not a day.")
        found = from_excel(value, epoch)
        warn(f"is a bare number; it was read as Excel's day {found:%Y-%m-%d}.")
        return _within(found.date())
    text = str(value).strip(" \u00a0")
    for form in forms:
        if (read := form.read(text)) is not None:
            return _within(read)
    if NUMERIC_DAY.fullmatch(text):
        raise Unreadable("could be read in more than one way, or is not a day; name the date form in the mapping.")
    written = ", ".join(form.written for form in forms)
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:", text):
        raise Unreadable(f"is a moment, not a day; write the local day of the place as {written}.")
    raise Unreadable(f"is not a day written as {written}.")


def _within(found: date) -> date:
    if not FIRST_DAY <= found <= LAST_DAY:
        raise Unreadable(f"lies outside {FIRST_DAY.year} to {LAST_DAY.year}.")
    return found


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = _as_text(value).strip().casefold()
    if text in YES or text in NO:
        return text in YES
    raise Unreadable("is neither yes nor no.")
