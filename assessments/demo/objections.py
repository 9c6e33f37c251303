"""What the factories of the demo dispute, and one fact that came late for a published month. Sends no mail."""

import datetime

import pghistory
from django.db import transaction

from accounts.models import User
from assessments import breaches, evaluations
from assessments.demo.people import PEOPLE
from assessments.models import Evaluation
from factories.models import Membership
from production import rollups
from production.models import Delivery, Dispute, LineOutcome, LotOutcome

DOCK = (
    "Our truck stood at your dock from 8 in the morning of the last on-time day and was sent away: stocktaking. "
    "The driver's log and the gate ticket are with your warehouse office."
)
COUNTED_TWICE = "Two of the units were counted as major and as minor. Please look at the photos again."
LOOKED_AGAIN = "We looked at all photos again: each unit is counted once, at its worst. The count stays."
WRONG_LINE = "Logged on the wrong line: the cartons were of another order"


def follow(day: datetime.date, now: datetime.datetime, factories: list[int]) -> None:
    """Disputes of the factories with contacts, and a delivery taken back after its month was published."""
    people = {user.role: user for user in User.objects.filter(email__in=[person.email for person in PEOPLE])}
    buyer = people.get("buyer")
    members = Membership.objects.filter(factory__in=factories, user__role=User.Role.CONTACT).order_by("-factory__code")
    member = members.select_related("user").first()
    if buyer is None or member is None:
        return
    with transaction.atomic():  # later than the judgements: what comes now came late
        _dispute(day, member, buyer)
        with pghistory.context(user=buyer.pk):
            _take_back(day, now, [factory for factory in factories if factory != member.factory_id], buyer)


def _dispute(day: datetime.date, member: Membership, buyer: User) -> None:
    """One open dispute of a late line, and one of a lot that was declined."""
    of_factory = {"factory_id": member.factory_id, "raised_by": member.user}
    late = LineOutcome.objects.filter(
        factory=member.factory_id, is_otif=False, completed_on__lt=_at(day, 2).date()
    ).counted()
    if line := late.order_by("-limit_on", "-line_id").first():
        Dispute.objects.create(line_id=line.line_id, reason=DOCK, raised_at=_at(day, 2), **of_factory)
    bad = LotOutcome.objects.filter(
        factory=member.factory_id, major__gt=0, critical=0, inspected_on__lt=_at(day, 9).date()
    )
    if lot := bad.order_by("-inspected_on", "-lot_id").first():
        Dispute.objects.create(
            lot_id=lot.lot_id, reason=COUNTED_TWICE, raised_at=_at(day, 9), state=Dispute.State.DECLINED,
            answer=LOOKED_AGAIN, answered_by=buyer, answered_at=_at(day, 7), **of_factory,
        )  # fmt: skip


def _take_back(day: datetime.date, now: datetime.datetime, factories: list[int], buyer: User) -> None:
    """A receipt of the last published month turns out to be of another order: the month gets a revision."""
    months = Evaluation.objects.whole().filter(factory__in=factories, kind="month", published_grade="good")
    for month in months.order_by("-as_of", "factory__code"):
        if receipt := _of_an_open_order(month):
            break
    else:
        return
    Delivery.objects.create(
        factory_id=receipt.factory_id, line_id=receipt.line_id, site_id=receipt.site_id, kind="reversal", reverses=receipt,
        quantity=-receipt.quantity, received_at=now, received_on=receipt.received_on,
        known_on=max(day, receipt.received_on), reason=WRONG_LINE, recorded_at=now, recorded_by=buyer,
    )  # fmt: skip
    made = evaluations.evaluate_changed(now, rollups.rebuild().days)
    breaches.review_made(made, on=day - datetime.timedelta(days=1), quiet=True)


def _of_an_open_order(month: Evaluation) -> Delivery | None:
    """A receipt of the last line of that month that was on time, among the orders that are not closed."""
    on_time = LineOutcome.objects.filter(factory=month.factory_id, is_otif=True, line__order__closed_on=None).counted()
    within = on_time.filter(limit_on__range=(month.as_of.replace(day=1), month.as_of)).order_by("-limit_on", "line_id")
    return Delivery.objects.filter(line__in=within.values("line")[:1], kind="receipt", reversals=None).first()


def _at(day: datetime.date, ago: int) -> datetime.datetime:
    return datetime.datetime.combine(day - datetime.timedelta(days=ago), datetime.time(9, 40), datetime.UTC)
