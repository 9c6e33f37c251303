"""How many units of a lot to inspect, what the sample says, which inspection counts (AQL-1 to AQL-5, DEF-3, DEF-4).

The tables are those of MIL-STD-105E / ISO 2859-1:1999, single sampling, normal and tightened.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from production.errors import BadInput
from production.rollup_sums import Number

NORMAL, TIGHTENED, REDUCED, DISCONTINUED = "normal", "tightened", "reduced", "discontinued"
ACCEPT, REJECT, INCOMPLETE = "accept", "reject", "incomplete"

# Largest lot of each row of the code-letter table; beyond the last one the last letter of the level.
LOT_SIZES = (8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10000, 35000, 150000, 500000)
CODE_LETTERS: Mapping[str, str] = {"I": "AABCCDEFGHJKLMN", "II": "ABCDEFGHJKLMNPQ", "III": "BCDEFGHJKLMNPQR"}
SAMPLE_SIZES: Mapping[str, int] = {
    "A": 2, "B": 3, "C": 5, "D": 8, "E": 13, "F": 20, "G": 32, "H": 50,
    "J": 80, "K": 125, "L": 200, "M": 315, "N": 500, "P": 800, "Q": 1250, "R": 2000,
}  # fmt: skip
LETTERS = "".join(SAMPLE_SIZES)
AQLS = tuple(Decimal(aql) for aql in ("1.0", "1.5", "2.5", "4.0", "6.5"))

# Acceptance numbers by letter, one column per AQL; v: first plan below, ^: first plan above.
_NORMAL = """
A v v v v 0 / B v v v 0 ^ / C v v 0 ^ v / D v 0 ^ v 1 / E 0 ^ v 1 2 / F ^ v 1 2 3 / G v 1 2 3 5 / H 1 2 3 5 7
J 2 3 5 7 10 / K 3 5 7 10 14 / L 5 7 10 14 21 / M 7 10 14 21 ^ / N 10 14 21 ^ ^ / P 14 21 ^ ^ ^ / Q 21 ^ ^ ^ ^
R ^ ^ ^ ^ ^"""
_TIGHTENED = """
A v v v v v / B v v v v 0 / C v v v 0 v / D v v 0 v v / E v 0 v v 1 / F 0 v v 1 2 / G v v 1 2 3 / H v 1 2 3 5
J 1 2 3 5 8 / K 2 3 5 8 12 / L 3 5 8 12 18 / M 5 8 12 18 ^ / N 8 12 18 ^ ^ / P 12 18 ^ ^ ^ / Q 18 ^ ^ ^ ^
R ^ ^ ^ ^ ^"""


def _table(text: str) -> dict[str, dict[Decimal, str]]:
    rows = [row.split() for row in text.strip().replace("\n", " / ").split(" / ")]
    return {letter: dict(zip(AQLS, cells, strict=True)) for letter, *cells in rows}


TABLES: Mapping[str, Mapping[str, Mapping[Decimal, str]]] = {NORMAL: _table(_NORMAL), TIGHTENED: _table(_TIGHTENED)}

# Rank of an inspection's source, best first; the factory's own report does not count.
SOURCE_RANKS: Mapping[str, int] = {"third_party": 0, "buyer": 0, "buyer_final": 0, "receiving": 1}
INLINE = "inline"


@dataclass(frozen=True, slots=True)
class Plan:
    """Inspect `n` units of the lot: `ac` defective or fewer are accepted, `re` or more rejected.

    `code` is the letter of the lot's size, `plan_code` the one the arrows lead to. `full_inspection`: n is the lot.
    """

    code: str
    plan_code: str
    n: int
    ac: int
    re: int
    full_inspection: bool


@dataclass(frozen=True, slots=True)
class JudgedLot:
    """One lot in inspection order: accepted, the plan's Ac, and whether the next tighter AQL would accept it too."""

    accepted: bool
    ac: int
    accept_if_tighter: bool


@dataclass(frozen=True, slots=True)
class Switching:
    """After each lot: the severity for the next one and the switching score. `reduced_eligible_after` counts from 1."""

    states: tuple[str, ...]
    scores: tuple[int, ...]
    reduced_eligible_after: int | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One inspection of a lot: its place in time, whether it is an original one, where it was made and by whom."""

    seq: int
    original: bool
    inspected: int
    defective: int
    source: str = "third_party"
    stage: str = "final"


AnyInspection = TypeVar("AnyInspection", bound=Inspection)


def code_letter(lot_qty: int, level: str = "II") -> str:
    """The code letter of a lot of 2 units or more at general level I, II or III (AQL-1)."""
    if not isinstance(lot_qty, int) or lot_qty < 2:
        raise BadInput("The table starts at a lot of 2 units; a single unit is inspected by itself.", "lot_qty")
    if level not in CODE_LETTERS:
        raise BadInput(f"{level} is not a general inspection level.", "level")
    return CODE_LETTERS[level][bisect_left(LOT_SIZES, lot_qty)]


def plan(lot_qty: int, aql: Number, level: str = "II", severity: str = NORMAL) -> Plan:
    """The sampling plan of a lot (AQL-1 to AQL-3): arrows lead to another plan and its sample size.

    `aql` is a percentage, one of 1.0, 1.5, 2.5, 4.0, 6.5. BadInput for anything outside the tables.
    """
    code = code_letter(lot_qty, level)
    if severity not in TABLES:
        raise BadInput(f"There is no table for {severity} inspection.", "severity")
    column = next((column for column in AQLS if column == aql), None)
    if column is None:
        raise BadInput(f"There is no plan for an AQL of {aql}.", "aql")
    at = LETTERS.index(code)
    while (cell := TABLES[severity][LETTERS[at]][column]) in ("v", "^"):
        at += 1 if cell == "v" else -1
    n, ac = SAMPLE_SIZES[LETTERS[at]], int(cell)
    return Plan(code, LETTERS[at], min(n, lot_qty), ac, ac + 1, full_inspection=n >= lot_qty)


def full_plan(lot_qty: int, aql: Number) -> Plan:
    """Every unit of the lot is inspected; accepted is the share that the AQL names, rounded down.

    There is no table for it and no letter: nothing is left to chance, so the percentage itself is the bound.
    """
    if not isinstance(lot_qty, int) or isinstance(lot_qty, bool) or lot_qty < 1:
        raise BadInput("A lot holds at least one unit.", "lot_qty")
    ac = int(lot_qty * Fraction(aql) / 100)
    return Plan("", "", lot_qty, ac, ac + 1, full_inspection=True)


def critical_plan(plans: Sequence[Plan]) -> Plan:
    """The plan for critical defects: none accepted in the largest sample that the other classes ask for (AQL-3)."""
    if not plans:
        raise BadInput("Critical defects are judged on the sample of another class.", "plans")
    largest = max(plans, key=lambda each: each.n)
    return Plan(largest.code, largest.plan_code, largest.n, 0, 1, largest.full_inspection)


def verdict(chosen: Plan, actual_sample: int, defective: int, lot_qty: int | None = None) -> str:
    """accept, reject or incomplete (AQL-4): rejection needs no full sample, acceptance does."""
    check_counts(actual_sample, defective, lot_qty=lot_qty)
    if defective >= chosen.re:
        return REJECT
    return ACCEPT if actual_sample >= chosen.n else INCOMPLETE


def lot_verdict(verdicts: Iterable[str]) -> str:
    """The verdict over all classes: rejected if any is, accepted only if every one is (AQL-4)."""
    seen = set(verdicts)
    return REJECT if REJECT in seen else ACCEPT if seen == {ACCEPT} else INCOMPLETE


def switch(lots: Iterable[JudgedLot], start: str = NORMAL, reduced_allowed: bool = False) -> Switching:
    """Walk the switching rules over original inspections of one family and class (AQL-5).

    Two of five or fewer lots in a row not accepted tighten; five in a row accepted relax; five not accepted while
    tightened discontinue, until somebody starts anew. Reduced inspection is entered only where it is allowed.
    """
    if start not in (NORMAL, TIGHTENED, REDUCED, DISCONTINUED):
        raise BadInput(f"{start} is not a severity.", "start")
    state, score, eligible = start, 0, None
    recent: list[bool] = []  # verdicts since the present severity began
    states, scores = [], []
    for number, lot in enumerate(lots, 1):
        recent.append(lot.accepted)
        before = state
        if state == NORMAL:
            score = _score(score, lot)
            eligible = number if eligible is None and score >= 30 else eligible
            if recent[-5:].count(False) >= 2:
                state = TIGHTENED
            elif reduced_allowed and score >= 30:
                state = REDUCED
        elif state == TIGHTENED:
            if recent.count(False) >= 5:
                state = DISCONTINUED
            elif len(recent) >= 5 and all(recent[-5:]):
                state = NORMAL
        elif state == REDUCED and not lot.accepted:
            state, score = NORMAL, 0
        if state != before:
            recent = []
            score = score if state == REDUCED else 0
        states.append(state)
        scores.append(score)
    return Switching(tuple(states), tuple(scores), eligible)


def _score(score: int, lot: JudgedLot) -> int:
    if lot.ac >= 2:
        return score + 3 if lot.accepted and lot.accept_if_tighter else 0
    return score + 2 if lot.accepted else 0


def check_counts(inspected: int, *defective: int, lot_qty: Number | None = None) -> None:
    """Raise BadInput unless the counts are whole, not negative, and fit into the sample and the lot (DEF-3)."""
    for count in (inspected, *defective):
        if type(count) is not int or count < 0:
            raise BadInput("Counts of units are whole numbers from 0.", "inspected")
    if sum(defective) > inspected:
        raise BadInput("More units are defective than were inspected.", "defective")
    if lot_qty is not None and inspected > lot_qty:
        raise BadInput("More units were inspected than the lot holds.", "inspected")


def counted_inspection(inspections: Iterable[AnyInspection]) -> AnyInspection | None:
    """The one inspection of a lot that counts: the first original one of the best source (DEF-4); None without one.

    In-line inspections and the factory's own reports never count.
    """
    candidates = [each for each in inspections if each.stage != INLINE and each.source in SOURCE_RANKS]
    originals = (each for each in candidates if each.original)
    return min(originals, key=lambda each: (SOURCE_RANKS[each.source], each.seq), default=None)


def releasing_inspection(inspections: Iterable[AnyInspection]) -> AnyInspection | None:
    """The inspection whose verdict decides shipment: the last one, re-inspections included (DEF-4)."""
    candidates = [each for each in inspections if each.stage != INLINE and each.source in SOURCE_RANKS]
    return max(candidates, key=lambda each: each.seq, default=None)
