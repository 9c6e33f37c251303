"""What moved a score since the evaluation before: looks up what `difference` needs to split the move."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from assessments import difference
from assessments.difference import Difference, Stand, stand
from assessments.judgement import judge
from assessments.models import Evaluation, Policy
from production import outcomes, rollups
from production.models import Exclusion

# The same rules as everywhere, in a database without the exclusions in question: a CTE stands before the table of that name.
WITHOUT = "WITH production_exclusion AS (SELECT * FROM production_exclusion WHERE NOT id = ANY(%(exclusions)s)) "


@dataclass(frozen=True, slots=True)
class Moved:
    """The exclusions that came into force between two moments, and those that ended."""

    set_aside: Sequence[Exclusion]
    lifted: Sequence[Exclusion]

    def __bool__(self) -> bool:
        return bool(self.set_aside or self.lifted)


@dataclass(frozen=True, slots=True)
class Explained:
    """The move from the evaluation `before` to `now`, split; `newest` is the newest revision of the day before."""

    before: Evaluation
    now: Evaluation
    newest: Evaluation
    moved: Moved
    difference: Difference

    @property
    def same_days(self) -> bool:
        """A revision of the same days: only facts, policies and exclusions can differ."""
        return self.before.as_of == self.now.as_of


def explain(now: Evaluation) -> Explained | None:
    """What moved the score since the evaluation before; None for the first one.

    A revision is held against the revision before it. A month or a night is held against the one before as it stood at
    first, a month as it was published; a live day against the newest of a day before it, be it live or of a night.
    """
    every = Evaluation.objects.filter(factory=now.factory_id, category=now.category_id)
    every = every.select_related("policy__factory", "policy__category", "category")
    same = every.filter(kind=now.kind)
    newest: Evaluation | None
    if now.revision > 1:
        before = newest = same.filter(as_of=now.as_of, revision__lt=now.revision).order_by("-revision").first()
    else:
        live = now.kind == Evaluation.Kind.LIVE
        earlier = every.exclude(kind=Evaluation.Kind.MONTH) if live else same
        newest = earlier.filter(as_of__lt=now.as_of).order_by("-as_of", "-computed_at", "-revision").first()
        before = newest
        if newest and newest.revision > 1 and not live:
            before = same.get(as_of=newest.as_of, revision=1)
    if before is None or newest is None:
        return None
    before.factory = newest.factory = now.factory
    moved = between(now, before.computed_at, now.computed_at)
    caught_up = None
    if newest.pk != before.pk:
        caught_up = _stand(
            newest, sums_without(newest, between(newest, before.computed_at, newest.computed_at)), now.policy
        )
    return Explained(
        before, now, newest, moved,
        difference.split(
            stand(before.score, before.measures),
            stand(now.score, now.measures),
            _stand(before, before.sums, now.policy) if before.policy_id != now.policy_id else None,
            caught_up,
            _stand(now, sums_without(now, moved), now.policy) if moved else None,
        ),
    )  # fmt: skip


def _stand(evaluation: Evaluation, sums: dict[str, Any], policy: Policy) -> Stand:
    """How these sums would be judged in the place of an evaluation's own, by a policy."""
    month = evaluation.kind == Evaluation.Kind.MONTH
    judged = judge(
        sums, policy, evaluation.category or evaluation.factory.category,
        policy.alpha_month if month else policy.alpha_rolling, evaluation.as_of,
        supplied=evaluation.measures["loss"]["applicable"],
    )  # fmt: skip
    return stand(judged.score, judged.measures)


def between(evaluation: Evaluation, first: datetime.datetime, last: datetime.datetime) -> Moved:
    """What was set aside and lifted at the factory of an evaluation, after `first` and until `last`. One query."""
    changed = Q(decided_at__gt=first) | Q(lifted_at__gt=first, lifted_at__lte=last)
    decided = Exclusion.objects.filter(factory=evaluation.factory_id, state__in=["approved", "lifted"])
    found = list(decided.filter(changed, decided_at__lte=last).with_subject().order_by("pk"))
    came = [row for row in found if row.decided_at > first and not (row.lifted_at and row.lifted_at <= last)]
    went = [row for row in found if row.decided_at <= first]
    return Moved(came, went)


def sums_without(evaluation: Evaluation, moved: Moved) -> dict[str, Any]:
    """The stored sums of an evaluation as they would be had nothing been set aside or lifted."""
    found = evaluation.sums
    for exclusions, sign in ((moved.set_aside, 1), (moved.lifted, -1)):
        if exclusions:
            found = difference.add(found, _sums(evaluation, exclusions), sign)
    return found


def _sums(evaluation: Evaluation, exclusions: Sequence[Exclusion]) -> dict[str, Any]:
    """What the rows of these exclusions would add to the sums of the evaluation, as their facts are today."""
    lots = {row.lot_id: row.lot.line_id for row in exclusions if row.lot_id}
    lines = [row.line_id for row in exclusions if row.line_id]
    materials = [row.order_material_id for row in exclusions if row.order_material_id]
    values = {
        "exclusions": [row.pk for row in exclusions], "as_of": rollups.NEVER, "category": evaluation.category_id,
        "first": evaluation.sums["first"], "last": evaluation.sums["last"], "due_last": evaluation.sums["due_last"],
        "lots": list(lots),
    }  # fmt: skip
    found: dict[str, Any] = {}
    if lines:
        values["lines"] = lines
        sql = outcomes.line_outcomes(True)
        _gather(
            found, _rows("delivery", sql, outcomes.LINE_COLUMNS, "limit_on BETWEEN %(first)s AND %(due_last)s", values)
        )
    if lots:
        values["lines"] = sorted(set(lots.values()))
        within = "inspected_on BETWEEN %(first)s AND %(last)s AND lot_id = ANY(%(lots)s)"
        _gather(found, _rows("defect", outcomes.lot_outcomes(True), outcomes.LOT_COLUMNS, within, values))
    if materials:
        values["materials"] = materials
        sql = outcomes.material_outcomes(True)
        rows = _rows("material", sql, outcomes.MATERIAL_COLUMNS, "closed_on BETWEEN %(first)s AND %(last)s", values)
        found["money"] = rows
    return found


def _rows(family: str, sql: str, columns: str, within: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The daily sums of one family over the outcomes that a rule gives for these rows."""
    source = (
        f"(SELECT * FROM ({sql}) AS found ({columns}) WHERE {within} "
        "AND (%(category)s::bigint IS NULL OR category_id = %(category)s)) AS rows"
    )
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT + outcomes.bucket_sums(family, source), values)
        names = [name.strip() for name in outcomes.bucket_columns(family).split(",")]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _gather(found: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        for name in difference.ADDED:
            if row.get(name):
                found[name] = (found.get(name) or 0) + row[name]
