"""The charts of a scorecard, with the tables of their numbers."""

import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from assessments import charts, wording
from assessments.figures import closed_months, month_name, percent
from assessments.models import Evaluation
from assessments.scorecards import MONTHS, Card
from production.kept import Kept

HEAD = ("Month", "Rate", "Counted from", "90% interval", "State")


kept_trends: Kept[list[dict[str, Any]]] = Kept(300)  # those of one page each


def trends(card: Card, day: datetime.date, shown: Evaluation, with_money: bool) -> list[dict[str, Any]]:
    """One chart per measure over the last twelve months, the worst measure first."""
    ends = closed_months(day, MONTHS)
    months = tuple(card.months[end].pk if end in card.months else None for end in ends)
    return kept_trends.get(
        (get_language(), card.factory.code, shown.pk, ends[-1], months, with_money),
        lambda: [trend(card, name, ends, shown, with_money) for name in wording.worst_first(shown)],
    )


def trend(card: Card, name: str, ends: list[datetime.date], shown: Evaluation, with_money: bool) -> dict[str, Any]:
    points, rows = [], []
    for end in ends:
        evaluation = card.months.get(end)
        measure = evaluation.measures.get(name) if evaluation else None
        points.append(point(name, end, measure, with_money))
        rows.append(row(name, end, evaluation, measure, with_money))
    stored = shown.measures[name]
    known = [p for p in points if p.value is not None]
    label = wording.label(name)
    described = ""
    if known:
        values = {
            "label": label,
            "first": percent(known[0].value, 1),
            "last": percent(known[-1].value, 1),
            "threshold": wording.threshold(name, stored),
        }
        described = _("%(label)s from %(first)s to %(last)s over twelve months, %(threshold)s.") % values
    chart = (
        charts.trend(
            points,
            stored["target"] and float(stored["target"]),
            float(stored["limit"]),
            wording.LOWER_IS_BETTER[name],
            _("%(label)s, 12 months") % {"label": label},
            described,
        )
        if known
        else ""
    )
    return {
        "title": _("%(label)s, 12 months") % {"label": label},
        "chart": chart,
        "head": [_(word) for word in HEAD],
        "rows": rows[::-1],
        "name": name,
        "aside": _("each point: the 90 days to the month’s end") if known else "",
    }


def point(name: str, end: datetime.date, measure: dict | None, with_money: bool) -> charts.Point:
    short = date_format(end, "M")
    if not measure or measure.get("rate") is None or wording.state(measure) == wording.NOT_APPLICABLE:
        return charts.Point(short, None)
    few = wording.state(measure) == "no_data"
    return charts.Point(
        short,
        float(measure["rate"]),
        measure.get("lower"),
        measure.get("upper"),
        few,
        wording.fraction(name, measure, with_money),
    )


def row(
    name: str, end: datetime.date, evaluation: Evaluation | None, measure: dict | None, with_money: bool
) -> list[Any]:
    """One month in the table under the chart; its cells lead to that month's rows."""
    month = month_name(end)
    if evaluation is None or measure is None:
        return [month, "–", _("no data"), "", ""]
    score = reverse("score_detail", args=[evaluation.factory.code, evaluation.period])
    link = wording.linked_fraction(name, measure, partial(wording.score_url, evaluation, name), with_money)
    state = wording.state(measure)
    rate = percent(measure["rate"]) if measure.get("rate") is not None else "–"
    words = {
        "ok": _("within"),
        "watch": _("beyond, not proven"),
        "breach": _("beyond, proven"),
        "no_data": _("too few data"),
    }
    interval = wording.ends(measure) if measure.get("lower") is not None else "–"
    return [
        format_html('<a href="{}">{}</a>', score, month),
        rate,
        link,
        interval,
        words.get(state, _("does not apply")),
    ]
