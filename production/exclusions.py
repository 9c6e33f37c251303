"""Setting a row aside: proposed with a reason, decided by a second person, lifted again; never deleted (EXC-1)."""

import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from production.errors import BadInput
from production.laws import law
from production.models import Exclusion, Lot, OrderLine, OrderMaterial

State = Exclusion.State
FIELDS: dict[type, str] = {OrderLine: "line", Lot: "lot", OrderMaterial: "order_material"}


def propose(subject: OrderLine | Lot | OrderMaterial, user: User, reason: str, evidence: str = "") -> Exclusion:
    """A proposal that waits for somebody else. It changes no number yet.

    BadInput without a reason, from a person who may not propose, or where one waits or is in force already.
    """
    if not user.proposes_exclusions():
        raise BadInput("Only a manager, a buyer or an administrator proposes an exclusion.")
    if not reason.strip():
        raise BadInput("Say why it should not count.", "reason")
    name = FIELDS[type(subject)]
    try:
        with transaction.atomic():
            return Exclusion.objects.create(
                factory_id=subject.factory_id, reason=reason.strip(), evidence=evidence.strip(), proposed_by=user,
                **{name: subject},
            )  # fmt: skip
    except IntegrityError as refused:
        if law(refused) != f"one_standing_exclusion_per_{name}":
            raise
        raise BadInput("There is already an exclusion of this row.") from refused


def approve(exclusion: Exclusion, user: User, on: datetime.date, note: str = "") -> Exclusion:
    """A second person agrees: from `on`, the organisation's day, the row does not count. BadInput where it may not be."""
    return _decide(exclusion, user, State.APPROVED, on, note)


def decline(exclusion: Exclusion, user: User, on: datetime.date, note: str = "") -> Exclusion:
    """A second person does not agree: the row goes on to count. BadInput where it may not be."""
    return _decide(exclusion, user, State.DECLINED, on, note)


def withdraw(exclusion: Exclusion, user: User) -> Exclusion:
    """Whoever proposed it takes it back before it is decided. BadInput where it may not be."""
    if exclusion.proposed_by_id != user.pk:
        raise BadInput("Only the person who proposed it withdraws it.")
    return _move(exclusion, State.PROPOSED, state=State.WITHDRAWN, withdrawn_at=timezone.now())


def lift(exclusion: Exclusion, user: User, on: datetime.date, reason: str) -> Exclusion:
    """From `on` the row counts again. BadInput without a reason or where it may not be."""
    if not user.decides_exclusions():
        raise BadInput("Only a manager or an administrator lifts an exclusion.")
    if not reason.strip():
        raise BadInput("Say why it should count again.", "reason")
    return _move(
        exclusion, State.APPROVED, state=State.LIFTED, lifted_by=user, lifted_at=timezone.now(), lifted_on=on,
        lift_reason=reason.strip(),
    )  # fmt: skip


def may_decide(exclusion: Exclusion, user: User) -> bool:
    return exclusion.state == State.PROPOSED and user.decides_exclusions() and exclusion.proposed_by_id != user.pk


def may_withdraw(exclusion: Exclusion, user: User) -> bool:
    return exclusion.state == State.PROPOSED and exclusion.proposed_by_id == user.pk


def may_lift(exclusion: Exclusion, user: User) -> bool:
    return exclusion.state == State.APPROVED and user.decides_exclusions()


def _decide(exclusion: Exclusion, user: User, state: State, on: datetime.date, note: str) -> Exclusion:
    if not user.decides_exclusions():
        raise BadInput("Only a manager or an administrator decides.")
    if exclusion.proposed_by_id == user.pk:
        raise BadInput("You proposed this. Somebody else decides.")
    return _move(
        exclusion, State.PROPOSED, state=state, decided_by=user, decided_at=timezone.now(), decided_on=on,
        decision_note=note.strip(),
    )  # fmt: skip


def _move(exclusion: Exclusion, source: State, **facts: object) -> Exclusion:
    """Writes the facts if the exclusion is still where it was: of two people at once one wins, the other is told."""
    with transaction.atomic():
        found = Exclusion.objects.select_for_update().get(pk=exclusion.pk)
        if found.state != source:
            raise BadInput(f"It was changed meanwhile: {found.get_state_display().lower()}.")
        for name, value in facts.items():
            setattr(found, name, value)
        found.save(update_fields=list(facts))
    return found
