"""The grade that a closed month publishes, from its own outcome and the months before it."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from assessments import grading
from assessments.models import Policy

HISTORY = datetime.timedelta(days=200)  # the months that a published grade may hang on


def latest(months: dict[datetime.date, dict[str, Any]], before: datetime.date) -> list[dict[str, Any]]:
    """The months that ended before a day, latest first."""
    return [months[day] for day in sorted(months, reverse=True) if before - HISTORY <= day < before]


class Outcome(Protocol):
    """What a publication looks at: the score, the grade after the caps, whether a cap lowered it, and all caps."""

    @property
    def score(self) -> Decimal | None: ...
    @property
    def raw(self) -> str: ...
    @property
    def gated(self) -> bool: ...
    @property
    def caps(self) -> Sequence[str]: ...


def publication(judged: Outcome, policy: Policy, before: Sequence[dict[str, Any]]) -> tuple[str, bool]:
    """The grade to publish, and whether it is carried; `before` holds the earlier months, latest first (SCO-6, SCO-9)."""
    last = before[0] if before else None
    previous = last["published_grade"] if last and last["published_grade"] else None
    if judged.score is None:
        carries = 0
        for row in before:
            if not row["is_carried"]:
                break
            carries += 1
        step = grading.carry(previous, carries, policy.carry_max)
    else:
        bands = {grading.FAILING: Decimal(0), grading.PASSING: policy.passing_from, grading.GOOD: policy.good_from,
                 grading.EXCELLENT: policy.excellent_from}  # fmt: skip
        # A cap that the raw grade keeps to anyhow still forbids to hold a better one.
        is_capped = judged.gated or grading.is_above(previous, judged.caps)
        step = grading.publish(
            previous, judged.raw, judged.score, is_capped, last["raw_grade"] if last else None,
            policy.hysteresis_margin, bands,
        )  # fmt: skip
    return step.published, step.carried
