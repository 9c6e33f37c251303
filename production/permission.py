"""Whether a factory may be given an order: what its grade allows, what the cap leaves, what an override lifts."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from django.utils.translation import gettext as _

from production.wording import day as day_words
from production.wording import money

BLOCK, WARN = "block", "warn"
Amounts = Mapping[str, Decimal | None]  # by currency; None where the price is not known


class Standing(Protocol):
    """What the published grade of a factory means for it now."""

    grade: str
    since_on: datetime.date
    orders: str
    max_open_value: Decimal | None
    cap_currency: str
    inspection: str
    plan_due_on: datetime.date | None


class Override(Protocol):
    """A permission to order in spite of the grade, through its last day unless it was ended."""

    reason: str
    from_on: datetime.date
    until_on: datetime.date
    ended_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """May the order be placed, must a warning be ticked first, and the sentences that say why."""

    allowed: bool
    warning: bool
    reasons: tuple[str, ...] = ()


FREE = Decision(allowed=True, warning=False)


def may_order(
    standing: Standing | None,
    overrides: Iterable[Override],
    open_value: Amounts,
    new_value: Amounts,
    day: datetime.date,
    stopped: Sequence[str] = (),
) -> Decision:
    """The decision on one order, or on one more line of it, on `day`.

    `open_value` is the worth of what is still to come, `new_value` what the order adds to it. Only the currency of the
    cap counts; what is in others is named. `stopped` says of which goods inspection is discontinued (AQL-5): a warning.
    An override in force lifts the block, the warning and the cap alike. Without a standing nothing else holds the factory
    back.
    """
    blocked, warned, told = [], list(stopped), []
    if standing is None:
        if stopped and (lifted := _in_force(overrides, day)):
            return Decision(True, False, (lifted,))
        return Decision(True, bool(warned), tuple(warned))
    grade = _grade(standing)
    if standing.orders == BLOCK:
        blocked.append(
            _("%(grade)s: it gets no new orders. Choose another factory, or ask a manager for an override.")
            % {"grade": grade}
        )
    elif standing.orders == WARN:
        warned.append(_("%(grade)s: think twice before you order more from it.") % {"grade": grade})
    if standing.plan_due_on is not None and standing.plan_due_on < day:
        warned.append(
            _("Its improvement plan was due on %(day)s and is not answered yet.")
            % {"day": day_words(standing.plan_due_on)}
        )
    if standing.max_open_value is not None:
        refusal = _beyond_cap(standing, standing.max_open_value, open_value, new_value)
        blocked += [refusal] if refusal else []
        cap = money(standing.max_open_value, standing.cap_currency)
        if new := _others(new_value, standing.cap_currency):
            warned.append(
                _("Open orders may be worth %(cap)s together. This is in another currency and not counted: %(new)s.")
                % {"cap": cap, "new": new}
            )
        if others := _others(open_value, standing.cap_currency):
            told.append(_("Not counted, because the cap is in %(currency)s: %(others)s on open orders.")
                        % {"currency": standing.cap_currency, "others": others})  # fmt: skip
    if blocked or warned:
        if lifted := _in_force(overrides, day):
            return Decision(True, False, (lifted,))
        if blocked:
            return Decision(False, False, (*blocked, *told))
    return Decision(True, bool(warned), (*warned, *told))


def strictness(standing: Standing | None) -> str:
    """Why goods are inspected more strictly than usual, as a sentence; empty where they are not."""
    words = {"tightened": _("%(grade)s: tightened inspection."), "full": _("%(grade)s: every unit is inspected.")}
    found: str = words.get(standing.inspection, "") if standing else ""
    return found % {"grade": _grade(standing)} if standing and found else ""


def _grade(standing: Standing) -> str:
    grades = {
        "excellent": _("The factory is graded excellent since %(day)s"),
        "good": _("The factory is graded good since %(day)s"),
        "passing": _("The factory is only graded passing since %(day)s"),
        "failing": _("The factory is graded failing since %(day)s"),
    }
    words: str = grades.get(standing.grade, _("The factory is not rated"))
    return words % {"day": day_words(standing.since_on)}


def _beyond_cap(standing: Standing, cap: Decimal, open_value: Amounts, new_value: Amounts) -> str:
    """Why the cap refuses the order; empty if it does not."""
    currency, zero = standing.cap_currency, Decimal(0)
    held, added = open_value.get(currency) or zero, new_value.get(currency, zero)
    facts = {
        "grade": _grade(standing),
        "cap": money(cap, currency),
        "held": money(held, currency),
        "added": money(added, currency),
        "left": money(max(cap - held, zero), currency),
    }
    told: str
    if added is None:
        told = _(
            "%(grade)s, and its open orders may be worth %(cap)s together. Enter the unit price, so that it counts."
        )
    elif held + added <= cap:
        return ""
    elif added:
        told = _(
            "%(grade)s: its open orders may be worth %(cap)s together. %(held)s are open and this adds %(added)s. "
            "Order for at most %(left)s, wait for deliveries, or ask a manager for an override."
        )
    else:
        told = _(
            "%(grade)s: its open orders may be worth %(cap)s together, and %(held)s are open. "
            "Wait for deliveries, or ask a manager for an override."
        )
    return told % facts


def _others(amounts: Amounts, currency: str) -> str:
    found = {name: value for name, value in sorted(amounts.items()) if name != currency and value != 0}
    return ", ".join(money(value, name) if value else name for name, value in found.items())


def _in_force(overrides: Iterable[Override], day: datetime.date) -> str:
    """The override that lasts longest of those in force on the day, in words; empty without one."""
    found = [each for each in overrides if each.ended_at is None and each.from_on <= day <= each.until_on]
    if not found:
        return ""
    last = max(found, key=lambda each: each.until_on)
    words: str = _("Ordered under an override until %(day)s: %(reason)s")
    return words % {"day": day_words(last.until_on), "reason": last.reason}
