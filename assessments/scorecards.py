"""Where factories stand: for many of them at once, in a constant number of queries."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, F, JSONField, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import TruncMonth

from assessments import wording
from assessments.figures import closed_months, month_end
from assessments.models import Evaluation, Grade
from factories.models import Factory
from production.drawn_pages import unrecorded
from production.kept import Kept
from production.models import FactoryDay
from production.prepared import Prepared, ask

NOT_RATED = Grade.NOT_RATED.value
GRADES_WORST_FIRST = ["failing", "passing", "not_rated", "good", "excellent"]
STATES_WORST_FIRST = ["breach", "watch", "no_data", "ok"]
MONTHS = 12
kept: Kept[dict[str, Any]] = Kept(2_000)  # evaluations
made: Kept["Standing"] = Kept(2_000)
numbers: Kept[tuple[dict[str, Any], dict[str, Any]]] = Kept(2_000)  # sums and measures of evaluations


class Listed(NamedTuple):
    """What a list says of a factory itself; `category` is the code of its category."""

    pk: int
    code: str
    name: str
    city: str
    country: str
    category: str
    category_name: str
    has_badge: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """One factory's published grade, its state now, its numbers, and its open breaches."""

    factory: Listed
    open_breaches: int
    evaluation: int | None = None  # of which the numbers are
    grade: str = NOT_RATED
    is_carried: bool = False
    graded_on: datetime.date | None = None
    projected: str = ""
    score: Decimal | None = None
    as_of: datetime.date | None = None
    computed_at: datetime.datetime | None = None
    measures: dict[str, Any] = field(default_factory=dict)
    status: str = "no_data"
    trend: tuple[Decimal | None, ...] = ()

    def rate(self, name: str) -> Decimal | None:
        """The rate of a measure where there are data enough to compare it."""
        measure = self.measures.get(name)
        if not measure or measure.get("rate") is None or wording.state(measure) in ("no_data", wording.NOT_APPLICABLE):
            return None
        return Decimal(measure["rate"])


# The newest judgements are nearly always of the newest day or month there is, which one look into the index finds for all
# factories at once; only for a factory without one it is looked for. Of live ones those older than its night say nothing.
NEWEST = """
WITH last AS (SELECT
    (SELECT max(as_of) FROM assessments_evaluation WHERE kind = 'night') AS night,
    (SELECT max(as_of) FROM assessments_evaluation WHERE kind = 'month') AS month),
lives AS (SELECT DISTINCT ON (factory_id) factory_id, id FROM assessments_evaluation
    WHERE kind = 'live' AND category_id IS NULL AND as_of >= (SELECT night FROM last)
    ORDER BY factory_id, as_of DESC, revision DESC),
nights AS (SELECT DISTINCT ON (factory_id) factory_id, id FROM assessments_evaluation
    WHERE kind = 'night' AND category_id IS NULL AND as_of = (SELECT night FROM last) ORDER BY factory_id, revision DESC),
months AS (SELECT DISTINCT ON (factory_id) factory_id, id FROM assessments_evaluation
    WHERE kind = 'month' AND category_id IS NULL AND as_of = (SELECT month FROM last) ORDER BY factory_id, revision DESC)
SELECT f.id, f.code, f.name, f.city, f.country, c.code, c.name, COALESCE(s.has_badge, FALSE), COALESCE(b.number, 0),
    COALESCE(l.id, CASE WHEN n.id IS NULL THEN {newest_live} END), COALESCE(n.id, {newest_night}), COALESCE(m.id, {newest_month})
FROM factories_factory f
JOIN factories_category c ON c.id = f.category_id
LEFT JOIN factories_standing s ON s.factory_id = f.id
LEFT JOIN lives l ON l.factory_id = f.id
LEFT JOIN nights n ON n.factory_id = f.id
LEFT JOIN months m ON m.factory_id = f.id
LEFT JOIN assessments_livebreaches b ON b.factory_id = f.id
WHERE f.id IN ({chosen})
ORDER BY f.code
"""
NEWEST_OF_ONE = (
    "(SELECT e.id FROM assessments_evaluation e WHERE e.factory_id = f.id AND e.kind = '{kind}' AND e.category_id IS NULL "
    "ORDER BY e.category_id DESC, e.as_of DESC, e.revision DESC LIMIT 1)"
)


def standings(factories: QuerySet[Factory]) -> list[Standing]:
    """Where each of the factories stands. Two queries, however many factories; one where all was read before."""
    try:
        chosen, values = factories.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return []
    alone = {f"newest_{kind}": NEWEST_OF_ONE.format(kind=kind) for kind in ("live", "night", "month")}
    sql = NEWEST.format(chosen=chosen, **alone)
    with connection.cursor() as cursor:
        rows = ask(cursor, sql, values)
    known = made.known(rows)
    if len(known) < len(rows):
        found = _slim([pk for row in rows for pk in row[9:] if pk])
        new = {row: _standing(Listed(*row[:8]), row[8], *map(found.get, row[9:])) for row in rows if row not in known}
        made.add(new)
        known |= new
    return [known[row] for row in rows]


def _slim(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What a list needs of evaluations: the measures of the newest day, only the grade of a month."""
    found = kept.known(ids)
    if len(found) < len(ids):
        measures = Case(
            When(kind="month", then=Value(None, JSONField())), default=F("measures"), output_field=JSONField()
        )
        rows = (
            Evaluation.objects.filter(id__in=[pk for pk in ids if pk not in found])
            .order_by()
            .values(
                "id",
                "kind",
                "as_of",
                "computed_at",
                "score",
                "raw_grade",
                "published_grade",
                "is_carried",
                found=measures,
            )
        )
        with unrecorded():
            read = {row["id"]: row | {"status": wording.overall(row["found"] or {})} for row in rows}
        kept.add(read)
        found |= read
    return found


def _standing(factory: Listed, breaches: int, live: dict | None, night: dict | None, month: dict | None) -> Standing:
    told: dict[str, Any] = {}
    if month:
        told |= {
            "grade": month["published_grade"] or NOT_RATED,
            "is_carried": month["is_carried"],
            "graded_on": month["as_of"],
        }
    days = [day for day in (live, night) if day]
    if days:
        now = max(days, key=lambda row: (row["as_of"], row["computed_at"]))
        told |= {"evaluation": now["id"], "measures": now["found"] or {}, "projected": now["raw_grade"]}
        told |= {name: now[name] for name in ("score", "as_of", "computed_at", "status")}
    return Standing(factory, breaches, **told)


TREND = Prepared("""
SELECT DISTINCT ON (factory_id, as_of) factory_id, as_of, otif_rate FROM assessments_evaluation
WHERE factory_id = ANY(%(factories)s) AND kind = 'month' AND category_id IS NULL AND as_of = ANY(%(ends)s)
ORDER BY factory_id, as_of, revision DESC
""", factories="bigint[]", ends="date[]")  # fmt: skip


def with_trend(standings: Sequence[Standing], day: datetime.date) -> list[Standing]:
    """The same with the rate on time in full at the end of each of the last twelve months. One query."""
    ends = closed_months(day, MONTHS)
    place = {end: i for i, end in enumerate(ends)}
    trends: dict[int, list[Decimal | None]] = {s.factory.pk: [None] * len(ends) for s in standings}
    with connection.cursor() as cursor:
        TREND.execute(cursor, {"factories": list(trends), "ends": list(ends)})
        for factory, as_of, rate in cursor.fetchall():
            trends[factory][place[as_of]] = rate
    return [replace(standing, trend=tuple(trends[standing.factory.pk])) for standing in standings]


@dataclass(slots=True)
class Card:
    """One factory for its scorecard: the newest day, the months, and the month whose grade is published.

    `firsts` are the months as they were published, before late facts revised them; `categories` are judged on the newest day.
    """

    factory: Factory
    now: Evaluation | None = None
    month: Evaluation | None = None
    months: dict[datetime.date, Evaluation] = field(default_factory=dict)
    firsts: dict[datetime.date, Evaluation] = field(default_factory=dict)
    categories: list[Evaluation] = field(default_factory=list)

    @property
    def grade(self) -> str:
        return (self.month.published_grade if self.month else "") or NOT_RATED


def with_numbers(rows: list[Evaluation]) -> list[Evaluation]:
    """Evaluations that were read without their sums and measures, with them: a process keeps what never changes."""
    found = numbers.known(row.pk for row in rows)
    if missing := [row.pk for row in rows if row.pk not in found]:
        with unrecorded():
            read = Evaluation.objects.filter(pk__in=missing).order_by().values_list("pk", "sums", "measures")
            new = {pk: (sums, measures) for pk, sums, measures in read}
        numbers.add(new)
        found |= new
    for row in rows:
        row.sums, row.measures = found[row.pk]
    return rows


def card(factory: Factory, day: datetime.date) -> Card:
    """The newest day and the last twelve months of one factory. One query; another one where some are new to the process."""
    ends = closed_months(day, MONTHS)
    every = Evaluation.objects.filter(factory=factory)
    wanted = Q(kind="month", category=None, as_of__gte=ends[0])
    for kind in ("live", "night"):
        newest = every.filter(kind=kind, category=None).order_by("-category_id", "-as_of", "-revision")
        wanted |= Q(id=Subquery(newest.values("id")[:1]))
        wanted |= Q(kind=kind, category__isnull=False, as_of=Subquery(newest.values("as_of")[:1]))
    rows = (
        every.filter(wanted)
        .annotate(is_first=Q(revision=1))
        .select_related("policy__factory", "policy__category", "category")
        .defer("sums", "measures")
        .order_by("kind", "category_id", "as_of", "is_first", "-revision")  # the newest revision, and the first one
        .distinct("kind", "category_id", "as_of", "is_first")
    )
    found = Card(factory)
    of_categories: list[Evaluation] = []
    for row in rows:
        row.factory = factory
        if row.category_id:
            of_categories.append(row)
        elif row.kind == Evaluation.Kind.MONTH:
            found.months.setdefault(row.as_of, row)
            if row.revision == 1:
                found.firsts[row.as_of] = row
        elif found.now is None or (row.as_of, row.computed_at) > (found.now.as_of, found.now.computed_at):
            found.now = row
    if found.now:
        same = [row for row in of_categories if (row.kind, row.as_of) == (found.now.kind, found.now.as_of)]
        newest_of = {row.category_id: row for row in reversed(same)}  # the newest revision stays
        found.categories = [newest_of[category] for category in sorted(newest_of)]
    if found.months:
        found.month = found.months[max(found.months)]
    with_numbers([*found.months.values(), *([found.now] if found.now else []), *found.categories])
    return found


@dataclass(frozen=True, slots=True)
class Month:
    """Lines due in one calendar month over all the factories one sees."""

    first: datetime.date
    good: int
    total: int

    @property
    def rate(self) -> Decimal | None:
        return Decimal(self.good) / self.total if self.total else None


def otif_by_month(days: QuerySet[FactoryDay], day: datetime.date) -> list[Month]:
    """On time in full per calendar month, twelve up to `day`, of lines whose limit day is over. One query."""
    firsts = [end.replace(day=1) for end in closed_months(month_end(day), MONTHS)]
    rows = (
        days.filter(family=FactoryDay.Family.DELIVERY)
        .between(firsts[0], day - datetime.timedelta(days=1))
        .annotate(month=TruncMonth("day"))
        .values("month")
        .order_by()
        .annotate(good=Sum("otif"), total=Sum("lines"))
    )
    found = {row["month"]: row for row in rows}
    return [
        Month(first, (found[first]["good"] or 0), (found[first]["total"] or 0))
        if first in found
        else Month(first, 0, 0)
        for first in firsts
    ]


def data_as_of(evaluations: QuerySet[Evaluation]) -> datetime.datetime | None:
    """When the last evaluation was computed."""
    return evaluations.order_by("-id").values_list("computed_at", flat=True).first()


def newest_moment(standings: Sequence[Standing]) -> datetime.datetime | None:
    """When the newest of the judgements shown was computed."""
    return max((s.computed_at for s in standings if s.computed_at), default=None)
