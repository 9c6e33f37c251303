"""When a breach opens, gets worse and is over: the state table for rates as one pure function.

Night evaluations advance everything; a live one may only open a breach or raise a watch to one. New evidence is a counted
record attributed later than the last one that counted, so bad lots that merely age out of the window are no recovery.
"""

import datetime
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy's numbers: nights of watch before one opens, clear nights before it resolves, and so on (days)."""

    on_delay_watch: int = 2
    off_delay_ok: int = 3
    clear_ratio: Fraction = Fraction(9, 10)
    reopen_days: int = 14
    stale_days: int = 90


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one key: `state` is None before the first breach of it."""

    state: str | None = None  # open, acknowledged, escalated, resolved, dismissed
    severity: str | None = None
    ok_streak: int = 0
    flaps: int = 0
    stepped_on: datetime.date | None = None
    evidence_on: datetime.date | None = None
    resolved_on: datetime.date | None = None

    @property
    def is_live(self) -> bool:
        return self.state in ("open", "acknowledged", "escalated")


@dataclass(frozen=True, slots=True)
class Seen:
    """One evaluation of one measure: status, badness and its ceiling, the day, and the last day with a counted record."""

    on: datetime.date
    status: str
    badness: Fraction | None
    ceiling: Fraction
    evidence_on: datetime.date | None
    is_night: bool
    watch_nights: int = 0  # nights in a row, this one included, on which the status was watch


def step(standing: Standing, seen: Seen, rules: Rules) -> tuple[Standing, str | None]:
    """The standing after one evaluation and what happened: opened, reopened, severity_up, resolved or None.

    The same night seen twice changes nothing.
    """
    if seen.is_night and standing.stepped_on is not None and seen.on <= standing.stepped_on:
        return standing, None
    if standing.is_live:
        return _live(standing, seen, rules)
    nights = seen.watch_nights
    if standing.resolved_on is not None:  # nights before it was over do not count again
        nights = min(nights, (seen.on - standing.resolved_on).days)
    opens = seen.status == "breach" or (seen.status == "watch" and seen.is_night and nights >= rules.on_delay_watch)
    if not opens:
        return standing, None
    again = (
        standing.state == "resolved"
        and standing.resolved_on is not None
        and (seen.on - standing.resolved_on).days <= rules.reopen_days
    )
    opened = Standing(
        state="open", severity=seen.status, flaps=standing.flaps + 1 if again else 0,
        stepped_on=seen.on if seen.is_night else standing.stepped_on, evidence_on=seen.evidence_on,
    )  # fmt: skip
    return opened, "reopened" if again else "opened"


def _live(standing: Standing, seen: Seen, rules: Rules) -> tuple[Standing, str | None]:
    if seen.status == "breach" and standing.severity == "watch":
        state = "open" if standing.state == "acknowledged" else standing.state
        raised = replace(standing, severity="breach", state=state, ok_streak=0)
        return (_counted(raised, seen) if seen.is_night else raised), "severity_up"
    if not seen.is_night:
        return standing, None
    if seen.status == "no_data" or seen.badness is None:
        since = max(filter(None, (standing.evidence_on, seen.evidence_on)), default=standing.stepped_on)
        if since is not None and (seen.on - since).days >= rules.stale_days:
            return replace(standing, state="resolved", resolved_on=seen.on, stepped_on=seen.on), "resolved"
        return replace(standing, stepped_on=seen.on), None
    if seen.status != "ok":
        return _counted(replace(standing, ok_streak=0), seen), None
    new_evidence = seen.evidence_on is not None and (
        standing.evidence_on is None or seen.evidence_on > standing.evidence_on
    )
    if not new_evidence:
        return replace(standing, stepped_on=seen.on), None
    if seen.badness > rules.clear_ratio * seen.ceiling:
        return _counted(standing, seen), None  # these records are known now: the next clear night needs others
    cleared = _counted(replace(standing, ok_streak=standing.ok_streak + 1), seen)
    if cleared.ok_streak < rules.off_delay_ok:
        return cleared, None
    return replace(cleared, state="resolved", resolved_on=seen.on), "resolved"


def _counted(standing: Standing, seen: Seen) -> Standing:
    later = max(filter(None, (standing.evidence_on, seen.evidence_on)), default=None)
    return replace(standing, stepped_on=seen.on, evidence_on=later)
