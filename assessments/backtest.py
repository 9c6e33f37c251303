"""What if: a draft policy on the last closed months, before it is saved. Nothing is stored."""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection, transaction

from assessments import evaluation_rows, evaluations, grading, judgement, window_sums, windows
from assessments.evaluations import MONTH, Chosen, Policies, Subject
from assessments.judgement import Measured
from assessments.models import Evaluation, Measure, Policy
from assessments.publication import latest, publication
from factories.models import Category, Factory

FOREVER = datetime.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Judged:
    """One factory judged in one month, as a whole or in a category: by which policy, its scorecard, measures in breach."""

    policy: Policy
    card: grading.Scorecard
    breaches: list[str]


@dataclass(frozen=True, slots=True)
class Month:
    """One factory in one month under one policy: its score, the grade that would be published, measures in breach.

    A measure in breach in a category of its own is named with its code: "defect:TOYS".
    """

    score: str | None
    grade: str
    breaches: frozenset[str]


@dataclass(slots=True)
class Side:
    """All months of all factories under one set of policies; and how often a measure went into breach and out of it."""

    months: dict[tuple[int, datetime.date], Month] = field(default_factory=dict)
    opened: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a draft would have changed: the months compared, both sides, and the factories with any other grade.

    `restated` counts the months that were published with another grade than today's facts give by the policies in force.
    """

    ends: tuple[datetime.date, ...]
    factories: tuple[Factory, ...]
    now: Side
    draft: Side
    restated: int

    def changes(self) -> list[tuple[Factory, list[tuple[datetime.date, Month, Month]]]]:
        """Factories whose grade would have been another, with those months, most months first."""
        found = []
        for factory in self.factories:
            months = [
                (end, self.now.months[factory.pk, end], self.draft.months[factory.pk, end])
                for end in self.ends
                if self.now.months[factory.pk, end].grade != self.draft.months[factory.pk, end].grade
            ]
            if months:
                found.append((factory, months))
        return sorted(found, key=lambda item: (-len(item[1]), item[0].code))


def month_ends(last_closed: datetime.date, months: int = 12) -> tuple[datetime.date, ...]:
    """The last days of the `months` closed months up to the one that ends on `last_closed`, oldest first."""
    ends = [last_closed]
    while len(ends) < months:
        ends.insert(0, ends[0].replace(day=1) - datetime.timedelta(days=1))
    return tuple(ends)


def compare(draft: Policy, yesterday: datetime.date, months: int = 12) -> Comparison:
    """Judges the last closed months twice, on today's facts: by the policies in force, and with the draft in its scope.

    The draft takes the place of every version of its own scope, from the first month on. Months are judged as they really
    are: in each category that a policy names, too, and after what the months before the first one published.
    """
    ends = month_ends(windows.closed_month(yesterday).last, months)
    concerned = Factory.objects.select_related("category").order_by("code")
    if draft.factory_id:
        concerned = concerned.filter(pk=draft.factory_id)
    factories = tuple(concerned)
    policies = Policies()
    both = policies, _with(draft, policies)
    categories = evaluations.named_categories({factory.pk for factory in factories}, both[1])
    subjects = [
        Subject(MONTH, factory, category, end)
        for factory in factories
        for end in ends
        for category in (None, *categories.get(factory.pk, ()))
    ]
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(evaluations.MANY)
        trial = Trial([evaluations.choose(subjects, among) for among in both])
    ids = [factory.pk for factory in factories]
    published = evaluation_rows.published(ids, ends)
    stood = _breaches(ids, ends[0].replace(day=1) - datetime.timedelta(days=1))
    now, drafted = Side(), Side()
    for factory in factories:
        before = {end: row for end, row in published.get(factory.pk, {}).items() if end < ends[0]}
        judged = [trial.month(factory, end, categories.get(factory.pk, ())) for end in ends]
        for side, months_judged in zip((now, drafted), zip(*judged, strict=True), strict=True):
            _publish(side, factory, dict(zip(ends, months_judged, strict=True)), before, stood[factory.pk])
    restated = sum(
        row["published_grade"] != now.months[factory, end].grade
        for factory, rows in published.items()
        for end, row in rows.items()
        if end in ends
    )
    return Comparison(ends, factories, now, drafted, restated)


class Trial:
    """Judges months by the policies of both sides; what the draft leaves as it is only once."""

    def __init__(self, sides: Sequence[Sequence[Chosen]]) -> None:
        self.sides = [{each.subject.key: each for each in side} for side in sides]
        every = [each for side in sides for each in side]
        # The longer windows reach far back: they are read only for the factories where a shorter one holds too little.
        self.short = {each.options[0][1] for each in every}
        self.sums = window_sums.Sums(self.short, with_lots=False)
        self.look = cache(self._look)
        self.enough: dict[tuple[Any, ...], bool] = {}
        poor = {each.subject.factory.pk for each in every if not self._is_enough(each)}
        rest = (window for each in every if each.subject.factory.pk in poor for _, window in each.options[1:])
        self.more = window_sums.Sums(rest, with_lots=False)

    def _look(self, window: window_sums.Asked) -> window_sums.Found:
        return (self.sums if window in self.short else self.more).of(window)

    def _is_enough(self, chosen: Chosen) -> bool:
        """Whether its shortest window holds enough; both sides mostly ask for the same of the same one."""
        key = chosen.options[0][1], judgement.minimums(chosen.policy)
        if key not in self.enough:
            self.enough[key] = evaluations.is_enough(chosen, self.look)
        return self.enough[key]

    def month(
        self, factory: Factory, end: datetime.date, categories: Iterable[Category]
    ) -> tuple[Judged | None, Judged | None]:
        """One factory as a whole on both sides, after each of its categories, whose breaches gate it."""
        gating: tuple[list[str], list[str]] = [], []
        for category in categories:
            for names, found in zip(gating, self._measured(Subject(MONTH, factory, category, end)), strict=True):
                names += [f"{name}:{category.code}" for name in found.breached] if found else []
        whole = Subject(MONTH, factory, None, end)
        now, drafted = (side.get(whole.key) for side in self.sides)
        found, found_drafted = self._measured(whole)
        judged = self._graded(now, found, gating[0])
        if found is found_drafted and gating[0] == gating[1]:
            return judged, judged
        return judged, self._graded(drafted, found_drafted, gating[1])

    def _measured(self, subject: Subject) -> tuple[Measured | None, Measured | None]:
        """What both sides find; the same thing where the draft leaves its policy as it is."""
        now, drafted = (side.get(subject.key) for side in self.sides)
        found = self._measure(now)
        return found, found if now and drafted and now.policy is drafted.policy else self._measure(drafted)

    def _measure(self, chosen: Chosen | None) -> Measured | None:
        if chosen is None:
            return None
        subject, policy = chosen.subject, chosen.policy
        window = chosen.options[0][1] if self._is_enough(chosen) else evaluations.shortest(chosen, self.look)[1]
        category, supplied = subject.category or subject.factory.category, subject.factory.pk in self.sums.supplied
        return judgement.measure(self.look(window), policy, category, policy.alpha_month, supplied)

    def _graded(self, chosen: Chosen | None, found: Measured | None, gating: Sequence[str]) -> Judged | None:
        if chosen is None or found is None:
            return None
        return Judged(chosen.policy, judgement.grade(found, chosen.policy, gating).card, [*found.breached, *gating])


def _with(draft: Policy, policies: Policies) -> Policies:
    """The policies with the draft in the place of every version of its scope."""
    replaced = Policy(
        **{name: value for name, value in vars(draft).items() if not name.startswith("_") and name != "id"}
    )
    replaced.effective_from = FOREVER
    if draft.category_id:
        replaced.category = draft.category
    kept = {
        key: policy
        for key, policy in policies.by_id.items()
        if (policy.factory_id, policy.category_id) != (draft.factory_id, draft.category_id)
    }
    return Policies(among=kept | {"draft": replaced})


def _breaches(factories: Sequence[int], end: datetime.date) -> dict[int, set[str]]:
    """Per factory the measures in breach in the month that ended on `end`, by its newest revisions."""
    statuses = [f"measures__{name}__status" for name in Measure.values]
    months = Evaluation.objects.filter(kind=MONTH, as_of=end, factory__in=factories).order_by("revision")
    found: dict[int, set[str]] = {factory: set() for factory in factories}
    for factory, code, *stood in months.values_list("factory", "category__code", *statuses):
        for measure, status in zip(Measure.values, stood, strict=True):
            name = f"{measure}:{code}" if code else measure
            (found[factory].add if status == "breach" else found[factory].discard)(name)
    return found


def _publish(
    side: Side,
    factory: Factory,
    judged: Mapping[datetime.date, Judged | None],
    before: Mapping[datetime.date, dict[str, Any]],
    stood: Collection[str],
) -> None:
    """Writes down what the months of one factory would have published, one after the other.

    `before` are the months that were published before the first one, `stood` the measures in breach then.
    """
    published, was = dict(before), frozenset(stood)
    for end, one in judged.items():
        month = Month(None, grading.NOT_RATED, frozenset())
        if one:
            grade, carried = publication(one.card, one.policy, latest(published, end))
            published[end] = {"published_grade": grade, "raw_grade": one.card.raw, "is_carried": carried}
            month = Month(str(one.card.score) if one.card.score is not None else None, grade, frozenset(one.breaches))
        side.months[factory.pk, end] = month
        side.opened += len(month.breaches - was)
        side.closed += len(was - month.breaches)
        was = month.breaches
