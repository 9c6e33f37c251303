"""From a reconciliation to money: a claim is made, sent, accepted or disputed, and settled or waived."""

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from assessments import messages
from assessments.models import Claim, ClaimStep
from assessments.workflow import BOSSES, OURS, Move, open_moves, table
from production.errors import BadInput
from production.models import MaterialOutcome
from production.reconcile import Supply, minor_unit, reconcile, settle
from production.rollup_sums import to_decimal
from production.supplies import supply_of

State = Claim.State
ROUNDING = Fraction(1, 10**6)  # the stored sums round each step to twelve places


MOVES = table(
    Move("send", frozenset({State.DRAFT, State.DISPUTED}), State.SENT, OURS),
    # The factory accepts by a click; what one of us writes down for it says who agreed, and how.
    Move("accept", frozenset({State.SENT, State.DISPUTED}), State.ACCEPTED, OURS | {"contact"}, noted_by=OURS),
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


def claimable(outcomes: QuerySet[MaterialOutcome] | None = None) -> QuerySet[MaterialOutcome]:
    """Of the reconciliations, all by default, those with a charge that nobody has claimed yet, newest first."""
    claimed = Claim.objects.exclude(state=State.WAIVED).order_by().values("order_material")
    return (
        (MaterialOutcome.objects.all() if outcomes is None else outcomes)
        .filter(excess__gt=0, charge__gt=0)
        .exclude(order_material__in=claimed)
        .select_related("factory", "order", "order_material__material", "order_material__order")
        .order_by("-closed_on", "-order_material_id")
    )


def make(outcome: MaterialOutcome, user: Any, evidence: str = "") -> Claim:
    """A draft that freezes the reconciliation as it stands now. BadInput when nothing is to be paid."""
    given = supply(outcome)
    found = reconcile(given, minor_unit(outcome.currency))
    stored = Fraction(outcome.net_issued), Fraction(outcome.charge)
    if not found.applicable or found.net != stored[0] or abs(found.charge_exact - stored[1]) > ROUNDING:
        raise BadInput("Material moved a moment ago and is not worked out yet. Try again in a minute.", "evidence")
    if not found.liable or found.charge <= 0:
        raise BadInput("The loss is within the allowance: there is nothing to claim.", "charge")
    with transaction.atomic():
        claim = Claim.objects.create(
            factory_id=outcome.factory_id,
            order_material_id=outcome.order_material_id,
            closed_on=outcome.closed_on,
            **movements(given),
            net_issued=to_decimal(found.net),
            theoretical=given.theoretical,
            loss=to_decimal(found.loss),
            allowed=to_decimal(found.allowed),
            excess=to_decimal(found.excess),
            unit_cost=given.unit_cost,
            charge_exact=to_decimal(found.charge_exact),
            currency=outcome.currency,
            charge=found.charge,
            evidence=evidence,
            created_by=user,
        )
        ClaimStep.objects.create(claim=claim, what="made", by=user, note=evidence)
        return claim


def supply(outcome: MaterialOutcome) -> Supply:
    """What the rule of the reconciliation takes: the movements, the terms and the costs of this material of the order."""
    return supply_of(outcome.order_material, outcome.order_material.movements.all(), outcome.theoretical)


def movements(given: Supply) -> dict[str, Any]:
    """What the net issued is made of, in base units, and the salvage value of one unit of scrap (MAT-1, MAT-5)."""
    return {
        "issued": given.issued,
        "taken_over": given.transfer_in,
        "returned": given.returned,
        "passed_on": given.transfer_out,
        "scrapped": given.scrap_returned,
        "salvage_unit": given.salvage_unit,
    }


def moves_for(claim: Claim, user: Any) -> list[Move]:
    """What this person may do with the claim now."""
    return open_moves(MOVES, claim.state, user)


def move(claim: Claim, name: str, user: Any, note: str = "", **facts: Any) -> bool:
    """Makes a move. False, and nothing changes, when somebody else moved it first; BadInput when a reason is missing.

    `settle` takes how (`settled_by`), on which day (`settled_on`), the document (`reference`), and for another currency
    `settlement_currency` with its frozen `settlement_rate`: the unrounded charge is converted and rounded once (MAT-10).
    """
    wanted = MOVES[name]
    if wanted.must_say(user.role) and not note.strip():
        raise BadInput("Say why." if wanted.needs_note else "Say who accepted it, and how.", "note")
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
