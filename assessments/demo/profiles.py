"""How each demo factory behaves over time: pace, lateness, defects, loss, and what happens on certain days."""

import random
from dataclasses import dataclass

from assessments.demo.facts import TermsSeed


class Course:
    """A share that changes over time, along straight lines between points of (days before today, share)."""

    def __init__(self, *points: tuple[float, float]) -> None:
        self.points = sorted(points)

    def at(self, ago: float) -> float:
        """The share so many days before today; beyond the ends it stays what it is there."""
        before, after = self.points[0], self.points[-1]
        for point in self.points:
            if point[0] <= ago:
                before = point
            else:
                after = point
                break
        if after[0] <= before[0] or ago <= before[0]:
            return after[1] if ago > after[0] else before[1]
        return before[1] + (after[1] - before[1]) * (ago - before[0]) / (after[0] - before[0])


def level(share: float) -> Course:
    return Course((0, share))


class Quota:
    """Spreads events over calls: each `takes(share)` owes a share of one, and about one owed makes one event.

    Pure chance would give a small factory five late lines in one quarter and none in the next, whatever its profile.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.owed = rng.uniform(0.1, 0.6)
        self.threshold = 1.0

    def takes(self, share: float) -> bool:
        self.owed += share
        if self.owed < self.threshold:
            return False
        self.owed -= 1
        self.threshold = self.rng.uniform(0.75, 1.2)
        return True


@dataclass(frozen=True, slots=True)
class Profile:
    """One behaviour. Days count back from today; negative ones lie ahead.

    `lines_a_month` is the pace; `late` the share of lines that miss; `defects` the share of counted defective units
    (as for hard goods, soft goods get more); `loss` the share of material lost, or None where the factory buys its
    own, with `material_loss` for single materials; `inspected` the share of lots that are inspected. `bad_lots` and
    `critical_lots` happen near the given days; `cluster` names days with lots so bad that the last 90 days come to
    the given share; `counted_whole` is the day near which one lot is counted to the last unit; `orders` are single
    orders due on given days with a fate of their own; `cycle` says that the contract names a number of days, not a
    date; `unclosed` are orders whose material nobody reconciled in time.
    """

    lines_a_month: float
    late: Course
    defects: Course
    loss: Course | None = None
    material_loss: tuple[tuple[str, float], ...] = ()
    inspected: float = 0.56
    own_reports: float = 0.05
    inline: float = 0.09
    at_receipt: float = 0.12
    terms: TermsSeed = TermsSeed()
    begins: int = 545
    ends: int = -75
    bad_lots: tuple[tuple[int, float], ...] = ()
    cluster: tuple[tuple[int, ...], float] = ((), 0.0)
    critical_lots: tuple[int, ...] = ()
    counted_whole: int | None = None
    orders: tuple[tuple[int, str], ...] = ()
    cycle: bool = False
    unclosed: int = 0


DUE_SOON = ((0, "open"), (-2, "open"), (-4, "open"))
PROFILES = {
    "excellent": Profile(6.5, level(0.016), level(0.0115), loss=level(0.0125), orders=DUE_SOON),
    "excellent_with_grace": Profile(
        6, level(0.016), level(0.0095), loss=level(0.0135),
        terms=TermsSeed(grace_days=2, grace_unit="working", tol_under="0.05", tol_over="0.05",
        rolls_to_working_day=True),
        orders=((0, "open"), (-3, "open")),
    ),
    "two_currencies": Profile(
        6, level(0.017), level(0.0125), loss=level(0.0115), at_receipt=0.45,
        terms=TermsSeed(early_days=14, early_policy="miss", tol_under="0.02"),
    ),
    "good": Profile(7, level(0.04), level(0.019), loss=level(0.017), orders=((-1, "open"),), unclosed=1),
    "fresh_critical": Profile(6.2, level(0.035), level(0.018), critical_lots=(3,), cycle=True, orders=((-16, "open"),)),
    "good_single": Profile(
        6.5, level(0.038), level(0.019), loss=level(0.018), at_receipt=0.4,
        terms=TermsSeed(single_delivery=True, tol_under="0.03", tol_over="0.05"),
    ),
    "clustered": Profile(
        5, level(0.02), level(0.006), loss=level(0.006), bad_lots=((330, 0.14),), cluster=((16, 47), 0.047),
        inspected=1.0,
    ),
    "critical": Profile(5.5, level(0.015), level(0.009), critical_lots=(43, 402), inspected=0.65),
    "worsening": Profile(
        6, Course((540, 0.02), (210, 0.03), (120, 0.14), (30, 0.38)),
        Course((540, 0.008), (210, 0.012), (100, 0.034), (20, 0.062)),
        orders=((1, "overdue"), (12, "overdue")), inspected=0.7,
    ),
    "improving": Profile(
        7, Course((540, 0.34), (150, 0.36), (95, 0.12), (62, 0.03), (0, 0.02)),
        Course((540, 0.064), (150, 0.052), (95, 0.022), (62, 0.014), (0, 0.01)),
        loss=Course((540, 0.034), (200, 0.016)),
    ),
    "one_chargeable": Profile(
        5.6, level(0.045), level(0.018), loss=level(0.012), material_loss=(("QM-ZIP-20", 0.064),), orders=((-2,
        "open"),),
    ),
    "chronic_late": Profile(
        8, Course((540, 0.14), (300, 0.22), (0, 0.34)), level(0.024), loss=level(0.022),
        orders=((1, "overdue"), (6, "overdue"), (0, "open")),
    ),
    "late_watch": Profile(6, Course((540, 0.06), (120, 0.08), (60, 0.15)), level(0.017), loss=level(0.015), unclosed=2),
    "low_coverage": Profile(6, level(0.02), level(0.011), inspected=0.29, own_reports=0.8, inline=0.08),
    "defect_watch": Profile(
        6.5, level(0.045), Course((540, 0.02), (200, 0.026), (90, 0.0322)), loss=level(0.019), inspected=0.58,
    ),
    "dominance": Profile(5, level(0.04), level(0.016), counted_whole=24),
    "lossy": Profile(6, level(0.04), level(0.018), loss=Course((540, 0.022), (200, 0.046)), orders=((-1, "open"),)),
    "trial": Profile(
        0, level(0.0), level(0.008), loss=level(0.041), inspected=1.0, inline=0.5,
        orders=((36, "single"), (8, "single"), (-13, "open"), (-34, "open")),
    ),
    "negative_loss": Profile(
        7, level(0.038), level(0.018), loss=level(0.016), material_loss=(("QM-LBL-M", -0.012), ("QM-JER-180", -0.009)),
    ),
    "failing_quality": Profile(
        6.5, Course((540, 0.05), (200, 0.1)), Course((540, 0.03), (240, 0.05), (60, 0.058)), loss=level(0.024),
        critical_lots=(38, 64, 290), inspected=0.72,
    ),
    "small": Profile(1.0, level(0.05), level(0.017), loss=level(0.016), inspected=1.0),
    "paused": Profile(7, level(0.035), level(0.017), loss=level(0.015), ends=392, inspected=0.7),
    "never_arrived": Profile(5, level(0.055), level(0.022), loss=level(0.018), orders=((47, "never"), (0, "open"))),
}  # fmt: skip
