"""Who watches the watchers: is mail going out, and do the jobs run?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from notifications.models import Heartbeat, Message

LATE_AFTER = timedelta(minutes=15)
KEPT = 60  # seconds
SILENT_AFTER = timedelta(minutes=5)
JOBS = (Heartbeat.EVALUATOR, Heartbeat.SENDER)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the check that found it, and a sentence for the banner. `since` is None for never."""

    check: str
    sentence: str
    since: datetime | None


def findings(oldest_due_at: datetime | None, beats: Mapping[str, datetime], now: datetime) -> list[Finding]:
    """What is wrong at `now`, given when the oldest owed message was due and when each job last ran."""
    found = []
    if oldest_due_at is not None and now - oldest_due_at > LATE_AFTER:
        minutes = int((now - oldest_due_at).total_seconds() // 60)
        found.append(Finding("outbox", f"A message has been waiting to be sent for {minutes} minutes.", oldest_due_at))
    for job in JOBS:
        last = beats.get(job)
        if last is None:
            found.append(Finding(job, f"The {job} has never run.", None))
        elif now - last > SILENT_AFTER:
            minutes = int((now - last).total_seconds() // 60)
            found.append(Finding(job, f"The {job} has not run for {minutes} minutes.", last))
    return found


def current_findings() -> list[Finding]:
    """What is wrong now, by the database's clock. Three small queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    oldest = Message.objects.oldest_owed()
    beats = dict(Heartbeat.objects.filter(name__in=JOBS).values_list("name", "at"))
    return findings(oldest.due_at if oldest else None, beats, now)


def kept_sentences() -> list[str]:
    """What the banner says, asked of the database once a minute; every page of a manager shows it."""
    try:
        sentences = cache.get("health")
        if sentences is None:
            sentences = [finding.sentence for finding in current_findings()]
            cache.set("health", sentences, KEPT)
        return list(sentences)
    except RedisError:
        return [finding.sentence for finding in current_findings()]
