"""One factory of the comparison as drawings: its lots or months with control limits, their drift, the trend of its months."""

import datetime
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from assessments import charts, comparison, early_warning
from assessments.compared import COMPARED, POINTS
from assessments.compared import ruler as ruler_of
from assessments.comparison import Tally
from assessments.control import MannKendall
from assessments.evaluations import Policies
from assessments.figures import NONE, count, month_name, percent, points
from assessments.models import Evaluation
from assessments.views import lot_charts
from assessments.views.compare_words import label, shown, stands_on, url_of
from assessments.windows import Window
from factories.models import Factory
from production.models import FactoryDay

SMALLEST = 0.001  # of p-values written as numbers
OF_LOTS = {"defect": False, "defect-all": True}  # drawn lot by lot; whether minor defects count


def drawn(request: HttpRequest, factory: Factory, measure: str, last: datetime.date) -> dict[str, Any]:
    """The drawings of a measure at a factory that was read with its standing. At most three queries."""
    months = comparison.months(last)
    tallies = counted(request, factory, measure, months)
    blocks = [of_months(factory, measure, months, tallies, last)]
    if measure in OF_LOTS and (lots := lot_charts.lots(factory, last, OF_LOTS[measure]).drawn):
        blocks = [lots.chart, *([lots.drift] if lots.drift else []), *blocks]
    drawings = [block for block in blocks if block]
    return {
        "factory": factory,
        "url": reverse("factory_detail", args=[factory.code]),
        "pairs": [drawings[place : place + 2] for place in range(0, len(drawings), 2)],
        "trend": trend_words(comparison.monthly_trend([tally.rate if tally else None for tally in tallies])),
        "label": label(measure),
    }


def counted(request: HttpRequest, factory: Factory, measure: str, months: Sequence[Window]) -> list[Tally | None]:
    """What the measure counted in each month, in order."""
    if COMPARED[measure].of == POINTS:
        found = comparison.scores(Evaluation.objects.visible_to(request.user).filter(factory=factory), months)
    else:
        days = FactoryDay.objects.visible_to(request.user).filter(factory=factory)
        found = comparison.by_month(days, measure, months[0].first, months[-1].last)
    return [found.get((factory.pk, month.first)) for month in months]


def of_months(
    factory: Factory, measure: str, months: Sequence[Window], tallies: Sequence[Tally | None], last: datetime.date
) -> dict[str, Any] | None:
    """The months with control limits where the rate is a share of counted things, else as a line; None without data."""
    if not any(tally and tally.rate is not None for tally in tallies):
        return None
    title = _("%(label)s, by month") % {"label": label(measure)}
    head = [_("Month"), _("Rate"), _("Counted from"), _("Upper limit"), _("Lower limit")]
    drawing = controlled if COMPARED[measure].bad is not None and measure not in OF_LOTS else plain
    return {"title": title, **drawing(factory, measure, months, tallies, last, title), "head": head}


def controlled(
    factory: Factory, measure: str, months: Sequence[Window], tallies: Sequence[Tally | None], last: datetime.date, title: str
) -> dict[str, Any]:  # fmt: skip
    """A p-chart of the months, of the good ones where those are counted; Laney's limits where the months are big."""
    known = [place for place, tally in enumerate(tallies) if tally and tally.den]
    counts = [(int(tallies[place].num), int(tallies[place].den)) for place in known]
    limits = early_warning.limits(counts)
    plotted = [
        charts.Lot(
            date_format(months[place].first, "M"), num / den, stands_on(measure, tallies[place]), at in limits.small
        )
        for at, (place, (num, den)) in enumerate(zip(known, counts, strict=True))
    ]
    said = _("%(n)s months, mean %(mean)s.") % {"n": count(len(known)), "mean": percent(limits.p_bar, 1)}
    said = f"{said} {lot_charts.outside(plotted, limits)}".strip()
    aside = _("control limits 3 sigma")
    upper = limits.ucl or (None,) * len(known)
    lower = limits.lcl or (None,) * len(known)
    ends = dict(zip(known, zip(upper, lower, strict=True), strict=True))
    return {
        "aside": f"{aside} {_('(Laney, for big months)')}" if limits.stretched else aside,
        "chart": charts.p_chart(plotted, limits.p_bar, upper, lower, title, said),
        "note": f"{said} {lot_charts.too_small(limits, len(known))}".strip(),
        "rows": rows(factory, measure, months, tallies, ends),
    }


def plain(
    factory: Factory, measure: str, months: Sequence[Window], tallies: Sequence[Tally | None], last: datetime.date, title: str
) -> dict[str, Any]:  # fmt: skip
    """The months as a line with the limit and target that colour them; no control limits."""
    policy = Policies().for_whole(factory, last)
    ruler = ruler_of(measure, policy, factory.category) if policy else None
    is_score = COMPARED[measure].of == POINTS
    scale = 100 if is_score else 1
    plotted = [
        charts.Point(
            date_format(month.first, "M"),
            float(tally.rate * scale) if tally and tally.rate is not None else None,
            few=bool(tally and policy and not comparison.enough(measure, tally, policy)),
            note=stands_on(measure, tally) if tally else "",
        )
        for month, tally in zip(months, tallies, strict=True)
    ]
    lines = (float(ruler.target) * scale, float(ruler.limit) * scale) if ruler else (None, None)
    unit = "" if is_score else "%"
    known = [tally.rate for tally in tallies if tally and tally.rate is not None]
    said = _("%(label)s from %(first)s to %(last)s.") % {
        "label": label(measure), "first": shown(measure, known[0]), "last": shown(measure, known[-1]),
    }  # fmt: skip
    return {
        "aside": "" if measure in OF_LOTS else _("no share of counted things, so without control limits"),
        "chart": charts.trend(plotted, *lines, COMPARED[measure].lower, title, said, unit),
        "note": "",
        "rows": rows(factory, measure, months, tallies, {}),
    }


def rows(
    factory: Factory, measure: str, months: Sequence[Window], tallies: Sequence[Tally | None], ends: dict[int, Any]
) -> list[list[Any]]:
    """The months as a table, newest first; each leads to its rows."""
    found = []
    for place, (month, tally) in enumerate(zip(months, tallies, strict=True)):
        link = format_html('<a href="{}">{}</a>', url_of(factory, measure, month, tally), month_name(month.first))
        if tally is None or tally.rate is None:
            found.append([link, NONE, _("no data"), NONE, NONE])
            continue
        upper, lower = ends.get(place, (None, None))
        found.append([link, shown(measure, tally.rate), stands_on(measure, tally), percent(upper), percent(lower)])
    return found[::-1]


def trend_words(found: MannKendall | None) -> str:
    """What the Mann-Kendall test says of the monthly rates (SPC-6). It moves no grade."""
    if found is None:
        least = {"least": count(comparison.MIN_MONTHS)}
        return _("Fewer than %(least)s months have a rate: too few to look for a trend over them.") % least
    least = _("below %(p)s") % {"p": points(SMALLEST, 3)}
    facts = {"p": points(found.p_two_sided, 3) if found.p_two_sided >= SMALLEST else least}
    if found.p_two_sided > comparison.TREND_ALPHA:
        return _("The monthly rates show no trend (Mann-Kendall, p %(p)s).") % facts
    if found.s > 0:
        return _("The monthly rates show a rising trend (Mann-Kendall, p %(p)s). It changes no grade.") % facts
    return _("The monthly rates show a falling trend (Mann-Kendall, p %(p)s). It changes no grade.") % facts
