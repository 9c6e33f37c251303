"""Judges the demo factories as the past nights and months would have, and lets people deal with the breaches."""

import datetime

import pgtrigger
from django.db import connection, transaction

from accounts.models import User
from assessments import breaches, consequences, evaluations, windows
from assessments.demo import aftermath
from assessments.demo.people import PEOPLE
from assessments.models import Breach
from factories.models import Factory, StandingOverride

MONTHS = 15
WEEKLY_NIGHTS = 8  # one night a week before the daily ones: enough to see breaches come and go
DAILY_NIGHTS = 11
DEALT_WITH_DAYS = {"late_order": 9, "charge": 12, "critical_lot": 20}
REASONS = {
    "late_order": [
        "Arrived, penalty agreed and booked",
        "Arrived, talked it over with the planner",
        "Arrived, one-off, no claim",
    ],
    "charge": [
        "Deducted from the last invoice",
        "Debit note accepted by the factory",
        "Settled against the next order",
    ],
    "critical_lot": [
        "Lot sorted to the last unit, cause found, passed again",
        "Lot refused, replaced at the factory's cost",
    ],
}
NOTES = [
    "Spoke to the director. A second sewing line starts next week; I watch the next two lots.",
    "Asked for the root cause and a plan by Friday.",
    "Inspector stays on site until three lots in a row have passed.",
]

BLOCKED = "VN-012"
WHY_NEVERTHELESS = "The linen shirts are cut and on their tables; no other factory can finish them in time."


def judge(day: datetime.date, now: datetime.datetime) -> None:
    """Evaluates month ends, nights and the present of the demo factories as of `day`; sends no mail about the past."""
    factories = list(Factory.objects.filter(is_demo=True).values_list("pk", flat=True))
    yesterday = day - datetime.timedelta(days=1)
    steps = sorted(
        [(end, "month") for end in month_ends(yesterday)] + [(night, "night") for night in nights(yesterday)]
    )
    with transaction.atomic():
        for on, kind in steps:
            if kind == "month":
                evaluations.evaluate_month(on, factories)
            else:
                breaches.review(evaluations.evaluate_night(on, factories), on=on, night=True, quiet=True)
        breaches.review(evaluations.evaluate_live(now, factories), on=yesterday, quiet=True)
        consequences.apply(factories)
        _deal_with(day, factories)
        _date_back(factories)
        aftermath.follow(day, factories)


def month_ends(yesterday: datetime.date) -> list[datetime.date]:
    """The last days of the closed months, oldest first."""
    ends = [windows.closed_month(yesterday).last]
    while len(ends) < MONTHS:
        ends.append(ends[-1].replace(day=1) - datetime.timedelta(days=1))
    return ends[::-1]


def nights(yesterday: datetime.date) -> list[datetime.date]:
    """The nights to judge, oldest first: weekly ones, then every one of the last weeks."""
    daily = [yesterday - datetime.timedelta(days=ago) for ago in range(DAILY_NIGHTS)]
    weekly = [daily[-1] - datetime.timedelta(days=7 * week) for week in range(1, WEEKLY_NIGHTS + 1)]
    return sorted(daily + weekly)


def _deal_with(day: datetime.date, factories: list[int]) -> None:
    """What people did: events of some age are closed with a reason, and two rates are in somebody's hands."""
    people = {user.role: user for user in User.objects.filter(email__in=[person.email for person in PEOPLE])}
    buyer, manager = people.get("buyer"), people.get("manager")
    live = Breach.objects.live().filter(factory__in=factories).order_by("opened_on", "pk")
    for place, breach in enumerate(live.exclude(event=Breach.Event.RATE).select_related("factory", "latest", "order")):
        dealt_on = breach.opened_on + datetime.timedelta(days=DEALT_WITH_DAYS[breach.event] + place % 5)
        still_waiting = breach.event == "late_order" and breach.order.lines.open().exists()
        if dealt_on < day and not still_waiting:
            breaches.resolve(breach, buyer, REASONS[breach.event][place % len(REASONS[breach.event])], dealt_on)
    if manager:
        StandingOverride.objects.create(
            factory=Factory.objects.get(code=BLOCKED), granted_by=manager, reason=WHY_NEVERTHELESS,
            from_on=day - datetime.timedelta(days=9), until_on=day + datetime.timedelta(days=19),
        )  # fmt: skip
    for place, breach in enumerate(live.filter(event=Breach.Event.RATE, severity="breach")[:2]):
        on = max(breach.opened_on + datetime.timedelta(days=3), day - datetime.timedelta(days=11 - place))
        breaches.acknowledge(breach, manager, NOTES[place], min(on, day - datetime.timedelta(days=1)))


def _date_back(factories: list[int]) -> None:
    """Moments of the past follow their business days: all of it was written just now."""
    night, afternoon = "(s.on + 1 + time '02:10')", "(s.on + time '15:40')"
    with connection.cursor() as cursor, pgtrigger.ignore("assessments.BreachStep:append_only"):
        cursor.execute(
            "UPDATE assessments_breachstep s "
            f"SET at = LEAST(CASE WHEN s.by_id IS NULL THEN {night} ELSE {afternoon} END AT TIME ZONE 'UTC', s.at) "
            "FROM assessments_breach b WHERE b.id = s.breach_id AND b.factory_id = ANY(%s)",
            [factories],
        )
        for what in ("opened", "acknowledged", "resolved"):
            cursor.execute(
                f"UPDATE assessments_breach b SET {what}_at = s.at FROM assessments_breachstep s "
                f"WHERE s.breach_id = b.id AND s.what = '{what}' AND b.factory_id = ANY(%s)",
                [factories],
            )
