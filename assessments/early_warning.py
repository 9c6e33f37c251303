"""Warnings from single lots, before a rate of ninety days moves: which limits a chart needs, and a slow drift (SPC-2, SPC-3).

They stand beside the grade and never move it.
"""

from dataclasses import dataclass

from assessments import control

BASELINE_DAYS = 365
BASELINE_LOTS = 20
BIG_LOTS = 1000  # units inspected per lot on average; above any ordinary sample, where plain limits cry wolf


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a chart of lots, and whether they are stretched by the spread of the lots (SPC-2)."""

    p_bar: float | None
    ucl: tuple[float, ...]
    lcl: tuple[float, ...]
    out: tuple[int, ...]
    stretched: bool


def limits(lots: control.Lots) -> Limits:
    """Three-sigma limits of lots (defective, inspected) in order; Laney's where the lots are big and at least two."""
    units = sum(inspected for _, inspected in lots)
    if len(lots) > 1 and units >= BIG_LOTS * len(lots):
        wide = control.laney_chart(lots)
        return Limits(wide.p_bar, wide.ucl, wide.lcl, wide.out, stretched=True)
    plain = control.p_chart(lots)
    return Limits(plain.p_bar, plain.ucl, plain.lcl, plain.out, stretched=False)


def drifts(lots: control.Lots) -> bool:
    """Whether the last of a year's lots (defective, inspected, in order) drift upwards: the smoothed rate lies above its
    limit now (SPC-3). Never with fewer than 20 lots, or where none or all of the units are defective."""
    bad, units = sum(defective for defective, _ in lots), sum(inspected for _, inspected in lots)
    if len(lots) < BASELINE_LOTS or not 0 < bad < units:
        return False
    found = control.ewma(lots, bad / units)
    return found.ewma[-1] > found.limit[-1] + control.NOISE
