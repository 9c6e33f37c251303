"""A closed order is opened again: what was reconciled as of its closing is then reconciled no more."""

import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assessments import claims
from assessments.figures import day
from assessments.models import Claim
from production.errors import BadInput
from production.models import PurchaseOrder
from production.placing import add_note

State = Claim.State


def in_the_way(order: PurchaseOrder) -> Claim | None:
    """A claim that the factory has been told of: it rests on the reconciliation of the closed order."""
    sent = [State.SENT, State.DISPUTED, State.ACCEPTED, State.SETTLED]
    return Claim.objects.filter(order_material__order=order, state__in=sent).order_by("pk").first()


def why_not(claim: Claim) -> str:
    """Why the order of this claim stays closed, and what may be done about it."""
    if claim.state == State.SETTLED:
        words = _("%(code)s is settled and rests on the reconciliation of this closed order. The order stays closed.")
    else:
        words = _(
            "%(code)s was sent to the factory and rests on the reconciliation of this closed order. Waive it first."
        )
    return words % {"code": claim.code}


def reopen(order: PurchaseOrder, user: Any, reason: str, on: datetime.date) -> bool:
    """Opens a closed order and waives the drafts of claims for it. False if it is open; BadInput where one was sent.

    The marks of the order make its materials and the daily sums be worked out again.
    """
    with transaction.atomic():
        order = PurchaseOrder.objects.select_for_update().get(pk=order.pk)
        # Held until the end, so that no draft is sent meanwhile.
        held = list(Claim.objects.select_for_update().filter(order_material__order=order).order_by("pk"))
        if order.closed_on is None:
            return False
        if claim := in_the_way(order):
            raise BadInput(why_not(claim), "reason")
        for draft in held:
            if draft.state == State.DRAFT:
                claims.move(draft, "waive", user, _("The order was opened again."))
        told = _("Opened again on %(on)s by %(who)s, after it was closed on %(closed)s: %(reason)s")
        closed, order.closed_on = order.closed_on, None
        order.save(update_fields=["closed_on"])
        add_note(order, told % {"on": day(on), "who": user, "closed": day(closed), "reason": reason})
        return True
