"""What the scheduled jobs do, told the moment: safe to run late, twice, in parallel, or after days of silence."""

import datetime
from collections.abc import Callable, Sized

from django.db import connection, transaction

from assessments import breaches, evaluations, messages, verification, windows
from assessments.models import Evaluation, JobSlot
from notifications.models import Heartbeat
from production import rollups

NIGHTS_BACK = 7
MONTHS_BACK = 12


def assess(now: datetime.datetime) -> int:
    """Works out what was touched, judges the factories concerned, reviews their breaches; the number of marks taken.

    One transaction: a worker that is killed leaves every mark in place, and no evaluation without its breach and mail.
    """
    with transaction.atomic():
        done = rollups.rebuild()
        waiting = _take_waiting()
        if waiting:
            factories = sorted(waiting)
            ids = evaluations.evaluate_live(now, factories)
            breaches.review(ids, on=local_today(now) - datetime.timedelta(days=1), now=now)
            evaluations.evaluate_again(factories, min(waiting.values()), evaluations.organisation_yesterday(now))
        Heartbeat.objects.beat(Heartbeat.EVALUATOR)
    return done.marks


def _take_waiting() -> dict[int, datetime.date]:
    """The factories that wait to be judged, each with the first day whose sums changed; they wait no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH gone AS (DELETE FROM production_tojudge RETURNING factory_id, first_on) "
            "SELECT factory_id, min(first_on) FROM gone GROUP BY factory_id"
        )
        return dict(cursor.fetchall())


def local_today(now: datetime.datetime) -> datetime.date:
    """The organisation's current day."""
    return evaluations.organisation_yesterday(now) + datetime.timedelta(days=1)


def night(now: datetime.datetime) -> list[str]:
    """Judges every closed day and month that has not been judged yet; the names of the slots it did.

    After a silence it catches up: one night per missed day of the last week, and every missed month of the last year.
    """
    yesterday = evaluations.organisation_yesterday(now)
    with transaction.atomic():
        rollups.rebuild()
    did = []
    for last_day in _months_to_do(yesterday):
        did += _once("month", f"{last_day:%Y-%m}", lambda last_day=last_day: evaluations.evaluate_month(last_day))
    for day in _nights_to_do(yesterday):
        did += _once("night", day.isoformat(), lambda day=day: _one_night(day, now))
    did += _once("verify", yesterday.isoformat(), lambda: _verify(yesterday))
    return did


def _verify(day: datetime.date) -> list[str]:
    problems = verification.verify_night(day)
    if problems:
        messages.alarm(day, problems)
    return problems


def _one_night(day: datetime.date, now: datetime.datetime) -> list[int]:
    ids = evaluations.evaluate_night(day)
    breaches.review(ids, on=day, night=True, now=now)
    return ids


def _months_to_do(yesterday: datetime.date) -> list[datetime.date]:
    """Last days of the closed months to judge: those since the last one judged, or only the last one on a new system."""
    last = windows.closed_month(yesterday).last
    newest = (
        JobSlot.objects.filter(job="month", finished_at__isnull=False)
        .order_by("-slot")
        .values_list("slot", flat=True)
        .first()
    )
    months = [last]
    while newest and len(months) < MONTHS_BACK and f"{months[0]:%Y-%m}" > newest:
        months.insert(0, months[0].replace(day=1) - datetime.timedelta(days=1))
    return months


def _nights_to_do(yesterday: datetime.date) -> list[datetime.date]:
    newest = (
        JobSlot.objects.filter(job="night", finished_at__isnull=False)
        .order_by("-slot")
        .values_list("slot", flat=True)
        .first()
    )
    if newest is None:
        return [yesterday]
    first = max(
        datetime.date.fromisoformat(newest) + datetime.timedelta(days=1),
        yesterday - datetime.timedelta(days=NIGHTS_BACK - 1),
    )
    return [first + datetime.timedelta(days=n) for n in range((yesterday - first).days + 1)]


def _once(job: str, slot: str, work: Callable[[], Sized]) -> list[str]:
    """Does the work of one slot in the transaction that claims it; nothing if it was done or is being done."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO assessments_jobslot (job, slot, started_at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING RETURNING id",
            [job, slot],
        )
        claimed = cursor.fetchone()
        if claimed is None:
            return []
        rows = len(work())
        cursor.execute(
            "UPDATE assessments_jobslot SET finished_at = clock_timestamp(), rows = %s WHERE id = %s",
            [rows, claimed[0]],
        )
    return [f"{job} {slot}"]


def judge_day(
    day: datetime.date, factories: list[int] | None = None, months: int = 0, quiet: bool = False
) -> dict[str, int]:
    """Judges a closed day as the night job would, after `months` closed months before it; counts of what is new."""
    with transaction.atomic():
        rollups.rebuild()
        made = {"month": 0, "night": 0, "breaches": 0}
        ends: list[datetime.date] = []
        last = windows.closed_month(day).last
        for _ in range(months):
            ends.insert(0, last)
            last = last.replace(day=1) - datetime.timedelta(days=1)
        for end in ends:
            made["month"] += len(evaluations.evaluate_month(end, factories))
        ids = evaluations.evaluate_night(day, factories)
        made["night"] = len(ids)
        made["breaches"] = len(breaches.review(ids, on=day, night=True, quiet=quiet))
    return made


def newest_evaluation_at() -> datetime.datetime | None:
    """When anything was last judged; pages show it as "data as of"."""
    return Evaluation.objects.order_by("-id").values_list("computed_at", flat=True).first()
