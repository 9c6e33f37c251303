"""From a reconciliation to money: a claim is made, sent, accepted or disputed, and settled or waived."""

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from assessments import messages
from assessments.models import Claim, ClaimStep
from assessments.workflow import BOSSES, OURS, Move, open_moves, table
from production.errors import BadInput
from production.models import MaterialMovement, MaterialOutcome
from production.reconcile import minor_unit, settle
from production.rollup_sums import half_up

State = Claim.State


MOVES = table(
    Move("send", frozenset({State.DRAFT, State.DISPUTED}), State.SENT, OURS),
    Move("accept", frozenset({State.SENT, State.DISPUTED}), State.ACCEPTED, OURS | {"contact"}),
    Move("dispute", frozenset({State.SENT}), State.DISPUTED, frozenset({"contact"}), needs_note=True),
    Move(
        "waive",
        frozenset({State.DRAFT, State.SENT, State.DISPUTED, State.ACCEPTED}),
        State.WAIVED,
        BOSSES,
        needs_note=True,
    ),
    Move("settle", frozenset({State.ACCEPTED}), State.SETTLED, OURS),
)


def claimable() -> QuerySet[MaterialOutcome]:
    """Reconciliations of closed orders with a charge that nobody has claimed yet, newest first."""
    claimed = Claim.objects.filter(order_material=OuterRef("order_material")).exclude(state=State.WAIVED)
    return (
        MaterialOutcome.objects.filter(excess__gt=0, charge__gt=0)
        .filter(~Exists(claimed))
        .select_related("factory", "order", "order_material__material")
        .order_by("-closed_on", "-order_material_id")
    )


def make(outcome: MaterialOutcome, user: Any, evidence: str = "") -> Claim:
    """A draft that freezes the reconciliation as it stands now. BadInput when nothing is to be paid."""
    charge = half_up(outcome.charge, minor_unit(outcome.currency))
    moved = movements(outcome)
    if moved["issued"] + moved["taken_over"] - moved["returned"] - moved["passed_on"] != outcome.net_issued:
        raise BadInput("Material moved a moment ago and is not worked out yet. Try again in a minute.", "evidence")
    if outcome.excess <= 0 or charge <= 0:
        raise BadInput("The loss is within the allowance: there is nothing to claim.", "charge")
    with transaction.atomic():
        claim = Claim.objects.create(
            factory_id=outcome.factory_id,
            order_material_id=outcome.order_material_id,
            closed_on=outcome.closed_on,
            **moved,
            net_issued=outcome.net_issued,
            theoretical=outcome.theoretical,
            loss=outcome.loss,
            allowed=outcome.allowed,
            excess=outcome.excess,
            unit_cost=outcome.unit_cost,
            charge_exact=outcome.charge,
            currency=outcome.currency,
            charge=charge,
            evidence=evidence,
            created_by=user,
        )
        ClaimStep.objects.create(claim=claim, what="made", by=user, note=evidence)
        return claim


def movements(outcome: MaterialOutcome) -> dict[str, Decimal]:
    """What the net issued is made of, in base units, and the salvage value of one unit of scrap (MAT-1, MAT-5)."""
    kinds = MaterialMovement.Kind
    found = MaterialMovement.objects.filter(order_material=outcome.order_material_id).aggregate(
        issued=Sum("quantity", filter=Q(kind=kinds.ISSUE)),
        taken_over=Sum("quantity", filter=Q(kind=kinds.TRANSFER_IN)),
        returned=Sum("quantity", filter=Q(kind=kinds.RETURN)),
        passed_on=Sum("quantity", filter=Q(kind=kinds.TRANSFER_OUT)),
        scrapped=Sum("quantity", filter=Q(kind=kinds.SCRAP)),
        salvage=Sum(F("quantity") * F("salvage_unit"), filter=Q(kind=kinds.SCRAP)),
    )
    salvage, scrapped = found.pop("salvage"), found["scrapped"]
    unit = half_up(Fraction(salvage) / Fraction(scrapped), 12) if scrapped else Decimal(0)
    return {name: value or Decimal(0) for name, value in found.items()} | {"salvage_unit": unit}


def moves_for(claim: Claim, user: Any) -> list[Move]:
    """What this person may do with the claim now."""
    return open_moves(MOVES, claim.state, user)


def move(claim: Claim, name: str, user: Any, note: str = "", **facts: Any) -> bool:
    """Makes a move. False, and nothing changes, when somebody else moved it first; BadInput when a reason is missing.

    `settle` takes how (`settled_by`), on which day (`settled_on`), the document (`reference`), and for another currency
    `settlement_currency` with its frozen `settlement_rate`: the unrounded charge is converted and rounded once (MAT-10).
    """
    wanted = MOVES[name]
    if wanted.needs_note and not note.strip():
        raise BadInput("Say why.", "note")
    if name == "settle":
        facts = _settlement(claim, **facts)
    with transaction.atomic():
        won = Claim.objects.filter(pk=claim.pk, state__in=wanted.sources).update(state=wanted.target, **facts)
        if won:
            step = ClaimStep.objects.create(claim=claim, what=name, by=user, note=note)
            claim.refresh_from_db()
            messages.tell_of_claim(claim, step)
        return bool(won)


def _settlement(
    claim: Claim,
    settled_by: str,
    settled_on: datetime.date,
    reference: str = "",
    settlement_currency: str = "",
    settlement_rate: Decimal | None = None,
) -> dict[str, Any]:
    currency = settlement_currency or claim.currency
    if currency == claim.currency:
        rate, amount = None, claim.charge
    elif settlement_rate is None:
        raise BadInput("Another currency needs its rate.", "settlement_rate")
    else:
        rate, amount = settlement_rate, settle(claim.charge_exact, settlement_rate, currency)
    return {
        "settled_by": settled_by,
        "settled_on": settled_on,
        "reference": reference,
        "settlement_currency": currency,
        "settlement_rate": rate,
        "settlement_amount": amount,
    }


def totals(claims: QuerySet[Claim]) -> list[dict[str, Any]]:
    """Per currency: how many claims, what they ask for, and how much of it is still open. Never added across currencies."""
    rows = claims.order_by().values("currency", "state").annotate(count=Count("pk"), charge=Sum("charge"))
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        total = found.setdefault(
            row["currency"], {"currency": row["currency"], "count": 0, "charge": Decimal(0), "open": Decimal(0)}
        )
        if row["state"] == State.WAIVED:
            continue
        total["count"] += row["count"]
        total["charge"] += row["charge"]
        if row["state"] != State.SETTLED:
            total["open"] += row["charge"]
    return [found[currency] for currency in sorted(found)]
