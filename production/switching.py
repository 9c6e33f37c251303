"""How strictly the next lot is inspected by what became of the lots before: the switching rules (AQL-5), on stored outcomes.

Per factory, category and class; the strictest class decides, because one sample is taken for all of them. Reduced
inspection is off. An inspection that was discontinued starts anew, tightened, on the day a correction is confirmed.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from factories.models import Severity
from production import sampling
from production.models import LotOutcome
from production.samples import CLASSES, SamplePlan

RELAX = 5  # so many lots accepted in a row bring normal inspection back
# Walked are the last lots of a category within a year: what is older says little, and a page shall not grow with the years.
MOST = 100
YEAR = datetime.timedelta(days=365)
READ = {
    "category": F("category_id"), "lot": F("lot_id"), "code": F("lot__code"), "inspection": F("inspection_id"),
    "on": F("inspected_on"), "critical": F("critical"), "major": F("major"), "minor": F("minor"),
    "accepted": F("is_accepted"), "quantity": F("inspection__lot_quantity"), "severity": F("inspection__severity"),
}  # fmt: skip
STRICTEST_FIRST = (sampling.DISCONTINUED, sampling.TIGHTENED, sampling.NORMAL)


@dataclass(frozen=True, slots=True)
class Judged:
    """One lot by the inspection that counts, and the classes in which it was not accepted; none where it was."""

    lot: int
    code: str
    inspection: int
    on: datetime.date
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """How strictly the next lot is inspected: `normal`, `tightened` or `discontinued`, since when and because of which lots.

    `lots` were not accepted, among `among` in a row, in `classes`. `accepted` have been accepted in a row since. With
    `corrected_on` it is tightened because inspection had been discontinued and a correction was confirmed that day.
    """

    severity: str = sampling.NORMAL
    since: datetime.date | None = None
    lots: tuple[Judged, ...] = ()
    among: int = 0
    accepted: int = 0
    corrected_on: datetime.date | None = None
    classes: tuple[str, ...] = CLASSES

    @property
    def is_discontinued(self) -> bool:
        return self.severity == sampling.DISCONTINUED

    @property
    def plan(self) -> Severity:
        """The table to inspect by: also while inspection is discontinued a lot may be looked at, by the tightened one."""
        return Severity.NORMAL if self.severity == sampling.NORMAL else Severity.TIGHTENED


def walk(lots: Sequence[Judged], name: str, corrected_on: Iterable[datetime.date] = ()) -> State:
    """The state after lots in the order of their inspection, for one class (AQL-5).

    A confirmed correction changes nothing unless inspection is discontinued that day.
    """
    days = sorted(corrected_on)
    place, start = 0, sampling.NORMAL
    found = State(classes=(name,))
    while True:
        series = [sampling.JudgedLot(name not in lot.refused, ac=0, accept_if_tighter=False) for lot in lots[place:]]
        begun = place
        for here, severity in enumerate(sampling.switch(series, start).states, place):
            if severity == found.severity:
                continue
            refused = [lot for lot in lots[begun : here + 1] if name in lot.refused]
            # The lots of the rule: two of five, or all of this stretch.
            rule = refused[-2:] if severity == sampling.TIGHTENED else refused if severity != sampling.NORMAL else []
            among = here + 1 - lots.index(rule[0]) if rule else 0
            found = State(severity, lots[here].on, tuple(rule), among, classes=(name,))
            begun = here + 1
            if severity == sampling.DISCONTINUED:
                break
        if not found.is_discontinued:
            streak = sum(1 for _ in takewhile(lambda lot: name not in lot.refused, reversed(lots[begun:])))
            return State(
                found.severity, found.since, found.lots, found.among, streak, found.corrected_on, found.classes
            )
        since = found.since
        again = next((day for day in days if since is not None and day >= since), None)
        if again is None:
            return found
        place = next((n for n, lot in enumerate(lots) if n >= begun and lot.on >= again), len(lots))
        start, days = sampling.TIGHTENED, [day for day in days if day > again]
        found = State(start, again, corrected_on=again, classes=(name,))


def state(lots: Sequence[Judged], corrected_on: Iterable[datetime.date] = ()) -> State:
    """The state of the strictest class, with all the classes that are in it because of the same lots."""
    days = list(corrected_on)
    found = {name: walk(lots, name, days) for name in CLASSES}
    worst = min(found.values(), key=lambda each: STRICTEST_FIRST.index(each.severity))
    same = [
        name
        for name, each in found.items()
        if (each.severity, each.since, each.lots) == (worst.severity, worst.since, worst.lots)
    ]
    return State(worst.severity, worst.since, worst.lots, worst.among, worst.accepted, worst.corrected_on, tuple(same))


def judged(row: Mapping[str, Any]) -> Judged:
    """A stored outcome with the classes that refused it by the plan of its day; all of them where no class can tell."""
    on = datetime.date.fromisoformat(row["on"])
    return Judged(row["lot"], row["code"], row["inspection"], on, frozenset() if row["accepted"] else _refused(row))


def _refused(row: Mapping[str, Any]) -> frozenset[str]:
    plan = SamplePlan.of(row["quantity"], row["severity"])
    if plan is None:
        return frozenset(CLASSES)
    over = {name for name in CLASSES if row[name] >= plan.plans[name].re}
    return frozenset(over or CLASSES)


def outcomes(day: datetime.date) -> QuerySet[Any]:
    """The lots of the year to `day` that were accepted or not, by the inspection that counts, in its order."""
    year = LotOutcome.objects.filter(inspected_on__gt=day - YEAR, inspected_on__lte=day)
    return year.filter(is_accepted__isnull=False).order_by("inspected_on", "inspection_id")


def rows_of_outer(factory: str, day: datetime.date) -> ArraySubquery:
    """The same of the outer row whose column `factory` names one, for a query that is asked anyway."""
    return ArraySubquery(outcomes(day).filter(factory=OuterRef(factory)).values(json=JSONObject(**READ)))


def states(rows: Iterable[Mapping[str, Any]], corrected_on: Iterable[datetime.date] | None) -> dict[int, State]:
    """The state of each category among the rows, in the order of their inspection; of each the last `MOST` are walked."""
    days, by_category = list(corrected_on or ()), defaultdict[int, list[Mapping[str, Any]]](list)
    for row in rows:
        by_category[row["category"]].append(row)
    return {category: state(list(map(judged, lots[-MOST:])), days) for category, lots in by_category.items()}


def of(factory: Any, day: datetime.date, category: int | None = None) -> dict[int, State]:
    """The state on `day` per category of a factory, or of one of them alone. One query, and one for a standing not read yet."""
    standing = getattr(factory, "standing", None)
    found = outcomes(day).filter(factory=factory)
    if category is not None:
        found = found.filter(category=category)
    rows = found.values_list(JSONObject(**READ), flat=True)
    return states(rows, standing.corrected_on if standing else None)
