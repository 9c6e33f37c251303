"""How planned orders are running: the rules of `production.schedule`, applied to the rows of the database (CYC-1 to CYC-4)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import DateField, Exists, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest

from production import schedule
from production.models import (
    LineOutcome,
    Milestone,
    MilestoneForecast,
    MilestoneTemplate,
    PlanOutcome,
    PurchaseOrder,
    TouchedPlan,
)


@dataclass(frozen=True, slots=True)
class End:
    """The end of an order by its lines: the last day on time of the last of them, and the day on which all had come."""

    limit_on: date | None = None
    finished_on: date | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """One milestone of an order as it stands on a day. `waits_for`: the title of what binds it, where it is another one."""

    row: Milestone
    actual_on: date | None
    forecast_on: date | None
    projected_on: date
    binding: str
    waits_for: str
    is_early: bool
    status: str
    is_critical: bool

    @property
    def slip_days(self) -> int:
        return (self.projected_on - self.row.planned_on).days

    @property
    def is_done(self) -> bool:
        return self.status == schedule.DONE


@dataclass(frozen=True, slots=True)
class Course:
    """Where a planned order stands on a day, and where it is heading. Without a last day on time its plan sets the limit."""

    stages: tuple[Stage, ...]
    last: Stage
    limit_on: date
    slips_from: Stage | None

    @property
    def slip_days(self) -> int:
        return self.last.slip_days

    @property
    def slack_days(self) -> int:
        """Days between the projected end and the last day on time; below 0 it is too late."""
        return (self.limit_on - self.last.projected_on).days

    @property
    def is_done(self) -> bool:
        return self.last.is_done

    @property
    def is_slipping(self) -> bool:
        """Whether it will end later than planned; a plan that nobody confirmed is no promise yet."""
        return self.is_frozen and not self.is_done and self.slip_days > 0

    @property
    def is_late(self) -> bool:
        return not self.is_done and self.slack_days < 0

    @property
    def is_frozen(self) -> bool:
        return any(stage.row.frozen_at for stage in self.stages)

    @property
    def next(self) -> Stage | None:
        """The milestone that is to be reached next: the first projected of those that are not."""
        return min(
            (s for s in self.stages if not s.is_done), key=lambda s: (s.projected_on, s.row.position), default=None
        )


def courses(orders: Iterable[int], today: date) -> dict[int, Course]:
    """The course of each of the orders (ids) that has a plan: three queries for any number of them."""
    rows = defaultdict(list)
    for row in (
        Milestone.objects.filter(order__in=orders).select_related("frozen_by").order_by("order", "position", "id")
    ):
        rows[row.order_id].append(row)
    if not rows:
        return {}
    stated = latest_forecasts([row.pk for own in rows.values() for row in own if row.actual_on is None])
    ended = ends(LineOutcome.objects.filter(order__in=list(rows)))
    return {order: course(own, stated, ended.get(order, End()), today) for order, own in rows.items()}


def latest_forecasts(milestones: Sequence[int]) -> dict[int, date]:
    found = MilestoneForecast.objects.filter(milestone__in=milestones).order_by("milestone", "-stated_at", "-id")
    return dict(found.distinct("milestone").values_list("milestone", "forecast_on"))


def ends(outcomes: QuerySet) -> dict[int, End]:
    """The end of each order by the outcomes of its lines; what we cancelled in time is not waited for."""
    counted = outcomes.exclude(state=LineOutcome.State.EXCLUDED).order_by().values("order")
    rows = counted.annotate(
        limit=Max("limit_on"), still=Max("pk", filter=Q(is_open=True)),
        ended=Max(Coalesce("completed_on", "line__closed_short_on")),
    )  # fmt: skip
    return {
        row["order"]: End(row["limit"], None if row["still"] else row["ended"], row["still"] is not None)
        for row in rows
    }


def course(rows: Sequence[Milestone], stated: Mapping[int, date], end: End, today: date) -> Course:
    """The forward pass of one plan, predecessors first or not. What the deliveries say ends it, if nobody recorded it."""
    plan = known(rows, stated)
    last = schedule.last_of(plan)
    plan = [ended(each, end) if each is last else each for each in plan]
    passed = schedule.forward(plan, today)
    limit = end.limit_on or last.planned
    titles = {row.code: row.title for row in rows}
    stages = {}
    for row, each in zip(rows, plan, strict=True):
        at = passed.projected[row.code]
        stages[row.code] = Stage(
            row, each.actual if at.binding == schedule.ACTUAL else None, each.forecast, at.on, at.binding,
            titles.get(at.binding, ""), at.early,
            schedule.status(each, at.on, passed.projected[passed.finish].on, limit, today),
            row.code in passed.critical_path,
        )  # fmt: skip
    slips = [stages[code] for code in passed.critical_path if stages[code].slip_days > 0]
    return Course(tuple(stages.values()), stages[passed.finish], limit, slips[0] if slips else None)


def known(rows: Iterable[Milestone], stated: Mapping[int, date]) -> list[schedule.Milestone]:
    """The milestones of one plan for the rules."""
    return [
        schedule.Milestone(row.code, row.planned_on, tuple(row.predecessors), stated.get(row.pk), row.actual_on)
        for row in rows
    ]


def ended(milestone: schedule.Milestone, end: End) -> schedule.Milestone:
    on = milestone.actual or end.finished_on
    return schedule.Milestone(milestone.id, milestone.planned, milestone.preds, milestone.forecast, on)


@dataclass(frozen=True, slots=True)
class LatePlans:
    """The confirmed plans that are projected to end later than planned: those `kept` so, and the orders of those followed anew.

    It is kept of each plan from which day on that is so. Only a plan that changed since, or of which a fact lies ahead of
    `today`, is followed anew.
    """

    today: date
    kept: QuerySet
    anew: list[int]

    def of(self, orders: QuerySet) -> QuerySet:
        """Those of the orders that have such a plan and still wait for goods, or have not been judged yet."""
        late = Q(pk__in=self.kept.values("order"))
        return _waiting(orders).filter(late | Q(pk__in=self.anew) if self.anew else late)

    def courses(self, orders: QuerySet, first: int | None = None) -> dict[int, Course]:
        """Their courses, the worst first: all, or only so many of them."""
        waiting = _waiting(orders).order_by()
        ids = list(_worst(waiting.filter(plan_outcome__in=self.kept), self.today)[:first])
        ids += waiting.filter(pk__in=self.anew).values_list("pk", flat=True) if self.anew else []
        worst = sorted(
            courses(ids, self.today).items(), key=lambda pair: (pair[1].slack_days, -pair[1].slip_days, pair[0])
        )
        return dict(worst[:first])


def late_plans(today: date) -> LatePlans:
    """One query, and three more where plans changed just now."""
    marked = TouchedPlan.objects.order_by().values_list("order_id", flat=True)
    ahead = PlanOutcome.objects.filter(known_on__gt=today).order_by().values_list("order_id", flat=True)
    changed = list(marked.union(ahead))
    kept = PlanOutcome.objects.filter(slips_from_on__lte=today)
    if not changed:
        return LatePlans(today, kept, [])
    late = [order for order, each in courses(changed, today).items() if each.is_slipping]
    return LatePlans(today, kept.exclude(order__in=changed), late)


def _waiting(orders: QuerySet) -> QuerySet:
    lines = LineOutcome.objects.filter(order=OuterRef("pk"))
    return orders.filter(Exists(lines.filter(is_open=True)) | ~Exists(lines), closed_on=None)


def _worst(orders: QuerySet, today: date) -> QuerySet:
    """The ids of orders of which a plan is kept, the one with the fewest days to spare first."""
    counted = LineOutcome.objects.filter(order=OuterRef("pk")).exclude(state=LineOutcome.State.EXCLUDED).order_by()
    limit = Subquery(counted.values("order").annotate(limit=Max("limit_on")).values("limit"), DateField())
    from_today = ExpressionWrapper(Value(today, DateField()) + F("plan_outcome__days_to_go"), DateField())
    orders = orders.annotate(
        limit=Coalesce(limit, "plan_outcome__planned_on"), ends=Greatest("plan_outcome__earliest_on", from_today)
    )
    return orders.order_by(F("limit") - F("ends"), F("plan_outcome__planned_on") - F("ends"), "pk").values_list(
        "pk", flat=True
    )


def template_of(order: PurchaseOrder) -> list[MilestoneTemplate]:
    """What a new plan of an order begins with: the template of its main category, else the one for all."""
    category = order.lines.order_by("id").values_list("product__category", flat=True).first()
    rows = MilestoneTemplate.objects.filter(Q(category=category) | Q(category=None)).order_by("position", "id")
    own = [row for row in rows if row.category_id is not None]
    return own or [row for row in rows if row.category_id is None]


def planned_days(template: Sequence[MilestoneTemplate], finish: date, earliest: date | None) -> dict[str, date]:
    """The proposed day of each milestone, counted back from the finish. Raises BadInput for a template that goes in circles."""
    steps = [schedule.Step(row.code, tuple(row.predecessors), row.gap_days) for row in template]
    return schedule.backward(steps, finish, earliest)
