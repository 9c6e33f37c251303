"""What can be compared between factories: every rate that is stored or comes out exactly of the daily sums (ROL, 9.1).

Per measure: which sums are its numerator and denominator, how many rows it stands on, and by what it is coloured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F

from assessments import intervals
from assessments.models import Policy
from assessments.models.policies import Thresholds
from factories.models import Category
from production.models import FactoryDay

LINES, UNITS, LOTS, ORDERS, QUANTITY, POINTS = "lines", "units", "lots", "orders", "quantity", "points"
# What the rate of a category weighs until it is estimated. Of order lines and lots there are far fewer than of inspected
# units: 100 of them would rank a factory by its category and not by itself.
PSEUDO_UNITS = {UNITS: intervals.PSEUDO_UNITS, LINES: 10, LOTS: 10}
DELIVERY, DEFECT = FactoryDay.Family.DELIVERY, FactoryDay.Family.DEFECT
BAD = F("units_critical") + F("units_major")


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of the comparison.

    `num` of `den` from `n` rows; `size` is counted in `of`, and is what a minimum is compared with. `rows` names the measure
    whose rows they are, `part` which of them. `ruler` is the measure of the policy that colours it, empty without one.
    `bad` counts the bad ones of `den`, where the rate is a share of counted things: only those are shrunk and charted.
    """

    family: str
    num: Any
    den: Any
    n: Any
    size: Any
    of: str
    rows: str
    lower: bool
    ruler: str = ""
    bad: Any = None
    part: str = ""


COMPARED: Mapping[str, Compared] = {
    "otif": Compared(
        DELIVERY, F("otif"), F("lines"), F("lines"), F("lines"), LINES, "otif", False, "otif", F("lines") - F("otif")
    ),
    "defect": Compared(
        DEFECT, BAD, F("units_inspected"), F("lots"), F("units_inspected"), UNITS, "defect", True, "defect", BAD
    ),
    "loss": Compared(
        FactoryDay.Family.MATERIAL, F("value_loss_pos"), F("value_net"), F("orders"), F("orders"), ORDERS, "loss", True, "loss"
    ),
    "otd": Compared(
        DELIVERY, F("otd"), F("lines"), F("lines"), F("lines"), LINES, "otif", False, "otif", F("lines") - F("otd")
    ),
    "quantity": Compared(
        DELIVERY, F("qty_on_time"), F("qty_due"), F("lines"), F("lines"), LINES, "otif", False, "otif"
    ),
    "defect-all": Compared(
        DEFECT, BAD + F("units_minor"), F("units_inspected"), F("lots"), F("units_inspected"), UNITS, "defect", True, "defect",
        BAD + F("units_minor"),
    ),
    "defect-lots": Compared(
        DEFECT, F("sum_rate"), F("lots"), F("lots"), F("lots"), LOTS, "defect", True, "defect"
    ),
    "defect-quantity": Compared(
        DEFECT, F("sum_q_rate"), F("sum_q"), F("lots"), F("units_inspected"), UNITS, "defect", True, "defect"
    ),
    "rejected": Compared(
        DEFECT, F("lots_rejected"), F("lots_accepted") + F("lots_rejected"), F("lots"),
        F("lots_accepted") + F("lots_rejected"), LOTS, "defect", True, "", F("lots_rejected"),
    ),
    "critical": Compared(
        DEFECT, F("lots_with_critical"), F("lots"), F("lots"), F("lots"), LOTS, "defect", True, "", F("lots_with_critical")
    ),
    "coverage": Compared(
        FactoryDay.Family.COVERAGE, F("qty_delivered_inspected"), F("qty_delivered"), F("qty_delivered"), F("qty_delivered"),
        QUANTITY, "defect", False, "coverage", part="deliveries",
    ),
    # Stored with each evaluation and no sum of days.
    "score": Compared("", None, None, None, None, POINTS, "", False, "score"),
}  # fmt: skip


def ruler(measure: str, policy: Policy, category: Category) -> Thresholds | None:
    """Target, limit and zero that colour a measure: the policy's own, or those of the measure it is another view of.

    Of coverage only the least share is known, of a score the lines of the grades; None where the policy knows no limit.
    """
    name = COMPARED[measure].ruler
    if name == "defect":
        return policy.defect_thresholds(category)
    if name == "otif":
        return policy.otif_thresholds()
    if name == "loss":
        return policy.loss_thresholds()
    if name == "coverage":
        return Thresholds(policy.min_coverage, policy.min_coverage, Decimal(0))
    if name == "score":
        return Thresholds(policy.excellent_from / 100, policy.passing_from / 100, Decimal(0))
    return None
