"""Factories side by side: the heatmap of one measure by month, and the ranking by the shrunken rate."""

import datetime
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from assessments import comparison, wording
from assessments.compared import COMPARED, POINTS
from assessments.compared import ruler as ruler_of
from assessments.comparison import Ranked, Tally
from assessments.evaluations import Policies
from assessments.figures import count, country_name, day, month_name
from assessments.filters import FactoryFilter, link
from assessments.models import Evaluation, Policy
from assessments.views import compare_files, compare_one, compare_words, lists
from assessments.views.compare_words import COUNTED_IN, cell, legend, rate, stands_on, url_of, weight
from assessments.views.csvs import file_asked, files
from assessments.views.entrance import open_to, today
from assessments.views.outlook import arrow
from assessments.windows import GRADE_DAYS, Window, closed_month, rolling
from factories.models import Factory
from production import unknown
from production.models import FactoryDay

READERS = "manager buyer inspector admin"
PAGE = 40  # so that a page of twelve months stays below 1,500 elements
VIEWS = {"": gettext_lazy("By month"), "league": gettext_lazy("League table")}
MOST = 10**9


class CompareFilter(FactoryFilter):
    """The filters of the list of factories without those that judge."""

    grade = None
    status = None


class MeasureForm(forms.Form):
    """Which measure is compared, from how many counted on, and which factory is drawn."""

    m = forms.ChoiceField(label=gettext_lazy("Measure"), required=False)
    n = forms.IntegerField(label=gettext_lazy("At least"), required=False, min_value=1, max_value=MOST)
    f = forms.CharField(label=gettext_lazy("Draw factory (code)"), required=False, max_length=40)

    def __init__(self, data: QueryDict, measure: str, factories: Sequence[Factory]):
        super().__init__({"m": measure, **{name: data.get(name, "") for name in ("n", "f")}})
        self.by_code = {factory.code.casefold(): factory for factory in factories}
        self.fields["m"].choices = [(name, compare_words.label(name)) for name in COMPARED]
        self.fields["m"].widget.attrs["data-autosubmit"] = True
        self.fields["n"].widget.attrs |= {"class": "w-s", "placeholder": _("policy’s")}
        self.fields["n"].label = _("At least so many %(what)s") % {"what": COUNTED_IN[COMPARED[measure].of]}
        if COMPARED[measure].of == POINTS:  # it was given only where the data were enough
            del self.fields["n"]

    def clean_f(self) -> Factory | None:
        code = self.cleaned_data["f"].strip()
        found = self.by_code.get(code.casefold())
        if code and found is None:
            raise forms.ValidationError(_("No factory has the code %(code)s.") % {"code": code})
        return found

    @property
    def least(self) -> int | None:
        """The least that was asked for; None where nothing was, or nothing that is a number."""
        return self.cleaned_data.get("n") if self.is_valid() or "n" in self.cleaned_data else None

    @property
    def factory(self) -> Factory | None:
        return self.cleaned_data.get("f") if self.is_valid() or "f" in self.cleaned_data else None


@require_safe
@open_to(READERS)
def compare(request: HttpRequest) -> HttpResponseBase:
    """Where and when did it go wrong?"""
    params = request.GET
    measure = unknown.chosen(request, {name: compare_words.label(name) for name in COMPARED}, "otif", "m")
    league = params.get("view") == "league"
    every = list(Factory.objects.visible_to(request.user).select_related("category", "standing"))
    countries = sorted({(f.country, country_name(f.country)) for f in every}, key=lambda pair: pair[1])
    categories = sorted({(f.category.code, f.category.name) for f in every}, key=lambda pair: pair[1])
    form = CompareFilter(params, countries, categories)
    chosen = form.chosen
    unknown.say_of(request, form)
    shown = narrow(request, every, chosen)
    asked = MeasureForm(params, measure, every)
    last = today() - datetime.timedelta(days=1)  # the last closed day
    if file_asked(params):
        if league:
            return league_file(request, measure, every, shown, last)
        return heatmap_file(request, measure, shown, last, asked.least)
    if league:
        context = league_table(request, measure, every, shown, last)
    else:
        context = heatmap(request, measure, shown, last, asked.least)
    page = context.pop("page")
    if asked.factory:
        context["one"] = compare_one.drawn(request, asked.factory, measure, last)
    return render(
        request,
        "assessments/compare.html",
        {
            "form": form,
            "chosen": len(chosen),
            "kept": kept(params, "m", "n", "f", "view", "sort"),
            "asked": asked,
            "asked_kept": kept(params, "q", "country", "category", "view", "sort"),
            "clear_url": link(params, q=None, country=None, category=None, page=None),
            "measure": measure,
            "label": compare_words.label(measure),
            "league": league,
            "tabs": [
                {
                    "label": compare_words.label(name),
                    "url": link(params, m=name, n=None, page=None),
                    "current": name == measure,
                }
                for name in wording.MEASURES
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


def kept(params: QueryDict, *names: str) -> list[tuple[str, str]]:
    """What a form of the page does not ask and has to carry on."""
    return [(name, params[name]) for name in names if params.get(name)]


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
    request: HttpRequest, measure: str, shown: list[Factory], last: datetime.date, least: int | None
) -> dict[str, Any]:
    """Factories by months, sorted by one of the months: the last closed one unless asked otherwise."""
    months = comparison.months(last)
    by_name, sorted_by = sorting(request, months, last)
    in_force = policies_of(shown, last)
    ordered = in_order(request, measure, shown, in_force, last, least)
    page = Paginator(ordered, PAGE).get_page(request.GET.get("page"))
    tallies = counted(request, measure, page.object_list, months)
    rows, rulers = [], Counter()
    for factory in page.object_list:
        policy = in_force[factory.pk]
        ruler = ruler_of(measure, policy, factory.category) if policy else None
        rulers[ruler] += 1
        cells = [
            cell(factory, measure, month, tallies.get((factory.pk, month.first)), policy, ruler, least)
            for month in months
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
        "few_words": few_words(measure, least),
        "nil_words": _("–: no score") if COMPARED[measure].of == POINTS else _("–: nothing was counted"),
        "lead": _("%(label)s by month, worst in %(month)s first. Each figure leads to its rows.")
        % {"label": compare_words.label(measure), "month": month_name(sorted_by.first)}
        if not by_name
        else _("%(label)s by month. Each figure leads to its rows.") % {"label": compare_words.label(measure)},
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


def counted(
    request: HttpRequest, measure: str, factories: Sequence[Factory], months: list[Window]
) -> dict[tuple[int, datetime.date], Tally]:
    """What a measure counted per factory and month: from the daily sums, a score from what was judged."""
    if COMPARED[measure].of == POINTS:
        visible = Evaluation.objects.visible_to(request.user)
        return comparison.scores(visible.filter(factory__in=[factory.pk for factory in factories]), months)
    return comparison.by_month(days_of(request, factories), measure, months[0].first, months[-1].last)


def few_words(measure: str, least: int | None) -> str:
    """What a hatched figure means."""
    if least is None or COMPARED[measure].of == POINTS:
        return _("too few data")
    return _("under %(n)s %(what)s") % {"n": count(least), "what": COUNTED_IN[COMPARED[measure].of]}


def in_order(
    request: HttpRequest, measure: str, shown: list[Factory], in_force: dict[int, Policy | None], last: datetime.date,
    least: int | None,
) -> list[Factory]:  # fmt: skip
    """The factories as the heatmap lists them: by name, or the worst of a month first, then too few data, then none."""
    by_name, month = sorting(request, comparison.months(last), last)
    if by_name:
        return sorted(shown, key=lambda factory: (factory.name.casefold(), factory.code))
    one = counted(request, measure, shown, [month])

    def worst_first(factory: Factory) -> tuple:
        found, policy = one.get((factory.pk, month.first)), in_force[factory.pk]
        if found is None or found.rate is None or policy is None:
            return 2, 0, factory.code
        return not comparison.enough(measure, found, policy, least), -comparison.badness(measure, found), factory.code

    return sorted(shown, key=worst_first)


def heatmap_file(
    request: HttpRequest, measure: str, shown: list[Factory], last: datetime.date, least: int | None
) -> HttpResponseBase:
    """Every factory of the heatmap and not only those of one page."""
    months, in_force = comparison.months(last), policies_of(shown, last)
    ordered = in_order(request, measure, shown, in_force, last, least)
    tallies = counted(request, measure, shown, months)
    return compare_files.by_month(file_asked(request.GET), measure, ordered, months, tallies, in_force, least)


def league_table(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> dict[str, Any]:
    """Factories by the shrunken rate; what is no share of counted things by the rate itself."""
    days = FactoryDay.objects.filter(factory__in=[factory.pk for factory in every])
    by_pk = {factory.pk: factory for factory in shown}
    priors = {}
    span = rolling(last, GRADE_DAYS)
    if COMPARED[measure].bad is None:
        entries = by_value(measure, worst_rates(request, measure, days, by_pk, last), by_pk, span)
    else:
        data = comparison.shares(days, measure, last)
        categories = {factory.pk: factory.category_id for factory in every}
        ranked = comparison.rank(measure, data, categories, by_pk)
        priors = comparison.priors(measure, data, categories)
        entries = [entry(place, measure, found, by_pk[found.factory]) for place, found in enumerate(ranked, 1)]
        for one in entries:
            one["url"] = url_of(one["factory"], measure, span)
    page = Paginator(entries, PAGE).get_page(request.GET.get("page"))
    within = {factory.category for factory in shown if factory.category_id in priors}
    return {
        "page": page,
        "entries": page.object_list,
        "shrinks": COMPARED[measure].bad is not None,
        "chart_link": link(request.GET, view="league", f=None, page=None),
        "without": len(shown) - len(entries) if entries else 0,  # of no ranking the page says that there is none
        "priors": [
            {
                "name": category.name,
                "rate": rate(measure, priors[category.pk].rate),
                "weight": weight(measure, round(priors[category.pk].weight)),
                "estimated": priors[category.pk].estimated,
            }
            for category in sorted(within, key=lambda category: category.name)
        ],
        "lead": (
            _("%(label)s as it was judged last, worst first.")
            if COMPARED[measure].of == POINTS
            else _("%(label)s over the 90 days to %(day)s, worst first.")
        )
        % {"label": compare_words.label(measure), "day": day(last)},
    }


def league_file(
    request: HttpRequest, measure: str, every: list[Factory], shown: list[Factory], last: datetime.date
) -> HttpResponseBase:
    """Every factory of the ranking and not only those of one page."""
    days = FactoryDay.objects.filter(factory__in=[factory.pk for factory in every])
    by_pk, kind = {factory.pk: factory for factory in shown}, file_asked(request.GET)
    if COMPARED[measure].bad is None:
        known = worst_rates(request, measure, days, by_pk, last)
        return compare_files.league_by_rate(kind, measure, known, by_pk)
    categories = {factory.pk: factory.category_id for factory in every}
    ranked = comparison.rank(measure, comparison.shares(days, measure, last), categories, by_pk)
    return compare_files.league(kind, measure, ranked, by_pk)


def entry(place: int, measure: str, found: Ranked, factory: Factory) -> dict[str, Any]:
    ends = (found.interval.lower, found.interval.upper) if found.interval else (0.0, 1.0)
    if not COMPARED[measure].lower:
        ends = (1 - ends[1], 1 - ends[0])
    return {
        "place": place,
        "factory": factory,
        "rate": rate(measure, Fraction(found.bad, found.total)),
        "sample": compare_words.shares(measure, found.bad, found.total),
        "interval": wording.ends({"lower": ends[0], "upper": ends[1]}),
        "shrunken": rate(measure, found.shrunken),
        "arrow": arrow(compare_words.like(measure), found.trend),
        "worse": found.trend.arrow == "up",
    }


def by_value(
    measure: str, known: list[tuple[int, Tally]], by_pk: dict[int, Factory], span: Window
) -> list[dict[str, Any]]:
    """What is ranked by the rate itself, as entries of the ranking."""
    return [
        {
            "place": place, "factory": by_pk[pk], "rate": compare_words.shown(measure, tally.rate),
            "sample": stands_on(measure, tally), "url": url_of(by_pk[pk], measure, span, tally),
        }
        for place, (pk, tally) in enumerate(known, 1)
    ]  # fmt: skip


def worst_rates(
    request: HttpRequest, measure: str, days: QuerySet[FactoryDay], by_pk: dict[int, Factory], last: datetime.date
) -> list[tuple[int, Tally]]:
    """The rate of each factory, of material that of its worst currency, the worst first; a score as it was judged last.

    One query, of scores two.
    """
    if COMPARED[measure].of == POINTS:
        months = comparison.months(last)[-2:]  # where the running month has no score yet, the one before
        scored = counted(request, measure, list(by_pk.values()), months)
        found = {pk: tally for (pk, _first), tally in sorted(scored.items()) if tally.rate is not None}
    else:
        found = comparison.totals(days.filter(factory__in=list(by_pk)), measure, last)
    known = [(pk, tally) for pk, tally in found.items() if tally.rate is not None]
    return sorted(known, key=lambda pair: (-comparison.badness(measure, pair[1]), by_pk[pair[0]].code))
