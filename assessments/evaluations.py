"""Judging factories: which windows, by which policy, stored as append-only evaluations.

An evaluation that would repeat the newest revision of its day is not stored. The night and month evaluations judge closed
days; the live one judges the factory's current day, inspections through today and lines whose limit day is over.
"""

import datetime
import json
import zoneinfo
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.db import connection, transaction

from assessments import consequences, grading, window_sums, windows
from assessments.judgement import CODE_VERSION, Judged, digest, judge, suffices, sums_of
from assessments.models import Evaluation, Policy
from assessments.window_sums import Asked, Found, Sums
from factories.models import Category, Factory

LIVE, NIGHT, MONTH = Evaluation.Kind.LIVE, Evaluation.Kind.NIGHT, Evaluation.Kind.MONTH
BATCH = 1_000  # days of factories judged in one go
HISTORY = datetime.timedelta(days=200)  # the months that a published grade may hang on


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to judge: a factory, whole or in one category, on one day."""

    factory: Factory
    category: Category | None
    as_of: datetime.date


@dataclass(frozen=True, slots=True)
class Chosen:
    """A subject, the policy that judges it, and the windows to try: their days, the shortest first."""

    subject: Subject
    policy: Policy
    options: list[tuple[int, Asked]]


Judgement = tuple[Subject, Policy, int, Judged]  # the int: days of the window


class Policies:
    """Every agreed policy, and which of them is in force for whom on a day (SCO-8)."""

    def __init__(self, among: dict[Any, Policy] | None = None) -> None:
        self.by_id = {policy.pk: policy for policy in Policy.objects.agreed()} if among is None else among
        self.versions = [
            grading.PolicyVersion(key, policy.effective_from, policy.factory_id, policy.category_id)
            for key, policy in self.by_id.items()
        ]
        self.categories = sorted({policy.category_id for policy in self.by_id.values() if policy.category_id})

    def for_whole(self, factory: Factory, day: datetime.date) -> Policy | None:
        """For the factory as a whole: its own, else its main category's, else the default."""
        return self._pick(day, factory.pk, factory.category_id, ("factory", "category", "default"))

    def for_category(self, factory: Factory, category: int, day: datetime.date) -> Policy | None:
        """The policy that names this category, for this factory or for all; None where none does."""
        return self._pick(day, factory.pk, category, ("factory+category", "category"))

    def _pick(self, day: datetime.date, factory: int, category: int, order: Sequence[str]) -> Policy | None:
        found = grading.select_policy(self.versions, day, factory, category, order)
        return self.by_id[found.id] if found else None


def evaluate_live(now: datetime.datetime, factories: Iterable[int] | None = None) -> list[int]:
    """Judges each factory's current local day; gives the ids of the evaluations that are new."""
    chosen = _factories(factories)
    return evaluate(
        LIVE, [(factory, now.astimezone(zoneinfo.ZoneInfo(factory.time_zone)).date()) for factory in chosen]
    )


def evaluate_night(day: datetime.date, factories: Iterable[int] | None = None) -> list[int]:
    """Judges the closed day `day` of the organisation."""
    chosen = list(factories) if factories is not None else None
    with transaction.atomic(savepoint=False):
        made = evaluate(NIGHT, [(factory, day) for factory in _factories(chosen)])
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
        made = evaluate(MONTH, [(factory, end) for factory in _factories(factories) for end in ends])
        consequences.apply(factories)
    return made


def evaluate_again(factories: Iterable[int], first_day: datetime.date, yesterday: datetime.date) -> list[int]:
    """New revisions of the month and last night evaluations that late facts since `first_day` may have changed."""
    chosen = list(factories)
    judged_before = (
        Evaluation.objects.filter(factory__in=chosen, kind=MONTH, as_of__gte=first_day)
        .order_by("factory_id", "as_of")
        .values_list("factory_id", "as_of")
        .distinct()
    )
    by_id = {factory.pk: factory for factory in _factories(chosen)}
    months = [(by_id[factory], as_of) for factory, as_of in judged_before]
    made: list[int] = []
    if months:
        with transaction.atomic(savepoint=False):
            made = evaluate(MONTH, months)
            consequences.apply(chosen)
    if Evaluation.objects.filter(factory__in=chosen, kind=NIGHT, as_of=yesterday).exists():
        made += evaluate_night(yesterday, chosen)
    return made


def evaluate(kind: str, days: Sequence[tuple[Factory, datetime.date]]) -> list[int]:
    """Judges the factories on their days, whole and in each category that a policy names; stores what is new.

    The days of a factory stand together, in order: a grade is published after the one before. A constant number of
    statements for each `BATCH` of days, which is what memory holds.
    """
    policies = Policies()
    pairs = window_sums.categories_with_data(policies.categories) if policies.categories else set()
    categories = {category.pk: category for category in Category.objects.all()}
    made: list[int] = []
    with transaction.atomic(savepoint=False):
        for first in range(0, len(days), BATCH):
            subjects = [
                Subject(factory, categories[category] if category else None, day)
                for factory, day in days[first : first + BATCH]
                for category in [None, *(each for each in policies.categories if (factory.pk, each) in pairs)]
            ]
            made += _store(kind, judge_all(kind, subjects, policies, categories))
    return made


def judge_as_known_on(factory: Factory, day: datetime.date) -> tuple[Policy, int, Judged]:
    """One factory judged by the rules of a month on the facts known on `day` (G-8); nothing is stored."""
    policies = Policies()
    categories = {category.pk: category for category in Category.objects.all()}
    with window_sums.as_known_on(day, [factory.pk]) as tables:
        found = judge_all(MONTH, [Subject(factory, None, day)], policies, categories, tables)
    if not found:
        raise Policy.DoesNotExist(f"No policy is in force on {day}.")
    _, policy, window_days, judged = found[0]
    return policy, window_days, judged


def _factories(ids: Iterable[int] | None) -> list[Factory]:
    chosen = Factory.objects.order_by("pk")
    return list(chosen if ids is None else chosen.filter(pk__in=list(ids)))


def judge_all(
    kind: str,
    subjects: Sequence[Subject],
    policies: Policies,
    categories: dict[int, Category],
    tables: window_sums.Tables = window_sums.STORED,
) -> list[Judgement]:
    """Every subject judged by the policy in force for it; nothing is stored. A constant number of statements."""
    chosen = choose(kind, subjects, policies)
    supplied = window_sums.with_material({subject.factory.pk for subject in subjects})
    return judge_chosen(kind, chosen, window_sums.Sums(asked(chosen), tables), supplied, categories)


def choose(kind: str, subjects: Iterable[Subject], policies: Policies) -> list[Chosen]:
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
        due_last = subject.as_of - datetime.timedelta(days=1 if kind == LIVE else 0)
        options = []
        for length in [policy.window_days] + ([policy.fallback_days] if kind == MONTH else []):
            window = windows.rolling(subject.as_of, length)
            options.append((length, Asked(subject.factory.pk, category, window.first, window.last, due_last)))
        chosen.append(Chosen(subject, policy, options))
    return chosen


def asked(chosen: Iterable[Chosen]) -> Iterator[Asked]:
    """All their windows."""
    return (window for each in chosen for _, window in each.options)


def shortest(chosen: Chosen, look: Callable[[Asked], Found]) -> tuple[int, Asked]:
    """The shortest of its windows that holds enough data, else the last one (SCO-7), and its days before it."""
    *others, last = chosen.options
    return next((option for option in others if suffices(look(option[1]), chosen.policy)), last)


def judge_chosen(
    kind: str, chosen: Sequence[Chosen], sums: Sums, supplied: Collection[int], categories: dict[int, Category]
) -> list[Judgement]:
    """Judges what was chosen by the sums of its windows; `supplied` are the factories that work with our material."""
    look = lru_cache(maxsize=1)(sums.of)
    judgements: list[Judgement] = []
    breached: dict[tuple[int, datetime.date], list[str]] = {}
    # Categories first: a confirmed breach in one of them gates the grade of the whole.
    for each in sorted(chosen, key=lambda each: each.subject.category is None):
        subject, policy = each.subject, each.policy
        key = (subject.factory.pk, subject.as_of)
        length, window = shortest(each, look)
        found = look(window)
        judged = judge(
            sums_of(window, found),
            policy,
            subject.category or categories[subject.factory.category_id],
            policy.alpha_month if kind == MONTH else policy.alpha_rolling,
            subject.as_of,
            subject.factory.pk in supplied,
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
        judgements.append((subject, policy, length, judged))
    return judgements


def _store(kind: str, judgements: Sequence[Judgement]) -> list[int]:
    if not judgements:
        return []
    newest = _newest(
        kind, {subject.factory.pk for subject, *_ in judgements}, {subject.as_of for subject, *_ in judgements}
    )
    before = _published(judgements) if kind == MONTH else {}
    rows = []
    for subject, policy, window_days, judged in judgements:
        key = (subject.factory.pk, subject.category.pk if subject.category else None, subject.as_of)
        facts = {
            "window": window_days,
            "kind": str(kind),
            "gates": judged.gates,
            "supplied": judged.measures["loss"]["applicable"],
            "limits": {name: measure["limit"] for name, measure in judged.measures.items()},
        }
        fingerprint = digest(judged.sums, policy.pk, facts)
        previous = newest.get(key)
        if previous and previous["digest"] == fingerprint:
            continue
        published, carried = "", False
        if kind == MONTH and subject.category is None:
            if previous:  # late facts make a revision; the grade that was published stays (SCO-8)
                published, carried = previous["published_grade"], previous["is_carried"]
            else:
                months = before.setdefault(subject.factory.pk, {})
                published, carried = publication(judged, policy, _latest(months, subject.as_of))
                months[subject.as_of] = {"published_grade": published, "raw_grade": judged.raw, "is_carried": carried}
        rows.append({
            "factory_id": key[0], "category_id": key[1], "kind": str(kind), "as_of": subject.as_of.isoformat(),
            "revision": previous["revision"] + 1 if previous else 1, "policy_id": policy.pk, "window_days": window_days,
            "is_extended": windows.EXTENDED_WINDOW in judged.flags, "sums": judged.sums, "measures": judged.measures,
            "gates": judged.gates, "flags": judged.flags, "score": str(judged.score) if judged.score is not None else None,
            "ungated_grade": judged.ungated, "raw_grade": judged.raw, "published_grade": published, "is_carried": carried,
            "evidence_on": judged.evidence_on, "digest": fingerprint, "code_version": CODE_VERSION,
        })  # fmt: skip
    return _insert(rows)


def _newest(kind: str, factories: set[int], days: set[datetime.date]) -> dict[Any, dict[str, Any]]:
    found = (
        Evaluation.objects.filter(kind=kind, factory__in=factories, as_of__in=days)
        .order_by("factory_id", "category_id", "as_of", "-revision")
        .distinct("factory_id", "category_id", "as_of")
        .values("factory_id", "category_id", "as_of", "revision", "digest", "published_grade", "is_carried")
    )
    return {(row["factory_id"], row["category_id"], row["as_of"]): row for row in found}


def _published(judgements: Sequence[Judgement]) -> dict[int, dict[datetime.date, dict[str, Any]]]:
    """Per factory what its months published at first, and the raw grade then: those judged now and before."""
    days = [subject.as_of for subject, *_ in judgements]
    rows = (
        Evaluation.objects.filter(
            kind=MONTH, category=None, revision=1, factory__in={subject.factory.pk for subject, *_ in judgements},
            as_of__lt=max(days), as_of__gte=min(days) - HISTORY,
        )
        .values("factory_id", "as_of", "published_grade", "raw_grade", "is_carried")
    )  # fmt: skip
    found: dict[int, dict[datetime.date, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["factory_id"], {})[row["as_of"]] = row
    return found


def _latest(months: dict[datetime.date, dict[str, Any]], before: datetime.date) -> list[dict[str, Any]]:
    """The months that ended before a day, latest first."""
    return [months[day] for day in sorted(months, reverse=True) if before - HISTORY <= day < before]


class Outcome(Protocol):
    """What a publication looks at: the score, the grade after the caps, and whether a cap lowered it."""

    @property
    def score(self) -> Decimal | None: ...
    @property
    def raw(self) -> str: ...
    @property
    def gated(self) -> bool: ...


def publication(judged: Outcome, policy: Policy, before: Sequence[dict[str, Any]]) -> tuple[str, bool]:
    """The grade to publish, and whether it is carried; `before` holds the earlier months, latest first (SCO-6, SCO-9)."""
    last = before[0] if before else None
    previous = last["published_grade"] if last and last["published_grade"] else None
    if judged.score is None:
        carries = 0
        for row in before:
            if not row["is_carried"]:
                break
            carries += 1
        step = grading.carry(previous, carries, policy.carry_max)
    else:
        bands = {grading.FAILING: Decimal(0), grading.PASSING: policy.passing_from, grading.GOOD: policy.good_from,
                 grading.EXCELLENT: policy.excellent_from}  # fmt: skip
        step = grading.publish(
            previous, judged.raw, judged.score, judged.gated, last["raw_grade"] if last else None,
            policy.hysteresis_margin, bands,
        )  # fmt: skip
    return step.published, step.carried


COLUMNS = {
    "factory_id": "bigint", "category_id": "bigint", "kind": "text", "as_of": "date", "revision": "int",
    "policy_id": "bigint", "window_days": "int", "is_extended": "boolean", "sums": "jsonb", "measures": "jsonb",
    "gates": "jsonb", "flags": "jsonb", "score": "numeric", "ungated_grade": "text", "raw_grade": "text",
    "published_grade": "text", "is_carried": "boolean", "evidence_on": "jsonb", "digest": "text", "code_version": "text",
}  # fmt: skip


def _insert(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Stores evaluations in one statement and gives their ids; one that another run stored meanwhile is left out."""
    if not rows:
        return []
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO assessments_evaluation ({names}) SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS rows ("
            + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
            + ") ON CONFLICT DO NOTHING RETURNING id",
            [json.dumps(rows)],
        )
        return [row[0] for row in cursor.fetchall()]


def organisation_yesterday(now: datetime.datetime) -> datetime.date:
    """The last closed day in the organisation's zone."""
    return now.astimezone(zoneinfo.ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date() - datetime.timedelta(days=1)
