"""A page is drawn again only where the database answers something else than when it was drawn.

What a page shows follows from its address, its reader, the hour and what the database answers. So a process keeps a page with
the statements that its view asked and a digest of each answer. For every reader they are asked again, by plans that the
connection keeps; where all answers are the same, the page is sent as it was.

What a view reads of the outcomes of one factory grows with the factory. It need not be asked again while a number that the
view asked for before stands (`written`, `held`).
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from typing import Any

from django.contrib.messages import get_messages
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Case, Exists, OuterRef, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.utils.translation import get_language

from notifications import health
from production.kept import Kept
from production.models import Touched, Written
from production.prepared import ask, by_call

READS = ("SELECT", "WITH")
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")  # also where a WITH hides them, and rows that are locked
KEPT = 300  # pages of a process, of some 80 KB
# What is written by the job that raises the number, and facts of which any change is marked until that job has written the
# outcomes that hang on it.
HELD = frozenset(
    "production_lineoutcome production_lotoutcome production_materialoutcome production_factoryday "
    "production_orderline production_purchaseorder production_product production_lot".split()
)
# A table with what may stand between it and a comma, behind which there would be another one.
TABLES = re.compile(r'\b(?:FROM|JOIN)\s+(?!LATERAL\s*\()"?(\w+)"?(?=(?:\s+(?:AS\s+)?"?\w+"?)?\s*(,?))', re.IGNORECASE)


@dataclass(slots=True)
class Record:
    """The statements of one view with the digests of their answers; `is_whole` unless something else was asked, too.

    Statements that read nothing but tables which are `held` are left out.
    """

    asked: list[tuple[str, Any, bytes]] = field(default_factory=list)
    is_whole: bool = True
    held: frozenset[str] = frozenset()

    def note(self, sql: str, values: Any, rows: Any) -> None:
        self.asked.append((sql, values, _digest(rows)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page as it was sent, what it was drawn from, and the token that its forms bear."""

    record: Record
    content: bytes
    content_type: str
    token: str


pages: Kept[Drawn] = Kept(KEPT)
Note = Callable[[str, Any, Any], None]


class RecordingCursor(CursorWrapper):
    """Reads every answer at once and notes its digest; gives the rows on as any cursor does."""

    def __init__(self, cursor: Any, db: Any, record: Record) -> None:
        super().__init__(cursor, db)
        self.record = record
        self.rows: Iterator[Any] = iter(())

    def execute(self, sql: str, params: Any = None) -> Any:
        result = super().execute(sql, params)
        reads = only_reads(sql)
        # A cursor of the server's tells its columns only once it was read.
        rows = self.cursor.fetchall() if reads or self.cursor.description is not None else []
        self.rows = iter(rows)
        if reads:
            if not reads_only(sql, self.record.held):
                self.record.note(sql, params, rows)
        else:
            self.record.is_whole = False
        return result

    def executemany(self, sql: str, param_list: Any) -> Any:
        self.record.is_whole = False
        return super().executemany(sql, param_list)

    def __iter__(self) -> Iterator[Any]:
        return self.rows

    def fetchone(self) -> Any:
        return next(self.rows, None)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return list(islice(self.rows, size))

    def fetchall(self) -> list[Any]:
        return list(self.rows)


def only_reads(sql: str) -> bool:
    """Whether a statement may be asked again at any time; said of few, and wrongly of none."""
    text = (by_call[sql].sql if sql in by_call else sql).lstrip().upper()
    return text.startswith(READS) and not WRITES.search(text)


def reads_only(sql: str, tables: Collection[str]) -> bool:
    """Whether a statement reads nothing but these tables; said of few, and wrongly of none."""
    found = TABLES.findall(by_call[sql].sql if sql in by_call else sql) if tables else []
    return bool(found) and all(table in tables and not comma for table, comma in found)


def written() -> Case:
    """For a query of factories: a number that is another one after any change of what is HELD; None while changes wait."""
    numbers = Written.objects.filter(factory_id=OuterRef("pk"))
    return Case(When(Exists(Touched.objects.all()), then=None), default=Coalesce(Subquery(numbers.values("number")), 0))


@contextmanager
def held(number: int | None, *more: str) -> Iterator[Note | None]:
    """For statements about the one factory whose `written` number the view asked for before: they need not be asked again.

    Gives a way to note a statement that shall be, with the rows it would give; None where all statements are asked again.
    `more` are tables that those statements read besides, and what is noted answers for.
    """
    record: Record | None = getattr(connections[DEFAULT_DB_ALIAS], "record", None)
    if record is None or number is None:
        yield None
        return
    record.held = HELD | {*more}
    try:
        yield record.note
    finally:
        record.held = frozenset()


def _digest(rows: Any) -> bytes:
    return hashlib.blake2b(repr(rows).encode(), digest_size=16).digest()


@contextmanager
def recorded() -> Iterator[Record]:
    record, database = Record(), connections[DEFAULT_DB_ALIAS]
    database.make_cursor = lambda cursor: RecordingCursor(cursor, database, record)
    database.record = record
    try:
        yield record
    finally:
        del database.make_cursor, database.record


@contextmanager
def unrecorded() -> Iterator[None]:
    """For what never changes once it is stored: it need not be asked again."""
    database = connections[DEFAULT_DB_ALIAS]
    make = vars(database).pop("make_cursor", None)
    try:
        yield
    finally:
        if make:
            database.make_cursor = make


def kept_while_the_answers_hold(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a view that only reads, whose page depends on nothing else than what is said above; below the check of the role."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Where statements are logged, they are logged as the view asks them.
        if request.method != "GET" or connection.queries_logged or len(get_messages(request)):
            return view(request, *args, **kwargs)
        key = _key(request)
        drawn = pages.values.get(key)
        if drawn and _same(drawn.record):
            content = drawn.content
            if drawn.token:
                content = content.replace(drawn.token.encode(), get_token(request).encode())
            return HttpResponse(content, content_type=drawn.content_type)
        with recorded() as record:
            response = view(request, *args, **kwargs)
        is_plain = response.status_code == 200 and not response.streaming and not response.cookies
        if is_plain and record.is_whole and set(response.headers) == {"Content-Type"}:
            token = _token(response.content)
            pages.add({key: Drawn(record, response.content, response.headers["Content-Type"], token)})
        return response

    return answered


def _key(request: HttpRequest) -> tuple[Any, ...]:
    user: Any = request.user
    reader = tuple(getattr(user, column.attname) for column in user._meta.concrete_fields)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    return request.get_full_path(), reader, get_language(), hour, *health.kept_sentences()


def _token(content: bytes) -> str:
    """The token of the forms of a page: the same in all of them."""
    mark = b'name="csrfmiddlewaretoken" value="'
    _, found, rest = content.partition(mark)
    return rest.partition(b'"')[0].decode() if found else ""


def _same(record: Record) -> bool:
    """Whether every statement is answered as it was."""
    with connection.cursor() as cursor:
        return all(_digest(ask(cursor, sql, values)) == digest for sql, values, digest in record.asked)
