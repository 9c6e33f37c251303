"""Which rows of the demo somebody wanted set aside, why, and what became of it."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from accounts.models import User
from factories.models import Factory
from production.models import Exclusion, Lot, OrderLine, OrderMaterial


@dataclass(frozen=True, slots=True)
class ExclusionSeed:
    """One exclusion: of the newest fitting row of a factory, proposed so many days ago; the numbers of days are whole."""

    factory: str
    kind: str  # line, lot or material
    state: str
    days_ago: int
    reason: str
    evidence: str = ""
    note: str = ""
    lift_reason: str = ""
    by_buyer: bool = True  # else the manager proposed it, and the administrator decided


EXCLUSIONS = [
    ExclusionSeed(
        "VN-012", "line", "approved", 16,
        "The goods stood ready in time. Our forwarder rolled the booking to the next sailing.",
        "Cargo-ready notice of the factory and the forwarder's mail about the rolled booking, both in the order folder.",
        note="Checked with the forwarder: the delay was ours.",
    ),
    ExclusionSeed(
        "CN-022", "line", "proposed", 3,
        "The vessel waited six days off the port because the terminal was closed by a storm.",
        "Port notice of the terminal; arrival log of the carrier.",
    ),
    ExclusionSeed(
        "CN-027", "material", "proposed", 2,
        "The weighing slip of the returned rolls was lost at our warehouse, so the return was never recorded.",
    ),
    ExclusionSeed(
        "VN-012", "lot", "declined", 12,
        "The inspector used the sealed sample of the season before.",
        note="The photos show the sample of this season. The lot goes on to count.", by_buyer=False,
    ),
    ExclusionSeed(
        "IN-013", "line", "lifted", 30,
        "The artwork was approved late by us.",
        "Approval mail of the studio.", note="Agreed.",
        lift_reason="The factory had the artwork eleven days before its first day of printing. It was in time after all.",
    ),
    ExclusionSeed(
        "ID-007", "lot", "withdrawn", 20, "Water got into the container on the way.",
    ),
]  # fmt: skip


def exclusions(
    day: datetime.date, factories: dict[str, Factory], buyer: User, manager: User, admin: User
) -> Iterator[Exclusion]:
    """The exclusions as they stand on `day`, not stored; two queries at most for each."""
    for seed in sorted(EXCLUSIONS, key=lambda seed: -seed.days_ago):  # their numbers rise with time
        row = fitting(seed, factories[seed.factory], day - datetime.timedelta(days=seed.days_ago))
        if row is None:
            continue
        proposer, decider = (buyer, manager) if seed.by_buyer else (manager, admin)
        name = {OrderLine: "line", Lot: "lot", OrderMaterial: "order_material"}[type(row)]
        yield Exclusion(
            factory_id=row.factory_id, reason=seed.reason, evidence=seed.evidence, state=seed.state, proposed_by=proposer,
            proposed_at=moment(day, seed.days_ago), **{name: row}, **decision(seed, day, decider),
        )  # fmt: skip


def fitting(seed: ExclusionSeed, factory: Factory, before: datetime.date) -> OrderLine | Lot | OrderMaterial | None:
    """The newest row that fits: a late line, a lot with defects, or a material of a closed order."""
    if seed.kind == "line":
        late = OrderLine.objects.filter(factory=factory, deliveries__received_on__gt=F("committed_on") + 5)
        return late.filter(deliveries__received_on__lt=before).order_by("-committed_on", "pk").first()
    if seed.kind == "lot":
        bad = Lot.objects.filter(factory=factory, inspections__units_major__gt=0, inspections__inspected_on__lt=before)
        return bad.order_by("-inspections__inspected_on", "pk").first()
    closed = OrderMaterial.objects.filter(factory=factory, order__closed_on__lt=before)
    return closed.order_by("-order__closed_on", "pk").first()


def decision(seed: ExclusionSeed, day: datetime.date, decider: User) -> dict[str, Any]:
    if seed.state == "proposed":
        return {}
    if seed.state == "withdrawn":
        return {"withdrawn_at": moment(day, seed.days_ago - 1)}
    decided = moment(day, seed.days_ago - 2)
    facts = {"decided_by": decider, "decided_at": decided, "decided_on": decided.date(), "decision_note": seed.note}
    if seed.state == "lifted":
        lifted = moment(day, seed.days_ago - 9)
        facts |= {
            "lifted_by": decider,
            "lifted_at": lifted,
            "lifted_on": lifted.date(),
            "lift_reason": seed.lift_reason,
        }
    return facts


def moment(day: datetime.date, days_ago: int) -> datetime.datetime:
    return datetime.datetime.combine(day - datetime.timedelta(days=days_ago), datetime.time(15, 20), datetime.UTC)
