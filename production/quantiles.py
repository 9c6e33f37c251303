"""How long lines take: nearest ranks, open lines censored, daily histograms merged (OTD-17, OTD-18, ROL-5, ROL-6)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil

from production.errors import BadInput
from production.rollup_sums import Number


@dataclass(frozen=True, slots=True)
class Observed:
    """One line: its days from confirmation to completion, or its age in days while it is open."""

    days: int
    completed: bool


@dataclass(frozen=True, slots=True)
class Cycle:
    """The delivery cycle of a window in days; all None without completed lines (OTD-17)."""

    p50: int | None
    p80: int | None
    p90: int | None
    mean: Fraction | None
    max: int | None


@dataclass(frozen=True, slots=True)
class OpenDelay:
    """Open lines as two additive sums, and their days late in total (ROL-5)."""

    open_count: int
    due_ordinal_sum: int
    total_days_late: int


def nearest_rank(values: Iterable[int], q: Number) -> int | None:
    """The smallest value with a share `q` of all values or more at or below it (SQL percentile_disc); None if empty."""
    return histogram_quantile(Counter(values), q)


def cycle(lead_days: Sequence[int]) -> Cycle:
    """Quantiles, mean and maximum of the days that completed lines took (OTD-17)."""
    return histogram_cycle(Counter(lead_days))


def histogram_cycle(counts: Mapping[int, int]) -> Cycle:
    """The same from a histogram of days -> lines."""
    total = sum(counts.values())
    return Cycle(
        p50=histogram_quantile(counts, Fraction(1, 2)),
        p80=histogram_quantile(counts, Fraction(4, 5)),
        p90=histogram_quantile(counts, Fraction(9, 10)),
        mean=Fraction(sum(days * count for days, count in counts.items()), total) if total else None,
        max=max((days for days, count in counts.items() if count), default=None),
    )


def merge_histograms(histograms: Iterable[Mapping[int, int]]) -> Counter[int]:
    """One histogram of days -> lines from those of many days; nothing is lost by merging (ROL-6)."""
    merged: Counter[int] = Counter()
    for histogram in histograms:
        for days, count in histogram.items():
            if count < 0:
                raise BadInput("A histogram cannot hold a negative number of lines.", "histogram")
            merged[days] += count
    return merged


def histogram_quantile(counts: Mapping[int, int], q: Number) -> int | None:
    """The nearest-rank quantile of a histogram, 0 < q <= 1; None when it is empty (ROL-6)."""
    rank = max(1, ceil(_quantile(q) * sum(counts.values())))
    for days in sorted(counts):
        rank -= counts[days]
        if counts[days] and rank <= 0:
            return days
    return None


def kaplan_meier(observations: Iterable[Observed], q: Number) -> int | None:
    """The day by which a share `q` of all lines is complete, open ones censored at their age (OTD-18).

    The smallest completion day t with S(t) <= 1 - q, exactly; None while that is not reached. Lines open at the age at
    which others completed still count as waiting on that day.
    """
    rest = 1 - _quantile(q)
    done: Counter[int] = Counter()
    left: Counter[int] = Counter()
    for observation in observations:
        left[observation.days] += 1
        done[observation.days] += observation.completed
    waiting, survival = sum(left.values()), Fraction(1)
    for days in sorted(left):
        if done[days]:
            survival *= Fraction(waiting - done[days], waiting)
            if survival <= rest:
                return days
        waiting -= left[days]
    return None


def open_delay(due_dates: Sequence[date], as_of: date) -> OpenDelay:
    """Days late of open lines from sums that never change with the day: as_of x count - sum of due ordinals (ROL-5)."""
    ordinals = sum(due.toordinal() for due in due_dates)
    return OpenDelay(len(due_dates), ordinals, as_of.toordinal() * len(due_dates) - ordinals)


def _quantile(q: Number) -> Fraction:
    exact = Fraction(q)
    if not 0 < exact <= 1:
        raise BadInput("A quantile lies above 0 and at most at 1.", "q")
    return exact
