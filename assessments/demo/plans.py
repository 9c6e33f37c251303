"""The plans of the demo's orders: milestones counted back from the due day, what slipped, and what was said about it."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from accounts.models import User
from assessments.demo.facts import Line, Order, Revision
from production import schedule
from production.models import DEFAULT_TEMPLATE, Milestone, MilestoneForecast, PurchaseOrder, Rebaseline

DAYS_BACK = 470  # fifteen months
NEVER_DAYS = 35
STEPS = [schedule.Step(code, tuple(preds), gap) for code, _, preds, gap, _ in DEFAULT_TEMPLATE]
# Where a delay begins, how often, and what is said about it.
CAUSES = [
    ("materials_arrived", 34, "Fabric is late at the mill"),
    ("pp_sample_approved", 16, "Second round of samples"),
    ("production_finished", 32, "A sewing line is short of people"),
    ("shipped", 18, "No space on the vessel"),
]
EVIDENCE = {
    "plan_approved": "Sales plan signed", "plan_confirmed": "Confirmation of the order", "materials_ordered": "Purchase orders of the mill",
    "materials_arrived": "Receipt at the factory", "pp_sample_approved": "Sealed sample", "production_start": "Photo of the cutting table",
    "inline_inspection": "Inline report", "production_finished": "Packing list, 80 % and more", "final_inspection": "Final report",
    "shipped": "Forwarder's receipt",
}  # fmt: skip


class Plans:
    """Turns the orders of the company into plans, as they are known on `day`."""

    def __init__(self, day: date, orders: Iterable[tuple[PurchaseOrder, Order]], by_role: dict[str, User]) -> None:
        self.day, self.by_role = day, by_role
        first = day - timedelta(days=DAYS_BACK)
        self.planned = [(row, order) for row, order in orders if order.lines and order.ordered_on >= first]
        self.milestones: list[Milestone] = []
        self.forecasts: list[MilestoneForecast] = []
        self.moves: list[Rebaseline] = []
        for row, order in self.planned:
            self._plan(row, order, random.Random(f"plan {order.number}"))

    def _plan(self, row: PurchaseOrder, order: Order, rng: random.Random) -> None:
        due = max(line.due_on for line in order.lines)
        days = schedule.backward(STEPS, due, order.ordered_on)
        moved = self._moved(order, due)
        by = timedelta(days=(moved.new_on - due).days) if moved else timedelta(0)
        arrives = max(_last(line, self.day) for line in order.lines)
        cause, reason = self._cause(rng)
        actual = self._actual(days, arrives, cause, rng)
        frozen = at(order.confirmed_on) if order.confirmed_on else None
        for place, (code, title, preds, _gap, responsible) in enumerate(DEFAULT_TEMPLATE, start=1):
            reached = actual[code] if frozen and actual[code] < self.day and code in EVIDENCE else None
            milestone = Milestone(
                factory_id=row.factory_id, order=row, position=place, code=code, title=title, predecessors=preds,
                responsible=responsible, planned_on=days[code], frozen_at=frozen,
                frozen_by=self.by_role.get("buyer") if frozen else None, actual_on=reached,
                evidence=EVIDENCE[code] if reached else "", recorded_at=at(reached) if reached else None,
                recorded_by=self.by_role.get("buyer") if reached else None,
            )  # fmt: skip
            self.milestones.append(milestone)
            if moved and actual[code] > moved.approved_on:
                milestone.planned_on += by
                self.moves.append(self._move(milestone, days[code], moved))
            late = (actual[code] - milestone.planned_on).days
            if frozen and code == cause and late > 2:
                self._say(milestone, actual[code], late, reason, order, rng)

    def _actual(self, days: dict[str, date], arrives: date, cause: str, rng: random.Random) -> dict[str, date]:
        """When each milestone is reached: on plan or a little ahead of it, and from the cause on as late as the goods will be."""
        slip = (arrives - days["received"]).days
        begun, found = False, {}
        for place, step in enumerate(STEPS):
            begun = begun or step.id == cause
            if slip > 0:
                late = slip - rng.choice((0, 0, 0, 1, 1, 2)) if begun else -rng.choice((0, 0, 0, 1, 2))
            else:
                late = slip * place // len(STEPS) + rng.choice((0, 0, 1))
            on = days[step.id] + timedelta(days=min(late, max(slip, 0)))
            on = max([on, *(found[pred] for pred in step.preds)], default=on)
            found[step.id] = min(on, arrives)
        return found

    def _cause(self, rng: random.Random) -> tuple[str, str]:
        code, _weight, reason = rng.choices(CAUSES, [weight for _, weight, _ in CAUSES])[0]
        return code, reason

    def _moved(self, order: Order, due: date) -> Revision | None:
        """The move of the due day that we caused, where all lines of the last day moved."""
        found = [line.revisions for line in order.lines if line.due_on == due]
        good = [own[0] for own in found if own and own[0].cause == "buyer" and own[0].approved_on]
        return good[0] if order.confirmed_on and len(good) == len(found) else None

    def _move(self, milestone: Milestone, was: date, moved: Revision) -> Rebaseline:
        manager = self.by_role.get("manager")
        return Rebaseline(
            factory_id=milestone.factory_id, milestone=milestone, was_on=was, new_on=milestone.planned_on, reason=moved.reason,
            asked_at=at(moved.asked_on), asked_by=self.by_role.get("buyer"), approved_at=at(moved.approved_on),
            approved_by=manager,
        )  # fmt: skip

    def _say(self, milestone: Milestone, on: date, late: int, reason: str, order: Order, rng: random.Random) -> None:
        """A week or so ahead half of the delay is known, some days later all of it."""
        for ahead, share in ((rng.randint(7, 11), 0.6), (rng.randint(1, 4), 1)):
            said = milestone.planned_on - timedelta(days=ahead)
            if order.confirmed_on < said < self.day:
                day = milestone.planned_on + timedelta(days=round(late * share))
                self.forecasts.append(
                    MilestoneForecast(
                        factory_id=milestone.factory_id, milestone=milestone, forecast_on=day, reason=reason,
                        stated_at=at(said), stated_by=self.by_role.get("buyer"),
                    )
                )  # fmt: skip

    def rows(self) -> Iterator[list]:
        """All rows, parents first."""
        yield self.milestones
        yield self.forecasts
        yield self.moves


def at(day: date) -> datetime:
    return datetime.combine(day, time(10), UTC)


def _last(line: Line, day: date) -> date:
    """When the last goods of a line come; of a line that nobody heard of, long from now."""
    if line.arrives:
        return line.arrives[-1][0]
    if line.cancellations:
        return line.due_on
    return max(line.due_on, day) + timedelta(days=NEVER_DAYS)
