"""Factories side by side: the heatmap of one measure by month, and the ranking by the shrunken rate."""

import datetime
from collections import Counter
from fractions import Fraction
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from assessments import comparison, wording
from assessments.charts import heat_class, heat_steps
from assessments.comparison import Ranked, Tally
from assessments.evaluations import Policies
from assessments.figures import NONE, count, country_name, day, month_name, percent
from assessments.filters import FactoryFilter, link
from assessments.models import Policy
from assessments.models.policies import Thresholds
from assessments.views import compare_files, lists
from assessments.views.csvs import file_asked, files
from assessments.views.entrance import open_to, today
from assessments.views.outlook import arrow
from assessments.windows import GRADE_DAYS, Window, closed_month, rolling
from factories.models import Factory
from production.models import FactoryDay
from production.rollup_sums import half_up

READERS = "manager buyer inspector admin"
PAGE = 40  # so that a page of twelve months stays below 1,500 elements
MEASURES = ("otif", "defect", "loss")
VIEWS = {"": gettext_lazy("By month"), "league": gettext_lazy("League table")}


class CompareFilter(FactoryFilter):
    """The filters of the list of factories without those that judge."""

    grade = None
    status = None


@require_safe
@open_to(READERS)
def compare(request: HttpRequest) -> HttpResponseBase:
    """Where and when did it go wrong?"""
    params = request.GET
    measure = params.get("m") if params.get("m") in MEASURES else MEASURES[0]
    league = params.get("view") == "league"
    every = list(Factory.objects.visible_to(request.user).select_related("category"))
    countries = sorted({(f.country, country_name(f.country)) for f in every}, key=lambda pair: pair[1])
    categories = sorted({(f.category.code, f.category.name) for f in every}, key=lambda pair: pair[1])
    form = CompareFilter(params, countries, categories)
    chosen = form.chosen
    shown = narrow(request, every, chosen)
    last = today() - datetime.timedelta(days=1)  # the last closed day
    if file_asked(params):
        return (league_file if league else heatmap_file)(request, measure, every, shown, last)
    context = (league_table if league else heatmap)(request, measure, every, shown, last)
    page = context.pop("page")
    return render(
        request,
        "assessments/compare.html",
        {
            "form": form,
            "chosen": len(chosen),
            "kept": [(name, params[name]) for name in ("m", "view", "sort") if params.get(name)],
            "clear_url": link(params, q=None, country=None, category=None, page=None),
            "measure": measure,
            "label": wording.label(measure),
            "league": league,
            "tabs": [
                {"label": wording.label(name), "url": link(params, m=name, page=None), "current": name == measure}
                for name in MEASURES
            ],
            "chips": [
                {"label": words, "url": link(params, view=name, sort=None, page=None), "current": league == bool(name)}
                for name, words in VIEWS.items()
            ],
            "files": files(params),
            "total": len(shown),
            "last": day(last),
            **paging(request, page),
            **context,
        },
    )


def narrow(request: HttpRequest, every: list[Factory], chosen: dict[str, str]) -> list[Factory]:
    """The factories that the filters leave. One query."""
    found = Factory.objects.visible_to(request.user).search(chosen.get("q", "").strip())
    if "country" in chosen:
        found = found.filter(country=chosen["country"])
    if "category" in chosen:
        found = found.filter(category__code=chosen["category"])
    left = set(found.values_list("pk", flat=True))
    return [factory for factory in every if factory.pk in left]


def paging(request: HttpRequest, page: Page) -> dict[str, Any]:
    values = {"first": page.start_index(), "last": page.end_index(), "total": page.paginator.count}
    return {
        **lists.pager(request.GET, page),
        "page_text": _("%(first)s–%(last)s of %(total)s") % values if page.paginator.num_pages > 1 else "",
    }


def heatmap(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> dict[str, Any]:
    """Factories by months, sorted by one of the months: the last closed one unless asked otherwise."""
    months = comparison.months(last)
    by_name, sorted_by = sorting(request, months, last)
    in_force = policies_of(shown, last)
    page = Paginator(in_order(request, measure, shown, in_force, last), PAGE).get_page(request.GET.get("page"))
    tallies = comparison.by_month(days_of(request, page.object_list), measure, months[0].first, last)
    rows, rulers = [], Counter()
    for factory in page.object_list:
        policy = in_force[factory.pk]
        ruler = thresholds(measure, policy, factory) if policy else None
        rulers[ruler] += 1
        cells = [
            cell(factory, measure, month, tallies.get((factory.pk, month.first)), policy, ruler) for month in months
        ]
        rows.append({"factory": factory, "url": f"/factories/{factory.code}/", "cells": cells})
    ruler = rulers.most_common(1)[0][0] if rulers else None
    return {
        "page": page,
        "rows": rows,
        "heads": [
            {
                "label": date_format(month.first, "M ’y" if month is months[0] or month.first.month == 1 else "M"),
                "name": month_name(month.first),
                "url": link(request.GET, sort=f"{month.first:%Y-%m}", page=None),
                "sorted": not by_name and month == sorted_by,
            }
            for month in months
        ],
        "name_head": {"url": link(request.GET, sort="name", page=None), "sorted": by_name},
        "legend": legend(measure, ruler) if ruler else [],
        "own_rulers": len(rulers) > 1,
        "lead": _("%(label)s by month, worst in %(month)s first. Each figure leads to its rows.")
        % {"label": wording.label(measure), "month": month_name(sorted_by.first)}
        if not by_name
        else _("%(label)s by month. Each figure leads to its rows.") % {"label": wording.label(measure)},
    }  # fmt: skip


def sorting(request: HttpRequest, months: list[Window], last: datetime.date) -> tuple[bool, Window]:
    """Whether the heatmap is sorted by name, and else by which of its months."""
    sort = request.GET.get("sort", "")
    named = {f"{month.first:%Y-%m}": month for month in months}
    return sort == "name", named.get(sort) or named[f"{closed_month(last).first:%Y-%m}"]


def policies_of(factories: list[Factory], last: datetime.date) -> dict[int, Policy | None]:
    """The policy in force of each factory."""
    policies = Policies()
    return {factory.pk: policies.for_whole(factory, last) for factory in factories}


def days_of(request: HttpRequest, factories: list[Factory]) -> QuerySet[FactoryDay]:
    return FactoryDay.objects.visible_to(request.user).filter(factory__in=[factory.pk for factory in factories])


def in_order(
    request: HttpRequest, measure: str, shown: list[Factory], in_force: dict[int, Policy | None], last: datetime.date
) -> list[Factory]:
    """The factories as the heatmap lists them: by name, or the worst of a month first, then too few data, then none."""
    by_name, month = sorting(request, comparison.months(last), last)
    if by_name:
        return sorted(shown, key=lambda factory: (factory.name.casefold(), factory.code))
    one = comparison.by_month(days_of(request, shown), measure, month.first, month.last)

    def worst_first(factory: Factory) -> tuple:
        found, policy = one.get((factory.pk, month.first)), in_force[factory.pk]
        if found is None or found.rate is None or policy is None:
            return 2, 0, factory.code
        return not comparison.enough(measure, found, policy), -comparison.badness(measure, found), factory.code

    return sorted(shown, key=worst_first)


def heatmap_file(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> HttpResponseBase:
    """Every factory of the heatmap and not only those of one page."""
    months, in_force = comparison.months(last), policies_of(shown, last)
    ordered = in_order(request, measure, shown, in_force, last)
    tallies = comparison.by_month(days_of(request, shown), measure, months[0].first, last)
    return compare_files.by_month(file_asked(request.GET), measure, ordered, months, tallies, in_force)


def thresholds(measure: str, policy: Policy, factory: Factory) -> Thresholds:
    if measure == "defect":
        return policy.defect_thresholds(factory.category)
    return policy.otif_thresholds() if measure == "otif" else policy.loss_thresholds()


def cell(
    factory: Factory, measure: str, month: Window, found: Tally | None, policy: Policy | None, ruler: Thresholds | None
) -> dict[str, str]:
    """One figure: its class, its text, how much it stands on, and where its rows are."""
    if found is None or found.rate is None or policy is None or ruler is None:
        return {"css": "nil", "text": NONE}
    lower = wording.LOWER_IS_BETTER[measure]
    few = not comparison.enough(measure, found, policy)
    return {
        "css": heat_class(found.rate, ruler.target, ruler.limit, lower, few),
        "text": short(measure, found),
        "title": f"{month_name(month.first)}: {exact(found.rate)}, {stands_on(measure, found)}",
        "url": rows_url(factory, measure, month),
    }


def rows_url(factory: Factory, measure: str, span: Window) -> str:
    """Where the rows are that were counted in some days."""
    return reverse("factory_rows", args=[factory.code, measure]) + f"?first={span.first}&last={span.last}"


def short(measure: str, found: Tally) -> str:
    """The rate in the little room of a cell: "71" of lines on time, "2.4" of units or value lost."""
    places = 0 if measure == "otif" else 1
    return exact(found.rate, places).removesuffix("%")


def stands_on(measure: str, found: Tally) -> str:
    """What a figure was counted from: "25 of 35 lines", "19 of 800 units in 10 lots", "2 orders"."""
    if measure == "loss":
        return ngettext("%(n)s order", "%(n)s orders", found.n) % {"n": count(found.n)}
    words = wording.fraction(measure, {"num": int(found.num), "den": int(found.den)})
    if measure == "otif":
        return words
    lots = ngettext("%(units)s in %(n)s lot", "%(units)s in %(n)s lots", found.n)
    return lots % {"units": words, "n": count(found.n)}


def legend(measure: str, ruler: Thresholds) -> list[tuple[str, str]]:
    """The seven classes with the border at which each begins."""
    lower = wording.LOWER_IS_BETTER[measure]
    steps = [number(step) for step in heat_steps(ruler.target, ruler.limit, lower)]
    beyond = _("over %(value)s") if lower else _("under %(value)s")
    within = _("to %(value)s") if lower else _("from %(value)s")
    words = [beyond % {"value": steps[0]}, *(within % {"value": step} for step in steps)]
    words[3] += " " + _("(limit)")
    words[4] += " " + _("(target)")
    return [(f"h{place}", text) for place, text in enumerate(words, 1)]


def number(share: float) -> str:
    """A border in percent without useless decimals."""
    value = round(share * 100, 1)
    return f"{number_format(value, 0 if value == int(value) else 1)}%"


def league_table(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> dict[str, Any]:
    """Factories by the shrunken rate; material, which is counted and not sampled, by the rate itself."""
    days = FactoryDay.objects.filter(factory__in=[factory.pk for factory in every])
    by_pk = {factory.pk: factory for factory in shown}
    priors = {}
    if measure == "loss":
        entries = by_value(days, by_pk, last)
    else:
        counted = comparison.shares(days, measure, last)
        categories = {factory.pk: factory.category_id for factory in every}
        ranked = comparison.rank(measure, counted, categories, by_pk)
        priors = comparison.priors(measure, counted, categories)
        entries = [entry(place, measure, found, by_pk[found.factory]) for place, found in enumerate(ranked, 1)]
    span = rolling(last, GRADE_DAYS)
    for one in entries:
        one["url"] = rows_url(one["factory"], measure, span)
    page = Paginator(entries, PAGE).get_page(request.GET.get("page"))
    within = {factory.category for factory in shown if factory.category_id in priors}
    return {
        "page": page,
        "entries": page.object_list,
        "without": len(shown) - len(entries),
        "priors": [
            {
                "name": category.name,
                "rate": rate(measure, priors[category.pk].rate),
                "weight": weight(measure, round(priors[category.pk].weight)),
                "estimated": priors[category.pk].estimated,
            }
            for category in sorted(within, key=lambda category: category.name)
        ],
        "lead": _("%(label)s over the 90 days to %(day)s, worst first.")
        % {"label": wording.label(measure), "day": day(last)},
    }


def league_file(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> HttpResponseBase:
    """Every factory of the ranking and not only those of one page."""
    days = FactoryDay.objects.filter(factory__in=[factory.pk for factory in every])
    by_pk, kind = {factory.pk: factory for factory in shown}, file_asked(request.GET)
    if measure == "loss":
        return compare_files.league_of_loss(kind, most_lost(days, by_pk, last), by_pk)
    categories = {factory.pk: factory.category_id for factory in every}
    ranked = comparison.rank(measure, comparison.shares(days, measure, last), categories, by_pk)
    return compare_files.league(kind, measure, ranked, by_pk)


def entry(place: int, measure: str, found: Ranked, factory: Factory) -> dict[str, Any]:
    lower = wording.LOWER_IS_BETTER[measure]
    good = found.total - found.bad
    known = {"num": found.bad if lower else good, "den": found.total, "rate": 1}
    ends = (found.interval.lower, found.interval.upper) if found.interval else (0.0, 1.0)
    if not lower:
        ends = (1 - ends[1], 1 - ends[0])
    return {
        "place": place,
        "factory": factory,
        "rate": rate(measure, Fraction(found.bad, found.total)),
        "sample": wording.fraction(measure, known),
        "interval": wording.ends({"lower": ends[0], "upper": ends[1]}),
        "shrunken": rate(measure, found.shrunken),
        "arrow": arrow(measure, found.trend),
        "worse": found.trend.arrow == "up",
    }


def by_value(days: QuerySet[FactoryDay], by_pk: dict[int, Factory], last: datetime.date) -> list[dict[str, Any]]:
    """Material loss as entries of the ranking."""
    return [
        {"place": place, "factory": by_pk[pk], "rate": exact(tally.rate), "sample": stands_on("loss", tally)}
        for place, (pk, tally) in enumerate(most_lost(days, by_pk, last), 1)
    ]


def most_lost(days: QuerySet[FactoryDay], by_pk: dict[int, Factory], last: datetime.date) -> list[tuple[int, Tally]]:
    """Material loss by the value rate of the worst currency, the highest first. One query."""
    found = comparison.totals(days.filter(factory__in=list(by_pk)), "loss", last)
    known = [(pk, tally) for pk, tally in found.items() if tally.rate is not None]
    return sorted(known, key=lambda pair: (-comparison.badness("loss", pair[1]), by_pk[pair[0]].code))


def weight(measure: str, units: int) -> str:
    if measure == "otif":
        return ngettext("%(n)s line", "%(n)s lines", units) % {"n": count(units)}
    return ngettext("%(n)s unit", "%(n)s units", units) % {"n": count(units)}


def rate(measure: str, bad: Fraction) -> str:
    """A bad share as the rate of its measure: of lines the share that was on time."""
    return exact(bad if wording.LOWER_IS_BETTER[measure] else 1 - bad)


def exact(share: Fraction, places: int = 2) -> str:
    return percent(half_up(share, places + 2), places)
