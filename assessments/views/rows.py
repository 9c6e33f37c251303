"""The rows behind a number as table cells: per measure one table of what was counted, one of what was not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from assessments import evidence, wording
from assessments.figures import count, day, money, percent, quantity
from assessments.models import Evaluation
from assessments.templatetags.pills import word_pill
from factories.models import Factory
from production.models import (
    Delivery,
    DeliveryOutcome,
    Inspection,
    LineOutcome,
    LotOutcome,
    MaterialOutcome,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: markup or text; `css` of the cell, `label` before it on a phone."""

    content: Any
    css: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in files, its head, its text from a row, and whether it shows amounts of money."""

    name: str
    head: Any
    text: Callable[[Any, Factory], Any]
    css: str = ""
    phone: bool = True  # the head stands before the value on a phone
    is_money: bool = False
    in_files_only: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    related: Sequence[str]
    title: Callable[[Any, Factory], tuple[str, str]]  # what the first cell says, and where it leads
    first: Any
    columns: Sequence[Column]

    def _shown(self, with_money: bool) -> list[Column]:
        return [column for column in self.columns if with_money or not column.is_money]

    def _on_screen(self, with_money: bool) -> list[Column]:
        return [column for column in self._shown(with_money) if not column.in_files_only]

    def head(self, with_money: bool) -> list[tuple[Any, str]]:
        return [
            (self.first, ""),
            *((column.head, "num" if "num" in column.css else "") for column in self._on_screen(with_money)),
        ]

    def cells(self, row: Any, factory: Factory, with_money: bool) -> dict[str, Any]:
        text, url = self.title(row, factory)
        cells = [
            Cell(column.text(row, factory), column.css, str(column.head) if column.phone else "")
            for column in self._on_screen(with_money)
        ]
        return {"title": text, "url": url, "cells": cells}

    def csv_head(self, with_money: bool) -> list[str]:
        return ["row", *(column.name for column in self._shown(with_money))]

    def csv_row(self, row: Any, factory: Factory, with_money: bool) -> list[Any]:
        text, _url = self.title(row, factory)
        return [text, *(CSV.get(column.name, column.text)(row, factory) for column in self._shown(with_money))]


def line_title(row: LineOutcome, factory: Factory) -> tuple[str, str]:
    row.line.order.factory = factory
    return row.line.code, row.line.order.get_absolute_url()


def lot_title(row: LotOutcome, factory: Factory) -> tuple[str, str]:
    return row.lot.code, Inspection(pk=row.inspection_id).get_absolute_url()


def material_title(row: MaterialOutcome, factory: Factory) -> tuple[str, str]:
    row.order.factory = factory
    return f"{row.order.number} · {row.order_material.material.name}", row.order.get_absolute_url()


def inspection_title(row: Inspection, factory: Factory) -> tuple[str, str]:
    return f"{row.code} · {row.lot.code}", row.get_absolute_url()


def delivery_title(row: DeliveryOutcome, factory: Factory) -> tuple[str, str]:
    code = Delivery(pk=row.pk).code
    return code, f"/deliveries/{code}/"


def verdict(row: LineOutcome, factory: Factory) -> Any:
    return (
        word_pill("ok", _("On time"))
        if row.is_otif
        else word_pill("breach", _("Late") if not row.is_otd else _("Not in full"))
    )


def days_late(row: LineOutcome, factory: Factory) -> str:
    if row.is_open:
        return _("%(n)s so far") % {"n": row.age}
    return str(row.age) if row.age else "–"


def completed(row: LineOutcome, factory: Factory) -> str:
    return day(row.completed_on) if row.completed_on else _("still open") if row.is_open else "–"


def lot_state(row: LotOutcome, factory: Factory) -> Any:
    if row.critical:
        return word_pill("breach", _("Critical"))
    if row.is_accepted is None:
        return word_pill("no_data", _("Pending"))
    return word_pill("ok", _("Accepted")) if row.is_accepted else word_pill("breach", _("Rejected"))


def material_state(row: MaterialOutcome, factory: Factory) -> Any:
    return word_pill("breach", _("Beyond")) if row.excess > 0 else word_pill("ok", _("Within"))


def amount(row: MaterialOutcome, value: Any) -> str:
    return f"{quantity(round(value, 3))} {row.order_material.material.unit}"


def loss_rate(row: MaterialOutcome, factory: Factory) -> Any:
    return row.loss / row.net_issued if row.net_issued else None


def value_lost(row: MaterialOutcome, factory: Factory) -> str:
    return money(max(row.value_loss, 0), row.currency)


def value_used(row: MaterialOutcome, factory: Factory) -> str:
    return money(row.value_net, row.currency)


LINE_BASE = ("line__order", "line__product")
COUNTED: dict[str, Table] = {
    "otif": Table(LINE_BASE, line_title, gettext_lazy("Order line"), [
        Column("counted", gettext_lazy("Counted"), verdict, "end", phone=False),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False),
        Column("due_on", gettext_lazy("Due"), lambda r, f: day(r.due_on)),
        Column("limit_on", gettext_lazy("Last on-time day"), lambda r, f: day(r.limit_on)),
        Column("completed_on", gettext_lazy("Complete"), completed),
        Column("days_late", gettext_lazy("Days late"), days_late, "num"),
        Column("on_time", gettext_lazy("On time"), lambda r, f: quantity(r.qty_on_time), "num off"),
        Column("quantity_due", gettext_lazy("of due"), lambda r, f: quantity(r.qty_due), "num off"),
    ]),
    "defect": Table(("lot", "line__order", "line__product"), lot_title, gettext_lazy("Lot"), [
        Column("verdict", gettext_lazy("Verdict"), lot_state, "end", phone=False),
        Column("order_line", gettext_lazy("Order line"), lambda r, f: r.line.code),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False),
        Column("inspected_on", gettext_lazy("Inspected on"), lambda r, f: day(r.inspected_on)),
        Column("rate", gettext_lazy("Rate"), lambda r, f: percent(r.bad_share), "num"),
        Column("defective", gettext_lazy("Defective"), lambda r, f: r.defective, "num"),
        Column("inspected", gettext_lazy("of inspected"), lambda r, f: quantity(r.inspected), "num"),
        Column("critical", gettext_lazy("Critical"), lambda r, f: r.critical, "num"),
        Column("major", gettext_lazy("Major"), lambda r, f: r.major, in_files_only=True),
        Column("delivered", gettext_lazy("Delivered"), lambda r, f: quantity(r.qty_delivered), in_files_only=True),
        Column("minor", gettext_lazy("Minor (not counted)"), lambda r, f: r.minor, "num off"),
    ]),
    "loss": Table(("order", "order_material__material"), material_title, gettext_lazy("Order and material"), [
        Column("allowance", gettext_lazy("Allowance"), material_state, "end", phone=False),
        Column("closed_on", gettext_lazy("Closed on"), lambda r, f: day(r.closed_on), "nowrap"),
        Column("used", gettext_lazy("Used"), lambda r, f: amount(r, r.net_issued), "num"),
        Column("needed", gettext_lazy("Needed"), lambda r, f: amount(r, r.theoretical), "num"),
        Column("lost", gettext_lazy("Lost"), lambda r, f: amount(r, r.loss), "num"),
        Column("rate", gettext_lazy("Rate"), lambda r, f: percent(loss_rate(r, f)), "num"),
        Column("allowed", gettext_lazy("Allowed"), lambda r, f: amount(r, r.allowed), in_files_only=True),
        Column("currency", gettext_lazy("Currency"), lambda r, f: r.currency, is_money=True, in_files_only=True),
        Column("value_lost", gettext_lazy("Value lost"), value_lost, "num", is_money=True),
        Column("value_used", gettext_lazy("Value used"), value_used, "num off", is_money=True),
        Column("charge", gettext_lazy("To charge"), lambda r, f: money(r.charge, r.currency), "num", is_money=True),
    ]),
}  # fmt: skip
# Of the late lines also the rate that there would be if this one alone had been on time.
LATE = replace(
    COUNTED["otif"],
    columns=[
        *COUNTED["otif"].columns,
        Column("if_on_time", gettext_lazy("If on time"), lambda r, f: percent(r.if_on_time), "num"),
    ],
)
# What arrived in the days of the defect rate, and whether an inspection covers it.
DELIVERIES = Table(("delivery__lot", "line__product", "line__order"), delivery_title, gettext_lazy("Delivery"), [
    Column("covered", gettext_lazy("Inspected"),
           lambda r, f: word_pill("ok", _("Inspected")) if r.is_inspected else word_pill("no_data", _("Not inspected")),
           "end", phone=False),
    Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False),
    Column("lot", gettext_lazy("Lot"), lambda r, f: r.delivery.lot.code if r.delivery.lot else "–"),
    Column("received_on", gettext_lazy("Received on"), lambda r, f: day(r.received_on)),
    Column("delivered", gettext_lazy("Quantity"), lambda r, f: quantity(r.quantity), "num"),
])  # fmt: skip
REASONS = {
    "self_report": gettext_lazy("the factory’s own report"), "repeat": gettext_lazy("a repeat after rework"),
    "inline": gettext_lazy("made in line, before the goods were finished"),
    "other_counts": gettext_lazy("another inspection of this lot counts"),
}  # fmt: skip
LEFT_OUT: dict[str, Table] = {
    "otif": Table(LINE_BASE, line_title, gettext_lazy("Order line"), [
        Column("why", gettext_lazy("Why"), lambda r, f: r.get_state_display(), "wide", phone=False),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False),
        Column("limit_on", gettext_lazy("Last on-time day"), lambda r, f: day(r.limit_on)),
        Column("quantity", gettext_lazy("Ordered"), lambda r, f: quantity(r.line.quantity), "num"),
    ]),
    "defect": Table(("lot",), inspection_title, gettext_lazy("Inspection"), [
        Column("why", gettext_lazy("Why"), lambda r, f: REASONS[evidence.why_not(r)], "wide", phone=False),
        Column("inspected_on", gettext_lazy("Inspected on"), lambda r, f: day(r.inspected_on)),
        Column("source", gettext_lazy("By"), lambda r, f: r.get_source_display()),
        Column("defective", gettext_lazy("Defective"), lambda r, f: r.units_defective, "num"),
        Column("inspected", gettext_lazy("of inspected"), lambda r, f: quantity(r.units_inspected), "num"),
    ]),
}  # fmt: skip


def aside(*names: Column) -> Table:
    """Rows that two people set aside; with the names only for our own people."""
    return Table(
        ("line__order", "lot", "order_material__order", "order_material__material", "proposed_by", "decided_by"),
        lambda row, factory: (row.title, row.get_absolute_url()),
        gettext_lazy("Row"),
        [
            Column("reason", gettext_lazy("Why"), lambda r, f: r.reason, "wide", phone=False),
            *names,
            Column("decided_on", gettext_lazy("Set aside on"), lambda r, f: day(r.decided_on)),
        ],
    )


SET_ASIDE = aside(
    Column("proposed_by", gettext_lazy("Proposed by"), lambda r, f: str(r.proposed_by)),
    Column("approved_by", gettext_lazy("Approved by"), lambda r, f: str(r.decided_by)),
)
SET_ASIDE_FOR_CONTACTS = aside(Column("approved_by", gettext_lazy("Approved by"), lambda r, f: _("the seller")))
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that an address asks for: of one part, and of loss in one currency.

    `now` counts the rows of all parts, `outside` those of the same days that are not counted, by part.
    """

    part: str
    currency: str
    table: Table
    rows: QuerySet
    now: evidence.Counted
    outside: dict[str, int]

    @property
    def count(self) -> int:
        if self.part == "deliveries":
            return self.rows.count()
        return self.outside[self.part] if self.part in self.outside else self.now.parts.get(self.part, self.now.every)

    def together(self, window: Evaluation, measure: str, with_money: bool) -> str:
        """What the rows shown add up to, as a sentence: the numbers that a page shows for them."""
        if self.part in self.outside:
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
    """The rows in the days of an evaluation that the query string names by `counted` and `currency`."""
    reader, part = request.user, request.GET.get("counted", "all")
    currency = request.GET.get("currency", "") if measure == "loss" else ""
    currency = currency if re.fullmatch("[A-Z]{3}", currency) else ""
    every = evidence.rows(window, measure, currency).visible_to(reader)
    left_out, put_aside = evidence.not_counted(window, measure), evidence.set_aside(window, measure)
    outside = {"left-out": left_out.visible_to(reader).count()} if left_out is not None else {}
    outside["set-aside"] = put_aside.visible_to(reader).count()
    if part == "left-out" and left_out is not None:
        table, found = LEFT_OUT[measure], left_out
    elif part == "set-aside":
        table, found = SET_ASIDE_FOR_CONTACTS if reader.role == User.Role.CONTACT else SET_ASIDE, put_aside
    elif part == "deliveries" and measure == "defect":
        table, found = DELIVERIES, evidence.deliveries(window)
    else:
        part = part if part in evidence.PARTS[measure] else "all"
        table, found = COUNTED[measure], evidence.split(measure, every, part)
    found = found.visible_to(reader).select_related(*table.related)
    now = evidence.counted(window, measure, every, currency)
    if part == "late" and now.den:
        table = LATE
        found = found.annotate(if_on_time=Value((now.num + 1) / now.den, evidence.RATIO))
    return Chosen(part, currency, table, found, now, outside)


def _plain(name: str) -> Callable[[Any, Factory], Any]:
    return lambda row, factory: getattr(row, name)


# In files, numbers and days as they are stored.
CSV: dict[str, Callable[[Any, Factory], Any]] = {
    **{
        name: _plain(name)
        for name in (
            "due_on",
            "limit_on",
            "completed_on",
            "inspected_on",
            "closed_on",
            "received_on",
            "charge",
            "decided_on",
            "if_on_time",
        )
    },
    "inspected": lambda r, f: r.units_inspected if isinstance(r, Inspection) else r.inspected,
    "quantity": lambda r, f: r.line.quantity,
    "counted": lambda r, f: "on time" if r.is_otif else "late",
    "days_late": lambda r, f: r.age,
    "on_time": lambda r, f: r.qty_on_time,
    "quantity_due": lambda r, f: r.qty_due,
    "verdict": lambda r, f: {True: "accepted", False: "rejected", None: "pending"}[r.is_accepted],
    "rate": lambda r, f: r.bad_share if isinstance(r, LotOutcome) else loss_rate(r, f),
    "allowance": lambda r, f: "beyond" if r.excess > 0 else "within",
    "used": lambda r, f: r.net_issued,
    "needed": lambda r, f: r.theoretical,
    "lost": lambda r, f: r.loss,
    "allowed": lambda r, f: r.allowed,
    "value_lost": lambda r, f: max(r.value_loss, 0),
    "value_used": lambda r, f: r.value_net,
    "delivered": lambda r, f: r.quantity if isinstance(r, DeliveryOutcome) else r.qty_delivered,
    "covered": lambda r, f: "inspected" if r.is_inspected else "not inspected",
}
