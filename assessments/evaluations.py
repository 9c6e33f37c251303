"""Judging factories: which windows, by which policy, stored as append-only evaluations.

An evaluation that would repeat the newest revision of its day is not stored. The night and month evaluations judge closed
days; the live one judges the factory's current day, inspections through today and lines whose limit day is over.
"""

import datetime
import json
import zoneinfo
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from assessments import consequences, evaluation_rows, grading, window_sums, windows
from assessments.evaluation_rows import COLUMNS
from assessments.judgement import CODE_VERSION, INPUTS, Judged, digest, evidence, judge, minimums, sums_of
from assessments.models import Evaluation, Policy
from assessments.publication import latest, publication
from assessments.window_sums import Asked, Found, Sums
from factories.models import Category, Factory
from production.prepared import FEW, Prepared
from production.rollups import Span

LIVE, NIGHT, MONTH = Evaluation.Kind.LIVE, Evaluation.Kind.NIGHT, Evaluation.Kind.MONTH
NAMING_A_CATEGORY = ("factory+category", "category")
BATCH = 20_000  # evaluations judged and stored in one go, of some 3 kB
MANY = "SET LOCAL work_mem = '128MB'; SET LOCAL max_parallel_workers_per_gather = 2"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to judge: a factory, whole or in one category, on one day, by the rules of a month, a night or now.

    Now, no line counts whose limit day is later than `over_on`; None leaves it to the day of the factory.
    """

    kind: str
    factory: Factory
    category: Category | None
    as_of: datetime.date
    over_on: datetime.date | None = None

    @property
    def key(self) -> tuple[str, int, int | None, datetime.date]:
        return self.kind, self.factory.pk, self.category.pk if self.category else None, self.as_of


@dataclass(frozen=True, slots=True)
class Chosen:
    """A subject, the policy that judges it, and the windows to try: their days, the shortest first."""

    subject: Subject
    policy: Policy
    options: list[tuple[int, Asked]]


Judgement = tuple[Subject, Policy, int, Judged]  # the int: days of the window


@dataclass(frozen=True, slots=True)
class Made:
    """One evaluation that was stored: its id, what was judged by which policy, and the row as it was stored (`COLUMNS`)."""

    id: int
    subject: Subject
    policy: Policy
    row: tuple[Any, ...]

    def evaluation(self) -> Evaluation:
        """As it would be read back."""
        whole = {"factory": self.subject.factory, "category": self.subject.category, "policy": self.policy}
        columns = zip(COLUMNS.items(), self.row, strict=True)
        read = {name: json.loads(value) if kind == "jsonb" else value for (name, kind), value in columns}
        return Evaluation(**read | whole, id=self.id)


class Policies:
    """Every agreed policy, and which of them is in force for whom on a day (SCO-8)."""

    def __init__(self, among: dict[Any, Policy] | None = None) -> None:
        if among is None:
            among = {policy.pk: policy for policy in Policy.objects.agreed().select_related("category")}
        self.by_id = among
        self.picked: dict[tuple[Any, ...], Policy | None] = {}
        self.versions: dict[tuple[int | None, int | None], list[grading.PolicyVersion[Any]]] = {}
        for key, policy in among.items():
            version = grading.PolicyVersion(key, policy.effective_from, policy.factory_id, policy.category_id)
            self.versions.setdefault((policy.factory_id, policy.category_id), []).append(version)
        named = {policy.category_id: policy.category for policy in among.values() if policy.category_id}
        self.categories: list[Category] = [named[key] for key in sorted(named)]

    def for_whole(self, factory: Factory, day: datetime.date) -> Policy | None:
        """For the factory as a whole: its own, else its main category's, else the default."""
        return self._pick(day, factory.pk, factory.category_id, ("factory", "category", "default"))

    def for_category(self, factory: Factory, category: int, day: datetime.date) -> Policy | None:
        """For the factory in a category that a policy names for it: that for both, else its own, else the category's.

        None where no policy in force names the category for this factory.
        """
        if self._pick(day, factory.pk, category, NAMING_A_CATEGORY) is None:
            return None
        return self._pick(day, factory.pk, category, grading.SCOPE_ORDER)

    def _pick(self, day: datetime.date, factory: int, category: int | None, order: Sequence[str]) -> Policy | None:
        scopes = self.versions.keys() & {(factory, category), (factory, None), (None, category), (None, None)}
        key = day, frozenset(scopes), order  # the same for all factories that no policy names
        if key not in self.picked:
            versions = [version for scope in scopes for version in self.versions[scope]]
            found = grading.select_policy(versions, day, factory, category, order)
            self.picked[key] = self.by_id[found.id] if found else None
        return self.picked[key]


def evaluate_live(now: datetime.datetime, factories: Iterable[int] | None = None) -> list[int]:
    """Judges each factory's current local day; gives the ids of the evaluations that are new."""
    with transaction.atomic(savepoint=False):
        return [made.id for made in evaluate(_today(now, _factories(factories)), over_everywhere(now))]


def _today(now: datetime.datetime, factories: Iterable[Factory]) -> list[tuple[str, Factory, datetime.date]]:
    return [(LIVE, each, now.astimezone(zoneinfo.ZoneInfo(each.time_zone)).date()) for each in factories]


def evaluate_night(day: datetime.date, factories: Iterable[int] | None = None) -> list[int]:
    """Judges the closed day `day` of the organisation."""
    chosen = list(factories) if factories is not None else None
    with transaction.atomic(savepoint=False):
        made = [made.id for made in evaluate([(NIGHT, factory, day) for factory in _factories(chosen)])]
        consequences.apply(chosen)  # a factory that no month has judged yet is on trial
    return made


def evaluate_month(last_day: datetime.date, factories: Sequence[int] | None = None) -> list[int]:
    """Judges the closed month that ends on `last_day` and publishes grades."""
    return evaluate_months([last_day], factories)


def evaluate_months(last_days: Iterable[datetime.date], factories: Sequence[int] | None = None) -> list[int]:
    """Judges the closed months that end on these days, as if one after the other, and publishes their grades."""
    ends = sorted(last_days)
    for end in ends:
        if windows.month(end).last != end:
            raise ValueError(f"{end} is not the last day of a month.")
    with transaction.atomic(savepoint=False):
        days = [(MONTH, factory, end) for factory in _factories(factories) for end in ends]
        made = [made.id for made in evaluate(days)]
        consequences.apply(factories)
    return made


def evaluate_changed(now: datetime.datetime, changed: Mapping[int, Span]) -> list[Evaluation]:
    """Judges factories some of whose sums changed, from a day to a day: today, and again what late facts may have changed.

    That is the last night and every month judged, if one of these days counted in it; no grade is published by it, so
    nothing follows from it. Gives the new evaluations of today.
    """
    chosen = {factory.pk: factory for factory in _factories(changed)}
    days: list[tuple[str, Factory, datetime.date]] = []
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        JUDGED_BEFORE.execute(
            cursor,
            {
                "factories": list(changed),
                "first": [first for first, _ in changed.values()],
                "last": [last for _, last in changed.values()],
                "yesterday": organisation_yesterday(now),
            },
        )
        days = [(kind, chosen[factory], as_of) for kind, factory, as_of in cursor.fetchall()]
        made = evaluate([*_today(now, chosen.values()), *days], over_everywhere(now))
        return [each.evaluation() for each in made if each.subject.kind == LIVE]


JUDGED_BEFORE = Prepared("""
SELECT DISTINCT e.kind, e.factory_id, e.as_of
FROM unnest(%(factories)s::bigint[], %(first)s::date[], %(last)s::date[]) AS f (id, first_on, last_on)
JOIN assessments_evaluation e ON e.factory_id = f.id AND (e.kind = 'month' OR e.kind = 'night' AND e.as_of = %(yesterday)s)
    AND e.as_of >= f.first_on AND e.as_of - e.window_days < f.last_on
ORDER BY 1, 2, 3
""", factories="bigint[]", first="date[]", last="date[]", yesterday="date")  # fmt: skip


def evaluate(
    days: Sequence[tuple[str, Factory, datetime.date]], over_on: datetime.date | None = None
) -> Iterator[Made]:
    """Judges factories on days, by the rules of a kind, whole and in each category that a policy names; stores what is new.

    The months of a factory stand together, in order: a grade is published after the one before. A constant number of
    statements for each `BATCH`, which is what memory holds and one statement may carry. Runs in the caller's transaction.
    """
    if len(days) > FEW:  # the sums of so many windows, and so many rows to store, go through memory at once
        with connection.cursor() as cursor:
            cursor.execute(MANY)
    policies = Policies()
    categories = named_categories({factory.pk for _, factory, _ in days}, policies)
    at_once = max(1, BATCH // (1 + len(policies.categories)))
    for first in range(0, len(days), at_once):
        subjects = [
            Subject(kind, factory, category, day, over_on)
            for kind, factory, day in days[first : first + at_once]
            for category in (None, *categories.get(factory.pk, ()))
        ]
        yield from _store(subjects, judge_all(subjects, policies))


def named_categories(factories: Collection[int], policies: Policies) -> dict[int, list[Category]]:
    """Of each factory the categories that a policy names and in which it has data. No statement where none is named."""
    found: dict[int, list[Category]] = {}
    if policies.categories:
        named = {category.pk: category for category in policies.categories}
        for factory, category in sorted(window_sums.categories_with_data(factories, list(named))):
            found.setdefault(factory, []).append(named[category])
    return found


def judge_as_known_on(factory: Factory, day: datetime.date) -> tuple[Policy, int, Judged]:
    """One factory judged by the rules of a month on the facts known on `day` (G-8); nothing is stored."""
    with window_sums.as_known_on(day, [factory.pk]) as tables:
        found = list(judge_all([Subject(MONTH, factory, None, day)], Policies(), tables))
    if not found:
        raise Policy.DoesNotExist(f"No policy is in force on {day}.")
    _, policy, window_days, judged = found[0]
    return policy, window_days, judged


def _factories(ids: Iterable[int] | None) -> list[Factory]:
    chosen = Factory.objects.select_related("category").order_by("pk")
    return list(chosen if ids is None else chosen.filter(pk__in=list(ids)))


def judge_all(
    subjects: Sequence[Subject],
    policies: Policies,
    tables: window_sums.Tables = window_sums.STORED,
) -> Iterator[Judgement]:
    """Every subject judged by the policy in force for it; nothing is stored. A constant number of statements, asked at once."""
    chosen = choose(subjects, policies)
    return judge_chosen(chosen, Sums(asked(chosen), tables))


def choose(subjects: Iterable[Subject], policies: Policies) -> list[Chosen]:
    """Each subject with the policy in force for it and the windows to try; those without a policy are left out."""
    chosen = []
    for subject in subjects:
        category = subject.category.pk if subject.category else None
        if category:
            policy = policies.for_category(subject.factory, category, subject.as_of)
        else:
            policy = policies.for_whole(subject.factory, subject.as_of)
        if policy is None:
            continue
        chosen.append(to_judge(subject, policy))
    return chosen


def to_judge(subject: Subject, policy: Policy) -> Chosen:
    """A subject to judge by this policy, with the windows to try."""
    due_last = subject.as_of
    if subject.kind == LIVE:
        yesterday = subject.as_of - datetime.timedelta(days=1)
        due_last = min(yesterday, subject.over_on or yesterday)
    category = subject.category.pk if subject.category else None
    options = []
    for length in [policy.window_days] + ([policy.fallback_days] if subject.kind == MONTH else []):
        window = windows.rolling(subject.as_of, length)
        options.append((length, Asked(subject.factory.pk, category, window.first, window.last, due_last)))
    return Chosen(subject, policy, options)


def asked(chosen: Iterable[Chosen]) -> Iterator[Asked]:
    """All their windows."""
    return (window for each in chosen for _, window in each.options)


def is_enough(chosen: Chosen, look: Callable[[Asked], Found]) -> bool:
    """Whether the shortest of its windows holds enough data."""
    length, window = chosen.options[0]
    return windows.choose([evidence(length, look(window))], minimums(chosen.policy)).window_used is not None


def shortest(chosen: Chosen, look: Callable[[Asked], Found]) -> tuple[int, Asked]:
    """The shortest of its windows that holds enough data, else the last one (SCO-7), and its days before it."""
    held = (evidence(length, look(window)) for length, window in chosen.options)
    used = windows.choose(held, minimums(chosen.policy)).window_used
    return next((option for option in chosen.options if option[0] == used), chosen.options[-1])


def judge_chosen(chosen: Sequence[Chosen], sums: Sums) -> Iterator[Judgement]:
    """Judges what was chosen by the sums of its windows."""
    look = lru_cache(maxsize=1)(sums.of)
    breached: dict[tuple[str, int, datetime.date], list[str]] = {}
    # Categories first: a confirmed breach in one of them gates the grade of the whole.
    for each in sorted(chosen, key=lambda each: each.subject.category is None):
        subject, policy = each.subject, each.policy
        key = (subject.kind, subject.factory.pk, subject.as_of)
        length, window = shortest(each, look)
        found = look(window)
        judged = judge(
            sums_of(window, found),
            policy,
            subject.category or subject.factory.category,
            policy.alpha_month if subject.kind == MONTH else policy.alpha_rolling,
            subject.as_of,
            subject.factory.pk in sums.supplied,
            breached.get(key, []) if subject.category is None else [],
            found.evidence_on,
        )
        if judged.sufficient and length != policy.window_days:
            judged.flags.append(windows.EXTENDED_WINDOW)
        if subject.category is not None:
            breached.setdefault(key, []).extend(
                f"{name}:{subject.category.code}"
                for name, measure in judged.measures.items()
                if measure["status"] == "breach"
            )
        yield subject, policy, length, judged


def _store(subjects: Sequence[Subject], judgements: Iterable[Judgement]) -> list[Made]:
    """Stores what is new of the judgements of some subjects; each is written down before the next is made."""
    if not subjects:
        return []
    newest = evaluation_rows.newest({(str(each.kind), each.factory.pk, each.as_of) for each in subjects})
    months = [subject for subject in subjects if subject.kind == MONTH and subject.key not in newest]
    before = evaluation_rows.published(
        [subject.factory.pk for subject in months], [subject.as_of for subject in months]
    )
    new: dict[tuple[Any, ...], tuple[Subject, Policy, tuple[Any, ...]]] = {}
    for subject, policy, window_days, judged in judgements:
        kind, factory, category, as_of = subject.key
        sums = INPUTS.encode(judged.sums)
        fingerprint = digest(judged, policy.pk, str(kind), window_days, sums)
        previous = newest.get(subject.key)
        if previous and previous["digest"] == fingerprint:
            continue
        grade, carried = "", False
        if kind == MONTH and category is None:
            if previous:  # late facts make a revision; the grade that was published stays (SCO-8)
                grade, carried = previous["published_grade"], previous["is_carried"]
            else:
                earlier = before.setdefault(factory, {})
                grade, carried = publication(judged, policy, latest(earlier, as_of))
                earlier[as_of] = {"published_grade": grade, "raw_grade": judged.raw, "is_carried": carried}
        # In the order of COLUMNS.
        row = (
            factory, category, str(kind), as_of, previous["revision"] + 1 if previous else 1, policy.pk, window_days,
            windows.EXTENDED_WINDOW in judged.flags, sums, *map(json.dumps, (judged.measures, judged.gates, judged.flags)),
            judged.score, judged.ungated, judged.raw, grade, carried, json.dumps(judged.evidence_on), fingerprint, CODE_VERSION,
        )  # fmt: skip
        new[subject.key] = subject, policy, row
    return [Made(id, *new[tuple(key)]) for id, *key in evaluation_rows.insert([row for _, _, row in new.values()])]


def over_everywhere(now: datetime.datetime) -> datetime.date | None:
    """The last day that is over at every receiving site: no line is late before its limit day is (OTD-2, OTD-11)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT time_zone FROM production_site")
        days = [now.astimezone(zoneinfo.ZoneInfo(zone)).date() for (zone,) in cursor.fetchall()]
    return min(days) - datetime.timedelta(days=1) if days else None


def organisation_yesterday(now: datetime.datetime) -> datetime.date:
    """The last closed day in the organisation's zone."""
    return now.astimezone(zoneinfo.ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date() - datetime.timedelta(days=1)
