"""What the columns of one kind of file mean: a TOML file, shipped in production/mappings or written by the user.

`docs/imports.md` explains every key. A mapping is checked whole when it is loaded; a mistake in it is an ImportProblem.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from production.imports.encodings import canonical
from production.imports.problems import ImportProblem
from production.imports.tabular import DELIMITERS, same_header
from production.imports.values import DateForm, NumberForm, ambiguous_forms

SHIPPED = Path(__file__).resolve().parent.parent / "mappings"

# Our fields: what kind of cell each is, and how long a text may be.
IDENTIFIERS = {
    "order_number": 60,
    "line_number": 40,
    "factory_code": 24,
    "product_code": 60,
    "site": 24,
    "calendar": 40,
    "delivery_number": 40,
}
NAMES = {
    "factory_name": 160,
    "product_name": 200,
    "product_unit": 12,
    "category": 80,
    "document": 80,
    "order_note": 2000,
}
CODES = {"factory_country": 2, "currency": 3}
NUMBERS = ("quantity", "unit_price", "delivered_quantity", "tol_under", "tol_over")
WHOLES = ("cycle_days", "grace_days", "early_days")
DAYS = ("ordered_on", "confirmed_on", "requested_on", "committed_on", "forecast_on", "delivered_on")
FLAGS = ("single_delivery", "rolls_to_working_day")
CHOICES = {"grace_unit": ("calendar", "working"), "over_policy": ("ok", "miss"), "early_policy": ("ok", "miss")}
FIELDS = (*IDENTIFIERS, *NAMES, *CODES, *NUMBERS, *WHOLES, *DAYS, *FLAGS, *CHOICES)
ORDER_FIELDS = ("currency", "ordered_on", "confirmed_on", "cycle_days", "order_note")
CREATED = ("factories", "products", "categories", "sites")


@dataclass(frozen=True)
class Column:
    """One of our fields: the column names under which it may stand, and how its cells are written."""

    field: str
    headers: tuple[str, ...]
    is_optional: bool = False
    warns_if_unreadable: bool = False
    keeps_first: bool = False
    null_words: frozenset[str] = frozenset()
    number: NumberForm = NumberForm()
    forms: tuple[DateForm, ...] = ()


@dataclass(frozen=True)
class Skip:
    """Rows to leave out: those whose cell in this column is one of these words."""

    header: str
    words: frozenset[str]


@dataclass(frozen=True)
class Mapping:
    """One mapping; `name` begins every source key, so it must stay the same for the same source."""

    name: str
    columns: dict[str, Column]
    constants: dict[str, Any]
    key: tuple[str, ...]
    encodings: tuple[str, ...] = ("utf-8",)
    delimiter: str = "auto"
    header_row: int = 1
    id_letters: str = ""
    skips: tuple[Skip, ...] = ()
    creates: frozenset[str] = frozenset()
    splits_orders: bool = True
    delivers_in_full: bool = False
    country: str = "ZZ"
    factory_zone: str = "UTC"
    site_names: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def headers(self) -> set[str]:
        """Every column name the mapping knows, in the form in which names are compared."""
        named = {header for column in self.columns.values() for header in column.headers}
        return {same_header(header) for header in named | set(self.key) | {skip.header for skip in self.skips}}


def load(name: str) -> Mapping:
    """The shipped mapping of that name, or the TOML file at that path."""
    path = SHIPPED / f"{name}.toml"
    if "/" in name or "\\" in name or name.endswith(".toml") or not path.is_file():
        path = Path(name)
    if not path.is_file():
        shipped = ", ".join(sorted(found.stem for found in SHIPPED.glob("*.toml")))
        raise ImportProblem(f"There is no mapping “{name}”. Shipped are: {shipped}; or give the path of a TOML file.")
    try:
        if path.stat().st_size > 1_000_000:
            raise ImportProblem("The mapping is larger than a megabyte.")
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ImportProblem(f"The mapping {path.name} is not readable TOML: {error}.") from None
    try:
        return _read(content)
    except ValueError as error:
        raise ImportProblem(f"The mapping {path.name}: {error}") from None
    except (TypeError, AttributeError) as error:
        raise ImportProblem(f"The mapping {path.name} holds a value of the wrong kind: {error}.") from None


def _read(content: dict[str, Any]) -> Mapping:
    """The mapping of a parsed TOML file; ValueError says what is wrong with it."""
    _only(
        content,
        "the file",
        "name",
        "file",
        "numbers",
        "dates",
        "columns",
        "constants",
        "key",
        "skip",
        "create",
        "orders",
        "delivery",
        "factory",
        "sites",
        "title",
    )
    name = content.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 40 or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError("name must be a short word of letters, digits, - and _.")
    file = _table(content, "file")
    _only(file, "[file]", "encodings", "delimiter", "header_row", "null_words", "id_letters")
    encodings = tuple(canonical(str(encoding)) for encoding in file.get("encodings", ["utf-8"])) or ("utf-8",)
    delimiter = file.get("delimiter", "auto")
    if delimiter != "auto" and delimiter not in DELIMITERS:
        raise ValueError("delimiter is one of , ; | a tab, or auto.")
    header_row = file.get("header_row", 1)
    if not isinstance(header_row, int) or not 1 <= header_row <= 100:
        raise ValueError("header_row is a number from 1 to 100.")
    columns = _columns(content, _words(file.get("null_words", [])))
    key = tuple(_table(content, "key").get("columns", ()))
    if not key or not all(isinstance(header, str) for header in key):
        raise ValueError("[key] names the columns that tell one line from another: columns = [...].")
    constants = _table(content, "constants")
    if wrong := sorted(set(constants) - set(FIELDS)):
        raise ValueError(f"[constants] has no field {wrong[0]}; there are {', '.join(FIELDS)}.")
    create = _table(content, "create")
    _only(create, "[create]", *CREATED)
    orders, delivery, factory = (_table(content, part) for part in ("orders", "delivery", "factory"))
    _only(orders, "[orders]", "spans_factories")
    _only(delivery, "[delivery]", "in_full")
    _only(factory, "[factory]", "country", "time_zone")
    if orders.get("spans_factories", "split") not in ("split", "refuse"):
        raise ValueError("spans_factories is split or refuse.")
    country = factory.get("country", "ZZ")
    if not (
        isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    ):
        raise ValueError("country is two capital letters, such as VN.")
    known = {*columns, *constants}
    for needed in ("order_number", "quantity"):
        if needed not in columns:
            raise ValueError(f"[columns] must say where {needed} stands.")
    for one, other in (("factory_code", "factory_name"), ("product_code", "product_name")):
        if not {one, other} & known:
            raise ValueError(f"[columns] must say where {one} or {other} stands.")
    if "site" not in known:
        raise ValueError("the receiving site is missing: name its column, or a constant site.")
    if "unit_price" in known and "currency" not in known:
        raise ValueError("the currency of the prices is missing: name its column, or a constant currency.")
    return Mapping(
        name=name,
        columns=columns,
        constants=constants,
        key=key,
        encodings=encodings,
        delimiter=delimiter,
        header_row=header_row,
        id_letters=str(file.get("id_letters", "")),
        skips=_skips(content),
        creates=frozenset(what for what in create if _flag(create, what, "[create]")),
        splits_orders=orders.get("spans_factories", "split") == "split",
        delivers_in_full=_flag(delivery, "in_full", "[delivery]"),
        country=country,
        factory_zone=str(factory.get("time_zone", "UTC")),
        site_names=_sites(content),
    )


def _columns(content: dict[str, Any], null_words: frozenset[str]) -> dict[str, Column]:
    numbers, dates = _table(content, "numbers"), _table(content, "dates")
    _only(numbers, "[numbers]", "decimal", "thousands")
    _only(dates, "[dates]", "forms", "pivot")
    columns = {}
    for name, said in _table(content, "columns").items():
        if name not in FIELDS:
            raise ValueError(f"[columns] has no field {name}; there are {', '.join(FIELDS)}.")
        said = said if isinstance(said, dict) else {"column": said}
        _only(
            said,
            f"columns.{name}",
            "column",
            "optional",
            "unreadable",
            "differing",
            "null_words",
            "decimal",
            "thousands",
            "unit",
            "percent",
            "forms",
            "pivot",
        )
        headers = said.get("column")
        headers = (headers,) if isinstance(headers, str) else tuple(headers or ())
        if not headers or not all(isinstance(header, str) and same_header(header) for header in headers):
            raise ValueError(f"columns.{name} must name a column.")
        if said.get("unreadable", "refuse") not in ("refuse", "warn"):
            raise ValueError(f"columns.{name}: unreadable is refuse or warn.")
        if said.get("differing", "refuse") not in ("refuse", "keep"):
            raise ValueError(f"columns.{name}: differing is refuse or keep.")
        form = NumberForm(
            str(said.get("decimal", numbers.get("decimal", ""))),
            str(said.get("thousands", numbers.get("thousands", ""))),
            str(said.get("unit", "")),
            _flag(said, "percent", f"columns.{name}"),
        )
        if form.decimal not in ("", ".", ",") or form.thousands not in ("", ".", ",", " ", "'", "’"):
            raise ValueError(f"columns.{name}: decimal is . or , and thousands one of . , ' or a blank.")
        if form.decimal and form.decimal == form.thousands:
            raise ValueError(f"columns.{name}: decimals and thousands cannot have the same sign.")
        columns[name] = Column(
            name,
            headers,
            _flag(said, "optional", f"columns.{name}"),
            said.get("unreadable") == "warn",
            said.get("differing") == "keep",
            null_words | _words(said.get("null_words", [])),
            form,
            _forms(said, dates) if name in DAYS else (),
        )
    return columns


def _forms(said: dict[str, Any], dates: dict[str, Any]) -> tuple[DateForm, ...]:
    pivot = said.get("pivot", dates.get("pivot"))
    if pivot is not None and not (isinstance(pivot, int) and 0 <= pivot <= 99):
        raise ValueError("pivot is the last two-digit year of this century, from 0 to 99.")
    written = said.get("forms", dates.get("forms", ["YYYY-MM-DD"]))
    forms = tuple(DateForm.of(str(form), pivot) for form in written)
    if not forms:
        raise ValueError("name at least one date form.")
    if pair := ambiguous_forms(forms):
        raise ValueError(f"the date forms {pair[0]} and {pair[1]} read the same text as different days.")
    return forms


def _skips(content: dict[str, Any]) -> tuple[Skip, ...]:
    skips = []
    for said in content.get("skip", []):
        _only(said, "[[skip]]", "column", "words")
        skips.append(Skip(str(said.get("column", "")), _words(said.get("words", []))))
    return tuple(skips)


def _sites(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What is known of sites that are made, by their codes in capital letters."""
    sites = {}
    for code, said in _table(content, "sites").items():
        _only(said, f"[sites.{code}]", "name", "time_zone")
        if not all(isinstance(text, str) for text in said.values()) or len(said.get("name", "")) > 120:
            raise ValueError(f"[sites.{code}]: name and time_zone are texts, the name of at most 120 characters.")
        sites[code.upper()] = said
    return sites


def _flag(content: dict[str, Any], name: str, where: str) -> bool:
    said = content.get(name, False)
    if not isinstance(said, bool):
        raise ValueError(f"{where}: {name} is true or false.")
    return said


def _words(said: Any) -> frozenset[str]:
    if not isinstance(said, list):
        raise ValueError("words are given as a list of texts.")
    return frozenset(" ".join(str(word).split()).casefold() for word in said)


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"[{name}] must be a table.")
    return found


def _only(content: Any, where: str, *allowed: str) -> None:
    """Refuses a key nobody reads: a misspelt setting must not be ignored."""
    if not isinstance(content, dict):
        raise ValueError(f"{where} must be a table.")
    if wrong := sorted(set(content) - set(allowed)):
        raise ValueError(f"{where} does not know “{wrong[0]}”; it knows {', '.join(sorted(allowed))}.")
