"""The grade that today's numbers point to by the rules of a month, and what would lift it (SCO-6, SCO-7).

Arithmetic over stored sums: everything is judged again by the rule that judges a month, nothing is estimated.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

from assessments import grading, measures
from assessments.judgement import Judged, judge
from assessments.models import Policy
from assessments.publication import publication
from factories.models import Category

MOST_LINES = 50
MOST_UNITS = 2000

Sums = Mapping[str, Any]  # the stored form of a window's sums


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a month would judge if it closed today.

    `windows`: the sums of the usual window and, where it holds too little, of the longer one. `gating`: measures with
    a confirmed breach in a category of its own. `before`: the earlier months, latest first, as they were published.
    """

    windows: tuple[Sums, ...]
    policy: Policy
    category: Category
    as_of: datetime.date
    supplied: bool
    gating: tuple[str, ...] = ()
    before: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Projected:
    """The grade that would be published; `carried` with too few data, `held` where hysteresis keeps the grade before."""

    grade: str
    carried: bool
    judged: Judged

    @property
    def held(self) -> bool:
        return self.judged.score is not None and self.grade != self.judged.raw


@dataclass(frozen=True, slots=True)
class Step:
    """The smallest number of good lines or units that lifts the projected grade, and the grade it becomes."""

    count: int
    grade: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """The projected grade and what lifts it: the next `lines` on time in full, or the next `units` without a defect.

    Both None: neither does within 50 lines or 2,000 units. `best` is then what both together would give.
    """

    now: Projected
    lines: Step | None
    units: Step | None
    best: Projected


def project(basis: Basis) -> Projected:
    """The grade of a month that closed today."""
    judged = _judged(basis)
    grade, carried = publication(judged, basis.policy, list(basis.before))
    return Projected(grade, carried, judged)


def more_lines(basis: Basis, count: int) -> Basis:
    """The same factory after `count` more order lines, each on time and in full."""
    return _more(basis, ("lines", "otif", "otd"), count)


def more_units(basis: Basis, count: int) -> Basis:
    """The same factory after `count` more inspected units without a defect, in lots that were begun already."""
    return _more(basis, ("units_inspected",), count)


def outlook(basis: Basis, most_lines: int = MOST_LINES, most_units: int = MOST_UNITS) -> Outlook:
    """The projected grade, and the smallest numbers of good lines and of good units that lift it."""
    now = project(basis)
    lines = _step(basis, now, more_lines, most_lines, _turns_of_lines(basis))
    units = _step(basis, now, more_units, most_units, _turns_of_units(basis))
    best = now if lines or units else project(more_units(more_lines(basis, most_lines), most_units))
    return Outlook(now, lines, units, best)


def lifts(now: Projected, later: Projected) -> bool:
    return _rank(later.grade) > _rank(now.grade)


def caps(found: Projected) -> list[dict[str, str]]:
    """The gates that keep the grade from rising further."""
    return [gate for gate in found.judged.gates if _rank(gate["cap"]) <= _rank(found.grade)]


def smallest(
    reached: Callable[[int], bool], state: Callable[[int], object], turns: Iterable[int], most: int
) -> int | None:
    """The smallest count from 1 to `most` that is reached, by bisection; None if there is none.

    Between two `turns` each part of `state` moves in one direction only, and where `state` stays the same, what has
    been reached stays reached.
    """
    edges = sorted({1, most + 1, *(turn for turn in turns if 1 < turn <= most)})
    for start, end in pairwise(edges):
        for first, last in _even(state, start, end - 1):
            if not reached(last):
                continue
            while first < last:
                middle = (first + last) // 2
                first, last = (first, middle) if reached(middle) else (middle + 1, last)
            return first
    return None


def _even(state: Callable[[int], object], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The stretches from first to last in which the state is the same, in order."""
    if first == last or state(first) == state(last):
        yield first, last
    else:
        middle = (first + last) // 2
        yield from _even(state, first, middle)
        yield from _even(state, middle + 1, last)


def _step(
    basis: Basis, now: Projected, more: Callable[[Basis, int], Basis], most: int, turns: Iterable[int]
) -> Step | None:
    @cache
    def after(count: int) -> Projected:
        return project(more(basis, count))

    def state(count: int) -> object:
        judged = after(count).judged
        return judged.ungated, judged.raw, tuple(gate["label"] for gate in judged.gates)

    if now.grade == grading.EXCELLENT:
        return None
    found = smallest(lambda count: lifts(now, after(count)), state, turns, most)
    return Step(found, after(found).grade) if found is not None else None


def _judged(basis: Basis) -> Judged:
    """Judged over the first window with enough data, else over the last one (SCO-7)."""
    for sums in basis.windows:
        judged = judge(
            dict(sums), basis.policy, basis.category, Decimal(basis.policy.alpha_month), basis.as_of, basis.supplied,
            basis.gating,
        )  # fmt: skip
        if judged.sufficient:
            break
    return judged


def _more(basis: Basis, names: Sequence[str], count: int) -> Basis:
    grown = tuple({**sums, **{name: int(sums.get(name) or 0) + count for name in names}} for sums in basis.windows)
    return replace(basis, windows=grown)


def _turns_of_lines(basis: Basis) -> list[int]:
    """The counts at which a window becomes enough to be graded, or to prove anything."""
    least = (basis.policy.min_lines, measures.MIN_LINES_CONFIRM)
    return [number - int(sums.get("lines") or 0) for sums in basis.windows for number in least]


def _turns_of_units(basis: Basis) -> list[int]:
    least = (basis.policy.min_units, basis.policy.min_units_confirm)
    return [number - int(sums.get("units_inspected") or 0) for sums in basis.windows for number in least]


def _rank(grade: str) -> int:
    """Worst first; below them all the grade of a factory that has none."""
    return grading.GRADES.index(grade) if grade in grading.GRADES else -1
