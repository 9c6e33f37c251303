"""What the scheduled jobs do, told the moment: safe to run late, twice, in parallel, or after days of silence.

The sums are worked out by one worker at a time: that is set-based and fast. Judging takes most of the time and splits by
factory over any number of workers: whoever judges a factory holds its row, so nobody else judges it meanwhile.
"""

import datetime
from collections.abc import Callable, Iterable, Sized

from django.db import connection, transaction

from assessments import breaches, disputes, evaluations, messages, verification, windows
from assessments.models import Evaluation, JobSlot
from notifications.models import Heartbeat
from production import late_risk, plan_outcomes, rollups

NIGHTS_BACK = 7
MONTHS_BACK = 12
PARTS = 4  # how many workers can judge one night or one month at the same time
JUDGED_AT_ONCE = 64  # factories that the minute job judges in one transaction
CATEGORIES_AT_ONCE = 3  # whose past plans one ring counts
PART_LOCK = 0x6E6967  # "nig"; the second number of the lock is the part
CallHelp = Callable[[int], None]


def assess(now: datetime.datetime, call_help: CallHelp | None = None) -> int:
    """Works out what was touched, judges the factories concerned, reviews their breaches; the number of marks taken.

    First the sums, in one transaction with the marks they came from, which leaves a note of each factory to be judged.
    Then some factories at a time: no note is gone without the evaluation, its breach and its mail. `call_help` is told
    how many more workers would find something to do.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # A crash may undo this commit, but only whole, marks and sums alike; so it need not wait for the disk.
        cursor.execute("SET LOCAL synchronous_commit TO off")
        done = rollups.rebuild()
        disputes.settle()
    plan_outcomes.rebuild()
    if call_help and len(done.days) > JUDGED_AT_ONCE:
        call_help(min(PARTS, -(-len(done.days) // JUDGED_AT_ONCE)) - 1)
    while _judge_some(now):
        pass
    return done.marks


def _judge_some(now: datetime.datetime) -> bool:
    """Judges some factories that wait and that nobody else has in hand; whether there may be more of them."""
    with transaction.atomic():
        taken = _take_waiting()
        waiting = _changed_days(taken)
        if waiting:
            breaches.review_made(
                evaluations.evaluate_changed(now, waiting), evaluations.organisation_yesterday(now), now=now
            )
        Heartbeat.objects.beat(Heartbeat.EVALUATOR)
    return len(taken) == JUDGED_AT_ONCE


def _take_waiting() -> list[int]:
    """Factories that wait to be judged and are ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM factories_factory WHERE id IN (SELECT factory_id FROM production_tojudge) "
            "ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [JUDGED_AT_ONCE],
        )
        return [row[0] for row in cursor.fetchall()]


def _changed_days(taken: list[int]) -> dict[int, rollups.Span]:
    """The first and the last day whose sums changed, per factory of ours; they wait no more.

    A statement of its own: it sees every note that was committed before the factory became ours.
    """
    if not taken:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH gone AS (DELETE FROM production_tojudge WHERE factory_id = ANY(%s) RETURNING factory_id, first_on, last_on) "
            "SELECT factory_id, min(first_on), max(last_on) FROM gone GROUP BY factory_id",
            [taken],
        )
        return {factory: (first, last) for factory, first, last in cursor.fetchall()}


def _hold(where: str = "TRUE", values: Iterable[object] = ()) -> list[int]:
    """Waits until nobody judges the chosen factories, and keeps others from it until the transaction ends; their ids."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM factories_factory WHERE {where} ORDER BY id FOR NO KEY UPDATE", list(values))
        return [row[0] for row in cursor.fetchall()]


def local_today(now: datetime.datetime) -> datetime.date:
    """The organisation's current day."""
    return evaluations.organisation_yesterday(now) + datetime.timedelta(days=1)


def night(now: datetime.datetime, call_help: CallHelp | None = None) -> list[str]:
    """Judges every closed day and month that has not been judged yet; the names of the slots it closed.

    After a silence it catches up: one night per missed day of the last week, and every missed month of the last year.
    Each part of the factories is judged by whoever comes first; the worker that finds all parts judged closes the slot.
    """
    yesterday = evaluations.organisation_yesterday(now)
    with transaction.atomic():
        rollups.rebuild()
    due = [("month", day) for day in _months_to_do(yesterday)] + [("night", day) for day in _nights_to_do(yesterday)]
    if due and call_help:
        call_help(PARTS - 1)
    for part in range(PARTS):
        for job, day in due:
            if not _judge_part(job, day, part):
                break  # somebody else is at it, and goes on
    did = []
    for job, day in due:
        if not _all_parts_judged(job, day):
            return did
        did += _once(job, _slot(job, day), lambda job=job, day=day: _close(job, day, now))
    return (
        did + _once("verify", yesterday.isoformat(), lambda: _verify(yesterday)) + _count_past_plans(local_today(now))
    )


def _count_past_plans(today: datetime.date) -> list[str]:
    """Once a day of each category, each in a transaction of its own, and a few at each ring: many would take too long."""
    done = set(
        JobSlot.objects.filter(job="past plans", slot__startswith=today.isoformat()).values_list("slot", flat=True)
    )
    did: list[str] = []
    for category in late_risk.categories():
        slot = f"{today.isoformat()} {category}"
        if slot not in done and len(did) < CATEGORIES_AT_ONCE:
            did += _once("past plans", slot, lambda category=category: [late_risk.keep(category, today)])
    return did


def _judge_part(job: str, day: datetime.date, part: int) -> bool:
    """Judges one part of the factories on a closed day or month; False if another worker has that part in hand."""
    judge = evaluations.evaluate_month if job == "month" else evaluations.evaluate_night
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [PART_LOCK, part])
        if not cursor.fetchone()[0]:
            return False
        _once(f"{job} part", f"{_slot(job, day)} {part}", lambda: judge(day, _hold("mod(id, %s) = %s", [PARTS, part])))
    return True


def _all_parts_judged(job: str, day: datetime.date) -> bool:
    slots = [f"{_slot(job, day)} {part}" for part in range(PARTS)]
    return JobSlot.objects.filter(job=f"{job} part", slot__in=slots).count() == PARTS


def _close(job: str, day: datetime.date, now: datetime.datetime) -> list[int]:
    """Reviews the breaches of a judged night, all at once: who watches many factories gets one list."""
    if job == "night":
        _hold()
    ids = list(
        Evaluation.objects.filter(kind=job, as_of=day)
        .order_by("factory_id", "category_id", "-revision")
        .distinct("factory_id", "category_id")
        .values_list("id", flat=True)
    )
    if job == "night":
        breaches.review(ids, on=day, night=True, now=now)
    return ids


def _verify(day: datetime.date) -> list[str]:
    problems = verification.verify_night(day)
    if problems:
        messages.alarm(day, problems)
    return problems


def _slot(job: str, day: datetime.date) -> str:
    return f"{day:%Y-%m}" if job == "month" else day.isoformat()


def _months_to_do(yesterday: datetime.date) -> list[datetime.date]:
    """Last days of the closed months to judge: those since the last one judged, or only the last one on a new system."""
    last = windows.closed_month(yesterday).last
    newest = _newest_slot("month")
    if newest == _slot("month", last):
        return []
    months = [last]
    while newest and len(months) < MONTHS_BACK and _slot("month", months[0]) > newest:
        months.insert(0, months[0].replace(day=1) - datetime.timedelta(days=1))
    return [month for month in months if newest is None or _slot("month", month) > newest]


def _nights_to_do(yesterday: datetime.date) -> list[datetime.date]:
    newest = _newest_slot("night")
    if newest is None:
        return [yesterday]
    first = max(
        datetime.date.fromisoformat(newest) + datetime.timedelta(days=1),
        yesterday - datetime.timedelta(days=NIGHTS_BACK - 1),
    )
    return [first + datetime.timedelta(days=n) for n in range((yesterday - first).days + 1)]


def _newest_slot(job: str) -> str | None:
    done = JobSlot.objects.filter(job=job, finished_at__isnull=False)
    return done.order_by("-slot").values_list("slot", flat=True).first()


def _once(job: str, slot: str, work: Callable[[], Sized]) -> list[str]:
    """Does the work of one slot in the transaction that claims it; nothing if it was done or is being done."""
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
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
        _hold() if factories is None else _hold("id = ANY(%s)", [factories])
        made = {"month": 0, "night": 0, "breaches": 0}
        ends: list[datetime.date] = []
        last = windows.closed_month(day).last
        for _ in range(months):
            ends.insert(0, last)
            last = last.replace(day=1) - datetime.timedelta(days=1)
        made["month"] = len(evaluations.evaluate_months(ends, factories))
        ids = evaluations.evaluate_night(day, factories)
        made["night"] = len(ids)
        made["breaches"] = len(breaches.review(ids, on=day, night=True, quiet=quiet))
    return made
