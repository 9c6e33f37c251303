"""From measures to points, a score, a grade, and the grade that is published (SCO-1 to SCO-9)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import lcm
from operator import mul
from typing import Generic, TypeVar

from production.errors import BadInput
from production.rollup_sums import Number, half_up

FAILING, PASSING, GOOD, EXCELLENT = "failing", "passing", "good", "excellent"
GRADES = (FAILING, PASSING, GOOD, EXCELLENT)  # worst first
BANDS: Mapping[str, Decimal] = {
    FAILING: Decimal(0),
    PASSING: Decimal(60),
    GOOD: Decimal(80),
    EXCELLENT: Decimal(90),
}
INSUFFICIENT_DATA = "insufficient_data"
NOT_RATED = "not_rated"

NOT_APPLICABLE = "na"
INSUFFICIENT = "insufficient"

REQUIRED = ("defect", "otd")
MARGIN = 2
CARRY_MAX = 2
MIN_USABLE_SHARE = Fraction(60, 100)
SCOPE_ORDER = ("factory+category", "factory", "category", "default")

Id = TypeVar("Id")


@dataclass(frozen=True, slots=True)
class Marks:
    """The three marks of a measure: 100 points at `target`, 60 at `limit`, none at `zero`; fractions (0.03 is 3 %).

    Rising marks (0.01, 0.03, 0.06) mean lower is better, falling ones (0.98, 0.90, 0.70) higher is better.
    """

    target: Number
    limit: Number
    zero: Number


@dataclass(frozen=True, slots=True)
class Part:
    """One measure's part in a score: its points (0 to 100), its weight among those used, and the share of the score.

    `shown` are the points it adds to the two-decimal score; the parts shown add up to the score exactly.
    """

    metric: str
    points: Fraction
    weight: Fraction
    shown: Decimal


@dataclass(frozen=True, slots=True)
class Gate:
    """A fact that caps the grade: `label` says which, `cap` is the best grade it leaves (SCO-5)."""

    label: str
    cap: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A score with two decimals, the grade of the average, and the grade after the gates.

    With too few data `score` and `ungated` are None and `raw` is insufficient_data. `gated` says that a gate lowered
    the grade; `gates` keeps every gate hit, also those that changed nothing. `points` and `weights` are those of the
    measures used.
    """

    score: Decimal | None
    ungated: str | None
    raw: str
    gated: bool
    gates: tuple[Gate, ...]
    points: Mapping[str, Fraction] = field(default_factory=dict)
    weights: Mapping[str, Number] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What each measure used adds to the score; none without a score."""
        if self.score is None:
            return ()
        whole, weighing, unit, scaled = _weighed(self.points, self.weights)
        exact = [Fraction(weight * part, unit * whole) for weight, part in zip(weighing, scaled, strict=True)]
        return tuple(
            Part(metric, self.points[metric], Fraction(weight, whole), shown)
            for metric, weight, shown in zip(self.points, weighing, apportion(exact, self.score), strict=True)
        )

    @property
    def caps(self) -> list[str]:
        return [gate.cap for gate in self.gates]


@dataclass(frozen=True, slots=True)
class Publication:
    """The published grade. `held`: hysteresis kept the previous one against the raw grade (SCO-6). `carried` and
    `carries`: too few data, the last grade was kept, for how many evaluations in a row (SCO-9)."""

    published: str
    held: bool = False
    carried: bool = False
    carries: int = 0


@dataclass(frozen=True, slots=True)
class PolicyVersion(Generic[Id]):
    """One version of a policy: whom it concerns (None: everyone) and its first day."""

    id: Id
    effective_from: date
    factory: object | None = None
    category: object | None = None

    @property
    def scope(self) -> str:
        parts = [name for name, value in (("factory", self.factory), ("category", self.category)) if value is not None]
        return "+".join(parts) or "default"

    def covers(self, factory: object | None, category: object | None, day: date) -> bool:
        return (
            self.effective_from <= day
            and (self.factory is None or self.factory == factory)
            and (self.category is None or self.category == category)
        )


def points(value: Number, marks: Marks) -> Fraction:
    """The exact points of a measure, 0 to 100: straight lines through target 100, limit 60 and zero 0 (SCO-1).

    Raises BadInput when the marks do not follow each other in one direction.
    """
    _, (x, target, limit, zero) = _over_one_unit([value, marks.target, marks.limit, marks.zero])
    if zero < target:
        x, target, limit, zero = -x, -target, -limit, -zero
    if not target < limit < zero:
        raise BadInput("Target, limit and zero must follow each other in one direction.", "limit")
    if x <= target:
        return Fraction(100)
    if x <= limit:
        return Fraction(100 * (limit - target) - 40 * (x - target), limit - target)
    if x < zero:
        return Fraction(60 * (zero - x), zero - limit)
    return Fraction(0)


def grade(score: Number, bands: Mapping[str, Number] = BANDS) -> str:
    """The grade of a score by its two-decimal rounding: [90, 100] excellent, [80, 90) good, and so on (SCO-4)."""
    shown = half_up(score, 2)
    if not 0 <= shown <= 100:
        raise BadInput("A score lies between 0 and 100.", "score")
    return max((name for name in GRADES if shown >= bands[name]), key=GRADES.index, default=FAILING)


def gates(
    breached: Iterable[str] = (),
    critical_lots: int = 0,
    zeros: Iterable[str] = (),
    low_coverage: bool = False,
    escalated_30d: bool = False,
) -> tuple[Gate, ...]:
    """The caps that the facts of an evaluation call for (SCO-5).

    `breached`: measures with a confirmed breach; `zeros`: sufficient measures with 0 points; `critical_lots`: lots
    with a critical unit; `escalated_30d`: a breach escalated for more than 30 days.
    """
    found = [Gate(f"confirmed_breach:{metric}", PASSING) for metric in breached]
    if critical_lots == 1:
        found.append(Gate("critical_unit:1", PASSING))
    elif critical_lots > 1:
        found.append(Gate(f"critical_unit:{critical_lots}_lots", FAILING))
    found += [Gate(f"metric_zero:{metric}", FAILING) for metric in zeros]
    if low_coverage:
        found.append(Gate("low_coverage", GOOD))
    if escalated_30d:
        found.append(Gate("escalated_30d", PASSING))
    return tuple(found)


def scored(values: Mapping[str, Number | str | None], marks: Mapping[str, Marks]) -> dict[str, Fraction]:
    """The points of those measures that have a rate (SCO-1).

    A value is a rate, "na" (does not apply) or "insufficient" (applies, too few data; so does None); BadInput for others.
    """
    usable: dict[str, Fraction] = {}
    for metric, value in values.items():
        if value is None or isinstance(value, str):
            if value not in (None, NOT_APPLICABLE, INSUFFICIENT):
                raise BadInput(f"{value} is not a rate.", metric)
        else:
            usable[metric] = points(value, marks[metric])
    return usable


def applicable(weights: Mapping[str, Number], values: Mapping[str, Number | str | None]) -> dict[str, Number]:
    """The weights of the measures that apply; "na" leaves them (SCO-2). BadInput for a negative weight."""
    if any(weight < 0 for weight in weights.values()):
        raise BadInput("A weight cannot be negative.", "weights")
    return {metric: weight for metric, weight in weights.items() if values.get(metric) != NOT_APPLICABLE}


def weigh(
    usable: Mapping[str, Fraction],
    weights: Mapping[str, Number],
    hits: Iterable[Gate] = (),
    required: Iterable[str] = REQUIRED,
    bands: Mapping[str, Number] = BANDS,
) -> Scorecard:
    """The scorecard of the points of those measures that have enough data, and the weights of all that apply (SCO-2 to SCO-5).

    No score when a required measure has no points or less than 60 % of the weight is usable.
    """
    hits = tuple(hits)
    total, applicable = sum(weights[metric] for metric in usable), sum(weights.values())
    too_little = total * MIN_USABLE_SHARE.denominator < applicable * MIN_USABLE_SHARE.numerator
    if not total or too_little or any(metric not in usable for metric in required):
        return Scorecard(None, None, INSUFFICIENT_DATA, gated=False, gates=hits)
    whole, weighing, unit, scaled = _weighed(usable, weights)
    score = half_up(Fraction(sum(map(mul, weighing, scaled)), unit * whole), 2)
    ungated = grade(score, bands)
    raw = min([ungated, *(hit.cap for hit in hits)], key=_rank)
    return Scorecard(score, ungated, raw, raw != ungated, hits, usable, weights)


def apportion(parts: Sequence[Number], total: Decimal, places: int = 2) -> list[Decimal]:
    """Round parts so that they add up to `total` exactly: all rounded down, then the largest remainders get one more.

    Of equal remainders the earlier part goes first. BadInput when `total` is not the rounded sum of the parts.
    """
    unit, (*scaled, scaled_total) = _over_one_unit([*parts, total])
    wanted, too_fine = divmod(scaled_total * int(10**places), unit)
    down = [divmod(part * int(10**places), unit) for part in scaled]
    whole = [digits for digits, _rest in down]
    missing = wanted - sum(whole)
    if too_fine or not 0 <= missing <= len(parts):
        raise BadInput("The parts do not belong to this total.", "total")
    for place in sorted(range(len(parts)), key=lambda place: -down[place][1])[:missing]:
        whole[place] += 1
    return [Decimal(number).scaleb(-places) for number in whole]


def is_above(grade: str | None, caps: Iterable[str]) -> bool:
    """Whether a published grade is better than one of the caps: hysteresis never holds it there (SCO-5, SCO-6)."""
    return grade in GRADES and any(_rank(grade) > _rank(cap) for cap in caps)


def publish(
    previous: str | None,
    raw: str,
    score: Number,
    gated: bool = False,
    previous_raw: str | None = None,
    margin: Number = MARGIN,
    bands: Mapping[str, Number] = BANDS,
) -> Publication:
    """The grade to publish after the previous one (SCO-6).

    `previous` is the last published grade (None or not_rated: publish `raw`), `previous_raw` the last evaluation's own
    grade. Down at once when gated, more than `margin` below the band, or twice in a row; up one step, when `margin`
    above the line or twice in a row.
    """
    if previous not in GRADES:
        return Publication(_known(raw))
    before, now, last = _rank(previous), _rank(raw), GRADES.index(previous_raw) if previous_raw in GRADES else None
    exact = Fraction(score)
    if now < before:
        twice = last is not None and last < before
        moves = gated or twice or exact < Fraction(bands[previous]) - Fraction(margin)
        return Publication(raw) if moves else Publication(previous, held=True)
    if now > before:
        candidate = GRADES[before + 1]
        twice = last is not None and last > before
        moves = twice or exact >= Fraction(bands[candidate]) + Fraction(margin)
        return Publication(candidate) if moves else Publication(previous, held=True)
    return Publication(raw)


def carry(previous: str | None, carries: int = 0, carry_max: int = CARRY_MAX) -> Publication:
    """What an evaluation with too few data publishes: the last grade, `carry_max` times, then not_rated (SCO-9).

    `carries` counts the evaluations in a row that have already kept `previous`.
    """
    if previous in GRADES and carries < carry_max:
        return Publication(previous, carried=True, carries=carries + 1)
    return Publication(NOT_RATED)


def select_policy(
    versions: Iterable[PolicyVersion[Id]],
    day: date,
    factory: object | None = None,
    category: object | None = None,
    scope_order: Sequence[str] = SCOPE_ORDER,
) -> PolicyVersion[Id] | None:
    """The version that judges an evaluation of `day`: most specific scope first, then the latest first day (SCO-8)."""
    fitting = [version for version in versions if version.covers(factory, category, day)]
    for scope in scope_order:
        if of_scope := [version for version in fitting if version.scope == scope]:
            return max(of_scope, key=lambda version: version.effective_from)
    return None


def _weighed(points: Mapping[str, Fraction], weights: Mapping[str, Number]) -> tuple[int, list[int], int, list[int]]:
    """The weights of the measures used as whole numbers, and their sum before them; the points over one unit likewise."""
    _, weighing = _over_one_unit(weights[metric] for metric in points)
    return sum(weighing), weighing, *_over_one_unit(points.values())


def _over_one_unit(numbers: Iterable[Number]) -> tuple[int, list[int]]:
    """The least common denominator of the numbers, and what stands above it: arithmetic without fractions."""
    ratios = [number.as_integer_ratio() for number in numbers]
    unit = lcm(*[bottom for _, bottom in ratios])
    return unit, [top * (unit // bottom) for top, bottom in ratios]


def _rank(name: str) -> int:
    return GRADES.index(_known(name))


def _known(name: str) -> str:
    if name not in GRADES:
        raise BadInput(f"{name} is not a grade.", "grade")
    return name
