"""The rows of one factory and measure in any days, such as a calendar month: what a cell of a comparison counted."""

import datetime
from typing import Any

from django.db.models import Count, QuerySet, Sum, Value
from django.db.models.functions import Greatest
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from assessments import definitions, evidence, wording
from assessments.figures import day, month_name, percent
from assessments.filters import link
from assessments.models import Evaluation
from assessments.views import rows as row_tables
from assessments.views.csvs import file_answer, file_asked
from assessments.views.entrance import BUSINESS, factory_or_404, open_to, sees_money, today
from assessments.views.scores import listed
from assessments.windows import month
from factories.models import Category, Factory
from production.models import LineOutcome


@require_safe
@open_to(BUSINESS)
def factory_rows(request: HttpRequest, code: str, measure: str) -> HttpResponseBase:
    """Which rows were counted in these days?"""
    factory = factory_or_404(request.user, code)
    first, last = days(request)
    money = sees_money(request.user)
    category = category_or_404(request, factory)
    window = counting(factory, measure, first, last, category)
    stored = stored_like(measure, evidence.rows(window, measure).visible_to(request.user))
    window.measures[measure] |= stored
    found = row_tables.chosen(request, window, measure)
    now, stored = found.now, stored | ({"currency": found.currency} if found.currency else {})
    if kind := file_asked(request.GET):
        scope = category.code if category else ""
        parts = [factory.code, scope, str(first), str(last), measure, found.part, found.currency]
        name = "-".join(filter(None, parts))
        return file_answer(
            kind, name, found.table.csv_head(money), (found.table.csv_row(row, factory, money) for row in found.rows)
        )
    rate = percent(now.num / now.den) if now.den else "–"
    return render(
        request,
        "assessments/factory_rows.html",
        {
            "factory": factory,
            "card_url": card_url(factory, first, last),
            "label": wording.label(measure),
            "category": category,
            "period": in_words(first, last),
            "rate": rate,
            "fraction": wording.fraction(measure, stored | {"num": now.num, "den": now.den}, money),
            "rule": definitions.rule(measure),
            "all_url": link(request.GET, counted="all", page=None),
            **listed(request, found, window, measure, money),
        },
    )


def days(request: HttpRequest) -> tuple[datetime.date, datetime.date]:
    """The days of the query string, without days that are not over; this month where it names none."""
    yesterday = today() - datetime.timedelta(days=1)
    try:
        first = datetime.date.fromisoformat(request.GET.get("first") or str(month(yesterday).first))
        last = datetime.date.fromisoformat(request.GET.get("last") or str(month(first).last))
    except (ValueError, OverflowError):
        raise Http404("No such day.") from None
    return first, min(last, yesterday)


def category_or_404(request: HttpRequest, factory: Factory) -> Category | None:
    """The category that the query string names; None where it names none. One that the factory never made is not found."""
    code = request.GET.get("category", "").replace("\0", "")
    made = Category.objects.filter(pk__in=LineOutcome.objects.filter(factory=factory).values("category"))
    return get_object_or_404(made, code=code) if code else None


def counting(
    factory: Factory, measure: str, first: datetime.date, last: datetime.date, category: Category | None = None
) -> Evaluation:
    """These days as an evaluation has them, so that the same rows count; never stored."""
    window = {"first": first.isoformat(), "last": last.isoformat()}
    return Evaluation(factory=factory, category=category, as_of=today(), window_days=1, measures={measure: window})


def stored_like(measure: str, every: QuerySet) -> dict[str, Any]:
    """Of material, which currency is the worst one, and how many orders there are; one query. Else nothing."""
    if measure != "loss":
        return {}
    sums = (
        every.order_by()
        .values("currency")
        .annotate(
            lost=Sum(Greatest("value_loss", Value(0, evidence.RATIO))), used=Sum("value_net"),
            orders=Count("order_id", distinct=True),
        )
    )  # fmt: skip
    found = [row for row in sums if row["used"]]
    worst = max(found, key=lambda row: row["lost"] / row["used"], default=None)
    return {
        "currency": worst["currency"] if worst else "",
        "orders": sum(row["orders"] for row in sums),
        "status": "ok",
    }


def card_url(factory: Factory, first: datetime.date, last: datetime.date) -> str:
    """The scorecard of the factory, in the same month where the days are one that is over."""
    page = reverse("factory_detail", args=[factory.code])
    return f"{page}?period={first:%Y-%m}" if (first, last) == (month(first).first, month(first).last) else page


def in_words(first: datetime.date, last: datetime.date) -> str:
    """ "Nov 2026" where the days are that month as far as it is over, else both days."""
    whole = month(first)
    if first == whole.first and last in (whole.last, today() - datetime.timedelta(days=1)) and last <= whole.last:
        return month_name(first)
    return f"{day(first)} – {day(last)}"
