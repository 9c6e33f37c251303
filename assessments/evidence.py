"""The rows behind each number: the counted ones of an evaluation's window, and those left out with the reason."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import (
    Count,
    DecimalField,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Greatest

from assessments import grading
from assessments.models import Evaluation
from assessments.window_sums import FAMILIES, Asked, Sums
from production.models import DeliveryOutcome, Exclusion, Inspection, LineOutcome, LotOutcome, MaterialOutcome

RATIO = DecimalField(max_digits=38, decimal_places=12)
MEASURES = {"line": "otif", "lot": "defect", "material": "loss"}  # the measure that a row of a kind enters
SPLITS = {"otif": ("late", "on-time"), "defect": ("defective", "clean"), "loss": ("charged", "within")}
# Which rows a figure of a page stands for, and by which name an evaluation stores how many they are.
PARTS = {
    "otif": {
        "late": Q(is_otif=False), "on-time": Q(is_otif=True), "in-time": Q(is_otd=True), "open": Q(is_open=True),
        "delayed": Q(days_late__gt=0) | Q(is_open=True), "missed": Q(is_otd=False, is_open=False),
    },
    "defect": {
        "defective": Q(critical__gt=0) | Q(major__gt=0), "clean": Q(critical=0, major=0),
        "rejected": Q(is_accepted=False), "critical": Q(critical__gt=0), "minor": Q(minor__gt=0),
        "census": Q(is_census=True),
    },
    "loss": {"charged": Q(excess__gt=0), "within": Q(excess__lte=0), "lost": Q(value_loss__gt=0)},
}  # fmt: skip
STORED = {
    "otif": {"late": "bad", "in-time": "otd", "open": "open"},
    "defect": {"rejected": "lots_rejected", "critical": "lots_with_critical"},
    "loss": {},
}
FAMILIES_OF = {"otif": ["delivery"], "defect": ["defect", "coverage"], "loss": []}


@dataclass(frozen=True, slots=True)
class Counted:
    """What today's rows add up to: how many in each part, and the numerator and denominator of the rate."""

    every: int
    parts: dict[str, int]
    num: Decimal
    den: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """What one row does to a rate: numerator and denominator with it and without it, in `currency` where it is money."""

    measure: str
    counted: tuple[Decimal, Decimal]
    set_aside: tuple[Decimal, Decimal]
    currency: str = ""


def window(evaluation: Evaluation, measure: str) -> tuple[datetime.date, datetime.date]:
    """First and last day whose rows count for a measure."""
    stored = evaluation.measures.get(measure) or {}
    first = evaluation.as_of - datetime.timedelta(days=evaluation.window_days - 1)
    return (
        datetime.date.fromisoformat(stored["first"]) if stored.get("first") else first,
        datetime.date.fromisoformat(stored["last"]) if stored.get("last") else evaluation.as_of,
    )


def rows(evaluation: Evaluation, measure: str, currency: str = "") -> QuerySet:
    """The counted rows as the facts are today, worst first: order lines, lots, or materials of closed orders.

    With a `currency` only the materials paid in it.
    """
    found = {"otif": _lines, "defect": _lots, "loss": _materials}[measure](evaluation)
    return found.filter(currency=currency) if currency and measure == "loss" else found


def split(measure: str, found: QuerySet, part: str) -> QuerySet:
    """One of the PARTS of the rows; any other word gives them all."""
    condition = PARTS[measure].get(part)
    return found.filter(condition) if condition is not None else found


def counted(evaluation: Evaluation, measure: str, found: QuerySet, currency: str = "") -> Counted:
    """Counts and sums of the rows; of loss in the `currency`, else in the one that was judged. One query."""
    parts = {part.replace("-", "_"): Count("pk", filter=condition) for part, condition in PARTS[measure].items()}
    if not currency:
        currency = (evaluation.measures.get(measure) or {}).get("currency") or ""
    num, den = SUMS[measure](currency)
    got = found.order_by().aggregate(every=Count("*"), num=num, den=den, **parts)
    return Counted(
        got["every"],
        {part: got[part.replace("-", "_")] for part in PARTS[measure]},
        got["num"] or Decimal(0),
        got["den"] or Decimal(0),
    )


def differs(evaluation: Evaluation, measure: str, now: Counted, currency: str = "") -> bool:
    """Do today's facts give other numbers than those that were stored? Two queries at most."""
    stored = evaluation.measures.get(measure) or {}
    if currency:
        stored = next((row for row in stored.get("currencies", []) if row["currency"] == currency), {})
    sums = [(stored.get("num"), now.num), (stored.get("den"), now.den)]
    counts = [(stored[name], now.parts[part]) for part, name in STORED[measure].items() if name in stored]
    return any(Decimal(str(then or 0)) != found for then, found in sums + counts) or _sums_differ(evaluation, measure)


def _sums_differ(evaluation: Evaluation, measure: str) -> bool:
    """Whether one of the sums behind the other figures of a measure is another one: weights, coverage, days late."""
    then = evaluation.sums
    asked = Asked(
        evaluation.factory_id,
        evaluation.category_id,
        *(datetime.date.fromisoformat(then[name]) for name in ("first", "last", "due_last")),
    )
    now = Sums([asked], with_lots=False).of(asked).counts
    names = [name for family in FAMILIES_OF[measure] for name in FAMILIES[family]]
    return any(Decimal(str(then.get(name) or 0)) != now.get(name, 0) for name in names)


def deliveries(evaluation: Evaluation) -> QuerySet[DeliveryOutcome]:
    """What arrived in the days of the defect rate, that which no inspection covers first (DEF-8)."""
    first, last = window(evaluation, "defect")
    found = DeliveryOutcome.objects.between(evaluation.factory_id, first, last)
    return scoped(evaluation, found).order_by("is_inspected", "-received_on", "-delivery_id")


def not_counted(evaluation: Evaluation, measure: str) -> QuerySet | None:
    """Rows of the same days that were left out; None for material, where every closed order counts."""
    if measure == "otif":
        first, last = window(evaluation, measure)
        lines = LineOutcome.objects.filter(factory=evaluation.factory_id)
        lines = lines.filter(
            Q(state=LineOutcome.State.UNMEASURABLE) | Q(state=LineOutcome.State.EXCLUDED, limit_on__range=(first, last))
        )
        return scoped(evaluation, lines).order_by("state", "line_id")
    if measure == "defect":
        first, last = window(evaluation, measure)
        seen = Inspection.objects.filter(factory=evaluation.factory_id, inspected_on__range=(first, last))
        if evaluation.category_id:
            seen = seen.filter(lot__line__product__category=evaluation.category_id)
        counting = LotOutcome.objects.filter(factory=evaluation.factory_id).values("inspection_id")
        aside = Exclusion.objects.in_force().filter(factory=evaluation.factory_id, lot__isnull=False)
        seen = seen.exclude(lot__in=aside.values("lot"))
        return seen.exclude(pk__in=counting).order_by("-inspected_on", "-pk")
    return None


def set_aside(evaluation: Evaluation, measure: str) -> QuerySet[Exclusion]:
    """The exclusions in force whose rows would count in these days (EXC-1), the last decided first."""
    found = _in_days(Exclusion.objects.in_force(), evaluation, measure)
    if measure == "otif":
        found = found.filter(line__outcome__state=LineOutcome.State.SET_ASIDE)
    elif measure == "loss":
        found = found.filter(order_material__outcome__is_set_aside=True)
    return found.order_by("-decided_on", "-pk")


def all_set_aside(evaluation: Evaluation) -> QuerySet[Exclusion]:
    """What is set aside of every measure in these days, and what was when it was computed and counts again now.

    The last decided first. One query.
    """
    then = evaluation.computed_at
    lifted = Exclusion.objects.filter(state=Exclusion.State.LIFTED, decided_at__lte=then, lifted_at__gt=then)
    found = Q()
    for measure in SPLITS:
        found |= Q(pk__in=set_aside(evaluation, measure).values("pk"))
        found |= Q(pk__in=_in_days(lifted, evaluation, measure).values("pk"))
    return Exclusion.objects.filter(found, factory=evaluation.factory_id).order_by("-decided_on", "-pk")


def _in_days(found: QuerySet[Exclusion], evaluation: Evaluation, measure: str) -> QuerySet[Exclusion]:
    """Those about rows that fall into the days of a measure."""
    days = window(evaluation, measure)
    found = found.filter(factory=evaluation.factory_id)
    if measure == "otif":
        category, states = "line__outcome__category", [LineOutcome.State.COUNTED, LineOutcome.State.SET_ASIDE]
        found = found.filter(line__outcome__state__in=states, line__outcome__limit_on__range=days)
    elif measure == "defect":
        category = "lot__line__product__category"
        first = Inspection.objects.counting().filter(lot=OuterRef("lot")).values("inspected_on")[:1]
        found = found.filter(lot__isnull=False).annotate(inspected_on=Subquery(first)).filter(inspected_on__range=days)
    else:
        category = "order_material__outcome__category"
        found = found.filter(order_material__outcome__closed_on__range=days)
    return found.filter(**{category: evaluation.category_id}) if evaluation.category_id else found


def effect(evaluation: Evaluation, exclusion: Exclusion) -> Effect | None:
    """What setting the row aside does to today's numbers of these days; None where the row lies in other days."""
    measure = MEASURES[exclusion.kind]
    days = window(evaluation, measure)
    currency = ""
    if exclusion.line_id:
        line = LineOutcome.objects.filter(line=exclusion.line_id, limit_on__range=days)
        line = line.filter(state__in=[LineOutcome.State.COUNTED, LineOutcome.State.SET_ASIDE]).first()
        row = line and (line.is_otif, 1, line.state == LineOutcome.State.COUNTED)
    elif exclusion.lot_id:
        look = Inspection.objects.counting().filter(lot=exclusion.lot_id).first()
        counts = LotOutcome.objects.filter(lot=exclusion.lot_id).exists()
        row = look and days[0] <= look.inspected_on <= days[1] and (look.units_defective, look.units_inspected, counts)
    else:
        material = MaterialOutcome.objects.filter(
            order_material=exclusion.order_material_id, closed_on__range=days
        ).first()
        currency = material.currency if material else ""
        row = material and (max(material.value_loss, 0), material.value_net, not material.is_set_aside)
    if not row:
        return None
    adds = (Decimal(row[0]), Decimal(row[1]))
    sums = SUMS[measure](currency)
    got = rows(evaluation, measure).order_by().aggregate(num=sums[0], den=sums[1])
    now = (Decimal(got["num"] or 0), Decimal(got["den"] or 0))
    counted = now if row[2] else (now[0] + adds[0], now[1] + adds[1])
    return Effect(measure, counted, (counted[0] - adds[0], counted[1] - adds[1]), currency)


def why_not(inspection: Inspection) -> str:
    """Why an inspection does not count (DEF-4), as a key for the page."""
    if inspection.source == Inspection.Source.FACTORY:
        return "self_report"
    if not inspection.is_original:
        return "repeat"
    if inspection.stage == Inspection.Stage.INLINE:
        return "inline"
    return "other_counts"


def one_more_on_time(evaluation: Evaluation) -> Decimal | None:
    """By how much the score would rise if one late line had been on time; None where nothing is scored."""
    stored = evaluation.measures.get("otif") or {}
    if not stored.get("share") or not stored.get("bad"):
        return None
    marks = grading.Marks(*(Decimal(stored[key]) for key in ("target", "limit", "zero")))
    total = int(stored["den"])
    before, after = (grading.points(Fraction(int(stored["num"]) + more, total), marks) for more in (0, 1))
    gain = (after - before) * Fraction(stored["share"])
    return grading.half_up(gain, 2)


def scoped(evaluation: Evaluation, found: QuerySet) -> QuerySet:
    """Only the rows of the category that an evaluation is about; all of them where it is about the whole factory."""
    return found.filter(category=evaluation.category_id) if evaluation.category_id else found


def _lines(evaluation: Evaluation) -> QuerySet:
    first, last = window(evaluation, "otif")
    found = LineOutcome.objects.filter(factory=evaluation.factory_id).counted().due_between(first, last)
    age = Func(
        Value(evaluation.as_of),
        F("due_on"),
        template="(%(expressions)s)",
        arg_joiner="::date - ",
        output_field=IntegerField(),
    )  # days, where a subtraction in Django would give an interval
    return scoped(evaluation, found).annotate(age=Coalesce("days_late", age)).order_by("is_otif", "-age", "-line_id")


def _lots(evaluation: Evaluation) -> QuerySet:
    first, last = window(evaluation, "defect")
    found = LotOutcome.objects.filter(factory=evaluation.factory_id).between(first, last)
    bad = F("critical") + F("major")
    share = ExpressionWrapper(Cast(bad, RATIO) / F("inspected"), output_field=RATIO)
    return (
        scoped(evaluation, found).annotate(bad=bad, bad_share=share).order_by("-bad_share", "-inspected_on", "-lot_id")
    )


def _materials(evaluation: Evaluation) -> QuerySet:
    first, last = window(evaluation, "loss")
    found = MaterialOutcome.objects.counted().filter(factory=evaluation.factory_id, closed_on__range=(first, last))
    return scoped(evaluation, found).order_by("-charge", "-value_loss", "-order_material_id")


def _loss_sums(currency: str) -> tuple[Sum, Sum]:
    return (
        Sum(Greatest("value_loss", Value(Decimal(0), RATIO)), filter=Q(currency=currency)),
        Sum("value_net", filter=Q(currency=currency)),
    )


SUMS: dict[str, Callable[[str], tuple[Any, Any]]] = {
    "otif": lambda _: (Count("pk", filter=Q(is_otif=True)), Count("pk")),
    "defect": lambda _: (Sum(F("critical") + F("major")), Sum("inspected")),
    "loss": _loss_sums,
}
