"""The chance that an open order ends late, from what became of comparable ones, and whether it may be said (CYC-5 to CYC-8).

What was known on a day: facts by the day they were recorded, forecasts by the day they were stated, baselines by the day
their moves were approved. The last day on time of an order is today's.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery

from factories.models import Category
from production import schedule
from production.kept import Kept
from production.models import (
    LineOutcome,
    Milestone,
    MilestoneForecast,
    OrderLine,
    PastPlans,
    PurchaseOrder,
    Rebaseline,
)
from production.plans import End, ended, ends
from production.rollup_sums import to_decimal

LIKELY, SAFE = Fraction(1, 2), Fraction(4, 5)
COVERED = (Fraction(7, 10), Fraction(9, 10))  # of the safe days; outside of it they are not safe, or say nothing
TESTED_MONTHS = 12
DAYS_BACK = schedule.POOL_DAYS + 31 * TESTED_MONTHS + 31


@dataclass(slots=True)
class Step:
    """One milestone of an order with all that was ever said of it, each with the day from which it was known."""

    code: str
    preds: tuple[str, ...]
    planned_on: date
    actual_on: date | None
    recorded_on: date | None
    stated: list[tuple[date, date]] = field(default_factory=list)
    moved: list[tuple[date, date]] = field(default_factory=list)

    def known(self, day: date) -> schedule.Milestone:
        """The milestone as it was known at the end of a day."""
        planned = next((was for on, was in self.moved if on > day), self.planned_on)
        forecast = next((said for on, said in reversed(self.stated) if on <= day), None)
        is_known = self.recorded_on is not None and self.recorded_on <= day
        return schedule.Milestone(self.code, planned, self.preds, forecast, self.actual_on if is_known else None)


@dataclass(slots=True)
class Story:
    """One planned order with everything that became known of it."""

    order: int
    factory: int
    frozen_on: date | None
    end: End
    steps: list[Step] = field(default_factory=list)

    def on(self, day: date) -> "Known | None":
        """The order as it was known at the end of a day; None while its plan was not frozen or nothing of it was reached."""
        if self.frozen_on is None or self.frozen_on > day:
            return None
        plan = [step.known(day) for step in self.steps]
        last = schedule.last_of(plan)
        plan = [ended(each, self.end) if each is last else each for each in plan]
        last = schedule.last_of(plan)
        finished = last.actual if last.actual and last.actual <= day else None
        reached = {each.id: each for each in plan if each.id != last.id and each.actual and each.actual <= day}
        return Known(self, plan, last, finished, reached) if reached else None


@dataclass(frozen=True, slots=True)
class Known:
    """An order on a day: its plan, its last milestone, the day it had ended, and what of it was reached."""

    story: Story
    plan: list[schedule.Milestone]
    last: schedule.Milestone
    finished_on: date | None
    reached: dict[str, schedule.Milestone]

    @property
    def limit_on(self) -> date:
        return self.story.end.limit_on or self.last.planned

    def expected_on(self, code: str) -> date:
        at = self.reached[code]
        return schedule.expected_finish(at.actual, at.planned, self.last.planned)


@dataclass(frozen=True, slots=True)
class Risk:
    """The chance of one open order, the counts behind it, and when it will likely and safely end.

    `over` of `pool` comparable orders (`own_over` of `own` of the same factory) needed more than the `slack_days` that are
    left after the milestone `code` was reached. Only those are counted that slipped at least `elapsed_days`, as this one has.
    """

    code: str
    slack_days: int
    elapsed_days: int
    own_over: int
    own: int
    over: int
    pool: int
    chance: Fraction | None
    likely_on: date | None
    safe_on: date | None
    base_late: int
    base: int
    counted_on: date | None = None  # where it was not now


@dataclass(frozen=True, slots=True)
class BackTest:
    """How the chances of past month ends turned out: against always saying the share of late ones, and the safe days."""

    brier: schedule.Brier
    pinball: schedule.Pinball
    chances: int
    days: int

    @property
    def may_be_said(self) -> bool:
        """CYC-8: better than the base rate, and safe days that held for 70 to 90 % of the orders."""
        skill, covered = self.brier.skill, self.pinball.coverage
        return skill is not None and skill > 0 and covered is not None and COVERED[0] <= covered <= COVERED[1]


tests: Kept[BackTest] = Kept(200)


def risk_of(order: PurchaseOrder, today: date) -> tuple[Risk | None, BackTest | None]:
    """The risk of one order and the back-test of its category; (None, None) where fewer than 20 orders compare (CYC-7).

    Both are of the past orders as the last night counted them. Where no night did so far, they are counted here, the test
    once a day for each category: a fact that is taken back later shows in it a day later.
    """
    first = order.lines.order_by("id").values_list("product__category", "product__category__past_plans__counted_on")
    category, counted_on = first.first() or (None, None)
    if category is None:
        return None, None
    (mine,) = stories(PurchaseOrder.objects.filter(pk=order.pk)) or [None]
    known = mine.on(today) if mine else None
    if known is None:
        return None, None
    if counted_on:
        past = PastPlans.objects.get(category=category)
        cohort = [Compared(*row) for row in past.compared.get(stands_at(known), [])]
        found, test = risk(known, cohort, today), _kept_test(past)
        return (replace(found, counted_on=counted_on), test) if found else (None, None)
    found = risk(known, compared(_cohort(category, today), stands_at(known), today), today)
    if found is None:
        return None, None
    return found, tests.get((category, today), lambda: test_of(category, today))


def _cohort(category: int, today: date) -> list[Known]:
    """The past orders of a category that compare on a day, as they are known then."""
    days = {"since": today - timedelta(days=schedule.POOL_DAYS), "until": today - timedelta(days=schedule.COHORT_DAYS)}
    return [known for story in stories(of_category(category, **days)) if (known := story.on(today))]


def keep(category: int, today: date) -> PastPlans:
    """Counts the past orders of a category, and keeps it for all that is asked until the next time."""
    found, test = _cohort(category, today), test_of(category, today)
    codes = {code for known in found for code in known.reached}
    held = int(test.pinball.coverage * test.days) if test.pinball.coverage is not None else 0
    skill = test.brier.skill
    values = {
        "counted_on": today, "chances": test.chances, "safe_days": test.days, "safe_days_held": held,
        "skill": None if skill is None else to_decimal(skill),
        "compared": {code: [astuple(each) for each in compared(found, code, today)] for code in sorted(codes)},
    }  # fmt: skip
    return PastPlans.objects.update_or_create(category_id=category, defaults=values)[0]


def categories() -> list[int]:
    """The categories of which some order has a plan."""
    planned = OrderLine.objects.filter(product__category=OuterRef("pk"), order__milestones__isnull=False)
    return list(Category.objects.filter(Exists(planned)).order_by("pk").values_list("pk", flat=True))


def _kept_test(past: PastPlans) -> BackTest:
    skill = None if past.skill is None else Fraction(past.skill)
    coverage = Fraction(past.safe_days_held, past.safe_days) if past.safe_days else None
    return BackTest(
        schedule.Brier(None, None, skill), schedule.Pinball((), None, coverage), past.chances, past.safe_days
    )


def test_of(category: int, today: date) -> BackTest:
    return back_test(stories(of_category(category, today - timedelta(days=DAYS_BACK))), today)


def of_category(category: int, since: date, until: date | None = None) -> QuerySet:
    """Orders with a plan that was to end in some days, whose main category (that of their first line) is this one."""
    first = OrderLine.objects.filter(order=OuterRef("pk")).order_by("id").values("product__category")[:1]
    orders = PurchaseOrder.objects.filter(Exists(Milestone.objects.filter(order=OuterRef("pk"), planned_on__gte=since)))
    orders = orders.annotate(main=Subquery(first), planned=Max("milestones__planned_on")).filter(main=category)
    return orders.filter(planned__lte=until) if until else orders


def stories(orders: QuerySet) -> list[Story]:
    """The stories of planned orders, oldest first: four queries for any number of them."""
    ids = list(orders.order_by().values_list("pk", flat=True))
    columns = "pk order factory code predecessors planned_on actual_on recorded_at frozen_at".split()
    rows = Milestone.objects.filter(order__in=ids).order_by("order", "position", "id").values_list(*columns)
    ended_by = ends(LineOutcome.objects.filter(order__in=ids))
    found: dict[int, Story] = {}
    steps: dict[int, Step] = {}
    for pk, order, factory, code, preds, planned, actual, recorded, frozen in rows:
        story = found.setdefault(order, Story(order, factory, _day(frozen), ended_by.get(order, End())))
        steps[pk] = Step(code, tuple(preds), planned, actual, _day(recorded))
        story.steps.append(steps[pk])
    said = MilestoneForecast.objects.filter(milestone__order__in=ids).order_by("stated_at", "id")
    for pk, at, on in said.values_list("milestone", "stated_at", "forecast_on"):
        steps[pk].stated.append((_day(at), on))
    moves = Rebaseline.objects.filter(milestone__order__in=ids, approved_at__isnull=False).order_by("approved_at", "id")
    for pk, at, was in moves.values_list("milestone", "approved_at", "was_on"):
        steps[pk].moved.append((_day(at), was))
    return list(found.values())


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date() if moment else None


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of one order of the cohort after a milestone: its days of slip, and whether it ended too late."""

    order: int
    factory: int
    slip: int
    is_late: bool


def compared(known: Sequence[Known], code: str, today: date) -> list[Compared]:
    """The orders that compare once a milestone is reached (CYC-7)."""
    rows = []
    for each in known:
        if code in each.reached:
            past = schedule.PastOrder(each.last.planned, each.expected_on(code), each.finished_on)
            is_late = (each.finished_on or today) > each.limit_on
            rows += [
                Compared(each.story.order, each.story.factory, n, is_late) for n in schedule.past_slips([past], today)
            ]
    return rows


def stands_at(known: Known) -> str:
    """The milestone that was reached last."""
    return max(known.reached.values(), key=lambda at: (at.planned, at.actual)).id


def risk(known: Known, cohort: Sequence[Compared], today: date) -> Risk | None:
    """The chance that an order ends after its last day on time, of what was known; None where too few orders compare.

    `cohort` are those that compare at the milestone that the order `stands_at`.
    """
    cohort = [each for each in cohort if each.order != known.story.order]
    if len(cohort) < schedule.MIN_POOL:
        return None
    pool = [each.slip for each in cohort]
    own = [each.slip for each in cohort if each.factory == known.story.factory]
    code = stands_at(known)
    expected, limit = known.expected_on(code), known.limit_on
    slack = (limit - expected).days
    finish = schedule.forward(known.plan, today).projected[known.last.id].on
    elapsed = max(0, (finish - expected).days) or None
    chance = schedule.late_risk(own, pool, slack, elapsed, past_limit=today > limit)
    likely, safe = (schedule.slip_quantile(own, pool, q, elapsed) for q in (LIKELY, SAFE))
    still, own_still = ([slip for slip in slips if elapsed is None or slip >= elapsed] for slips in (pool, own))
    return Risk(
        code, slack, elapsed or 0, sum(slip > slack for slip in own_still), len(own_still), sum(slip > slack for slip in still),
        len(still), chance, *(None if slip is None else expected + timedelta(days=slip) for slip in (likely, safe)),
        sum(each.is_late for each in cohort), len(cohort),
    )  # fmt: skip


def month_ends(today: date, count: int = TESTED_MONTHS) -> list[date]:
    """The last days of so many months before this one, oldest first."""
    found, day = [], today.replace(day=1) - timedelta(days=1)
    for _ in range(count):
        found.append(day)
        day = day.replace(day=1) - timedelta(days=1)
    return found[::-1]


def back_test(found: Sequence[Story], today: date) -> BackTest:
    """Says at each past month end what would have been said of each open order, and compares with what became of it.

    An order that is still open counts as late from its last day on time on, and a safe day that it is past did not hold;
    before, nothing is known and it is left out.
    """
    chances, late, safe_days, ends_on = [], [], [], []
    for day in month_ends(today):
        then = [known for story in found if (known := story.on(day))]
        cohorts: dict[str, list[Compared]] = {}
        for known in then:
            if known.finished_on or day > known.limit_on:  # nothing was left to foretell
                continue
            code = stands_at(known)
            if code not in cohorts:
                cohorts[code] = compared(then, code, day)
            said = risk(known, cohorts[code], day)
            if said is None or said.chance is None:
                continue
            now = known.story.on(today)
            finished = now.finished_on if now else None
            if finished or today > known.limit_on:
                chances.append(said.chance)
                late.append(int((finished or today) > known.limit_on))
            if said.safe_on and (finished or today > said.safe_on):
                safe_days.append(said.safe_on.toordinal())
                ends_on.append((finished or today).toordinal())
    pinball = schedule.pinball(SAFE, safe_days, ends_on)
    return BackTest(schedule.brier(chances, late), pinball, len(chances), len(safe_days))
