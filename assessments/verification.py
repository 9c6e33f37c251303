"""Does a stored evaluation still compute to what it says? From its own sums and its own policy, bit for bit."""

import datetime
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from assessments import windows
from assessments.judgement import CODE_VERSION, Judged, digest, judge
from assessments.models import Breach, Evaluation, Policy
from assessments.publication import latest, publication
from factories.models import Factory
from production import material_checks, rollup_checks
from production.errors import BadInput
from production.models import PurchaseOrder

SAMPLED = 1_000  # evaluations verified in one night, however many are stored
ORDERS = 100  # whose outcomes and sums are worked out again in one night


@dataclass(frozen=True, slots=True)
class Difference:
    """One evaluation that does not compute to what is stored: which, and what differs."""

    evaluation: int
    what: str
    stored: str
    computed: str

    def __str__(self) -> str:
        return f"Evaluation {self.evaluation}: {self.what} is {self.stored}, computes to {self.computed}."


def verify(evaluations: Iterable[Evaluation], factories: Collection[int] | None = None) -> list[Difference]:
    """Computes each evaluation again from its stored sums and policy, and what a month published from the months before.

    The differences found; `factories` are those of the evaluations, where that is known. Evaluations made by another version
    of the rules are not compared.
    """
    found: list[Difference] = []
    policies = {policy.pk: policy for policy in Policy.objects.all()}
    months = _months(factories)
    for evaluation in evaluations:
        if evaluation.code_version != CODE_VERSION:
            continue
        policy = policies[evaluation.policy_id]
        month = evaluation.kind == Evaluation.Kind.MONTH
        try:
            judged = judge(
                evaluation.sums,
                policy,
                evaluation.category or evaluation.factory.category,
                policy.alpha_month if month else policy.alpha_rolling,
                evaluation.as_of,
                supplied=evaluation.measures["loss"]["applicable"],
                gating_categories=_gating(evaluation),
            )
        except BadInput as problem:
            found.append(Difference(evaluation.pk, "sums", _json(evaluation.sums), f"nothing: {problem.message}"))
            continue
        flags = [*judged.flags, *([windows.EXTENDED_WINDOW] if evaluation.is_extended else [])]
        pairs = {
            "score": (_text(evaluation.score), _text(judged.score)),
            "raw grade": (evaluation.raw_grade, judged.raw),
            "ungated grade": (evaluation.ungated_grade, judged.ungated),
            "gates": (_json(evaluation.gates), _json(judged.gates)),
            "flags": (_json(evaluation.flags), _json(flags)),
            "measures": (_json(evaluation.measures), _json(judged.measures)),
            "digest": (evaluation.digest, digest(judged, policy.pk, evaluation.kind, evaluation.window_days)),
        }
        if month and evaluation.category_id is None:
            pairs["publication"] = (_json(_told(evaluation)), _json(_publication(evaluation, judged, policy, months)))
        found += [Difference(evaluation.pk, what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]
    return found


def _months(factories: Collection[int] | None) -> dict[int, list[Evaluation]]:
    """What the months of each factory published at first, latest first."""
    stored = Evaluation.objects.whole().filter(kind=Evaluation.Kind.MONTH, revision=1).order_by("-as_of")
    if factories is not None:
        stored = stored.filter(factory__in=[0, *factories])  # never empty: one look-up on every night
    found: dict[int, list[Evaluation]] = defaultdict(list)
    for month in stored.only("factory_id", "as_of", "published_grade", "raw_grade", "is_carried"):
        found[month.factory_id].append(month)
    return found


def _told(evaluation: Evaluation) -> tuple[str, bool]:
    return evaluation.published_grade, evaluation.is_carried


def _publication(
    evaluation: Evaluation, judged: Judged, policy: Policy, months: Mapping[int, Sequence[Evaluation]]
) -> tuple[str, bool]:
    """What the month published: by the months that were there before it, or, for a later revision, what the first one did."""
    known = {month.as_of: month for month in months[evaluation.factory_id] if month.pk <= evaluation.pk}
    if evaluation.revision > 1:
        return _told(known[evaluation.as_of])
    rows = {
        as_of: {name: getattr(month, name) for name in ("published_grade", "raw_grade", "is_carried")}
        for as_of, month in known.items()
    }
    return publication(judged, policy, latest(rows, evaluation.as_of))


def sample(day: datetime.date, share: int = 50) -> list[Evaluation]:
    """One in `share` evaluations, but not more than `SAMPLED` of them, others on each day: what the night verifies."""
    newest = Evaluation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    share = max(share, newest // SAMPLED)
    chosen = range(day.toordinal() % share - share, newest + 1, share)  # never empty: one look-up on every night
    return list(
        Evaluation.objects.select_related("factory__category", "category").filter(pk__in=list(chosen)).order_by("pk")
    )


def verify_night(day: datetime.date) -> list[str]:
    """What the night checks: a sample of evaluations, and the outcomes and sums of some orders of one factory in turn.

    A factory with up to `ORDERS` orders is checked whole, of another one other orders each time (ROL-4). And how many
    breaches are live. The material of those orders is reconciled once more by the plain rule.
    """
    sampled = sample(day)
    problems = [str(difference) for difference in verify(sampled, {each.factory_id for each in sampled})] + miscounted()
    factories = list(Factory.objects.order_by("pk").values_list("pk", flat=True))
    if factories:
        turn, place = divmod(day.toordinal(), len(factories))
        orders = _orders(factories[place], turn)
        problems += [
            f"What is stored differs from its rows: {row[0]}" for row in rollup_checks.differences_of_orders(orders)
        ]
        problems += material_checks.differences(orders)
    return problems


def miscounted() -> list[str]:
    """Factories whose number of live breaches is another one than there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.code, COALESCE(c.number, 0), COALESCE(b.number, 0) FROM factories_factory f "
            "LEFT JOIN assessments_livebreaches c ON c.factory_id = f.id "
            "LEFT JOIN (SELECT factory_id, count(*) AS number FROM assessments_breach WHERE state = ANY(%s) GROUP BY factory_id) "
            "AS b ON b.factory_id = f.id WHERE COALESCE(c.number, 0) <> COALESCE(b.number, 0) ORDER BY f.code",
            [Breach.LIVE_STATES],
        )
        return [f"Factory {code} has {there} live breaches, its list says {said}." for code, said, there in cursor]


def _orders(factory: int, turn: int) -> list[int]:
    """The next orders of a factory to check, oldest first; after the newest come the oldest again."""
    orders = PurchaseOrder.objects.filter(factory=factory).order_by("pk")
    pages = max(1, -(-orders.count() // ORDERS))
    first = turn % pages * ORDERS
    return list(orders.values_list("pk", flat=True)[first : first + ORDERS])


def _gating(evaluation: Evaluation) -> list[str]:
    """The confirmed breaches of categories that gated it, as they stand in its gates."""
    labels = [gate["label"].removeprefix("confirmed_breach:") for gate in evaluation.gates]
    return [label for label in labels if ":" in label and not label.startswith(("critical_unit", "metric_zero"))]


def _text(score: Decimal | None) -> str:
    return "none" if score is None else format(score, ".2f")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
