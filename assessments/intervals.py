"""How sure a share is: exact tail, Wilson and Clopper-Pearson intervals, shrinkage (DEF-9, DEF-10, DEF-13)."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist

from scipy import special

from production.errors import BadInput
from production.rollup_sums import Number, fraction
from production.sampling import check_counts

Z90 = 1.6448536269514722  # two-sided 90 %, one-sided 95 % at each end
NEGLIGIBLE = 1e-12  # p-values below it are written as 0
PSEUDO_UNITS = 100  # weight of a category's rate in the ranking of its factories
TIE = 1e-9  # a p-value this close to alpha is decided exactly


@dataclass(frozen=True, slots=True)
class Interval:
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Beta posterior of a defect rate: its mean, to sort by, and the chance of being above the ceiling (DEF-13)."""

    posterior_mean: Fraction
    p_above_ceiling: float


def check_share(value: Number, field: str) -> None:
    """Raise BadInput for a value outside 0 to 1."""
    part, whole = value.as_integer_ratio()
    if not 0 <= part <= whole:
        raise BadInput("A share lies between 0 and 1.", field)


def share(value: Number, field: str) -> Fraction:
    """The value as an exact share; BadInput outside 0 to 1."""
    check_share(value, field)
    return fraction(value)


def tail_probability(bad: int, total: int, ceiling: Number) -> float | None:
    """The exact chance of `bad` or more among `total` at a rate of exactly `ceiling` (DEF-10); None without data."""
    check_counts(total, bad)
    check_share(ceiling, "ceiling")
    if not total or not bad:
        return 1.0 if total else None
    tail = float(special.betainc(bad, total - bad + 1, float(ceiling)))
    return tail if tail >= NEGLIGIBLE else 0.0


def proves(bad: int, total: int, ceiling: Number, alpha: Number, p_value: float) -> bool:
    """Whether the exact tail is at most `alpha`; where floats cannot tell the two apart, fractions decide."""
    if abs(p_value - float(alpha)) > TIE:
        return p_value < alpha
    up, whole = Fraction(ceiling).as_integer_ratio()
    if up in (0, whole):
        return p_value <= alpha
    term, below = (whole - up) ** total, 0
    for hits in range(bad):
        below += term
        term = term * (total - hits) * up // ((hits + 1) * (whole - up))
    return 1 - Fraction(below, whole**total) <= Fraction(alpha)


def wilson(bad: int, total: int, z: float = Z90, effective: float | None = None) -> Interval | None:
    """The Wilson interval of a share, by default two-sided 90 % (DEF-9); None without data.

    `effective` replaces the sample size where the design effect has shrunk it (DEF-12).
    """
    check_counts(total, bad)
    if not total:
        return None
    centre, half = _centre_and_half(bad / total, effective or float(total), z)
    return Interval(0.0 if bad == 0 else centre - half, 1.0 if bad == total else centre + half)


def _centre_and_half(p: float, n: float, z: float) -> tuple[float, float]:
    zz = z * z / n
    return (p + zz / 2) / (1 + zz), z * (p * (1 - p) / n + zz / (4 * n)) ** 0.5 / (1 + zz)


def clopper_pearson(bad: int, total: int, one_sided: Number = Decimal("0.95")) -> Interval | None:
    """The guaranteed interval with `one_sided` confidence at each end (DEF-9); None without data."""
    check_counts(total, bad)
    if not total:
        return None
    level = share(one_sided, "confidence")
    lower = float(special.betaincinv(bad, total - bad + 1, float(1 - level))) if bad else 0.0
    upper = float(special.betaincinv(bad + 1, total - bad, float(level))) if bad < total else 1.0
    return Interval(lower, upper)


def z_of(one_sided: Number) -> float:
    """The normal quantile of a one-sided confidence, e.g. 1.645 for 0.95."""
    level = share(one_sided, "confidence")
    return Z90 if level == Fraction(95, 100) else NormalDist().inv_cdf(float(level))


def prior(category_rate: Number, pseudo_units: Number = PSEUDO_UNITS) -> tuple[Fraction, Fraction]:
    """The beta prior of a category: its pooled rate, weighing as much as `pseudo_units` units (DEF-13)."""
    mean = share(category_rate, "category_rate")
    return mean * Fraction(pseudo_units), (1 - mean) * Fraction(pseudo_units)


def shrink(bad: int, total: int, prior_a: Number, prior_b: Number, ceiling: Number) -> Posterior:
    """The posterior of a defect rate, for ranking only: never opens a breach (DEF-13). Without data it is the prior."""
    check_counts(total, bad)
    check_share(ceiling, "ceiling")
    if prior_a < 0 or prior_b < 0 or prior_a + prior_b == 0:  # type: ignore[operator]
        raise BadInput("The prior needs weights that are not negative and not both 0.", "prior_a")
    a, b = Fraction(prior_a) + bad, Fraction(prior_b) + total - bad
    if a == 0 or b == 0:
        above = 1.0 if b == 0 and ceiling < 1 else 0.0
    else:
        above = 1.0 - float(special.betainc(float(a), float(b), float(ceiling)))
    return Posterior(a / (a + b), above)
