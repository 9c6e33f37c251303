"""Warnings from single lots, before a rate of ninety days moves: which limits a chart needs, and a slow drift (SPC-1 to SPC-4).

They stand beside the grade and never move it.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assessments import control

BASELINE_DAYS = 365
BASELINE_LOTS = 20
BIG_LOTS = 1000  # units inspected per lot on average; above any ordinary sample, where plain limits cry wolf


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a chart of lots, and whether they are stretched by the spread of the lots (SPC-2).

    The lots at `small` have fewer than `least` units: they have no limits, None, and are never outside (SPC-1).
    """

    p_bar: float | None
    ucl: tuple[float | None, ...]
    lcl: tuple[float | None, ...]
    out: tuple[int, ...]
    stretched: bool
    least: int = 0
    small: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """The lots from the place `since` on against the factory's own baseline `p0`: smoothed, and as cumulative sums."""

    p0: float
    since: int
    ewma: control.Ewma
    cusum: control.Cusum

    @property
    def is_on(self) -> bool:
        """Whether the smoothed rate lies above its limit now."""
        return self.ewma.ewma[-1] > self.ewma.limit[-1] + control.NOISE

    @property
    def signals_at(self) -> int | None:
        """The place of the lot with which the present signal began, else that of the first one; None without any."""
        above = [level > limit + control.NOISE for level, limit in zip(self.ewma.ewma, self.ewma.limit, strict=True)]
        if not above[-1]:
            return None if self.ewma.signal_at is None else self.since + self.ewma.signal_at
        begun = next((place for place in range(len(above) - 1, -1, -1) if not above[place]), -1)
        return self.since + begun + 1


def limits(lots: control.Lots) -> Limits:
    """Three-sigma limits of lots (defective, inspected) in order; Laney's where the lots are big and at least two.

    Lots too small for such limits have none.
    """
    units = sum(inspected for _, inspected in lots)
    stretched = len(lots) > 1 and units >= BIG_LOTS * len(lots)
    chart = control.laney_chart(lots) if stretched else control.p_chart(lots)
    if chart.p_bar is None:
        return Limits(None, chart.ucl, chart.lcl, chart.out, stretched)
    least = control.least_units(chart.p_bar)
    small = {place for place, (_, inspected) in enumerate(lots) if inspected < least}
    return Limits(
        chart.p_bar,
        tuple(None if place in small else limit for place, limit in enumerate(chart.ucl)),
        tuple(None if place in small else limit for place, limit in enumerate(chart.lcl)),
        tuple(place for place in chart.out if place not in small),
        stretched,
        least,
        tuple(sorted(small)),
    )


def restart(days: Sequence[datetime.date], corrected_on: Iterable[datetime.date] | None) -> int:
    """The place of the first lot after the last confirmed change of the process; 0 without one (SPC-3).

    `days` are those of the lots, in order. A change after the last lot leaves none.
    """
    last = max(corrected_on or (), default=None)
    if last is None:
        return 0
    return next((place for place, day in enumerate(days) if day >= last), len(days))


def baseline(lots: control.Lots, since: int = 0) -> float | None:
    """The rate to measure a year's lots against: that of the lots since the restart once they are 20, else of all (SPC-3).

    None with fewer than 20 lots, or where none or all of the units are defective.
    """
    chosen = lots[since:] if len(lots) - since >= BASELINE_LOTS else lots
    bad, units = sum(defective for defective, _ in chosen), sum(inspected for _, inspected in chosen)
    return bad / units if len(chosen) >= BASELINE_LOTS and 0 < bad < units else None


def drift(lots: control.Lots, since: int = 0) -> Drift | None:
    """How a year's lots (defective, inspected, in order) move from the place `since` on; None without lots or baseline."""
    p0, chosen = baseline(lots, since), lots[since:]
    if p0 is None or not chosen:
        return None
    return Drift(p0, since, control.ewma(chosen, p0), control.cusum(chosen, p0))
