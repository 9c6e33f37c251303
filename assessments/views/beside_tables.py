"""The rows behind the numbers that stand besides a score, as tables: lines with their days, and whole orders."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assessments import beside_rows
from assessments.figures import count, day
from assessments.templatetags.pills import word_pill
from assessments.views.tables import COUNTED, LINE, LINE_BASE, PRODUCT, Column, Table, completed, line_title
from factories.models import Factory
from production.models import PurchaseOrder


def order_title(row: PurchaseOrder, factory: Factory) -> tuple[str, str]:
    row.factory = factory
    return row.number, row.get_absolute_url()


def whole(row: Any, factory: Factory) -> Any:
    if row.lines_on_time == row.lines_counted:
        return word_pill("ok", _("Whole"))
    return word_pill("breach", _("Not whole"))


CYCLES = Table(LINE_BASE, line_title, gettext_lazy("Order line"), [
    Column("product", gettext_lazy("Product"), lambda r, f: r.line.product.name, "wide", phone=False, by=PRODUCT),
    Column("confirmed_on", gettext_lazy("Confirmed on"), lambda r, f: day(r.line.order.confirmed_on), "nowrap",
           by="line__order__confirmed_on"),
    Column("completed_on", gettext_lazy("Complete"), completed, "nowrap", by="completed_on"),
    Column("took", gettext_lazy("Days"), lambda r, f: count(r.took), "num", by="took"),
    Column("agreed", gettext_lazy("Agreed"), lambda r, f: count(r.line.order.cycle_days), "num",
           by="line__order__cycle_days"),
], by=LINE)  # fmt: skip
ORDERS = Table((), order_title, gettext_lazy("Order"), [
    Column("whole", gettext_lazy("Counted"), whole, "end", phone=False),
    Column("counted_on", gettext_lazy("Counts on"), lambda r, f: day(r.counted_on), "nowrap", by="counted_on"),
    Column("lines_on_time", gettext_lazy("Lines on time and in full"), lambda r, f: count(r.lines_on_time), "num",
           by="lines_on_time"),
    Column("lines_counted", gettext_lazy("of lines"), lambda r, f: count(r.lines_counted), "num", by="lines_counted"),
], by="number")  # fmt: skip


def table(part: str, measure: str) -> Table:
    """The table of one of the parts besides a score."""
    if part in beside_rows.CYCLE:
        return CYCLES
    return ORDERS if part in beside_rows.ORDERS else COUNTED[measure]
