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
from typing import Any

from assessments import grading, measures
from assessments.measures import LOW_COVERAGE
from assessments.models import Policy
from assessments.window_sums import Asked, Found
from factories.models import Category
from production.reconcile import judge_loss, minor_unit
from production.rollup_sums import half_up

CODE_VERSION = "1"
REQUIRED = ("defect", "otif")


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


def exact(value: Any) -> Any:
    """A number as JSON keeps it exactly: integers as they are, decimals and fractions as plain strings."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Fraction):
        return format(half_up(value, 12), "f")
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value


def sums_of(window: Asked, found: Found) -> dict[str, Any]:
    """Every number that went in, as it is stored."""
    return {
        "first": window.first.isoformat(),
        "last": window.last.isoformat(),
        "due_last": window.due_last.isoformat(),
        "largest_lot": found.largest_lot,
        **{name: exact(value or 0) for name, value in found.counts.items()},
        "money": [{name: exact(value) for name, value in row.items()} for row in found.money],
    }


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
    """Judges the stored form of a window's sums by one policy.

    `category` is the one the window is about, else the factory's main one; `supplied` says whether the factory works
    with the seller's material; `gating_categories` are measures with a confirmed breach in a category of its own.
    """

    def number(name: str) -> int:
        return int(sums.get(name) or 0)

    def amount(name: str) -> Decimal:
        return Decimal(str(sums.get(name) or 0))

    bad = number("units_critical") + number("units_major")
    inspected, lots = number("units_inspected"), number("lots")
    thresholds = policy.defect_thresholds(category)
    unit = Fraction(bad, inspected) if inspected else None
    lot_weighted = Fraction(amount("sum_rate")) / lots if lots else None
    weighted = Fraction(amount("sum_q_rate")) / Fraction(amount("sum_q")) if amount("sum_q") else None
    coverage, low_coverage = measures.coverage(
        amount("qty_delivered_inspected"),
        amount("qty_delivered") - amount("qty_delivered_inspected"),
        policy.min_coverage,
    )
    flags = []
    if inspected and (
        2 * number("largest_lot") > inspected
        or (unit is not None and weighted is not None and abs(unit - weighted) > Fraction(1, 100))
    ):
        flags.append(measures.DOMINANCE)
    if low_coverage:
        flags.append(LOW_COVERAGE)
    defect = measures.judge_defects(
        bad, inspected, thresholds.limit, alpha, policy.min_units_confirm, lots, amount("s2"),
        policy.min_units, policy.min_lots, flags,
    )  # fmt: skip
    lines, otif_lines = number("lines"), number("otif")
    otif_marks = policy.otif_thresholds()
    otif = measures.judge_delivery(lines - otif_lines, lines, otif_marks.limit, alpha, min_lines=policy.min_lines)
    delivery = measures.delivery(
        measures.DeliverySums(
            lines=lines, otif=otif_lines, otd=number("otd"), qty_due=amount("qty_due"), qty_on_time=amount("qty_on_time"),
            late_closed=number("late_closed"), days_late_closed=number("days_late_closed"),
            open_count=number("open_count"), open_due_ordinal=number("open_due_ordinal"),
        ),
        as_of,
    )  # fmt: skip
    loss_marks = policy.loss_thresholds()
    losses = [
        (row, judge_loss(Decimal(row["value_loss_pos"]), Decimal(row["value_net"]), int(row["orders"]), loss_marks.limit,
                         min_orders=policy.min_orders))
        for row in sums["money"]
    ]  # fmt: skip
    worst = max(losses, key=lambda found: (found[1].rate is not None, found[1].rate or 0), default=None)
    loss_status = worst[1].status if worst else ("no_data" if supplied else "not_applicable")

    stored: dict[str, Any] = {
        "defect": {
            **_measured(defect), **_marks(thresholds), "num": exact(bad), "den": exact(inspected), "lots": lots,
            "lots_rejected": number("lots_rejected"), "lots_with_critical": number("lots_with_critical"),
            "coverage": exact(coverage), "lot_weighted": exact(lot_weighted), "quantity_weighted": exact(weighted),
            "deff": exact(defect.deff), "first": sums["first"], "last": sums["last"], "applicable": True,
        },
        "otif": {
            **_measured(otif), **_marks(otif_marks), "num": exact(otif_lines), "den": exact(lines),
            "otd": number("otd"), "qty_rate": exact(delivery.qty_rate), "open": delivery.includes_open,
            "avg_days_late_when_late": exact(delivery.avg_days_late_when_late),
            "first": sums["first"], "last": sums["due_last"], "applicable": True,
        },
        "loss": {
            "status": loss_status, "applicable": loss_status != "not_applicable",
            "sufficient": bool(worst and worst[1].sufficient), **_marks(loss_marks),
            "num": worst[0]["value_loss_pos"] if worst else "0", "den": worst[0]["value_net"] if worst else "0",
            "rate": exact(worst[1].rate) if worst else None, "currency": worst[0]["currency"] if worst else None,
            "orders": sum(int(row["orders"]) for row, _ in losses), "lower": None, "upper": None, "p_value": None,
            "charge": _money(worst[0]["charge"], worst[0]["currency"]) if worst else None, "flags":
                ["negative_loss"] if any(Decimal(row["value_loss_neg"]) < 0 for row, _ in losses) else [],
            "currencies": [
                {"currency": row["currency"], "num": row["value_loss_pos"], "den": row["value_net"],
                 "rate": exact(found.rate), "orders": row["orders"], "charge": _money(row["charge"], row["currency"]),
                 "status": found.status}
                for row, found in losses
            ],
            "first": sums["first"], "last": sums["last"],
        },
    }  # fmt: skip
    rates: dict[str, Fraction | str] = {
        "defect": defect.rate if defect.sufficient and defect.rate is not None else grading.INSUFFICIENT,
        "otif": otif.rate if otif.sufficient and otif.rate is not None else grading.INSUFFICIENT,
        "loss": (
            grading.NOT_APPLICABLE if loss_status == "not_applicable"
            else worst[1].rate if worst and worst[1].sufficient and worst[1].rate is not None else grading.INSUFFICIENT
        ),
    }  # fmt: skip
    marks = {
        "defect": grading.Marks(thresholds.target, thresholds.limit, thresholds.zero),
        "otif": grading.Marks(otif_marks.target, otif_marks.limit, otif_marks.zero),
        "loss": grading.Marks(loss_marks.target, loss_marks.limit, loss_marks.zero),
    }
    points = {name: grading.points(rate, marks[name]) for name, rate in rates.items() if isinstance(rate, Fraction)}
    statuses = {name: stored[name]["status"] for name in stored}
    hits = grading.gates(
        breached=[name for name, status in statuses.items() if status == "breach"] + list(gating_categories),
        critical_lots=number("lots_with_critical"),
        zeros=[name for name, found in points.items() if found == 0],
        low_coverage=low_coverage,
    )
    weights = {"defect": policy.defect_weight, "otif": policy.otif_weight, "loss": policy.loss_weight}
    card = grading.scorecard(
        rates, marks, weights, hits, required=REQUIRED,
        bands={grading.FAILING: 0, grading.PASSING: policy.passing_from, grading.GOOD: policy.good_from,
               grading.EXCELLENT: policy.excellent_from},
    )  # fmt: skip
    parts = {part.metric: part for part in card.parts}
    for name, measure in stored.items():
        measure["weight"] = weights[name]
        measure["points"] = exact(half_up(points[name], 2)) if name in points else None
        measure["points_exact"] = str(points[name]) if name in points else None
        measure["share"] = exact(parts[name].weight) if name in parts else None
        measure["adds"] = format(parts[name].shown, "f") if name in parts else None
    return Judged(
        sums=sums, measures=stored, gates=[{"label": gate.label, "cap": gate.cap} for gate in card.gates], flags=[],
        score=card.score, ungated=card.ungated or "", raw=card.raw, gated=card.gated,
        sufficient=defect.sufficient and otif.sufficient,
        evidence_on={name: day.isoformat() if day else None for name, day in (evidence_on or {}).items()},
    )  # fmt: skip


def digest(sums: dict[str, Any], policy: int, facts: dict[str, Any]) -> str:
    """The fingerprint of all inputs: equal inputs need no new revision."""
    text = json.dumps([CODE_VERSION, policy, sums, facts], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _measured(measure: measures.Measure) -> dict[str, Any]:
    return {
        "status": measure.status, "sufficient": measure.sufficient, "bad": measure.bad, "total": measure.total,
        "rate": exact(measure.rate), "lower": measure.wilson.lower if measure.wilson else None,
        "upper": measure.wilson.upper if measure.wilson else None, "p_value": measure.p_value,
        "flags": list(measure.flags),
    }  # fmt: skip


def _marks(thresholds: Any) -> dict[str, str]:
    return {name: format(getattr(thresholds, name).normalize(), "f") for name in ("target", "limit", "zero")}


def _money(value: Any, currency: str) -> str:
    places = Decimal(1).scaleb(-minor_unit(currency))
    return format(Decimal(str(value)).quantize(places, ROUND_HALF_UP), "f")
