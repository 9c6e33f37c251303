"""Which rows an address asks for, in which order: those behind one number."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, partial

from django.db.models import Q, QuerySet, Sum, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from assessments import evidence, wording
from assessments.figures import count, quantity
from assessments.models import Evaluation
from assessments.views.entrance import sees_money
from assessments.views.tables import COUNTED, DELIVERIES, LATE, LEFT_OUT, SET_ASIDE, SET_ASIDE_FOR_CONTACTS, Table

WHY = {
    "left-out": gettext_lazy(
        "These rows fall into the same days but are in neither the numerator nor the denominator."
    ),
    "set-aside": gettext_lazy(
        "These rows would count in these days. One person gave the reason and a second one agreed that they do not."
    ),
    "deliveries": gettext_lazy("What arrived in the same days, and whether an inspection that counts covers it."),
}
WORDS = {
    "late": gettext_lazy("Late"),
    "on-time": gettext_lazy("On time"),
    "in-time": gettext_lazy("On time, whatever the quantity"),
    "open": gettext_lazy("Still open"),
    "delayed": gettext_lazy("After the due day"),
    "missed": gettext_lazy("Ended late"),
    "defective": gettext_lazy("With defects"),
    "clean": gettext_lazy("Without"),
    "rejected": gettext_lazy("Rejected"),
    "critical": gettext_lazy("With a critical defect"),
    "charged": gettext_lazy("Beyond the allowance"),
    "within": gettext_lazy("Within it"),
    "lost": gettext_lazy("With a loss"),
    "all": gettext_lazy("All"),
    "left-out": gettext_lazy("Not counted"),
    "set-aside": gettext_lazy("Set aside"),
    "deliveries": gettext_lazy("Deliveries"),
}


@dataclass(frozen=True)
class Chosen:
    """The rows that an address asks for: of one part, and of loss in one currency. What they count is asked where shown.

    `counted` counts the rows of all parts; `aside` are those of the same days that are not counted, by part.
    """

    part: str
    currency: str
    table: Table
    rows: QuerySet
    counted: Callable[[], evidence.Counted]
    aside: dict[str, QuerySet]

    @property
    def now(self) -> evidence.Counted:
        return self.counted()

    @cached_property
    def outside(self) -> dict[str, int]:
        return {part: found.count() for part, found in self.aside.items()}

    @property
    def count(self) -> int:
        if self.part == "deliveries":
            return self.rows.count()
        return self.outside[self.part] if self.part in self.aside else self.now.parts.get(self.part, self.now.every)

    def together(self, window: Evaluation, measure: str, with_money: bool) -> str:
        """What the rows shown add up to, as a sentence: the numbers that a page shows for them."""
        if self.part in self.aside:
            return ""
        if self.part == "deliveries":
            seen = Sum("quantity", filter=Q(is_inspected=True))
            sums = self.rows.order_by().aggregate(every=Sum("quantity"), seen=seen)
            values = {name: quantity(sums[name] or Decimal(0)) for name in ("seen", "every")}
            return _("Together: %(seen)s of %(every)s inspected.") % values
        if measure == "otif":
            lines = ngettext("Together: %(n)s line.", "Together: %(n)s lines.", self.count)
            return lines % {"n": count(self.count)}
        if measure == "loss" and not with_money:
            return ""
        found = self.now if self.part == "all" else evidence.counted(window, measure, self.rows, self.currency)
        currency = self.currency or window.measures[measure].get("currency") or ""
        sums = {"num": found.num, "den": found.den, "currency": currency, "status": "ok"}
        return _("Together: %(fraction)s.") % {"fraction": wording.fraction(measure, sums, with_money)}


def chosen(request: HttpRequest, window: Evaluation, measure: str) -> Chosen:
    """The rows in the days of an evaluation that the query string names by `counted` and `currency`, as `o` orders them."""
    reader, part = request.user, request.GET.get("counted", "all")
    currency = request.GET.get("currency", "") if measure == "loss" else ""
    currency = currency if re.fullmatch("[A-Z]{3}", currency) else ""
    every = evidence.rows(window, measure, currency).visible_to(reader)
    counted = cache(partial(evidence.counted, window, measure, every, currency))
    left_out = evidence.not_counted(window, measure)
    aside = {"left-out": left_out.visible_to(reader)} if left_out is not None else {}
    aside["set-aside"] = evidence.set_aside(window, measure).visible_to(reader)
    if part == "set-aside":
        table, found = SET_ASIDE_FOR_CONTACTS if reader.role == User.Role.CONTACT else SET_ASIDE, aside[part]
    elif part in aside:
        table, found = LEFT_OUT[measure], aside[part]
    elif part == "deliveries" and measure == "defect":
        table, found = DELIVERIES, evidence.deliveries(window).visible_to(reader)
    else:
        part = part if part in evidence.PARTS[measure] else "all"
        table, found = COUNTED[measure], evidence.split(measure, every, part)
    if part == "late" and (now := counted()).den:
        table = LATE
        found = found.annotate(if_on_time=Value((now.num + 1) / now.den, evidence.RATIO))
    found = table.ordered(found.select_related(*table.related), request.GET.get("o", ""), sees_money(reader))
    return Chosen(part, currency, table, found, counted, aside)
