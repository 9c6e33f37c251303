"""Which rows a list shows: the filters of its address, and pages by key, without counting the table."""

import datetime
import re
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import DateField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext, gettext_lazy

from factories.models import Factory
from factories.widgets import LongSelect
from production.codes import tidy
from production.models import Inspection, LineOutcome, OrderLine, Product, PurchaseOrder, Site
from production.models.rollups import FAR
from production.plans import late_plans
from production.supplies import overdue

PAGE_SIZE = 50


@dataclass
class Page:
    """Some rows of a list in order, and the addresses of the rows before and after them."""

    rows: list[Any]
    prev_url: str | None = None
    next_url: str | None = None


def page_of(
    rows: QuerySet,
    request: HttpRequest,
    *,
    key: str,
    newest_first: bool,
    size: int = PAGE_SIZE,
    undated: QuerySet | None = None,
) -> Page:
    """One page of `rows` by (`key`, id). The address holds the last key seen: `?after=2026-11-21~8812`.

    No page number, so no row is counted or skipped over, and rows that arrive meanwhile shift nothing. The day of the
    `undated` rows is FAR, so they are asked for only where the page comes to the last of the `rows`, oldest first.
    """
    backwards = "before" in request.GET
    mark = _read_mark(request.GET.get("before") or request.GET.get("after"), key)
    smaller_next = newest_first != backwards
    found = _next_to(rows, mark, key, smaller_next, size + 1)
    reaches_far = (
        mark is not None and mark[0] == FAR if backwards else len(found) <= size or getattr(found[-1], key) == FAR
    )
    if undated is not None and reaches_far:
        found += _next_to(undated, mark, key, smaller_next, size + 1)
        found.sort(key=lambda row: (getattr(row, key), row.id), reverse=smaller_next)
        found = found[: size + 1]
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page([])
    has_prev, has_next = (more, True) if backwards and mark else (mark is not None, more)
    return Page(
        found,
        prev_url=_with_mark(request.GET, "before", found[0], key) if has_prev else None,
        next_url=_with_mark(request.GET, "after", found[-1], key) if has_next else None,
    )


def _next_to(rows: QuerySet, mark: tuple[Any, int] | None, key: str, smaller_next: bool, most: int) -> list[Any]:
    if mark is not None:
        value, pk = mark
        way, sign = ("lte", "lt") if smaller_next else ("gte", "gt")
        if key == "id":
            rows = rows.filter(**{f"id__{sign}": pk})
        else:
            rows = rows.filter(Q(**{f"{key}__{way}": value}) & (~Q(**{key: value}) | Q(**{f"id__{sign}": pk})))
    minus = "-" if smaller_next else ""
    order = [f"{minus}id"] if key == "id" else [f"{minus}{key}", f"{minus}id"]
    return list(rows.order_by(*order)[:most])


def _read_mark(text: str | None, key: str) -> tuple[Any, int] | None:
    try:
        value, pk = (text or "").split("~")
        return (value if key == "id" else datetime.date.fromisoformat(value)), int(pk[:18])
    except ValueError:
        return None


def _with_mark(query: QueryDict, name: str, row: Any, key: str) -> str:
    query = query.copy()
    for gone in ("before", "after", "format"):
        query.pop(gone, None)
    value = "" if key == "id" else getattr(row, key).isoformat()
    query[name] = f"{value}~{row.id}"
    return "?" + query.urlencode()


def addressed(query: QueryDict, **changes: str | None) -> str:
    """The same list with other parameters, from its first page; None takes one away."""
    query = query.copy()
    for gone in ("before", "after", "format"):
        query.pop(gone, None)
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return "?" + query.urlencode()


class TextField(forms.CharField):
    def to_python(self, value):
        return tidy(super().to_python(value))


class DayFilter(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class ListFilters(forms.Form):
    """The filters of a list. A value that is no choice filters nothing, as if it were not there."""

    q = TextField(
        label=gettext_lazy("Order, product, factory"), required=False, max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    factory = forms.TypedChoiceField(label=gettext_lazy("Factory"), required=False, widget=LongSelect, empty_value=None)

    def __init__(self, query: QueryDict, user):
        super().__init__(query)
        self.offer_to(user)
        self.is_valid()

    def offer_to(self, user):
        """Only choices that this person may know of."""
        named = Factory.objects.visible_to(user).order_by("name", "code").values_list("code", "name", "pk").distinct()
        keys = {code: (name, pk) for code, name, pk in named}
        self.fields["factory"].choices = [("", gettext("All")), *((code, name) for code, (name, _) in keys.items())]
        self.fields["factory"].coerce = lambda code: keys[code][1]

    def chosen(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value}


class DayRangeFilters(ListFilters):
    """With `from` and `to`, which cannot be written as attributes."""

    DAY = ""

    def between(self, rows: QuerySet) -> QuerySet:
        if first := self.cleaned_data.get("from"):
            rows = rows.filter(**{f"{self.DAY}__gte": first})
        if last := self.cleaned_data.get("to"):
            rows = rows.filter(**{f"{self.DAY}__lte": last})
        return rows


DayRangeFilters.base_fields["from"] = DayFilter(label=gettext_lazy("From"), required=False)
DayRangeFilters.base_fields["to"] = DayFilter(label=gettext_lazy("To"), required=False)


class DeliveryFilters(DayRangeFilters):
    """A factory contact is offered the sites that its own orders name, not where we receive from others."""

    DAY = "received_on"
    site = forms.ModelChoiceField(
        Site.objects.all(), label=gettext_lazy("Site"), required=False, to_field_name="code",
        empty_label=gettext_lazy("All"), widget=LongSelect,
    )  # fmt: skip
    timing = forms.ChoiceField(
        label=gettext_lazy("On time?"), required=False,
        choices=[("", gettext_lazy("All")), ("late", gettext_lazy("Late")), ("on-time", gettext_lazy("On time"))],
    )  # fmt: skip

    def offer_to(self, user):
        super().offer_to(user)
        if not user.reads_all_factories():
            own = OrderLine.objects.visible_to(user)
            self.fields["site"].queryset = Site.objects.filter(Exists(own.filter(site=OuterRef("pk"))))

    def apply(self, deliveries: QuerySet) -> QuerySet:
        chosen = self.cleaned_data
        rows = self.between(deliveries)
        if chosen.get("factory"):
            rows = rows.filter(factory_id=chosen["factory"])
        if chosen.get("site"):
            rows = rows.filter(site=chosen["site"])
        if chosen.get("timing") == "late":
            rows = rows.filter(received_on__gt=F("line__outcome__limit_on"))
        elif chosen.get("timing") == "on-time":
            rows = rows.filter(received_on__lte=F("line__outcome__limit_on"))
        if text := chosen.get("q"):
            if number := re.fullmatch(r"[Dd]-?([0-9]{1,18})", text):
                return rows.filter(pk=int(number[1]))
            rows = rows.filter(Q(line__in=_lines_with(text)) | Q(document__icontains=text))
        return rows


class InspectionFilters(DayRangeFilters):
    DAY = "inspected_on"
    verdict = forms.ChoiceField(
        label=gettext_lazy("Verdict"), required=False, choices=[("", gettext_lazy("All")), *Inspection.Verdict.choices]
    )

    def apply(self, inspections: QuerySet) -> QuerySet:
        chosen = self.cleaned_data
        rows = self.between(inspections)
        if chosen.get("factory"):
            rows = rows.filter(factory_id=chosen["factory"])
        if chosen.get("verdict"):
            rows = rows.filter(verdict=chosen["verdict"])
        if text := chosen.get("q"):
            if number := re.fullmatch(r"[Ii]-?([0-9]{1,18})", text):
                return rows.filter(pk=int(number[1]))
            rows = rows.filter(Q(lot__line__in=_lines_with(text)) | Q(lot__code__icontains=text))
        return rows


class OrderFilters(ListFilters):
    OPEN, LATE, AT_RISK, CLOSED, UNRECONCILED, ALL = "open", "late", "at-risk", "closed", "unreconciled", "all"
    STATES = [
        (OPEN, gettext_lazy("Open")), (LATE, gettext_lazy("Late")), (AT_RISK, gettext_lazy("At risk")),
        (CLOSED, gettext_lazy("Closed")), (UNRECONCILED, gettext_lazy("To reconcile")), (ALL, gettext_lazy("All")),
    ]  # fmt: skip
    state = forms.ChoiceField(choices=STATES, required=False)

    @property
    def chosen_state(self) -> str:
        return self.cleaned_data.get("state") or self.OPEN

    @property
    def sorted_by(self) -> str:
        """The day that comes first comes first; of the rest the newest order."""
        return "last_receipt_on" if self.chosen_state == self.UNRECONCILED else "next_due" if self.waits else "id"

    @property
    def waits(self) -> bool:
        """Whether the list shows orders that wait for goods: those are sorted by their next due day."""
        return self.chosen_state in (self.OPEN, self.LATE, self.AT_RISK)

    @property
    def is_by_day(self) -> bool:
        return self.sorted_by != "id"

    def page(self, request: HttpRequest, today: datetime.date) -> Page:
        """The orders of one state that this person may see, page by page.

        An order is open while a line waits for goods, or has not been judged yet; it is late when such a line is past
        its last day on time at its site; it is at risk when its plan heads for an end later than planned; it is closed when
        nothing more will come. It is to be reconciled when its goods have come for more than 30 days, and nobody closed it
        (MAT-9); with `last_receipt_on`.
        """
        orders = PurchaseOrder.objects.visible_to(request.user).select_related("factory")
        if self.chosen_state in (self.OPEN, self.LATE):
            return self._waiting(request, orders)
        return page_of(
            self._of_state(self._narrowed(orders), today), request, key=self.sorted_by, newest_first=not self.is_by_day
        )

    def _waiting(self, request: HttpRequest, orders: QuerySet) -> Page:
        """Found by their open lines, which are few beside the orders; then the orders of the page alone are read."""
        outcomes = LineOutcome.objects.visible_to(request.user)
        if factory := self.cleaned_data.get("factory"):
            outcomes = outcomes.filter(factory_id=factory)
        if self.cleaned_data.get("q"):
            outcomes = outcomes.filter(order__in=self._narrowed(PurchaseOrder.objects.order_by()).values("pk"))
        is_late = self.chosen_state == self.LATE
        judged = LineOutcome.objects.filter(order=OuterRef("pk"))
        unjudged = self._narrowed(orders).filter(~Exists(judged), closed_on__isnull=True).select_related(None)
        unjudged = unjudged.annotate(next_due=Value(FAR, output_field=DateField()))
        page = page_of(
            outcomes.waiting_orders(late=is_late), request, key=self.sorted_by, newest_first=False,
            undated=None if is_late else unjudged.values_list("id", "next_due", named=True),
        )  # fmt: skip
        found = orders.in_bulk([row.id for row in page.rows])
        page.rows = [found[row.id] for row in page.rows if row.id in found]
        return page

    def _of_state(self, rows: QuerySet, today: datetime.date) -> QuerySet:
        outcomes = LineOutcome.objects.filter(order=OuterRef("pk"), is_open=True)
        if self.chosen_state == self.UNRECONCILED:
            return overdue(rows, today)
        if self.chosen_state == self.AT_RISK:
            first_due = outcomes.order_by("due_on").values("due_on")[:1]
            next_due = Coalesce(Subquery(first_due), Value(FAR), output_field=DateField())
            return late_plans(today).of(rows.annotate(next_due=next_due))
        if self.chosen_state == self.CLOSED:
            judged = LineOutcome.objects.filter(order=OuterRef("pk"))
            return rows.filter(~Q(Exists(outcomes)), Q(Exists(judged)) | Q(closed_on__isnull=False))
        return rows

    def _narrowed(self, rows: QuerySet) -> QuerySet:
        if factory := self.cleaned_data.get("factory"):
            rows = rows.filter(factory_id=factory)
        if text := self.cleaned_data.get("q"):
            lines = OrderLine.objects.filter(product__in=Product.objects.search(text).order_by().values("pk"))
            rows = rows.filter(
                Q(number__icontains=text) | Q(factory__in=Factory.objects.search(text).order_by().values("pk"))
                | Q(pk__in=lines.order_by().values("order"))
            )  # fmt: skip
        return rows


def _lines_with(text: str) -> QuerySet:
    """Order lines whose order, product or factory bears the text; of `PO-2391/L2` the order alone is looked for.

    A list asks `line in these`, so the database finds them once instead of comparing five texts for each row.
    """
    number = text.partition("/")[0].strip() or text
    orders = PurchaseOrder.objects.filter(number__icontains=number)
    products = Product.objects.search(text)
    factories = Factory.objects.search(text)
    found = Q(order__in=orders.values("pk")) | Q(product__in=products.values("pk"))
    return OrderLine.objects.filter(found | Q(factory__in=factories.values("pk"))).values("pk")
