"""What if: a draft policy on the last closed months, before it is saved. Nothing is stored."""

import datetime
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from assessments import evaluations, windows
from assessments.evaluations import MONTH, Policies, Subject
from assessments.judgement import Judged
from assessments.models import Policy
from factories.models import Category, Factory

FOREVER = datetime.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Month:
    """One factory in one month under one policy: its score, the grade that would be published, measures in breach."""

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
    """What a draft would have changed: the months compared, both sides, and the factories with any other grade."""

    ends: tuple[datetime.date, ...]
    factories: tuple[Factory, ...]
    now: Side
    draft: Side

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

    The draft takes the place of every version of its own scope, from the first month on.
    """
    ends = month_ends(windows.closed_month(yesterday).last, months)
    concerned = Factory.objects.order_by("code")
    if draft.factory_id:
        concerned = concerned.filter(pk=draft.factory_id)
    factories = tuple(concerned)
    categories = {category.pk: category for category in Category.objects.all()}
    return Comparison(
        ends,
        factories,
        now=_side(Policies(), ends, factories, categories),
        draft=_side(_with(draft), ends, factories, categories),
    )


def _with(draft: Policy) -> Policies:
    policies = Policies()
    replaced = Policy(
        **{name: value for name, value in vars(draft).items() if not name.startswith("_") and name != "id"}
    )
    replaced.effective_from = FOREVER
    kept = {
        key: policy
        for key, policy in policies.by_id.items()
        if (policy.factory_id, policy.category_id) != (draft.factory_id, draft.category_id)
    }
    return Policies(among=kept | {"draft": replaced})


def _side(
    policies: Policies, ends: Sequence[datetime.date], factories: Sequence[Factory], categories: dict[int, Category]
) -> Side:
    subjects = [Subject(factory, None, end) for end in ends for factory in factories]
    judged = {(subject.factory.pk, subject.as_of): (policy, found) for subject, policy, _, found in
              evaluations.judge_all(MONTH, subjects, policies, categories)}  # fmt: skip
    side = Side()
    history: dict[int, list[dict[str, object]]] = defaultdict(list)
    for end in ends:
        for factory in factories:
            if (factory.pk, end) not in judged:
                side.months[factory.pk, end] = Month(None, "not_rated", frozenset())
                continue
            policy, found = judged[factory.pk, end]
            grade, carried = evaluations.publication(found, policy, history[factory.pk])
            history[factory.pk].insert(0, {"published_grade": grade, "raw_grade": found.raw, "is_carried": carried})
            side.months[factory.pk, end] = Month(
                str(found.score) if found.score is not None else None, grade, _in_breach(found)
            )
    for before, after in itertools.pairwise(ends):
        for factory in factories:
            was, now = side.months[factory.pk, before].breaches, side.months[factory.pk, after].breaches
            side.opened += len(now - was)
            side.closed += len(was - now)
    side.opened += sum(len(side.months[factory.pk, ends[0]].breaches) for factory in factories)
    return side


def _in_breach(judged: Judged) -> frozenset[str]:
    return frozenset(name for name, measure in judged.measures.items() if measure["status"] == "breach")
