"""Seven steps of colour around a policy's limit and target."""

from assessments.charts.frame import Number, Rate


def heat_steps(target: Number, limit: Number, lower_is_better: bool = False) -> list[float]:
    """The six borders between h1 (worst) and h7 (best): the limit is the third, the target the fourth.

    Beyond the limit the steps lie one and three times the distance from target to limit away; beyond the target at 40
    and 70 % of what is left to perfection.
    """
    good, bad = float(target), float(limit)
    gap = abs(good - bad)
    if lower_is_better:
        return [min(1.0, bad + 3 * gap), min(1.0, bad + gap), bad, good, good * 0.6, good * 0.3]
    rest = 1 - good
    return [max(0.0, bad - 3 * gap), max(0.0, bad - gap), bad, good, good + 0.4 * rest, good + 0.7 * rest]


def heat_class(value: Rate, target: Number, limit: Number, lower_is_better: bool = False, few: bool = False) -> str:
    """Class of a heatmap cell: `h1` (worst) to `h7` (best), `few` for too few data, `nil` for none.

    A value exactly at the limit is within it (h4), exactly at the target has reached it (h5).
    """
    if value is None:
        return "nil"
    if few:
        return "few"
    v = float(value)
    steps = heat_steps(target, limit, lower_is_better)
    reached = [v <= s for s in steps] if lower_is_better else [v >= s for s in steps]
    return f"h{1 + sum(reached)}"
