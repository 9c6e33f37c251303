"""From the sums of a window and a policy to measures, points, gates and a grade: arithmetic only, told everything.

The result is plain JSON: it is stored with the evaluation and computes again to the same score.
"""

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from assessments import grading, measures
from assessments.measures import LOW_COVERAGE
from assessments.models import Policy
from assessments.models.policies import Thresholds
from assessments.window_sums import COUNTS, WHOLE, Asked, Found
from assessments.windows import WindowData
from factories.models import Category
from production.reconcile import LossMeasure, judge_loss, minor_unit
from production.rollup_sums import fixed, half_up, ratio

CODE_VERSION = "1"
A_POINT = Fraction(1, 100)
NOTHING: dict[str, int | Decimal] = dict.fromkeys(COUNTS, 0)
REQUIRED = ("defect", "otif")
INPUTS = json.JSONEncoder(sort_keys=True, default=str, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Judged:
    """One factory judged: what an evaluation stores, without who, when and which revision."""

    sums: dict[str, Any]
    measures: dict[str, Any]
    gates: list[dict[str, str]]
    flags: list[str]
    score: Decimal | None
    ungated: str
    raw: str
    gated: bool
    sufficient: bool
    evidence_on: dict[str, str | None]

    @property
    def caps(self) -> list[str]:
        return [gate["cap"] for gate in self.gates]


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of one factory, in exact numbers, and the status of each.

    `losses` has one measure for each currency, `worst` is the place of the one that counts. `weighted` is the
    quantity-weighted defect rate; `critical_lots` held a critical unit.
    """

    defect: measures.Measure
    otif: measures.Measure
    losses: list[LossMeasure]
    worst: int | None
    statuses: dict[str, str]
    coverage: Fraction | None
    low_coverage: bool
    critical_lots: int
    weighted: Fraction | None
    marks: dict[str, grading.Marks]

    @property
    def loss(self) -> LossMeasure | None:
        return self.losses[self.worst] if self.worst is not None else None

    @property
    def breached(self) -> list[str]:
        return [name for name, status in self.statuses.items() if status == measures.BREACH]


@dataclass(frozen=True, slots=True)
class Graded:
    """What follows from the measures: the points of those with enough data, the weights of all, and the scorecard."""

    points: dict[str, Fraction]
    weights: dict[str, int]
    card: grading.Scorecard


def exact(value: Any) -> Any:
    """A number as JSON keeps it exactly: integers as they are, decimals and fractions as plain strings."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Fraction):
        return fixed(value, 12)
    return plain(value) if isinstance(value, Decimal) else value


def plain(value: int | Decimal) -> str:
    """A whole number or a decimal in digits, without zeros at its end."""
    return str(value) if isinstance(value, int) else format(value.normalize(), "f")


def sums_of(window: Asked, found: Found) -> dict[str, Any]:
    """Every number that went in, as it is stored."""
    return {
        "first": window.first.isoformat(),
        "last": window.last.isoformat(),
        "due_last": window.due_last.isoformat(),
        "largest_lot": found.largest_lot,
        **{name: plain(value) if value else 0 for name, value in found.counts.items()},
        "money": [
            {name: value if name == "currency" else plain(value) for name, value in row.items()} for row in found.money
        ],
    }


def evidence(window_days: int, found: Found) -> WindowData:
    """How much a window holds, as far as a grade needs a minimum of it: units, lots and lines (SCO-3)."""
    units, lots, lines = (found.counts.get(name, 0) for name in ("units_inspected", "lots", "lines"))
    return WindowData(window_days, (int(units), int(lots), int(lines)))


def minimums(policy: Policy) -> tuple[int, int, int]:
    """What a policy asks for of each, one at least: nothing is never enough."""
    return max(policy.min_units, 1), max(policy.min_lots, 1), max(policy.min_lines, 1)


def stored_sums(sums: dict[str, Any]) -> Found:
    """The numbers of a window from the form in which they are stored; those that are not there are 0."""
    counts = {name: _number(sums, name) if name in WHOLE else _amount(sums, name) for name in COUNTS}
    money = [
        {name: value if name == "currency" else Decimal(value) for name, value in row.items()} for row in sums["money"]
    ]
    return Found(counts, money, _number(sums, "largest_lot"))


def measure(sums: Found, policy: Policy, category: Category | None, alpha: Decimal, supplied: bool) -> Measured:
    """Measures what stands in a window by one policy.

    `category` is the one the window is about, else the factory's main one; `supplied` says whether the factory works
    with the seller's material.
    """
    marks = {
        "defect": _marks(policy.defect_thresholds(category)),
        "otif": _marks(policy.otif_thresholds()),
        "loss": _marks(policy.loss_thresholds()),
    }
    counts = sums.counts or NOTHING
    bad, inspected = int(counts["units_critical"] + counts["units_major"]), int(counts["units_inspected"])
    weighted = ratio(counts["sum_q_rate"], counts["sum_q"]) if counts["sum_q"] else None
    seen, delivered = counts["qty_delivered_inspected"], counts["qty_delivered"]
    coverage, low_coverage = measures.coverage(seen, delivered - seen, policy.min_coverage)
    flags = []
    is_apart = weighted is not None and _is_apart(bad, inspected, weighted)
    if inspected and (is_apart or 2 * sums.largest_lot > inspected):
        flags.append(measures.DOMINANCE)
    if low_coverage:
        flags.append(LOW_COVERAGE)
    defect = measures.judge_defects(
        bad, inspected, marks["defect"].limit, alpha, policy.min_units_confirm, int(counts["lots"]), counts["s2"],
        policy.min_units, policy.min_lots, flags,
    )  # fmt: skip
    lines = int(counts["lines"])
    otif = measures.judge_delivery(
        lines - int(counts["otif"]), lines, marks["otif"].limit, alpha, min_lines=policy.min_lines
    )
    limit = marks["loss"].limit
    losses = [
        judge_loss(row["value_loss_pos"], row["value_net"], int(row["orders"]), limit, min_orders=policy.min_orders)
        for row in sums.money
    ]
    # The worst currency; the first one among equals.
    worst = max(
        range(len(losses)), key=lambda place: (losses[place].rate is not None, losses[place].rate or 0), default=None
    )
    statuses = {
        "defect": defect.status,
        "otif": otif.status,
        "loss": losses[worst].status if worst is not None else "no_data" if supplied else "not_applicable",
    }
    critical_lots = int(counts["lots_with_critical"])
    return Measured(defect, otif, losses, worst, statuses, coverage, low_coverage, critical_lots, weighted, marks)


def _is_apart(bad: int, inspected: int, weighted: Fraction) -> bool:
    """Whether the rate of the units and the one weighted by quantity are more than a point apart (DEF-6)."""
    apart = abs(bad * weighted.denominator - inspected * weighted.numerator)
    return apart * A_POINT.denominator > inspected * weighted.denominator * A_POINT.numerator


def grade(found: Measured, policy: Policy, gating_categories: Sequence[str] = ()) -> Graded:
    """Weighs the measures into a score and a grade.

    `gating_categories` are measures with a confirmed breach in a category of its own.
    """
    values: dict[str, Fraction | str | None] = {
        name: measured.rate if measured is not None and measured.sufficient else grading.INSUFFICIENT
        for name, measured in (("defect", found.defect), ("otif", found.otif), ("loss", found.loss))
    }
    if found.statuses["loss"] == "not_applicable":
        values["loss"] = grading.NOT_APPLICABLE
    points = grading.scored(values, found.marks)
    hits = grading.gates(
        breached=[*found.breached, *gating_categories],
        critical_lots=found.critical_lots,
        zeros=[name for name, number in points.items() if number == 0],
        low_coverage=found.low_coverage,
    )
    weights = {"defect": policy.defect_weight, "otif": policy.otif_weight, "loss": policy.loss_weight}
    card = grading.weigh(
        points, grading.applicable(weights, values), hits, required=REQUIRED,
        bands={grading.FAILING: 0, grading.PASSING: policy.passing_from, grading.GOOD: policy.good_from,
               grading.EXCELLENT: policy.excellent_from},
    )  # fmt: skip
    return Graded(points, weights, card)


def judge(
    sums: dict[str, Any],
    policy: Policy,
    category: Category | None,
    alpha: Decimal,
    as_of: datetime.date,
    supplied: bool,
    gating_categories: Sequence[str] = (),
    evidence_on: dict[str, datetime.date | None] | None = None,
) -> Judged:
    """What `measure` and `grade` find, in the form that is stored."""
    read = stored_sums(sums)
    found = measure(read, policy, category, alpha, supplied)
    graded = grade(found, policy, gating_categories)
    counts = read.counts
    lots = int(counts["lots"])
    delivery = measures.delivery(
        measures.DeliverySums(
            lines=found.otif.total, qty_due=Decimal(counts["qty_due"]), qty_on_time=Decimal(counts["qty_on_time"]),
            late_closed=int(counts["late_closed"]), days_late_closed=int(counts["days_late_closed"]),
            open_count=int(counts["open_count"]), open_due_ordinal=int(counts["open_due_ordinal"]),
        ),
        as_of,
    )  # fmt: skip
    rows = [
        {"currency": row["currency"], "num": row["value_loss_pos"], "den": row["value_net"], "rate": exact(loss.rate),
         "orders": row["orders"], "charge": _money(row["charge"], row["currency"]), "status": loss.status}
        for row, loss in zip(sums["money"], found.losses, strict=True)
    ]  # fmt: skip
    worst = {"num": "0", "den": "0", "rate": None, "currency": None, "charge": None}
    if found.worst is not None:
        worst = {name: rows[found.worst][name] for name in worst}
    is_negative = any(row["value_loss_neg"] < 0 for row in read.money)
    stored: dict[str, Any] = {
        "defect": {
            **_measured(found.defect), **_texts(policy.defect_thresholds(category)),
            "num": found.defect.bad, "den": found.defect.total, "lots": lots,
            "lots_rejected": int(counts["lots_rejected"]), "lots_with_critical": found.critical_lots,
            "coverage": exact(found.coverage), "lot_weighted": exact(ratio(counts["sum_rate"], lots) if lots else None),
            "quantity_weighted": exact(found.weighted), "deff": exact(found.defect.deff),
            "first": sums["first"], "last": sums["last"], "applicable": True,
        },
        "otif": {
            **_measured(found.otif), **_texts(policy.otif_thresholds()),
            "num": found.otif.total - found.otif.bad, "den": found.otif.total,
            "otd": int(counts["otd"]), "qty_rate": exact(delivery.qty_rate), "open": delivery.includes_open,
            "avg_days_late_when_late": exact(delivery.avg_days_late_when_late),
            "first": sums["first"], "last": sums["due_last"], "applicable": True,
        },
        "loss": {
            "status": found.statuses["loss"], "applicable": found.statuses["loss"] != "not_applicable",
            "sufficient": found.loss is not None and found.loss.sufficient,
            **_texts(policy.loss_thresholds()), **worst, "orders": sum(int(row["orders"]) for row in sums["money"]),
            "lower": None, "upper": None, "p_value": None, "flags": ["negative_loss"] if is_negative else [],
            "currencies": rows, "first": sums["first"], "last": sums["last"],
        },
    }  # fmt: skip
    card = graded.card
    parts = {part.metric: part for part in card.parts}
    for name, row in stored.items():
        points = graded.points.get(name)
        row["weight"] = graded.weights[name]
        row["points"] = exact(half_up(points, 2)) if points is not None else None
        row["points_exact"] = str(points) if points is not None else None
        row["share"] = exact(parts[name].weight) if name in parts else None
        row["adds"] = format(parts[name].shown, "f") if name in parts else None
    return Judged(
        sums=sums, measures=stored, gates=[{"label": gate.label, "cap": gate.cap} for gate in card.gates], flags=[],
        score=card.score, ungated=card.ungated or "", raw=card.raw, gated=card.gated,
        sufficient=found.defect.sufficient and found.otif.sufficient,
        evidence_on={name: day.isoformat() if day else None for name, day in (evidence_on or {}).items()},
    )  # fmt: skip


def digest(judged: Judged, policy: int, kind: str, window_days: int, sums: str = "") -> str:
    """The fingerprint of all inputs: equal inputs need no new revision. `sums` are those of `judged` as text, where at hand."""
    facts = {
        "window": window_days, "kind": kind, "gates": judged.gates, "supplied": judged.measures["loss"]["applicable"],
        "limits": {name: measure["limit"] for name, measure in judged.measures.items()},
    }  # fmt: skip
    text = f'["{CODE_VERSION}",{policy},{sums or INPUTS.encode(judged.sums)},{INPUTS.encode(facts)}]'
    return hashlib.sha256(text.encode()).hexdigest()


def _measured(measure: measures.Measure) -> dict[str, Any]:
    wilson = measure.wilson
    return {
        "status": measure.status, "sufficient": measure.sufficient, "bad": measure.bad, "total": measure.total,
        "rate": exact(measure.rate), "lower": wilson.lower if wilson else None, "upper": wilson.upper if wilson else None,
        "p_value": measure.p_value,
        "flags": list(measure.flags),
    }  # fmt: skip


@lru_cache(maxsize=1024)
def _marks(thresholds: Thresholds) -> grading.Marks:
    return grading.Marks(*map(Fraction, (thresholds.target, thresholds.limit, thresholds.zero)))


@lru_cache(maxsize=1024)
def _texts(thresholds: Thresholds) -> dict[str, str]:
    return {name: plain(getattr(thresholds, name)) for name in ("target", "limit", "zero")}


def _number(sums: dict[str, Any], name: str) -> int:
    return int(sums.get(name) or 0)


def _amount(sums: dict[str, Any], name: str) -> Decimal:
    return Decimal(str(sums.get(name) or 0))


def _money(value: Any, currency: str) -> str:
    places = Decimal(1).scaleb(-minor_unit(currency))
    return format(Decimal(str(value)).quantize(places, ROUND_HALF_UP), "f")
