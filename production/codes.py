"""Reading the codes people type and scan: which order line, which delivery do they mean?

A scanner, an input method or a phone keyboard may change what was meant: full-width letters, an AIM prefix, lost
hyphens, a Vietnamese keyboard that makes Ă of AW. Codes are compared by their letters and digits alone, in capitals.
"""

import re
import string
import unicodedata
from urllib.parse import unquote, urlsplit

from django.db.models import Case, F, IntegerField, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import Func
from django.db.models.functions import Concat, Upper

from production.models import OrderLine, PurchaseOrder

SHORTEST = 3  # characters of a part of a code that are looked for
LONGEST = 200
PUNCTUATION = string.punctuation + string.whitespace
AIM_PREFIX = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
# What a Vietnamese keyboard (Telex) makes of two letters.
TELEX = {"Ă": "AW", "Â": "AA", "Đ": "DD", "Ê": "EE", "Ô": "OO", "Ơ": "OW", "Ư": "UW"}


def tidy(text: str) -> str:
    """The text as typed, without what devices add: full-width forms, control characters, an AIM prefix, an address.

    Of an address such as https://host/r/VN-014/PO-2391/L2?c=017 the part after /r/ is left.
    """
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    text = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text).strip()
    text = AIM_PREFIX.sub("", text).strip()
    if "/r/" in text.lower():
        path = urlsplit(text).path if "://" in text else text.split("?")[0]
        text = unquote(path[path.lower().index("/r/") + 3 :]).strip("/ ")
    return text


def key(text: str) -> str:
    """Letters and digits in capitals, without marks above or below them: `po-2391 / l2` is PO2391L2."""
    text = tidy(text).upper().replace("Đ", "D")
    return "".join(char for char in unicodedata.normalize("NFD", text) if char.isalnum())


def keys(text: str) -> list[str]:
    """The keys that `text` may stand for, likeliest first: as typed, and with the letters that Telex has eaten."""
    untouched = "".join(TELEX.get(char, char) for char in unicodedata.normalize("NFC", tidy(text).upper()))
    return list(dict.fromkeys(found for found in (key(text), key(untouched)) if found))


def exact_line(lines: QuerySet, text: str) -> QuerySet:
    """The line with the full code factory/order/line, as in our links; numbers may hold slashes themselves."""
    factory, _, rest = tidy(text).partition("/")
    code = Concat("order__number", Value("/"), "number")
    return lines.filter(order__factory__code=factory.strip()).alias(full_code=code).filter(full_code=rest.strip())


def full_code(line) -> str:
    """The one code of a line that names it among all factories; needs `line.order.factory`."""
    return f"{line.order.factory.code}/{line.order.number}/{line.number}"


def as_written(lines: QuerySet, text: str) -> QuerySet:
    """The lines that a code names just as it is stored, PO-2391/L2: one look into an index."""
    number, _, line = tidy(text).rpartition("/")
    return lines.filter(order__number=number.strip(), number=line.strip()).annotate(rank=Value(0))


def find_lines(lines: QuerySet, text: str) -> QuerySet:
    """The lines that a code may mean, by `rank`: 0 the whole code, 1 an order number, 2 the end of either.

    A piece needs three characters; without any letter or digit nothing is found.
    """
    wanted = keys(text)
    if not wanted:
        return lines.none().annotate(rank=Value(0))
    whole, order = Q(), Q()
    for each in wanted:
        whole |= Q(line_key=each) | Q(factory_line_key=each)
        order |= Q(order_key=each)
    rank = Case(When(whole, then=Value(0)), When(order, then=Value(1)), default=Value(2), output_field=IntegerField())
    # Each half goes by an index of its own; asked together, every line would be read.
    halves = [half for each in wanted for half in (_told_by_order(each), _told_by_number(each))]
    found = halves[0].union(*halves[1:])
    return _with_keys(lines.filter(pk__in=found)).annotate(rank=rank).order_by("rank", "order__number", "number", "id")


def _with_keys(lines: QuerySet) -> QuerySet:
    return lines.alias(
        order_key=_key_of(F("order__number")),
        line_key=_key_of(Concat("order__number", "number")),
        factory_line_key=_key_of(Concat("order__factory__code", "order__number", "number")),
    )


def _told_by_order(wanted: str) -> QuerySet:
    """The lines that end with what is wanted, told by an order number that ends in its beginning or lies within it."""
    places = range(1, len(wanted) + 1)
    ends = Q(backwards__in={wanted[first:last][::-1] for last in places for first in range(last)})
    if is_long := len(wanted) >= SHORTEST:
        for last in places[1:]:  # too many orders end in one letter: those are told by the number of the line
            ends |= Q(backwards__startswith=wanted[:last][::-1])
    orders = PurchaseOrder.objects.alias(backwards=_backwards("number")).filter(ends)
    lines = _with_keys(OrderLine.objects.order_by().filter(order__in=orders.values("pk")))
    if is_long:
        return lines.filter(Q(factory_line_key__endswith=wanted) | Q(order_key__endswith=wanted)).values("pk")
    return lines.filter(Q(line_key=wanted) | Q(order_key=wanted)).values("pk")


def _told_by_number(wanted: str) -> QuerySet:
    """The lines whose own number ends with what is wanted, or is all of it but the first letter."""
    lines = _with_keys(OrderLine.objects.order_by().alias(backwards=_backwards("number")))
    if len(wanted) < SHORTEST:
        return lines.none().values("pk")
    ends = Q(backwards__startswith=wanted[::-1]) | Q(backwards=wanted[1:][::-1])
    return lines.filter(ends, factory_line_key__endswith=wanted).values("pk")


def _key_of(expression) -> Func:
    """`key` of a stored code, in the database; stored codes bear no marks that would have to be folded.

    `translate` with an empty replacement takes characters away; a regular expression would cost ten times as much.
    """
    return Func(Upper(expression), Value(PUNCTUATION), Value(""), function="translate")


def _backwards(name: str) -> Func:
    """The key of a number read backwards, as the indexes of migration 0010 hold it: its end is then a beginning."""
    return Func(_key_of(F(name)), function="reverse", output_field=TextField())
