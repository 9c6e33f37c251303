"""Judging factories: which windows, by which policy, stored as append-only evaluations.

An evaluation that would repeat the newest revision of its day is not stored. The night and month evaluations judge closed
days; the live one judges the factory's current day, inspections through today and lines whose limit day is over.
"""

import datetime
import json
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.db import connection, transaction

from assessments import consequences, grading, window_sums, windows
from assessments.judgement import CODE_VERSION, Judged, digest, judge, sums_of
from assessments.models import Evaluation, Policy
from assessments.window_sums import Asked, Found
from factories.models import Category, Factory

LIVE, NIGHT, MONTH = Evaluation.Kind.LIVE, Evaluation.Kind.NIGHT, Evaluation.Kind.MONTH
BATCH = 1_000  # judgements in one go


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to judge: a factory, whole or in one category, on one day."""

    factory: Factory
    category: Category | None
    as_of: datetime.date


class Policies:
    """Every policy, and which of them is in force for whom on a day (SCO-8)."""

    def __init__(self, among: dict[Any, Policy] | None = None) -> None:
        self.by_id = {policy.pk: policy for policy in Policy.objects.all()} if among is None else among
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
    with transaction.atomic():
        made = evaluate(NIGHT, [(factory, day) for factory in _factories(chosen)])
        consequences.apply(chosen)  # a factory that no month has judged yet is on trial
    return made


def evaluate_month(last_day: datetime.date, factories: Sequence[int] | None = None) -> list[int]:
    """Judges the closed month that ends on `last_day` and publishes grades."""
    if windows.month(last_day).last != last_day:
        raise ValueError(f"{last_day} is not the last day of a month.")
    with transaction.atomic():
        made = evaluate(MONTH, [(factory, last_day) for factory in _factories(factories)])
        consequences.apply(factories)
    return made


def evaluate_again(factories: Iterable[int], first_day: datetime.date, yesterday: datetime.date) -> list[int]:
    """New revisions of the month and last night evaluations that late facts since `first_day` may have changed."""
    chosen = list(factories)
    judged_before = (
        Evaluation.objects.filter(factory__in=chosen, kind=MONTH, as_of__gte=first_day)
        .order_by("as_of", "factory_id")
        .values_list("factory_id", "as_of")
        .distinct()
    )
    by_id = {factory.pk: factory for factory in _factories(chosen)}
    months = [(by_id[factory], as_of) for factory, as_of in judged_before]
    made: list[int] = []
    with transaction.atomic():
        for first in range(0, len(months), BATCH):  # all months of a factory at once, within what memory holds
            made += evaluate(MONTH, months[first : first + BATCH])
        if months:
            consequences.apply(chosen)
    if Evaluation.objects.filter(factory__in=chosen, kind=NIGHT, as_of=yesterday).exists():
        made += evaluate_night(yesterday, chosen)
    return made


def evaluate(kind: str, days: Sequence[tuple[Factory, datetime.date]]) -> list[int]:
    """Judges the factories on their days, whole and in each category that a policy names; stores what is new."""
    policies = Policies()
    pairs = window_sums.categories_with_data(policies.categories) if policies.categories else set()
    categories = {category.pk: category for category in Category.objects.all()}
    subjects = [
        Subject(factory, categories[category] if category else None, day)
        for factory, day in days
        for category in [None, *(pair for pair in policies.categories if (factory.pk, pair) in pairs)]
    ]
    with transaction.atomic():
        return _store(kind, judge_all(kind, subjects, policies, categories))


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


Judgement = tuple[Subject, Policy, int, Judged]


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
    asked: list[Asked] = []
    chosen: list[tuple[Subject, Policy, list[int]]] = []
    for subject in subjects:
        policy = (
            policies.for_category(subject.factory, subject.category.pk, subject.as_of)
            if subject.category
            else policies.for_whole(subject.factory, subject.as_of)
        )
        if policy is None:
            continue
        lengths = [policy.window_days] + ([policy.fallback_days] if kind == MONTH else [])
        chosen.append((subject, policy, lengths))
        due_last = subject.as_of - datetime.timedelta(days=1 if kind == LIVE else 0)
        for length in lengths:
            window = windows.rolling(subject.as_of, length)
            category = subject.category.pk if subject.category else None
            asked.append(Asked(subject.factory.pk, category, window.first, window.last, due_last))
    found = iter(zip(asked, window_sums.sums(asked, tables), strict=True))
    supplied = window_sums.with_material({subject.factory.pk for subject in subjects})
    judgements: list[Judgement] = []
    breached: dict[tuple[int, datetime.date], list[str]] = {}
    # Categories first: a confirmed breach in one of them gates the grade of the whole.
    taken = [(subject, policy, [(length, *next(found)) for length in lengths]) for subject, policy, lengths in chosen]
    for subject, policy, options in sorted(taken, key=lambda item: item[0].category is None):
        alpha = policy.alpha_month if kind == MONTH else policy.alpha_rolling
        gating = breached.get((subject.factory.pk, subject.as_of), []) if subject.category is None else []
        length, judged = _first_sufficient(
            subject, policy, alpha, options, subject.factory.pk in supplied, gating, categories
        )
        if subject.category is not None:
            breached.setdefault((subject.factory.pk, subject.as_of), []).extend(
                f"{name}:{subject.category.code}"
                for name, measure in judged.measures.items()
                if measure["status"] == "breach"
            )
        judgements.append((subject, policy, length, judged))
    return judgements


def _first_sufficient(
    subject: Subject,
    policy: Policy,
    alpha: Decimal,
    options: Sequence[tuple[int, Asked, Found]],
    supplied: bool,
    gating: Sequence[str],
    categories: dict[int, Category],
) -> tuple[int, Judged]:
    """The shortest window with enough data (SCO-7), else the last one tried."""
    category = subject.category or categories[subject.factory.category_id]
    for place, (length, window, found) in enumerate(options):
        judged = judge(
            sums_of(window, found), policy, category, alpha, subject.as_of, supplied, gating, found.evidence_on
        )
        if judged.sufficient:
            if place:
                judged.flags.append(windows.EXTENDED_WINDOW)
            return length, judged
    return length, judged


def _store(kind: str, judgements: Sequence[Judgement]) -> list[int]:
    if not judgements:
        return []
    newest = _newest(
        kind, {subject.factory.pk for subject, *_ in judgements}, {subject.as_of for subject, *_ in judgements}
    )
    before = _published_before(judgements) if kind == MONTH else {}
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
                published, carried = publication(judged, policy, before.get(subject.factory.pk, []))
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


def _published_before(judgements: Sequence[Judgement]) -> dict[int, list[dict[str, Any]]]:
    """Per factory the first revisions of earlier months, latest first: what was published, and the raw grade then."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = (
        Evaluation.objects.filter(
            kind=MONTH, category=None, revision=1, factory__in={subject.factory.pk for subject, *_ in judgements},
            as_of__lt=min(subject.as_of for subject, *_ in judgements),
            as_of__gte=min(subject.as_of for subject, *_ in judgements) - datetime.timedelta(days=200),
        )
        .order_by("-as_of")
        .values("factory_id", "published_grade", "raw_grade", "is_carried")
    )  # fmt: skip
    for row in rows:
        found.setdefault(row["factory_id"], []).append(row)
    return found


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
