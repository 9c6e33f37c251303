"""Where an order line stands: the rules of `production.duedates`, applied to the rows of the database.

Lists read the stored outcomes; a page about a few lines judges them afresh, so that what was saved a second ago shows.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from production import duedates
from production.errors import BadInput
from production.models import Delivery, Exclusion, OrderLine
from production.wording import amount, days, days_late, percent, short_day

OK, WATCH, BREACH, FEW, INFO = "ok", "watch", "breach", "no_data", "info"


def with_facts(lines: QuerySet) -> QuerySet:
    """The lines with all that `standing` reads: a fixed number of queries for any number of lines."""
    receipts = Prefetch("deliveries", Delivery.objects.order_by("received_on", "id"))
    aside = Exists(Exclusion.objects.in_force().filter(line=OuterRef("pk")))
    return (
        lines.annotate(is_set_aside=aside)
        .select_related("order__factory", "product", "site", "calendar__base")
        .prefetch_related(receipts, "cancellations", "revisions", "calendar__exceptions", "calendar__base__exceptions")
    )


@dataclass(frozen=True)
class Standing:
    """One order line on one day: what was ordered and came, its days, and its state as a pill (`status`, `word`)."""

    ordered: Decimal
    cancelled: Decimal
    received: Decimal
    open: Decimal
    today: datetime.date
    due: datetime.date | None
    limit: datetime.date | None
    days_late: int
    status: str
    word: str
    effect: str

    @property
    def is_late(self) -> bool:
        return self.status == BREACH


def today_at(line: OrderLine) -> datetime.date:
    """The day it is now where the line is received."""
    return duedates.local_date(timezone.now(), line.site.time_zone)


def facts_of(line: OrderLine, until: datetime.date, without: Delivery | None = None) -> duedates.Line:
    """The rule's view of a line, with the deliveries and reversals known at the end of a day."""
    receipts = [each for each in _deliveries(line, without) if each.known_on <= until]
    return duedates.Line(
        qty=line.quantity,
        committed_on=line.committed_on,
        requested_on=line.requested_on,
        receipts=[duedates.Receipt(each.received_on, each.quantity) for each in receipts],
        cancellations=[
            duedates.Cancellation(each.cancelled_on, each.quantity, each.by) for each in line.cancellations.all()
        ],
        revisions=[
            duedates.Revision(each.new_on, each.cause, each.approved_on is not None, each.approved_on)
            for each in sorted(line.revisions.all(), key=lambda each: each.pk)
        ],
        closed_short=line.closed_short_on is not None,
        closed_on=line.closed_short_on,
    )


def terms_of(line: OrderLine) -> duedates.Terms:
    return duedates.Terms(
        grace_days=line.grace_days,
        grace_unit=line.grace_unit,
        tol_under=line.tol_under,
        tol_over=line.tol_over,
        early_days=line.early_days,
        early_policy=line.early_policy,
        over_policy=line.over_policy,
        single_delivery=line.single_delivery,
        due_roll="next_working_day" if line.rolls_to_working_day else "none",
    )


def calendar_of(line: OrderLine) -> duedates.Calendar:
    if line.calendar is None:
        return duedates.EVERY_WEEKDAY
    exceptions = line.calendar.exceptions_in_force().values()
    return duedates.Calendar(
        weekend=frozenset(number - 1 for number in line.calendar.weekend),
        holidays=frozenset(each.day for each in exceptions if not each.is_open),
        workdays=frozenset(each.day for each in exceptions if each.is_open),
    )


def judge(line: OrderLine, as_of: datetime.date, without: Delivery | None = None) -> duedates.Outcome:
    """The outcome of a line at the end of a day (OTD-1 to OTD-14)."""
    return duedates.judge_line(facts_of(line, as_of, without), terms_of(line), as_of, calendar_of(line))


def standings(lines: Iterable[OrderLine]) -> list[tuple[OrderLine, Standing]]:
    """Each line of `with_facts` beside its standing now."""
    return [(line, standing(line)) for line in lines]


def standing(line: OrderLine, today: datetime.date | None = None, without: Delivery | None = None) -> Standing:
    """Where a line stands on `today` (now, if not given). An open line is late from the day after its limit.

    `without` leaves one delivery and its reversals out, as if it had never been logged.
    """
    today = today or today_at(line)
    deliveries = _deliveries(line, without)
    received = sum((each.quantity for each in deliveries), Decimal(0))
    cancelled = _cancelled(line)
    rest = Decimal(0) if line.closed_short_on else max(Decimal(0), line.quantity - cancelled - received)
    try:
        outcome = judge(line, max([today, *(each.known_on for each in deliveries)]), without)
    except BadInput as error:
        return Standing(
            line.quantity, cancelled, received, rest, today, None, None, 0, FEW, error.message, error.message
        )
    status, word, effect = _say(line, outcome, received, today)
    return Standing(
        ordered=line.quantity,
        cancelled=cancelled,
        received=received,
        open=rest,
        today=today,
        due=outcome.due,
        limit=outcome.limit,
        days_late=outcome.days_late or 0,
        status=status,
        word=word,
        effect=effect,
    )


def _deliveries(line: OrderLine, without: Delivery | None) -> list[Delivery]:
    found = line.deliveries.all()
    return [each for each in found if without is None or without.pk not in (each.pk, each.reverses_id)]


def _cancelled(line: OrderLine) -> Decimal:
    return sum((each.quantity for each in line.cancellations.all()), Decimal(0))


def _say(line: OrderLine, outcome: duedates.Outcome, received: Decimal, today: datetime.date) -> tuple[str, str, str]:
    """(status, word of the pill, sentence of what the line counts as)."""
    if outcome.due is None or outcome.limit is None:
        return FEW, _("No promised day"), _("Counts in no rate: no day was promised.")
    if outcome.excluded:
        return FEW, _("Cancelled"), _("Counts in no rate: we cancelled all of it in time.")
    if line.is_set_aside:
        return FEW, _("Set aside"), _("Counts in no rate: two people set it aside.")
    if outcome.otif:
        on_day = {"limit": short_day(outcome.limit, today)}
        return OK, _("On time"), _("Counts as on time: enough had come by %(limit)s.") % on_day
    needed = (line.quantity - _cancelled(line)) * (1 - line.tol_under) - received
    if outcome.limit > today or (outcome.limit == today and needed > 0):
        return _say_waiting(line, outcome.due, outcome.limit, needed, today)
    if duedates.LATE_OR_SHORT not in outcome.reasons:
        return _say_missed(outcome.reasons[0])
    came = {
        "limit": short_day(outcome.limit, today),
        "had": percent(outcome.on_time_qty, outcome.qty_due),
        "need": percent(1 - line.tol_under, 1),
    }
    effect = _("Counts as late: %(had)s had come by %(limit)s, %(need)s was needed.") % came
    if line.closed_short_on and outcome.completed_on is None:
        return BREACH, _("Closed short"), effect
    return BREACH, days_late(outcome.days_late or 0), effect


def _say_waiting(line, due, limit, needed, today) -> tuple[str, str, str]:
    """The words for a line whose last day on time is still to come, or is today."""
    facts = {"limit": short_day(limit, today), "rest": amount(needed)}
    if needed <= 0:
        return OK, _("All received"), _("Will count as on time: enough came by %(limit)s.") % facts
    if line.closed_short_on:
        return WATCH, _("Closed short"), _("Will count as short after its last day on time, %(limit)s.") % facts
    effect = _("Not counted yet: %(rest)s more are needed by %(limit)s to count as on time.") % facts
    ahead = (due - today).days
    if ahead < 0:
        return WATCH, _("%(late)s, in grace") % {"late": days_late(-ahead)}, effect
    if ahead == 0:
        return WATCH, _("Due today"), effect
    return INFO, _("Due in %(days)s") % {"days": days(ahead)}, effect


def _say_missed(reason: str) -> tuple[str, str, str]:
    words = {
        duedates.SPLIT_NOT_ALLOWED: (_("Split"), _("Counts as a miss: the terms ask for one delivery.")),
        duedates.EARLY: (_("Too early"), _("Counts as a miss: it came before the first day that the terms allow.")),
        duedates.OVER: (_("Too many"), _("Counts as a miss: more came than the terms allow.")),
    }
    word, effect = words[reason]
    return BREACH, word, effect
