"""Why a score moved from one evaluation to the next: policy, rows set aside, late facts, and whatever is left.

Arithmetic only: it is told how each side was judged, and how it would be judged with one thing taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

POLICY, LATE, SET_ASIDE, REST = "policy", "late", "set_aside", "rest"
ADDED = (
    "lots", "lots_accepted", "lots_rejected", "lots_with_critical", "units_inspected", "units_critical", "units_major",
    "units_minor", "s2", "sum_rate", "sum_q", "sum_q_rate", "lines", "otif", "otd", "qty_due", "qty_on_time", "late_closed",
    "days_late_closed", "open_count", "open_due_ordinal",
)  # fmt: skip
MONEY = ("orders", "value_net", "value_loss_pos", "value_loss_neg", "charge")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Share:
    """One measure of a judgement: numerator, denominator, and what it adds to the score (0 where it adds nothing)."""

    num: Decimal
    den: Decimal
    adds: Decimal
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Stand:
    """One judgement in short. `score` is None where the data are too few for one."""

    score: Decimal | None
    shares: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Change:
    """By how much one measure moved; `num` and `den` are None where two currencies cannot be compared."""

    num: Decimal | None
    den: Decimal | None
    adds: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """One cause of the move: by how much the score moved, and each measure.

    `score` is None where the whole move has no number, or where this cause gives no score by itself; what it did is
    then in the rest.
    """

    cause: str
    score: Decimal | None
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Difference:
    """The whole move and its parts, which add up to it exactly; the last part is the remainder."""

    score: Decimal | None
    changes: Mapping[str, Change]
    parts: Sequence[Part]


def stand(score: Decimal | None, measures: Mapping[str, Mapping[str, Any]]) -> Stand:
    """A judgement in short, from the score and the measures as they are stored."""
    return Stand(
        score,
        {
            name: Share(
                Decimal(str(measure.get("num") or 0)),
                Decimal(str(measure.get("den") or 0)),
                Decimal(measure.get("adds") or 0),
                measure.get("currency") or "",
            )
            for name, measure in measures.items()
        },
    )


def split(
    before: Stand,
    now: Stand,
    repoliced: Stand | None = None,
    caught_up: Stand | None = None,
    put_back: Stand | None = None,
) -> Difference:
    """Splits the move from `before` to `now`.

    `repoliced`: the sums of before, by the policy of now; None where the policy is the same. `caught_up`: the sums of
    before with the facts that came late for its own days, by the policy of now; None where none came. `put_back`: the
    sums of now with the rows that were set aside since then put back (and those that were lifted taken out); None where
    there were none. What these do not explain is the remainder.
    """
    judged_anew = repoliced or before
    steps = [
        (POLICY, before, judged_anew),
        (LATE, judged_anew, caught_up or judged_anew),
        (SET_ASIDE, put_back or now, now),
    ]
    whole = _moved(before.score, now.score)
    rest_score, rest = whole, _changes(before, now)
    parts = []
    for cause, old, new in steps:
        score, changes = _moved(old.score, new.score), _changes(old, new)
        if whole is not None and score is None:
            changes = {name: Change(ZERO, ZERO, ZERO) for name in changes}
        if rest_score is not None and score is not None:
            rest_score -= score
        rest = {name: _minus(change, changes.get(name)) for name, change in rest.items()}
        parts.append(Part(cause, score if whole is not None else None, changes))
    parts.append(Part(REST, rest_score, rest))
    return Difference(whole, _changes(before, now), parts)


def add(sums: Mapping[str, Any], more: Mapping[str, Any], sign: int = 1) -> dict[str, Any]:
    """The stored sums with those of more rows added, or taken away with `sign` -1.

    The largest lot stays what it was: it raises a flag and moves no score.
    """
    found = dict(sums)
    for name in ADDED:
        if more.get(name):
            found[name] = _plain(Decimal(str(found.get(name) or 0)) + sign * Decimal(str(more[name])))
    money = {row["currency"]: dict(row) for row in sums["money"]}
    for row in more.get("money", ()):
        kept = money.setdefault(row["currency"], {"currency": row["currency"], **dict.fromkeys(MONEY, 0)})
        for name in MONEY:
            kept[name] = _plain(Decimal(str(kept[name])) + sign * Decimal(str(row[name])))
    found["money"] = [money[currency] for currency in sorted(money) if int(money[currency]["orders"]) > 0]
    return found


def _moved(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    return None if old is None or new is None else new - old


def _changes(old: Stand, new: Stand) -> dict[str, Change]:
    nothing = Share(ZERO, ZERO, ZERO)
    found = {}
    for name, share in new.shares.items():
        was = old.shares.get(name, nothing)
        comparable = not (share.currency and was.currency) or share.currency == was.currency
        found[name] = Change(
            share.num - was.num if comparable else None,
            share.den - was.den if comparable else None,
            share.adds - was.adds,
        )
    return found


def _minus(change: Change, other: Change | None) -> Change:
    if other is None:
        return change
    return Change(
        None if change.num is None or other.num is None else change.num - other.num,
        None if change.den is None or other.den is None else change.den - other.den,
        change.adds - other.adds,
    )


def _plain(value: Decimal) -> int | str:
    """As evaluations keep numbers: integers as they are, the rest as plain strings."""
    return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")
