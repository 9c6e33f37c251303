"""The rows behind the numbers besides a score, as `besides` counts them: each number opens just these."""

from decimal import Decimal

from django.db.models import (
    Case,
    Count,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Max,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from assessments import besides, evidence
from assessments.models import Evaluation
from production.models import LineOutcome, PurchaseOrder

CYCLE = ("completed", "running", "ran", "agreed", "overran")
ORDERS = ("orders", "whole", "not-whole")
PARTS = {"otif": (*CYCLE, "ended", *ORDERS), "defect": ("above",), "loss": ()}


def rows(evaluation: Evaluation, part: str, after: int | None = None) -> QuerySet:
    """The order lines, lots or orders of one of the PARTS, as the facts are today.

    `ended` are the lines due that ended `after` so many days from their last on-time day, all of them where it is None.
    """
    if part in CYCLE:
        return _cycle(evaluation, part)
    if part in ORDERS:
        return _orders(evaluation, part)
    if part == "ended":
        found = evidence.rows(evaluation, "otif").annotate(after=_after_limit(evaluation))
        return found if after is None else found.filter(after=after)
    ceiling = Value(Decimal(evaluation.measures["defect"]["limit"]), evidence.RATIO)
    most = ExpressionWrapper(F("inspected") * ceiling, output_field=evidence.RATIO)
    return evidence.rows(evaluation, "defect").filter(is_census=True, bad__gt=most)


def _cycle(evaluation: Evaluation, part: str) -> QuerySet[LineOutcome]:
    """Lines with the days they `took`: those completed in the days, still `running` when these were over, or both."""
    first, last = evidence.window(evaluation, "defect")
    lines = LineOutcome.objects.filter(factory=evaluation.factory_id).counted()
    lines = evidence.scoped(evaluation, lines)
    completed = Q(completed_on__range=(first, last), cycle_days__isnull=False)
    running = Q(Q(is_open=True) | Q(completed_on__gt=last), order__confirmed_on__lte=last)
    agreed = completed & Q(order__cycle_days__isnull=False)
    chosen = {
        "completed": completed, "running": running, "ran": completed | running, "agreed": agreed,
        "overran": agreed & Q(cycle_days__gt=F("order__cycle_days")),
    }[part]  # fmt: skip
    took = Case(When(completed, then="cycle_days"), default=_days(Value(last), F("order__confirmed_on")))
    return lines.filter(chosen).annotate(took=took).order_by("-took", "-line_id")


def _orders(evaluation: Evaluation, part: str) -> QuerySet[PurchaseOrder]:
    """Orders with the day they count on, the lines that count and those of them that were on time and in full."""
    every = besides.orders_of(evaluation)
    wanted = [each.pk for each in every.every if part == "orders" or each.is_whole == (part == "whole")]
    counting = Q(lines__outcome__state=LineOutcome.State.COUNTED)
    if evaluation.category_id:
        counting &= Q(lines__outcome__category=evaluation.category_id)
    found = PurchaseOrder.objects.filter(pk__in=wanted).annotate(
        counted_on=Max("lines__outcome__limit_on", filter=counting),
        lines_on_time=Count("lines__outcome", filter=counting & Q(lines__outcome__is_otif=True)),
        lines_counted=Count("lines__outcome", filter=counting),
    )
    return found.order_by("-counted_on", "-number")


def _after_limit(evaluation: Evaluation) -> Case:
    """Days from the last on-time day of a line to its end, below 0 when early; of an open one to the day of the score."""
    return Case(
        When(completed_on__isnull=False, then=_days(F("completed_on"), F("limit_on"))),
        When(is_open=True, then=_days(Value(evaluation.as_of), F("limit_on"))),
        default=_days(F("due_on"), F("limit_on")) + Coalesce("days_late", 0),
    )


def _days(last: F | Value, first: F) -> Func:
    """Whole days between two dates, where a subtraction in Django would give an interval."""
    return Func(last, first, template="(%(expressions)s)", arg_joiner="::date - ", output_field=IntegerField())
