"""The rows behind a number as tables: per measure one of what was counted and one of what was not, and how each sorts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Case, ExpressionWrapper, F, QuerySet, Value, When
from django.db.models.functions import Greatest, Length, NullIf
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assessments import evidence
from assessments.figures import day, money, percent, quantity
from assessments.filters import Heading, heading
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
    """One column: its name in files, its head, its text from a row, and whether it shows amounts of money.

    `by` is what a list sorted by it is ordered by: a field, several of them, or an expression. The first one turns round.
    """

    name: str
    head: Any
    text: Callable[[Any, Factory], Any]
    css: str = ""
    phone: bool = True  # the head stands before the value on a phone
    is_money: bool = False
    in_files_only: bool = False
    by: Any = ""

    @property
    def key(self) -> str:
        """Its name in an address: `o=-days-late`."""
        return self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Table:
    related: Sequence[str]
    title: Callable[[Any, Factory], tuple[str, str]]  # what the first cell says, and where it leads
    first: Any
    columns: Sequence[Column]
    by: Any = ""  # what a list sorted by the first cell is ordered by

    def _shown(self, with_money: bool) -> list[Column]:
        return [column for column in self.columns if with_money or not column.is_money]

    def _on_screen(self, with_money: bool) -> list[Column]:
        return [column for column in self._shown(with_money) if not column.in_files_only]

    def head(self, with_money: bool, params: QueryDict) -> list[Heading]:
        """The heads: each sorts by its column, numbers and days from the largest first."""
        found = [heading("row", str(self.first), params) if self.by else Heading(str(self.first), "")]
        for column in self._on_screen(with_money):
            text, css = str(column.head), "num" if "num" in column.css else ""
            first = "-" if css or column.name.endswith("_on") else ""
            found.append(heading(column.key, text, params, css, first) if column.by else Heading(text, "", css=css))
        return found

    def ordered(self, found: QuerySet, order: str, with_money: bool) -> QuerySet:
        """The rows as `o` of an address asks, unknown values last; as they were where it names no column shown.

        Amounts of money are sorted within their currency: they are never compared across.
        """
        shown = {column.key: column for column in self._on_screen(with_money)}
        column = shown.get(order.removeprefix("-"))
        by = column.by if column else self.by if order.removeprefix("-") == "row" else ""
        if not by:
            return found
        turned, *then = by if isinstance(by, tuple) else (by,)
        turned = F(turned) if isinstance(turned, str) else turned
        way = turned.desc(nulls_last=True) if order.startswith("-") else turned.asc(nulls_last=True)
        apart = ["currency"] if column and column.is_money else []
        return found.order_by(*apart, way, *then, "pk")

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


def loss_rate_in_file(row: MaterialOutcome, factory: Factory) -> Any:
    rate = loss_rate(row, factory)
    return None if rate is None else round(rate, 12)


def value_lost(row: MaterialOutcome, factory: Factory) -> str:
    return money(max(row.value_loss, 0), row.currency)


def value_used(row: MaterialOutcome, factory: Factory) -> str:
    return money(row.value_net, row.currency)


LINE_BASE = ("line__order", "line__product")
# What columns sort by that is not one field.
LINE = ("line__order__number", Length("line__number"), "line__number")  # L2 before L10
PRODUCT = "line__product__name"
WORST_LOT = Case(
    When(critical__gt=0, then=0), When(is_accepted=False, then=1), When(is_accepted=None, then=2), default=3
)
BEYOND = Case(When(excess__gt=0, then=0), default=1)
LOST_SHARE = ExpressionWrapper(F("loss") / NullIf("net_issued", Value(0, evidence.RATIO)), output_field=evidence.RATIO)
VALUE_LOST = Greatest("value_loss", Value(0, evidence.RATIO))
UNITS_BAD = F("units_critical") + F("units_major")
COUNTED: dict[str, Table] = {
    "otif": Table(LINE_BASE, line_title, gettext_lazy("Order line"), [
        Column("counted", gettext_lazy("Counted"), verdict, "end", phone=False, by=("is_otif", "is_otd")),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False, by=PRODUCT),
        Column("due_on", gettext_lazy("Due"), lambda r, f: day(r.due_on), by="due_on"),
        Column("limit_on", gettext_lazy("Last on-time day"), lambda r, f: day(r.limit_on), by="limit_on"),
        Column("completed_on", gettext_lazy("Complete"), completed, by="completed_on"),
        Column("days_late", gettext_lazy("Days late"), days_late, "num", by="age"),
        Column("on_time", gettext_lazy("On time"), lambda r, f: quantity(r.qty_on_time), "num off", by="qty_on_time"),
        Column("quantity_due", gettext_lazy("of due"), lambda r, f: quantity(r.qty_due), "num off", by="qty_due"),
    ], by=LINE),
    "defect": Table(("lot", "line__order", "line__product"), lot_title, gettext_lazy("Lot"), [
        Column("verdict", gettext_lazy("Verdict"), lot_state, "end", phone=False, by=WORST_LOT),
        Column("order_line", gettext_lazy("Order line"), lambda r, f: r.line.code, by=LINE),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False, by=PRODUCT),
        Column("inspected_on", gettext_lazy("Inspected on"), lambda r, f: day(r.inspected_on), by="inspected_on"),
        Column("rate", gettext_lazy("Rate"), lambda r, f: percent(r.bad_share), "num", by="bad_share"),
        Column("defective", gettext_lazy("Defective"), lambda r, f: r.defective, "num", by="bad"),
        Column("inspected", gettext_lazy("of inspected"), lambda r, f: quantity(r.inspected), "num", by="inspected"),
        Column("critical", gettext_lazy("Critical"), lambda r, f: r.critical, "num", by="critical"),
        Column("major", gettext_lazy("Major"), lambda r, f: r.major, in_files_only=True),
        Column("delivered", gettext_lazy("Delivered"), lambda r, f: quantity(r.qty_delivered), in_files_only=True),
        Column("minor", gettext_lazy("Minor (not counted)"), lambda r, f: r.minor, "num off", by="minor"),
    ], by="lot__code"),
    "loss": Table(("order", "order_material__material"), material_title, gettext_lazy("Order and material"), [
        Column("allowance", gettext_lazy("Allowance"), material_state, "end", phone=False, by=BEYOND),
        Column("closed_on", gettext_lazy("Closed on"), lambda r, f: day(r.closed_on), "nowrap", by="closed_on"),
        Column("used", gettext_lazy("Used"), lambda r, f: amount(r, r.net_issued), "num", by="net_issued"),
        Column("needed", gettext_lazy("Needed"), lambda r, f: amount(r, r.theoretical), "num", by="theoretical"),
        Column("lost", gettext_lazy("Lost"), lambda r, f: amount(r, r.loss), "num", by="loss"),
        Column("rate", gettext_lazy("Rate"), lambda r, f: percent(loss_rate(r, f)), "num", by=LOST_SHARE),
        Column("allowed", gettext_lazy("Allowed"), lambda r, f: amount(r, r.allowed), in_files_only=True),
        Column("currency", gettext_lazy("Currency"), lambda r, f: r.currency, is_money=True, in_files_only=True),
        Column("value_lost", gettext_lazy("Value lost"), value_lost, "num", is_money=True, by=VALUE_LOST),
        Column("value_used", gettext_lazy("Value used"), value_used, "num off", is_money=True, by="value_net"),
        Column("charge", gettext_lazy("To charge"), lambda r, f: money(r.charge, r.currency), "num", is_money=True, by="charge"),
    ], by=("order__number", "order_material__material__name")),
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
           "end", phone=False, by="is_inspected"),
    Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False, by=PRODUCT),
    Column("lot", gettext_lazy("Lot"), lambda r, f: r.delivery.lot.code if r.delivery.lot else "–", by="delivery__lot__code"),
    Column("received_on", gettext_lazy("Received on"), lambda r, f: day(r.received_on), by="received_on"),
    Column("delivered", gettext_lazy("Quantity"), lambda r, f: quantity(r.quantity), "num", by="quantity"),
], by="pk")  # fmt: skip
REASONS = {
    "self_report": gettext_lazy("the factory’s own report"), "repeat": gettext_lazy("a repeat after rework"),
    "inline": gettext_lazy("made in line, before the goods were finished"),
    "other_counts": gettext_lazy("another inspection of this lot counts"),
}  # fmt: skip
LEFT_OUT: dict[str, Table] = {
    "otif": Table(LINE_BASE, line_title, gettext_lazy("Order line"), [
        Column("why", gettext_lazy("Why"), lambda r, f: r.get_state_display(), "wide", phone=False, by="state"),
        Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False, by=PRODUCT),
        Column("limit_on", gettext_lazy("Last on-time day"), lambda r, f: day(r.limit_on), by="limit_on"),
        Column("quantity", gettext_lazy("Ordered"), lambda r, f: quantity(r.line.quantity), "num", by="line__quantity"),
    ], by=LINE),
    "defect": Table(("lot",), inspection_title, gettext_lazy("Inspection"), [
        Column("why", gettext_lazy("Why"), lambda r, f: REASONS[evidence.why_not(r)], "wide", phone=False),
        Column("inspected_on", gettext_lazy("Inspected on"), lambda r, f: day(r.inspected_on), by="inspected_on"),
        Column("source", gettext_lazy("By"), lambda r, f: r.get_source_display(), by="source"),
        Column("defective", gettext_lazy("Defective"), lambda r, f: r.units_defective, "num", by=UNITS_BAD),
        Column("inspected", gettext_lazy("of inspected"), lambda r, f: quantity(r.units_inspected), "num", by="units_inspected"),
    ], by="pk"),
}  # fmt: skip


def aside(*names: Column) -> Table:
    """Rows that two people set aside; with the names only for our own people."""
    return Table(
        ("line__order", "lot", "order_material__order", "order_material__material", "proposed_by", "decided_by"),
        lambda row, factory: (row.title, row.get_absolute_url()),
        gettext_lazy("Row"),
        [
            Column("reason", gettext_lazy("Why"), lambda r, f: r.reason, "wide", phone=False, by="reason"),
            *names,
            Column("decided_on", gettext_lazy("Set aside on"), lambda r, f: day(r.decided_on), by="decided_on"),
        ],
        by="pk",
    )


SET_ASIDE = aside(
    Column("proposed_by", gettext_lazy("Proposed by"), lambda r, f: str(r.proposed_by), by="proposed_by__name"),
    Column("approved_by", gettext_lazy("Approved by"), lambda r, f: str(r.decided_by), by="decided_by__name"),
)
SET_ASIDE_FOR_CONTACTS = aside(Column("approved_by", gettext_lazy("Approved by"), lambda r, f: _("the seller")))


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
            "took",
            "counted_on",
            "lines_on_time",
            "lines_counted",
        )
    },
    "confirmed_on": lambda r, f: r.line.order.confirmed_on,
    "agreed": lambda r, f: r.line.order.cycle_days,
    "whole": lambda r, f: "whole" if r.lines_on_time == r.lines_counted else "not whole",
    "inspected": lambda r, f: r.units_inspected if isinstance(r, Inspection) else r.inspected,
    "quantity": lambda r, f: r.line.quantity,
    "counted": lambda r, f: "on time" if r.is_otif else "late",
    "days_late": lambda r, f: r.age,
    "on_time": lambda r, f: r.qty_on_time,
    "quantity_due": lambda r, f: r.qty_due,
    "verdict": lambda r, f: {True: "accepted", False: "rejected", None: "pending"}[r.is_accepted],
    "rate": lambda r, f: r.bad_share if isinstance(r, LotOutcome) else loss_rate_in_file(r, f),
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
