"""The sample plan of a lot as an inspector reads it: general level II, AQL 0 critical, 2.5 major, 4.0 minor."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from factories.models import Severity
from production import sampling
from production.errors import BadInput

LEVEL = "II"
AQL = {"critical": Decimal(0), "major": Decimal("2.5"), "minor": Decimal("4.0")}
CLASSES = tuple(AQL)


@dataclass(frozen=True)
class SamplePlan:
    """How many units of a lot to inspect, and how many of each class are accepted."""

    lot_quantity: int
    plans: dict[str, sampling.Plan]
    severity: str = Severity.NORMAL

    @classmethod
    def of(cls, lot_quantity: int | None, severity: str = Severity.NORMAL) -> "SamplePlan | None":
        """None for a lot of unknown size, or of one unit where a sample is taken: the table does not know it."""
        try:
            major, minor = (cls._plan(lot_quantity, AQL[name], severity) for name in ("major", "minor"))
        except BadInput:
            return None
        plans = {"critical": sampling.critical_plan([major, minor]), "major": major, "minor": minor}
        return cls(lot_quantity, plans, severity)

    @staticmethod
    def _plan(lot_quantity: int | None, aql: Decimal, severity: str) -> sampling.Plan:
        if severity == Severity.FULL:
            return sampling.full_plan(lot_quantity, aql)
        return sampling.plan(lot_quantity, aql, LEVEL, severity)

    @property
    def size(self) -> int:
        return max(plan.n for plan in self.plans.values())

    @property
    def letter(self) -> str:
        return self.plans["major"].code


@dataclass(frozen=True)
class Suggestion:
    """What the sample says: accept, reject or incomplete, and a sentence of it."""

    verdict: str
    sentence: str


def suggested(
    inspected: int, lot_quantity: int | None, critical: int, major: int, minor: int, severity: str = Severity.NORMAL
) -> Suggestion | None:
    """The verdict over all classes (AQL-4); None where there is no plan."""
    plan = SamplePlan.of(lot_quantity, severity)
    if plan is None:
        return None
    found = {"critical": critical, "major": major, "minor": minor}
    verdicts = {name: sampling.verdict(plan.plans[name], inspected, count) for name, count in found.items()}
    verdict = sampling.lot_verdict(verdicts.values())
    if verdict == sampling.REJECT:
        over = [name for name, each in verdicts.items() if each == sampling.REJECT]
        words = {"critical": _("critical"), "major": _("major"), "minor": _("minor")}
        told = ", ".join(f"{found[name]} {words[name]} ({plan.plans[name].re})" for name in over)
        sentence = _("The sample says reject: %(told)s, the number to reject in brackets.") % {"told": told}
    elif verdict == sampling.ACCEPT:
        sentence = _("The sample says accept: %(found)s defective units in %(inspected)s.") % {
            "found": sum(found.values()), "inspected": inspected,
        }  # fmt: skip
    else:
        sentence = _("The sample is not complete: %(inspected)s of %(size)s units were inspected.") % {
            "inspected": inspected, "size": plan.size,
        }  # fmt: skip
    return Suggestion(verdict, sentence)
