"""Where an order stands and when it will come: milestones, the forward pass, the risk of being late (CYC-1 to -8)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TypeVar

from production.errors import BadInput
from production.rollup_sums import Number

ACTUAL, FORECAST, OVERDUE, PLANNED = "actual", "forecast", "overdue", "planned"
DONE, ON_TRACK, AT_RISK, LATE = "done", "on_track", "at_risk", "late"

KAPPA = 5
MIN_POOL = 20
EARLIEST, FAR = date(2000, 1, 1), date(4000, 1, 1)  # before and long after all days that a plan may name
COHORT_DAYS = 60
POOL_DAYS = 365


@dataclass(frozen=True, slots=True)
class Milestone:
    """One milestone of an order with its three dates: baseline, latest statement, and fact (CYC-1)."""

    id: str
    planned: date
    preds: tuple[str, ...] = ()
    forecast: date | None = None
    actual: date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One milestone of a template: it is planned at least `gap_days` after the last of its predecessors."""

    id: str
    preds: tuple[str, ...] = ()
    gap_days: int = 0


@dataclass(frozen=True, slots=True)
class Projected:
    """A milestone's projected date and what binds it: actual, forecast, overdue (not before today), planned (first
    milestones only), or the id of the predecessor it waits for. `early`: its fact precedes a predecessor's (CYC-2)."""

    on: date
    binding: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """Every milestone's projection, the binding chain that leads to the last one, and that one's slip in days."""

    projected: dict[str, Projected]
    critical_path: tuple[str, ...]
    finish: str | None
    finish_slip_days: int | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a plan heads on any day from `known_on` on, the day of its last fact, while nothing else becomes known of it.

    `earliest_on` is what facts, stated days and the plan allow; `days_to_go` lie between any day and the end that is possible
    from it, None once the end is reached.
    """

    planned_on: date
    known_on: date
    earliest_on: date
    days_to_go: int | None

    def ends_on(self, day: date) -> date:
        """The projected end as of a day, the same that `forward` gives."""
        return self.earliest_on if self.days_to_go is None else max(self.earliest_on, day + timedelta(self.days_to_go))

    @property
    def slips_from_on(self) -> date | None:
        """The first day from which the end is projected later than planned; None once it is reached."""
        if self.days_to_go is None:
            return None
        if self.earliest_on > self.planned_on:
            return self.known_on
        return date.fromordinal(max(self.planned_on.toordinal() - self.days_to_go + 1, self.known_on.toordinal()))


Each = TypeVar("Each", Milestone, Step)


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order of the past as it compares at one milestone: `expected_on` is the finish that could be expected on the
    day the milestone was reached (`expected_finish`), `planned_finish` the baseline, `finished_on` None while open."""

    planned_finish: date
    expected_on: date
    finished_on: date | None = None


@dataclass(frozen=True, slots=True)
class Brier:
    """Score of stated chances against what happened; lower is better. `skill` is None when the base rate is 0 or 1."""

    brier: Fraction | None
    brier_base_rate: Fraction | None
    skill: Fraction | None


@dataclass(frozen=True, slots=True)
class Pinball:
    """Score of forecasts of one quantile: loss of each, their mean, and the share of actuals at or below it."""

    losses: tuple[Fraction, ...]
    mean: Fraction | None
    coverage: Fraction | None


def forward(milestones: Sequence[Milestone], as_of: date) -> ForwardPass:
    """Project every milestone as of a local day (CYC-3): its fact, else the latest of today, its forecast, and its
    predecessors' projections plus the planned lag. Of equal terms the earlier named binds.

    Facts after `as_of` are ignored. Raises BadInput for circles, unknown predecessors and doubled ids.
    """
    plan = {milestone.id: milestone for milestone in milestones}
    if len(plan) != len(milestones):
        raise BadInput("A milestone appears twice.", "milestones")
    projected: dict[str, Projected] = {}
    for milestone in _in_order(plan):
        before = [projected[pred] for pred in milestone.preds]
        if milestone.actual is not None and milestone.actual <= as_of:
            early = any(pred.binding != ACTUAL or pred.on > milestone.actual for pred in before)
            projected[milestone.id] = Projected(milestone.actual, ACTUAL, early)
            continue
        terms = [(as_of, OVERDUE)]
        if milestone.forecast is not None:
            terms.append((milestone.forecast, FORECAST))
        if milestone.preds:
            lag = milestone.planned - max(plan[pred].planned for pred in milestone.preds)
            last = max(milestone.preds, key=lambda pred: projected[pred].on)
            terms.append((projected[last].on + max(lag, timedelta(0)), last))
        else:
            terms.append((milestone.planned, PLANNED))
        projected[milestone.id] = Projected(*max(terms, key=lambda term: term[0]))
    last_one = last_of(milestones)
    if last_one is None:
        return ForwardPass(projected, (), None, None)
    path = [last_one.id]
    while (binding := projected[path[-1]].binding) in plan[path[-1]].preds:
        path.append(binding)
    slip = (projected[last_one.id].on - last_one.planned).days
    return ForwardPass(projected, tuple(reversed(path)), last_one.id, slip)


def outlook(milestones: Sequence[Milestone]) -> Outlook | None:
    """What `forward` projects as the end for every day from the last fact on; None without milestones.

    No fact is to come, so each projection is the later of a fixed day and of today plus some days: so is the end, and two
    of its days tell both. Raises BadInput like `forward`.
    """
    known_on = max((each.actual for each in milestones if each.actual is not None), default=EARLIEST)
    earliest, far = forward(milestones, known_on), forward(milestones, FAR)
    last = last_of(milestones)
    if last is None:
        return None
    to_go = None if last.actual is not None else (far.projected[last.id].on - FAR).days
    return Outlook(last.planned, known_on, earliest.projected[last.id].on, to_go)


def last_of(milestones: Sequence[Milestone]) -> Milestone | None:
    """The milestone that ends the order: of those nobody waits for, the one planned last; None of none."""
    waited_for = {pred for milestone in milestones for pred in milestone.preds}
    return max((m for m in milestones if m.id not in waited_for), key=lambda m: m.planned, default=None)


def backward(steps: Sequence[Step], finish: date, earliest: date | None = None) -> dict[str, date]:
    """The planned day of each step, counted back from the finish: each as late as the steps that wait for it allow.

    Where that begins before `earliest`, all gaps shrink alike. Raises BadInput for circles, unknown predecessors and
    doubled ids.
    """
    plan = {step.id: step for step in steps}
    if len(plan) != len(steps):
        raise BadInput("A milestone appears twice.", "milestones")
    before_finish = dict.fromkeys(plan, 0)
    for step in reversed(_in_order(plan)):
        for pred in step.preds:
            before_finish[pred] = max(before_finish[pred], before_finish[step.id] + step.gap_days)
    longest = max(before_finish.values(), default=0)
    room = longest if earliest is None else min(longest, max((finish - earliest).days, 0))
    return {
        code: finish - timedelta(days=days * room // longest if longest else 0) for code, days in before_finish.items()
    }


def status(milestone: Milestone, projected: date, finish: date, limit: date, as_of: date) -> str:
    """done, overdue, on_track, late or at_risk (CYC-4); `finish` is the order's projected end, `limit` its last
    on-time day."""
    if milestone.actual is not None and milestone.actual <= as_of:
        return DONE
    if milestone.planned < as_of:
        return OVERDUE
    if projected <= milestone.planned:
        return ON_TRACK
    return LATE if finish > limit else AT_RISK


def expected_finish(reached_on: date, planned: date, planned_finish: date) -> date:
    """F: the finish if everything after a milestone, planned for one day and reached on another, goes as planned."""
    return reached_on + (planned_finish - planned)


def past_slips(orders: Iterable[PastOrder], as_of: date) -> list[int]:
    """Days of slip after a milestone, for the orders that were to finish 60 to 365 days before `as_of` (CYC-7).

    Orders of that time that are still open count with their slip so far, so that the slow ones are not left out.
    """
    return [
        (min(order.finished_on or as_of, as_of) - order.expected_on).days
        for order in orders
        if in_cohort(order.planned_finish, as_of)
    ]


def in_cohort(planned_finish: date, as_of: date) -> bool:
    """Whether an order with that planned finish is compared on a day (CYC-7)."""
    return as_of - timedelta(days=POOL_DAYS) <= planned_finish <= as_of - timedelta(days=COHORT_DAYS)


def late_risk(
    factory_history: Sequence[int],
    pool_history: Sequence[int],
    slack_days: int,
    elapsed_slip: int | None = None,
    kappa: Number = KAPPA,
    past_limit: bool = False,
) -> Fraction | None:
    """The chance that an open order ends after its limit day (CYC-5); None when nothing comparable is left.

    Histories hold days of slip that came after the last completed milestone; the pool counts like `kappa` orders.
    `elapsed_slip`: slip that has happened already, so that only histories with as much compare. `past_limit`: the
    limit day is over and the order is not complete.
    """
    if past_limit:
        return Fraction(1)
    weights = _mix(factory_history, pool_history, elapsed_slip, kappa)
    total = sum(weights.values())
    if not total:
        return Fraction(1) if elapsed_slip is not None and elapsed_slip > slack_days else None
    return sum((weight for slip, weight in weights.items() if slip > slack_days), Fraction(0)) / total


def slip_quantile(
    factory_history: Sequence[int],
    pool_history: Sequence[int],
    q: Number,
    elapsed_slip: int | None = None,
    kappa: Number = KAPPA,
) -> int | None:
    """The nearest-rank quantile of further slip over the same mix (CYC-6): 0.5 is likely, 0.8 safe; None if empty."""
    if not 0 < q <= 1:
        raise BadInput("A quantile lies above 0 and at most at 1.", "q")
    weights = _mix(factory_history, pool_history, elapsed_slip, kappa)
    rest = Fraction(q) * sum(weights.values())
    for slip in sorted(weights):
        rest -= weights[slip]
        if rest <= 0:
            return slip
    return None


def brier(chances: Sequence[Number], late: Sequence[int]) -> Brier:
    """Mean squared error of stated chances (0 to 1) against late (1) or not (0), and the gain over always stating the
    share of late ones (CYC-8)."""
    if len(chances) != len(late) or any(not 0 <= chance <= 1 for chance in chances) or not set(late) <= {0, 1}:
        raise BadInput("Each chance from 0 to 1 needs an outcome of 0 or 1.", "p")
    if not late:
        return Brier(None, None, None)
    pairs = zip(chances, late, strict=True)
    score = sum(((Fraction(chance) - was) ** 2 for chance, was in pairs), Fraction(0)) / len(late)
    base = Fraction(sum(late), len(late))
    base_score = base * (1 - base)
    return Brier(score, base_score, 1 - score / base_score if base_score else None)


def pinball(q: Number, forecasts: Sequence[Number], actuals: Sequence[Number]) -> Pinball:
    """Pinball loss of forecasts of the quantile `q`, without the factor 2, and their coverage (CYC-8)."""
    share = Fraction(q)
    if len(forecasts) != len(actuals) or not 0 < share < 1:
        raise BadInput("Each forecast needs an actual value, and the quantile lies between 0 and 1.", "quantile")
    errors = [Fraction(was) - Fraction(said) for said, was in zip(forecasts, actuals, strict=True)]
    losses = tuple(max(share * error, (share - 1) * error) for error in errors)
    if not losses:
        return Pinball((), None, None)
    covered = Fraction(sum(error <= 0 for error in errors), len(errors))
    return Pinball(losses, sum(losses, Fraction(0)) / len(losses), covered)


def _in_order(plan: dict[str, Each]) -> list[Each]:
    """The milestones, predecessors first, otherwise in the order given."""
    ordered: dict[str, Each] = {}
    if unknown := {pred for milestone in plan.values() for pred in milestone.preds} - plan.keys():
        raise BadInput(f"Unknown predecessor {', '.join(sorted(unknown))}.", "preds")
    while len(ordered) < len(plan):
        ready = [m for m in plan.values() if m.id not in ordered and all(pred in ordered for pred in m.preds)]
        if not ready:
            raise BadInput("The milestones wait for each other in a circle.", "preds")
        ordered.update((milestone.id, milestone) for milestone in ready)
    return list(ordered.values())


def _mix(factory: Sequence[int], pool: Sequence[int], elapsed: int | None, kappa: Number) -> dict[int, Fraction]:
    """Weight of each slip: 1 per order of the factory, kappa shared by the pool, both without those below `elapsed`."""
    if kappa < 0:
        raise BadInput("The weight of the pool cannot be negative.", "kappa")
    own = Counter(slip for slip in factory if elapsed is None or slip >= elapsed)
    others = Counter(slip for slip in pool if elapsed is None or slip >= elapsed)
    each = Fraction(kappa) / others.total() if others else Fraction(0)
    return {slip: own[slip] + each * others[slip] for slip in own.keys() | others.keys()}
