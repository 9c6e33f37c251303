"""Where factories stand: for many of them at once, in a constant number of queries."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, F, IntegerField, JSONField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, TruncMonth

from assessments import wording
from assessments.figures import closed_months, month_end
from assessments.models import Breach, Evaluation, Grade
from factories.models import Factory
from production.models import FactoryDay

NOT_RATED = Grade.NOT_RATED.value
GRADES_WORST_FIRST = ["failing", "passing", "not_rated", "good", "excellent"]
STATES_WORST_FIRST = ["breach", "watch", "no_data", "ok"]
MONTHS = 12


@dataclass(slots=True)
class Standing:
    """One factory's published grade, its state now, its numbers, and its open breaches."""

    factory: Factory
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
    trend: list[Decimal | None] = field(default_factory=list)

    def rate(self, name: str) -> Decimal | None:
        """The rate of a measure where there are data enough to compare it."""
        measure = self.measures.get(name)
        if not measure or measure.get("rate") is None or wording.state(measure) in ("no_data", wording.NOT_APPLICABLE):
            return None
        return Decimal(measure["rate"])


def newest(kind: str) -> Subquery:
    """The newest evaluation of a kind of the outer factory, as a whole; reads one entry of the index."""
    found = Evaluation.objects.filter(factory=OuterRef("pk"), category__isnull=True, kind=kind)
    return Subquery(found.order_by("-category_id", "-as_of", "-revision").values("id")[:1])


def open_breach_count() -> Coalesce:
    counted = (
        Breach.objects.live()
        .filter(factory=OuterRef("pk"))
        .order_by()
        .values("factory")
        .annotate(n=Count("id"))
        .values("n")
    )
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def standings(factories: QuerySet[Factory]) -> list[Standing]:
    """Where each of the factories stands. Two queries, however many factories."""
    rows = factories.select_related("category").annotate(
        live_id=newest("live"), night_id=newest("night"), month_id=newest("month"), breach_count=open_breach_count()
    )
    rows = list(rows)
    ids = [pk for row in rows for pk in (row.live_id, row.night_id, row.month_id) if pk]
    found = {row["id"]: row for row in _slim(ids)}
    return [_standing(row, found) for row in rows]


def _slim(ids: Sequence[int]) -> QuerySet:
    """What a list needs of evaluations: the measures of the newest day, only the grade of a month."""
    measures = Case(When(kind="month", then=Value(None, JSONField())), default=F("measures"), output_field=JSONField())
    return (
        Evaluation.objects.filter(id__in=ids)
        .order_by()
        .values(
            "id", "kind", "as_of", "computed_at", "score", "raw_grade", "published_grade", "is_carried", found=measures
        )
    )


def _standing(factory: Factory, found: dict[int, dict]) -> Standing:
    standing = Standing(factory, factory.breach_count)
    month = found.get(factory.month_id)
    if month:
        standing.grade = month["published_grade"] or NOT_RATED
        standing.is_carried, standing.graded_on = month["is_carried"], month["as_of"]
    days = [found[pk] for pk in (factory.live_id, factory.night_id) if pk in found]
    if days:
        now = max(days, key=lambda row: (row["as_of"], row["computed_at"]))
        standing.evaluation, standing.measures = now["id"], now["found"] or {}
        standing.score, standing.as_of, standing.projected = now["score"], now["as_of"], now["raw_grade"]
        standing.computed_at = now["computed_at"]
        standing.status = wording.overall(standing.measures)
    return standing


def with_trend(standings: Sequence[Standing], day: datetime.date, measure: str = "otif") -> Sequence[Standing]:
    """Adds the rate of a measure at the end of each of the last twelve months. One query."""
    ends = closed_months(day, MONTHS)
    place = {end: i for i, end in enumerate(ends)}
    rows = (
        month_ends([s.factory.pk for s in standings], ends)
        .values("factory_id", "as_of")
        .annotate(rate=KT(f"measures__{measure}__rate"), enough=KT(f"measures__{measure}__sufficient"))
    )
    trends: dict[int, list[Decimal | None]] = {s.factory.pk: [None] * len(ends) for s in standings}
    for row in rows:
        if row["rate"] is not None and row["enough"] == "true":
            trends[row["factory_id"]][place[row["as_of"]]] = Decimal(row["rate"])
    for standing in standings:
        standing.trend = trends[standing.factory.pk]
    return standings


def month_ends(factories: Iterable[int], ends: Sequence[datetime.date]) -> QuerySet[Evaluation]:
    """The newest revision of the months that end on the given days."""
    return (
        Evaluation.objects.whole()
        .filter(factory__in=list(factories), kind="month", as_of__in=ends)
        .order_by("factory_id", "as_of", "-revision")
        .distinct("factory_id", "as_of")
    )


@dataclass(slots=True)
class Card:
    """One factory for its scorecard: the newest day, the months, and the month whose grade is published."""

    factory: Factory
    now: Evaluation | None = None
    month: Evaluation | None = None
    months: dict[datetime.date, Evaluation] = field(default_factory=dict)

    @property
    def grade(self) -> str:
        return (self.month.published_grade if self.month else "") or NOT_RATED


def card(factory: Factory, day: datetime.date) -> Card:
    """The newest day and the last twelve months of one factory. One query."""
    ends = closed_months(day, MONTHS)
    whole = Evaluation.objects.whole().filter(factory=factory)
    newest_days = Q()
    for kind in ("live", "night"):
        last = whole.filter(kind=kind).order_by("-category_id", "-as_of", "-revision").values("id")[:1]
        newest_days |= Q(id=Subquery(last))
    rows = (
        whole.filter(newest_days | Q(kind="month", as_of__gte=ends[0]))
        .select_related("policy__factory", "policy__category")
        .defer("sums")
        .order_by("kind", "as_of", "-revision")
        .distinct("kind", "as_of")
    )
    found = Card(factory)
    for row in rows:
        row.factory = factory
        if row.kind == Evaluation.Kind.MONTH:
            found.months[row.as_of] = row
        elif found.now is None or (row.as_of, row.computed_at) > (found.now.as_of, found.now.computed_at):
            found.now = row
    if found.months:
        found.month = found.months[max(found.months)]
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
