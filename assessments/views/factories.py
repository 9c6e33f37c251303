"""The list of factories, worst first."""

from collections import Counter
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import scorecards, wording
from assessments.charts import sparkline
from assessments.figures import country_name, points
from assessments.filters import FactoryFilter, heading, link, sort
from assessments.scorecards import GRADES_WORST_FIRST, Standing
from assessments.templatetags.pills import pill, word_pill
from assessments.views import lists
from assessments.views.csvs import csv_answer
from assessments.views.entrance import BUSINESS, open_to, today
from factories.models import Factory
from production import unknown
from production.drawn_pages import kept_while_the_answers_hold
from production.kept import Kept

PAGE = 50
drawn: Kept[SafeString] = Kept(2_000)
HEADS = [
    ("name", gettext_lazy("Factory"), "", ""),
    ("grade", gettext_lazy("Grade"), "", ""),
    ("status", gettext_lazy("Now"), "", ""),
    ("score", gettext_lazy("Score"), "num", ""),
    (None, gettext_lazy("On time in full, 12 months"), "", ""),
    ("otif", gettext_lazy("On time in full"), "num", ""),
    ("defect", gettext_lazy("Defect rate"), "num", "-"),
    ("loss", gettext_lazy("Material loss"), "num", "-"),
    ("breaches", gettext_lazy("Breaches"), "num", "-"),
]


@require_safe
@open_to(BUSINESS)
@kept_while_the_answers_hold
def factory_list(request: HttpRequest) -> HttpResponse:
    """Which factories are bad, and is it getting worse?"""
    visible = Factory.objects.visible_to(request.user)
    every = scorecards.standings(visible)
    places = {(s.factory.country, s.factory.category, s.factory.category_name) for s in every}
    countries = sorted({(code, country_name(code)) for code, _code, _name in places}, key=lambda pair: pair[1])
    categories = sorted({(code, name) for _country, code, name in places}, key=lambda pair: pair[1])
    form = FactoryFilter(request.GET, countries, categories)
    chosen = form.chosen
    unknown.say_of(request, form)
    if text := chosen.get("q", "").strip():
        named = set(visible.search(text).order_by().values_list("pk", flat=True))
        every = [s for s in every if s.factory.pk in named]
    every = [
        s
        for s in every
        if chosen.get("country") in (None, s.factory.country) and chosen.get("category") in (None, s.factory.category)
    ]
    grades = Counter(standing.grade for standing in every)
    shown = [s for s in every if chosen.get("grade") in (None, s.grade) and chosen.get("status") in (None, s.status)]
    shown = sort(shown, request.GET.get("o", ""))
    if request.GET.get("format") == "csv":
        return factory_csv(shown, request.user.sees_breaches())
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    listed = scorecards.with_trend(page.object_list, today())
    params = request.GET
    heads = [
        heading(name, label, params, css, first) if name else {"label": label, "css": css}
        for name, label, css, first in HEADS
    ]
    clear_url = reverse("factory_list")
    told = {"form": form, "chosen": chosen, "order": request.GET.get("o", ""), "clear_url": clear_url}
    drawn_filter = drawn.get(
        (get_language(), request.GET.urlencode(), *countries, *categories),
        lambda: render_to_string("assessments/parts/factory_filter.html", told),
    )
    return render(
        request,
        "assessments/factory_list.html",
        {
            "form": form,
            "filter": drawn_filter,
            "slim_filter": mark_safe(drawn_filter.replace('="id_', '="slim_')),  # the same again, with ids of its own
            "chosen": len(chosen),
            "heads": heads if request.user.sees_breaches() else heads[:-1],
            "rows": table(listed, request.user.sees_breaches()),
            "total": len(shown),
            "shows_breaches": request.user.sees_breaches(),
            "lead": lead(len(every), grades),
            "sorted_by": sorted_by(request.GET.get("o", "")),
            "chips": [
                {
                    "grade": grade,
                    "n": grades[grade],
                    "url": link(params, grade=None if chosen.get("grade") == grade else grade, page=None),
                    "current": chosen.get("grade") == grade,
                }
                for grade in GRADES_WORST_FIRST
                if grades[grade]
            ],
            "csv_url": link(params, format="csv", page=None),
            "clear_url": clear_url,
            **lists.pager(request.GET, page),
            "page_text": _("%(first)s–%(last)s of %(total)s")
            % {"first": page.start_index(), "last": page.end_index(), "total": len(shown)}
            if len(shown) > PAGE
            else "",
            "data_as_of": scorecards.newest_moment(every),
        },
    )


def sorted_by(order: str) -> str:
    """By what the list is sorted, in words."""
    labels = {name: label for name, label, _css, _first in HEADS if name}
    if (label := labels.get(order.removeprefix("-"))) is None:
        return _(
            "Sorted by the worse of the published grade and the one that today’s figures point to; "
            "then by the state now, then by score."
        )
    return (_("Sorted by %(label)s, from the top down.") if order.startswith("-") else _("Sorted by %(label)s.")) % {
        "label": label
    }


def lead(total: int, grades: Counter) -> str:
    """One sentence: how many factories, and how many of each grade."""
    names = {
        "failing": _("%(n)s failing"),
        "passing": _("%(n)s passing"),
        "not_rated": _("%(n)s not rated"),
        "good": _("%(n)s good"),
        "excellent": _("%(n)s excellent"),
    }
    parts = ", ".join(names[grade] % {"n": grades[grade]} for grade in GRADES_WORST_FIRST if grades[grade])
    words = ngettext("%(n)s factory", "%(n)s factories", total) % {"n": total}
    return _("%(factories)s, worst first: %(parts)s.") % {"factories": words, "parts": parts} if total else ""


def table(standings: list[Standing], with_breaches: bool) -> list[dict[str, Any]]:
    """The rows of the list. Drawing them is most of the page's time, so a process keeps those it has drawn."""
    known = [value for s in standings for value in s.trend if value is not None]
    low = min([*map(float, known), 0.9]) - 0.02
    return [{"s": s, "drawn": kept_row(s, low, with_breaches)} for s in standings]


def kept_row(s: Standing, low: float, with_breaches: bool) -> SafeString:
    """One row, drawn once for all that it shows; a stored evaluation never changes, so its id stands for its numbers."""
    shown = (
        get_language(), s.factory.code, s.factory.name, s.factory.city, s.factory.country, s.factory.has_badge, s.evaluation,
        s.grade, s.trend, low, s.open_breaches, with_breaches,
    )  # fmt: skip
    return drawn.get(shown, lambda: row(s, low, with_breaches))


def row(s: Standing, low: float, with_breaches: bool) -> SafeString:
    """One row; its values are formatted here, template filters would take longer."""
    values = {
        "s": s,
        "url": f"/factories/{s.factory.code}/",
        "place": ", ".join(part for part in (s.factory.city, country_name(s.factory.country)) if part),
        "badge": word_pill("info", _("Badge")) if s.factory.has_badge else "",
        "grade": pill(s.grade),
        "now": pill(s.status),
        "score": points(s.score),
        "score_url": f"/factories/{s.factory.code}/score/{s.as_of}/" if s.score is not None else "",
        "spark": sparkline(s.trend, low, 1, None, _("On time in full")),
        "cells": [cell(s, name) for name in ("otif", "defect", "loss")],
    }
    return render_to_string("assessments/parts/factory_row.html", {"row": values, "shows_breaches": with_breaches})


def cell(standing: Standing, name: str) -> dict:
    """One measure in the list: the rate with what it stands on, or what there is of data."""
    measure = standing.measures.get(name)
    state = wording.state(measure)
    return {
        "value": wording.value(name, measure),
        "url": f"/factories/{standing.factory.code}/score/{standing.as_of}/{name}/"
        if standing.as_of and measure
        else "",
        "sample": "" if state == wording.NOT_APPLICABLE else wording.sample(name, measure) if measure else "",
        "state": state,
    }


def factory_csv(standings: list[Standing], with_breaches: bool) -> HttpResponse:
    head = ["factory", "name", "country", "category", "grade", "badge", "now", "score", "as_of"]
    for name in wording.MEASURES:
        head += [f"{name}_rate", f"{name}_numerator", f"{name}_denominator"]
    rows = []
    for s in standings:
        row = [
            s.factory.code,
            s.factory.name,
            s.factory.country,
            s.factory.category,
            s.grade,
            "yes" if s.factory.has_badge else "",
            s.status,
            s.score,
            s.as_of,
        ]
        for name in wording.MEASURES:
            measure = s.measures.get(name) or {}
            row += [measure.get("rate"), measure.get("num"), measure.get("den")]
        rows.append([*row, s.open_breaches] if with_breaches else row)
    return csv_answer("factories", [*head, "open_breaches"] if with_breaches else head, rows)
