"""Which rows an address asks for, in which order: those behind one number."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, partial

from django.db.models import Count, Q, QuerySet, Sum, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from assessments import beside_rows, evidence, wording
from assessments.figures import count, quantity
from assessments.models import Evaluation
from assessments.views import beside_tables
from assessments.views.entrance import sees_money
from assessments.views.tables import COUNTED, DELIVERIES, LATE, LEFT_OUT, SET_ASIDE, SET_ASIDE_FOR_CONTACTS, Table
from production import unknown

WHY = {
    "left-out": gettext_lazy(
        "These rows fall into the same days but are in neither the numerator nor the denominator."
    ),
    "set-aside": gettext_lazy(
        "These rows would count in these days. One person gave the reason and a second one agreed that they do not."
    ),
    "deliveries": gettext_lazy("What arrived in the same days, and whether an inspection that counts covers it."),
    "completed": gettext_lazy(
        "Lines that were completed in these days, with the days since their order was confirmed."
    ),
    "running": gettext_lazy("Lines that were open when these days were over, with the days they had taken by then."),
    "orders": gettext_lazy("An order counts on the last limit day of its lines."),
}
WORDS = {
    "late": gettext_lazy("Not on time in full"),
    "on-time": gettext_lazy("On time in full"),
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
    "minor": gettext_lazy("With minor defects only"),
    "census": gettext_lazy("Inspected whole"),
    "above": gettext_lazy("Inspected whole, above the ceiling"),
    "completed": gettext_lazy("Completed"),
    "running": gettext_lazy("Open at the end"),
    "ran": gettext_lazy("Completed or open at the end"),
    "agreed": gettext_lazy("With an agreed cycle"),
    "overran": gettext_lazy("Longer than the agreed cycle"),
    "ended": gettext_lazy("By the days they ended after"),
    "orders": gettext_lazy("Orders"),
    "whole": gettext_lazy("Whole orders"),
    "not-whole": gettext_lazy("Orders not whole"),
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
        if self.part == "deliveries" or any(self.part in parts for parts in beside_rows.PARTS.values()):
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
        if self.part in beside_rows.ORDERS:
            return ngettext("Together: %(n)s order.", "Together: %(n)s orders.", self.count) % {"n": count(self.count)}
        if self.part == "minor":
            units = self.rows.order_by().aggregate(units=Sum("minor"))["units"] or 0
            words = ngettext("Together: %(n)s unit with minor defects only.",
                             "Together: %(n)s units with minor defects only.", units)  # fmt: skip
            return words % {"n": count(units)}
        if measure == "otif":
            lines = ngettext("Together: %(n)s line.", "Together: %(n)s lines.", self.count)
            return lines % {"n": count(self.count)}
        if measure == "loss" and not with_money:
            return ""
        found = self.now if self.part == "all" else evidence.counted(window, measure, self.rows, self.currency)
        currency = self.currency or window.measures[measure].get("currency") or ""
        sums = {"num": found.num, "den": found.den, "currency": currency, "status": "ok"}
        return _("Together: %(fraction)s.") % {"fraction": wording.fraction(measure, sums, with_money)}

    def explained(self, measure: str) -> str:
        """What the rows are: of material, how many orders they are of."""
        if self.part in WHY or measure != "loss":
            return str(WHY.get(self.part, ""))
        found = self.rows.order_by().aggregate(orders=Count("order_id", distinct=True), rows=Count("pk"))
        orders = ngettext("%(n)s order", "%(n)s orders", found["orders"]) % {"n": count(found["orders"])}
        materials = ngettext("%(n)s material", "%(n)s materials", found["rows"]) % {"n": count(found["rows"])}
        words = _("%(orders)s, %(materials)s. Each row is one material of one order.")
        return words % {"orders": orders, "materials": materials} if found["rows"] else ""


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
    elif window.pk and part in beside_rows.PARTS[measure]:
        after = request.GET.get("after", "")
        days = int(after) if re.fullmatch(r"-?\d{1,6}", after, re.ASCII) else None
        table, found = beside_tables.table(part, measure), beside_rows.rows(window, part, days).visible_to(reader)
    else:
        if part not in evidence.PARTS[measure]:
            if part not in ("", "all"):
                unknown.say(request, "counted")
            part = "all"
        table, found = COUNTED[measure], evidence.split(measure, every, part)
    if part == "late" and (now := counted()).den:
        table = LATE
        found = found.annotate(if_on_time=Value((now.num + 1) / now.den, evidence.RATIO))
    found = table.ordered(found.select_related(*table.related), request.GET.get("o", ""), sees_money(reader))
    return Chosen(part, currency, table, found, counted, aside)
