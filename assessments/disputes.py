"""A factory disputes a row of its score: raised, withdrawn, answered; upheld by two people or because facts were amended."""

from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from assessments import messages
from production import exclusions
from production.errors import BadInput
from production.laws import law
from production.models import Delivery, Dispute, Exclusion, Lot, OrderLine, OrderMaterial

State = Dispute.State
FIELDS: dict[type, str] = {OrderLine: "line", Lot: "lot", Delivery: "delivery", OrderMaterial: "order_material"}
Row = OrderLine | Lot | Delivery | OrderMaterial


def raise_dispute(subject: Row, user: User, reason: str) -> Dispute:
    """A factory contact says that a row is not right; who watches the factory is told, in the same transaction.

    BadInput without a reason, from anybody else, for a material of an order that is not closed, or where one is open.
    """
    if user.role != User.Role.CONTACT:
        raise BadInput("Only a contact of the factory disputes a row.")
    if not reason.strip():
        raise BadInput("Say what is not right.", "reason")
    if isinstance(subject, OrderMaterial) and subject.order.closed_on is None:
        raise BadInput("The order is not closed yet: its material counts only then.")
    name = FIELDS[type(subject)]
    try:
        with transaction.atomic():
            made = Dispute.objects.create(
                factory_id=subject.factory_id, reason=reason.strip(), raised_by=user, **{name: subject}
            )
            messages.dispute_raised(made)
            return made
    except IntegrityError as refused:
        if law(refused) != f"one_open_dispute_per_{name}":
            raise
        raise BadInput("This row is disputed already.") from refused


def withdraw(dispute: Dispute, user: User) -> Dispute:
    """A contact of the factory takes it back. BadInput where it is answered by now."""
    if user.role != User.Role.CONTACT:
        raise BadInput("Only a contact of the factory withdraws it.")
    with transaction.atomic():
        return _write(_locked(dispute), state=State.WITHDRAWN, withdrawn_at=timezone.now())


def answer(dispute: Dispute, user: User, upheld: bool, text: str) -> Dispute:
    """Upheld because the facts were amended, or declined; the raiser is told. BadInput without a text or where it is over."""
    _may_answer(user, text)
    with transaction.atomic():
        found = _locked(dispute)
        _not_waiting(found)
        return _answered(found, State.UPHELD if upheld else State.DECLINED, user, text)


def set_aside(dispute: Dispute, user: User, text: str, evidence: str = "") -> Exclusion:
    """Proposes to set the disputed row aside; a second person approves, and then the dispute is upheld with this text.

    Of a disputed delivery the order line is set aside. BadInput without a text, or where an exclusion stands already.
    """
    _may_answer(user, text)
    with transaction.atomic():
        found = _locked(dispute)
        _not_waiting(found)
        subject = found.delivery.line if found.delivery_id else found.subject
        made = exclusions.propose(subject, user, f"{found.code}: {text.strip()}"[:500], evidence)
        _write(found, exclusion=made, answer=text.strip(), answered_by=user)
        return made


DECIDED = """
SELECT d.id FROM production_dispute d JOIN production_exclusion x ON x.id = d.exclusion_id
WHERE d.state = %(open)s AND x.state <> %(proposed)s ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
"""


def settle() -> list[Dispute]:
    """What was decided of the rows that disputes asked to set aside: upheld where approved, else open for another answer.

    Asked by the job of the minute. Safe to run twice.
    """
    ended = [Exclusion.State.DECLINED, Exclusion.State.WITHDRAWN]
    with transaction.atomic(), connection.cursor() as cursor:
        # Nearly always none: asked in the shortest way.
        cursor.execute(DECIDED, {"open": State.OPEN, "proposed": Exclusion.State.PROPOSED})
        ours = [row[0] for row in cursor.fetchall()]
        done = []
        for found in Dispute.objects.filter(pk__in=ours).with_subject().order_by("pk") if ours else []:
            if found.exclusion.state in ended:
                done.append(_write(found, exclusion=None, answer="", answered_by=None))
            else:
                done.append(_answered(found, State.UPHELD, found.answered_by, found.answer))
        return done


def may_answer(dispute: Dispute, user: User) -> bool:
    return dispute.is_open and user.writes_orders() and dispute.exclusion_id is None


def may_withdraw(dispute: Dispute, user: User) -> bool:
    return dispute.is_open and user.role == User.Role.CONTACT


def _may_answer(user: User, text: str) -> None:
    if not user.writes_orders():
        raise BadInput("Only a manager, a buyer or an administrator answers.")
    if not text.strip():
        raise BadInput("Write an answer: the factory reads it.", "answer")


def _not_waiting(dispute: Dispute) -> None:
    if dispute.exclusion_id is not None:
        raise BadInput("It waits for the decision to set the row aside.")


def _locked(dispute: Dispute) -> Dispute:
    """The dispute as it is now, held until the end of the transaction: of two people at once one wins."""
    found = Dispute.objects.select_for_update(of=("self",)).with_subject().get(pk=dispute.pk)
    if not found.is_open:
        raise BadInput(f"It was changed meanwhile: {found.get_state_display().lower()}.")
    return found


def _answered(dispute: Dispute, state: State, user: User, text: str) -> Dispute:
    _write(dispute, state=state, answer=text.strip(), answered_by=user, answered_at=timezone.now())
    messages.dispute_answered(dispute)
    return dispute


def _write(dispute: Dispute, **facts: Any) -> Dispute:
    for name, value in facts.items():
        setattr(dispute, name, value)
    dispute.save(update_fields=list(facts))
    return dispute
