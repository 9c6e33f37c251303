"""Control charts and trends: early warnings beside the grade, never part of it (SPC-1 to SPC-6). Floats throughout."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erfc, sqrt

from assessments.intervals import Z90
from production.errors import BadInput
from production.sampling import check_counts

NOISE = 1e-12  # two floats closer than this are the same point
UP, DOWN, FLAT = "up", "down", "flat"

Lots = Sequence[tuple[int, int]]  # defective, inspected, in inspection order


@dataclass(frozen=True, slots=True)
class PChart:
    """Three-sigma limits per lot around the pooled rate, and the places (from 0) of the lots outside (SPC-1)."""

    p_bar: float | None
    ucl: tuple[float, ...]
    lcl: tuple[float, ...]
    out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LaneyChart:
    """The p-chart with limits stretched by `sigma_z`, the spread of the lots beyond chance (SPC-2).

    `sigma_z` needs two lots; without it there are no limits.
    """

    p_bar: float | None
    sigma_z: float | None
    ucl_p: tuple[float, ...]
    ucl: tuple[float, ...]
    lcl: tuple[float, ...]
    out_p: tuple[int, ...]
    out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ewma:
    """Smoothed standardised rates with their limits; `signal_at` and `pchart_signal_at` are places from 0 (SPC-3)."""

    z: tuple[float, ...]
    ewma: tuple[float, ...]
    limit: tuple[float, ...]
    signal_at: int | None
    pchart_signal_at: int | None


@dataclass(frozen=True, slots=True)
class Cusum:
    cusum: tuple[float, ...]
    signal_at: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """`z` of the difference between two windows (None if one is empty), and the arrow: up means a higher rate."""

    z: float | None
    arrow: str


@dataclass(frozen=True, slots=True)
class MannKendall:
    s: int
    var: float
    z: float
    p_two_sided: float


def p_chart(lots: Lots) -> PChart:
    """The p-chart of lots (SPC-1). BadInput for impossible counts or a lot without inspected units."""
    rates, p_bar, sigmas = _rates(lots)
    ucl, lcl = _limits(p_bar, sigmas, 1.0)
    return PChart(p_bar if lots else None, ucl, lcl, _outside(rates, ucl, lcl))


def least_units(p_bar: float) -> int:
    """How many units a lot needs on a p-chart around a mean of `p_bar`, a share: 50, 100 or 200 (SPC-1).

    Below it the three-sigma limits do not hold: the fewer bad units are to be expected, the larger the lot has to be.
    """
    if not 0 <= p_bar <= 1:
        raise BadInput("A mean lies between 0 and 1.", "p_bar")
    return 50 if p_bar >= 0.10 else 100 if p_bar >= 0.02 else 200


def laney_chart(lots: Lots) -> LaneyChart:
    """Laney's p' chart (SPC-2), for lots so large that the plain limits cry wolf."""
    rates, p_bar, sigmas = _rates(lots)
    plain_ucl, plain_lcl = _limits(p_bar, sigmas, 1.0)
    z = [(rate - p_bar) / sigma if sigma else 0.0 for rate, sigma in zip(rates, sigmas, strict=True)]
    moves = [abs(after - before) for before, after in pairwise(z)]
    out_p = _outside(rates, plain_ucl, plain_lcl)
    if not moves:
        return LaneyChart(p_bar if lots else None, None, plain_ucl, (), (), out_p, ())
    sigma_z = sum(moves) / len(moves) / 1.128
    ucl, lcl = _limits(p_bar, sigmas, sigma_z)
    return LaneyChart(p_bar, sigma_z, plain_ucl, ucl, lcl, out_p, _outside(rates, ucl, lcl))


def ewma(lots: Lots, p0: float, lam: float = 0.2, width: float = 3.0) -> Ewma:
    """Exponentially weighted average of the lots against the factory's own baseline `p0`, upper side only (SPC-3)."""
    if not 0 < lam <= 1 or width <= 0:
        raise BadInput("The smoothing lies above 0 and at most at 1, the width above 0.", "lam")
    z = _standardised(lots, p0)
    levels, limits, level = [], [], 0.0
    for place, point in enumerate(z, 1):
        level = lam * point + (1 - lam) * level
        levels.append(level)
        limits.append(width * sqrt(lam / (2 - lam) * (1 - (1 - lam) ** (2 * place))))
    signal = next((place for place, top in enumerate(limits) if levels[place] > top + NOISE), None)
    alone = next((place for place, point in enumerate(z) if point > 3 + NOISE), None)
    return Ewma(tuple(z), tuple(levels), tuple(limits), signal, alone)


def cusum(lots: Lots, p0: float, k: float = 0.5, h: float = 5.0) -> Cusum:
    """The one-sided cumulative sum of standardised rates above `p0`, with allowance `k` and limit `h` (SPC-4)."""
    sums, level = [], 0.0
    for point in _standardised(lots, p0):
        level = max(0.0, level + point - k)
        sums.append(level)
    return Cusum(tuple(sums), next((place for place, level in enumerate(sums) if level > h + NOISE), None))


def trend(current: tuple[int, int], previous: tuple[int, int], z_crit: float = Z90) -> Trend:
    """Whether the bad share of two windows (bad, total) really differs: pooled two-proportion z (SPC-5)."""
    (bad, total), (bad_before, total_before) = current, previous
    check_counts(total, bad)
    check_counts(total_before, bad_before)
    if not total or not total_before:
        return Trend(None, FLAT)
    pooled = (bad + bad_before) / (total + total_before)
    variance = pooled * (1 - pooled) * (1 / total + 1 / total_before)
    z = (bad / total - bad_before / total_before) / sqrt(variance) if variance > 0 else 0.0
    return Trend(z, FLAT if abs(z) < z_crit else UP if z > 0 else DOWN)


def mann_kendall(series: Sequence[float]) -> MannKendall:
    """The Mann-Kendall trend test, with ties and continuity corrected (SPC-6)."""
    s = sum((after > before) - (after < before) for place, before in enumerate(series) for after in series[place + 1 :])
    n = len(series)
    ties = sum(count * (count - 1) * (2 * count + 5) for count in Counter(series).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    z = (s - (s > 0) + (s < 0)) / sqrt(variance) if variance > 0 else 0.0
    return MannKendall(s, variance, z, erfc(abs(z) / sqrt(2)))


def _rates(lots: Lots) -> tuple[list[float], float, list[float]]:
    """Rate of each lot, pooled rate, and the standard error of each lot's rate at the pooled one."""
    for defective, inspected in lots:
        _check(defective, inspected)
    total = sum(inspected for _, inspected in lots)
    p_bar = sum(defective for defective, _ in lots) / total if total else 0.0
    sigmas = [sqrt(p_bar * (1 - p_bar) / inspected) for _, inspected in lots]
    return [defective / inspected for defective, inspected in lots], p_bar, sigmas


def _limits(p_bar: float, sigmas: Sequence[float], stretch: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    upper = tuple(min(1.0, p_bar + 3 * stretch * sigma) for sigma in sigmas)
    lower = tuple(max(0.0, p_bar - 3 * stretch * sigma) for sigma in sigmas)
    return upper, lower


def _outside(rates: Sequence[float], ucl: Sequence[float], lcl: Sequence[float]) -> tuple[int, ...]:
    points = enumerate(zip(rates, ucl, lcl, strict=True))
    return tuple(place for place, (rate, top, floor) in points if rate > top + NOISE or rate < floor - NOISE)


def _standardised(lots: Lots, p0: float) -> list[float]:
    if not 0 < p0 < 1:
        raise BadInput("A baseline lies between 0 and 1.", "p0")
    for defective, inspected in lots:
        _check(defective, inspected)
    return [(defective / inspected - p0) / sqrt(p0 * (1 - p0) / inspected) for defective, inspected in lots]


def _check(defective: int, inspected: int) -> None:
    check_counts(inspected, defective)
    if not inspected:
        raise BadInput("A lot on a chart has inspected units.", "lots")
