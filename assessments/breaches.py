"""Which limits are broken: opened, raised and resolved from evaluations; acknowledged and closed by people."""

import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from assessments import breach_events, messages
from assessments.breach_events import CATCH_UP_DAYS, TENANT
from assessments.lifecycle import Rules, Seen, Standing, step
from assessments.models import Breach, BreachStep, Evaluation, Measure, Policy
from production.laws import law
from production.models import Dispute

METRICS = {"defect": "defect_rate", "otif": "otif_rate", "loss": "loss_rate"}


def key(factory: int, metric: str, scope: str = "all", window: str = "rolling90", kind: str = "rate") -> str:
    """The key of a breach (INC-2): no day, no value and no severity in it, so that one limit is one open breach."""
    text = f"v1|t={TENANT}|f={factory}|m={metric}|scope={scope}|w={window}|k={kind}"
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """One evaluation of one measure, with the key of the breach it may open."""

    key: str
    evaluation: Evaluation
    measure: str
    seen: Seen


def review(
    evaluation_ids: Sequence[int],
    on: datetime.date,
    night: bool = False,
    quiet: bool = False,
    now: datetime.datetime | None = None,
) -> list[Breach]:
    """Opens, raises and resolves breaches of rates by new evaluations, and events by the facts; tells who watches.

    Runs in the caller's transaction or its own; the messages owed stand or fall with it. `quiet` owes no messages.
    With `now` an order is late only once its last on-time day is over at the receiving site.
    Gives the breaches to which something happened.
    """
    evaluations = (
        Evaluation.objects.filter(pk__in=evaluation_ids)
        .exclude(kind=Evaluation.Kind.MONTH)
        .select_related("policy", "factory", "category")
        .order_by("as_of", "pk")
    )
    return review_made(list(evaluations), on, night, quiet, now)


def review_made(
    evaluations: Sequence[Evaluation],
    on: datetime.date,
    night: bool = False,
    quiet: bool = False,
    now: datetime.datetime | None = None,
) -> list[Breach]:
    """The same by evaluations at hand, none of them of a month, oldest first."""
    with transaction.atomic():
        happened = _review_rates(evaluations, night)
        factories = None if night else {evaluation.factory_id for evaluation in evaluations}
        happened += [(breach, "opened") for breach in breach_events.opened(on, factories, now)]
        if not quiet:
            messages.tell(_without_disputed(happened))
        return [breach for breach, _ in happened]


def _without_disputed(happened: Sequence[tuple[Breach, str]]) -> list[tuple[Breach, str]]:
    """What is told: the lateness of an order is not while one of its lines or deliveries is under an open dispute."""
    orders = {breach.order_id for breach, _ in happened if breach.event == Breach.Event.LATE_ORDER}
    if not orders:
        return list(happened)
    rows = Dispute.objects.open().filter(Q(line__order__in=orders) | Q(delivery__line__order__in=orders))
    disputed = set(rows.values_list(Coalesce("line__order", "delivery__line__order"), flat=True))
    return [
        (breach, what)
        for breach, what in happened
        if breach.event != Breach.Event.LATE_ORDER or breach.order_id not in disputed
    ]


def acknowledge(breach: Breach, user: Any, note: str, on: datetime.date) -> bool:
    """Somebody has it in hand. False, and nothing changes, if somebody had already or it is over."""
    with transaction.atomic():
        won = Breach.objects.filter(pk=breach.pk, state__in=["open", "escalated"]).update(
            state=Breach.State.ACKNOWLEDGED, acknowledged_at=timezone.now(), acknowledged_by=user
        )
        if won:
            BreachStep.objects.create(breach=breach, on=on, what="acknowledged", by=user, note=note)
            breach.refresh_from_db()
        return bool(won)


def resolve(breach: Breach, user: Any, reason: str, on: datetime.date) -> bool:
    """A person closes it, with a reason. False if it was over, or the latest judgement still finds the limit broken."""
    if not may_resolve(breach):
        return False
    with transaction.atomic():
        won = (
            Breach.objects.live()
            .filter(pk=breach.pk)
            .update(state=Breach.State.RESOLVED, resolved_at=timezone.now(), resolved_on=on, reason=reason)
        )
        if won:
            BreachStep.objects.create(breach=breach, on=on, what="resolved", by=user, note=reason)
            breach.refresh_from_db()
        return bool(won)


def may_resolve(breach: Breach) -> bool:
    """A rate is resolved by hand only when its latest evaluation is no breach; an event at any time."""
    if not breach.is_live:
        return False
    if breach.event != Breach.Event.RATE or breach.latest is None:
        return True
    return breach.latest.measures[breach.measure]["status"] != "breach"


def _review_rates(evaluations: Sequence[Evaluation], night: bool) -> list[tuple[Breach, str]]:
    found = list(_found(evaluations, _watch_nights(evaluations) if night else {}))
    standing = _latest_by_key({item.key for item in found})
    happened: list[tuple[Breach, str]] = []
    changed: dict[int, Breach] = {}  # by identity: a new breach has no key of its own yet
    new: list[Breach] = []
    for item in found:
        breach = standing.get(item.key)
        before = _standing(breach)
        after, what = step(before, item.seen, _rules(item.evaluation.policy))
        if what in ("opened", "reopened"):
            fresh = _opened(item, after, breach if what == "reopened" else None)
            if what == "opened":
                new.append(fresh)
            standing[item.key] = fresh
            happened.append((fresh, what))
        elif breach is not None and before.is_live:
            _apply(breach, after, item)
            changed[id(breach)] = breach
            if what:
                happened.append((breach, what))
    lost = {breach.key for breach in new} - set(_insert(new))
    happened = [(breach, what) for breach, what in happened if breach.key not in lost]
    _write([breach for breach in changed.values() if breach.pk])
    BreachStep.objects.bulk_create(
        BreachStep(
            breach=breach, on=breach.latest.as_of if breach.latest else breach.opened_on, what=what, value=breach.value
        )
        for breach, what in happened
    )
    return happened


def _found(evaluations: Sequence[Evaluation], watch_nights: dict[str, int]) -> Iterable[Found]:
    for evaluation in evaluations:
        for name in Measure.values:
            measure = evaluation.measures[name]
            if measure["status"] == "not_applicable":
                continue
            scope = f"category:{evaluation.category_id}" if evaluation.category_id else "all"
            which = key(evaluation.factory_id, METRICS[name], scope)
            evidence = evaluation.evidence_on.get(name)
            yield Found(which, evaluation, name, Seen(
                on=evaluation.as_of, status=measure["status"], badness=badness(name, measure), ceiling=ceiling(name, measure),
                evidence_on=datetime.date.fromisoformat(evidence) if evidence else None,
                is_night=evaluation.kind == Evaluation.Kind.NIGHT,
                watch_nights=1 + watch_nights.get(which, 0) if measure["status"] == "watch" else 0,
            ))  # fmt: skip


def badness(name: str, measure: dict[str, Any]) -> Fraction | None:
    """The bad share of a stored measure: defect rate, 1 - OTIF, or loss rate; None without data."""
    if name == Measure.LOSS:
        return Fraction(measure["num"]) / Fraction(measure["den"]) if Fraction(measure["den"]) else None
    return Fraction(measure["bad"], measure["total"]) if measure["total"] else None


def ceiling(name: str, measure: dict[str, Any]) -> Fraction:
    """What the badness may not exceed."""
    return 1 - Fraction(measure["limit"]) if name == Measure.OTIF else Fraction(measure["limit"])


# The last revision of each night counts; a night without data neither breaks a run of watches nor belongs to it.
WATCHES = """
WITH nights AS (
    SELECT DISTINCT ON (factory_id, category_id, as_of) factory_id, category_id, as_of, measures
    FROM assessments_evaluation
    WHERE kind = 'night' AND factory_id = ANY(%(factories)s) AND as_of < %(before)s AND as_of >= %(from)s
    ORDER BY factory_id, category_id, as_of, revision DESC
), statuses AS (
    SELECT n.factory_id, n.category_id, m.name, n.as_of, n.measures -> m.name ->> 'status' AS status
    FROM nights n CROSS JOIN unnest(ARRAY['defect', 'otif', 'loss']) AS m (name)
), runs AS (
    SELECT *, max(as_of) FILTER (WHERE status <> 'watch') OVER (PARTITION BY factory_id, category_id, name) AS broken_on
    FROM statuses WHERE status <> 'no_data'
)
SELECT factory_id, category_id, name, count(*) FROM runs
WHERE status = 'watch' AND (broken_on IS NULL OR as_of > broken_on) GROUP BY factory_id, category_id, name
"""


def _watch_nights(evaluations: Sequence[Evaluation]) -> dict[str, int]:
    """Per key: how many nights with data, up to the night before, were watches without another in between."""
    if not evaluations:
        return {}
    nights: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            WATCHES,
            {
                "factories": [evaluation.factory_id for evaluation in evaluations],
                "before": min(evaluation.as_of for evaluation in evaluations),
                "from": min(evaluation.as_of for evaluation in evaluations) - datetime.timedelta(days=CATCH_UP_DAYS),
            },
        )
        for factory, category, name, count in cursor.fetchall():
            nights[key(factory, METRICS[name], f"category:{category}" if category else "all")] = count
    return nights


def _latest_by_key(keys: set[str]) -> dict[str, Breach]:
    """The newest breach of each key, with the day of its latest evaluation as `judged_on`.

    Live ones are locked, so that two reviews and a person never write over each other.
    """
    rows = Breach.objects.filter(key__in=keys).annotate(judged_on=F("latest__as_of")).select_for_update(of=("self",))
    rows = rows.order_by("key", "opened_at", "pk")
    return {breach.key: breach for breach in rows}


def _standing(breach: Breach | None) -> Standing:
    if breach is None:
        return Standing()
    return Standing(
        state=breach.state, severity=breach.severity, ok_streak=breach.ok_streak, flaps=breach.flaps,
        stepped_on=breach.stepped_on, evidence_on=breach.evidence_on, resolved_on=breach.resolved_on,
    )  # fmt: skip


def _rules(policy: Policy) -> Rules:
    return Rules(
        policy.on_delay_watch, policy.off_delay_ok, Fraction(policy.clear_ratio), policy.reopen_days, policy.stale_days
    )


def _opened(item: Found, after: Standing, again: Breach | None) -> Breach:
    """A new breach, which is still to be inserted, or the one that opens again, saved."""
    breach = again or Breach(
        key=item.key, factory=item.evaluation.factory, category=item.evaluation.category, measure=item.measure,
        opened_on=item.seen.on, opened_by=item.evaluation,
    )  # fmt: skip
    if again:
        breach.resolved_on = breach.resolved_at = breach.acknowledged_at = breach.acknowledged_by = None
        breach.opened_at, breach.reason = timezone.now(), ""
    breach.state, breach.severity, breach.flaps, breach.ok_streak = after.state, after.severity, after.flaps, 0
    breach.stepped_on, breach.evidence_on = after.stepped_on, after.evidence_on
    _value(breach, item)
    if again:
        breach.save()
    return breach


def _apply(breach: Breach, after: Standing, item: Found) -> None:
    breach.state, breach.severity, breach.ok_streak = after.state, after.severity, after.ok_streak
    breach.stepped_on, breach.evidence_on, breach.resolved_on = after.stepped_on, after.evidence_on, after.resolved_on
    if breach.state == Breach.State.RESOLVED:
        breach.resolved_at = timezone.now()
    if breach.state == Breach.State.OPEN:  # raised to a breach: nobody has that in hand yet
        breach.acknowledged_at = breach.acknowledged_by = None
    _value(breach, item)


def _value(breach: Breach, item: Found) -> None:
    """What is shown of it; a night that is closed after today was judged says nothing newer."""
    if breach.judged_on and breach.judged_on > item.seen.on:
        return
    breach.judged_on = item.seen.on
    breach.latest, breach.factory, breach.category = item.evaluation, item.evaluation.factory, item.evaluation.category
    breach.value = _twelve(item.seen.badness)
    breach.limit = _twelve(item.seen.ceiling)


def _twelve(value: Fraction | None) -> Decimal | None:
    return None if value is None else round(Decimal(value.numerator) / Decimal(value.denominator), 12)


COLUMNS = {
    "state": "text", "severity": "text", "ok_streak": "int", "stepped_on": "date", "evidence_on": "date", "value": "numeric",
    "limit": "numeric", "latest_id": "bigint", "resolved_on": "date", "resolved_at": "timestamptz",
    "acknowledged_at": "timestamptz", "acknowledged_by_id": "bigint",
}  # fmt: skip


def _write(changed: Sequence[Breach]) -> None:
    """Saves what a review changes, in one statement; Django's own takes longer to write it than the rest of the review."""
    if not changed:
        return
    rows = [{"id": breach.pk} | {name: getattr(breach, name) for name in COLUMNS} for breach in changed]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE assessments_breach b SET "
            + ", ".join(f'"{name}" = v."{name}"' for name in COLUMNS)
            + " FROM jsonb_to_recordset(%s::jsonb) AS v (id bigint, "
            + ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
            + ") WHERE b.id = v.id",
            [json.dumps(rows, default=str)],
        )


def _insert(breaches: Sequence[Breach]) -> dict[str, Breach]:
    """Inserts all at once; one whose key is live already, through another worker, is left out."""
    if not breaches:
        return {}
    live = set(Breach.objects.live().filter(key__in=[breach.key for breach in breaches]).values_list("key", flat=True))
    new = [breach for breach in breaches if breach.key not in live]
    try:
        with transaction.atomic():
            Breach.objects.bulk_create(new)
    except IntegrityError as refused:  # opened between the look and the insert; any other law is a bug of ours
        if law(refused) != "one_live_breach_per_key":
            raise
        for breach in breaches:
            breach.pk = None
        if len(breaches) == 1:
            return {}
        half = len(breaches) // 2
        return _insert(breaches[:half]) | _insert(breaches[half:])
    return {breach.key: breach for breach in new}
