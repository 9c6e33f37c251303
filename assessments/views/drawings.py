"""The charts of a scorecard, with the tables of their numbers."""

import datetime
from functools import partial
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from assessments import charts, early_warning, windows, wording
from assessments.figures import closed_months, month_name, percent
from assessments.models import Evaluation
from assessments.scorecards import MONTHS, Card
from production.kept import Kept
from production.models import Inspection
from production.prepared import Prepared

LOTS = 25
HEAD = ("Month", "Rate", "Counted from", "90% interval", "State")


kept_trends: Kept[list[dict[str, Any]]] = Kept(300)  # those of one page each
kept_lots: Kept[dict[str, Any]] = Kept(300)


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


# Which lot it was only of those that are drawn.
YEAR_OF_LOTS = Prepared("""
SELECT CASE WHEN is_drawn THEN (SELECT code FROM production_lot WHERE id = lot_id) END,
    CASE WHEN is_drawn THEN inspection_id END, CASE WHEN is_drawn THEN inspected_on END, bad, inspected
FROM (
    SELECT *, critical + major AS bad, row_number() OVER (ORDER BY inspected_on DESC, lot_id DESC) <= %(drawn)s AS is_drawn
    FROM production_lotoutcome WHERE factory_id = %(factory)s AND inspected_on BETWEEN %(first)s AND %(last)s
) AS year ORDER BY year.inspected_on, lot_id
""", factory="bigint", first="date", last="date", drawn="bigint")  # fmt: skip


def lots(factory: Any, last: datetime.date) -> dict[str, Any] | None:
    """The control chart of the last inspected lots of a year, and whether they drift; None with fewer than two."""
    year = windows.rolling(last, early_warning.BASELINE_DAYS)
    with connection.cursor() as cursor:
        YEAR_OF_LOTS.execute(cursor, {"factory": factory.pk, "first": year.first, "last": year.last, "drawn": LOTS})
        every = cursor.fetchall()
    if len(every) < 2:
        return None
    return kept_lots.get((get_language(), tuple(every)), lambda: draw_lots(every))


def draw_lots(every: list[tuple]) -> dict[str, Any]:
    found = every[-LOTS:]
    limits = early_warning.limits([(bad, inspected) for *_rest, bad, inspected in found])
    drawn = [
        charts.Lot(code, bad / inspected, _("%(bad)s of %(all)s") % {"bad": bad, "all": inspected})
        for code, _inspection, _on, bad, inspected in found
    ]
    out = ", ".join(drawn[place].label for place in limits.out)
    said = (
        _("%(n)s lots, mean %(mean)s.") % {"n": len(found), "mean": percent(limits.p_bar, 1)}
        + " "
        + (_("Outside the limits: %(lots)s.") % {"lots": out} if out else _("No lot is outside the limits."))
    )
    title = _("Defect rate per lot")
    aside = _("last %(n)s lots, control limits 3 sigma") % {"n": len(found)}
    return {
        "title": title,
        "aside": aside + " " + _("(Laney, for big lots)") if limits.stretched else aside,
        "drifts": early_warning.drifts([(bad, inspected) for *_rest, bad, inspected in every]),
        "chart": charts.p_chart(drawn, limits.p_bar, limits.ucl, limits.lcl, title, said),
        "head": [_("Lot"), _("Inspected on"), _("Defective"), _("Rate"), _("Upper limit")],
        "rows": [
            [
                format_html('<a href="{}">{}</a>', Inspection(pk=inspection).get_absolute_url(), code),
                date_format(on, "j M Y"),
                f"{bad} / {inspected}",
                percent(bad / inspected),
                percent(limits.ucl[place]),
            ]
            for place, (code, inspection, on, bad, inspected) in enumerate(found)
        ][::-1],
    }
