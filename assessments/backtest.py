"""What if: a draft policy on the last closed months, before it is saved. Nothing is stored."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from assessments import evaluations, grading, judgement, window_sums, windows
from assessments.evaluations import MONTH, Chosen, Policies, Subject
from assessments.judgement import Verdict
from assessments.models import Policy
from assessments.publication import publication
from factories.models import Factory

Judged = tuple[Policy, Verdict]
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
    concerned = Factory.objects.select_related("category").order_by("code")
    if draft.factory_id:
        concerned = concerned.filter(pk=draft.factory_id)
    factories = tuple(concerned)
    subjects = [Subject(MONTH, factory, None, end) for factory in factories for end in ends]
    policies = Policies()
    chosen, drafted = (
        {(each.subject.factory.pk, each.subject.as_of): each for each in evaluations.choose(subjects, among)}
        for among in (policies, _with(draft, policies))
    )
    sums = window_sums.Sums(evaluations.asked([*chosen.values(), *drafted.values()]))

    look = lru_cache(maxsize=4 * months)(sums.of)  # both windows of both sides, for one factory
    stored = lru_cache(maxsize=2 * months)(lambda window: judgement.sums_of(window, look(window)))

    def judge(each: Chosen | None) -> Judged | None:
        if each is None:
            return None
        factory, policy = each.subject.factory, each.policy
        _, window = evaluations.shortest(each, look)
        supplied = factory.pk in sums.supplied
        return policy, judgement.decide(stored(window), policy, factory.category, policy.alpha_month, supplied)

    result = Comparison(ends, factories, now=Side(), draft=Side())
    for factory in factories:
        now, then = [], []
        for end in ends:
            each, other = chosen.get((factory.pk, end)), drafted.get((factory.pk, end))
            now.append(judge(each))
            # Where the draft leaves the policy as it is, what was judged by it holds for both sides.
            then.append(now[-1] if each and other and each.policy is other.policy else judge(other))
        _publish(result.now, factory, ends, now)
        _publish(result.draft, factory, ends, then)
    return result


def _with(draft: Policy, policies: Policies) -> Policies:
    """The policies with the draft in the place of every version of its scope."""
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


def _publish(side: Side, factory: Factory, ends: Sequence[datetime.date], judged: Sequence[Judged | None]) -> None:
    """Writes down what the months of one factory would have published, one after the other."""
    published: list[dict[str, object]] = []  # latest first
    was: frozenset[str] = frozenset()
    for end, one in zip(ends, judged, strict=True):
        month = Month(None, grading.NOT_RATED, frozenset())
        if one:
            policy, verdict = one
            card = verdict.card
            grade, carried = publication(card, policy, published)
            published.insert(0, {"published_grade": grade, "raw_grade": card.raw, "is_carried": carried})
            breaches = frozenset(name for name, status in verdict.statuses.items() if status == "breach")
            month = Month(str(card.score) if card.score is not None else None, grade, breaches)
        side.months[factory.pk, end] = month
        side.opened += len(month.breaches - was)
        side.closed += len(was - month.breaches)
        was = month.breaches
