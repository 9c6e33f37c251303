"""The lots of a factory as drawings: the control chart of the last ones, and their drift over a year, with their tables."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.db import connection
from django.utils.formats import date_format
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from assessments import charts, early_warning, windows
from assessments.early_warning import Drift, Limits
from assessments.figures import count, day, percent, points
from factories.models import Factory
from production import switching
from production.kept import Kept
from production.models import Inspection
from production.prepared import Prepared
from production.switching import State

LOTS = 25  # in the control chart
MOST = 100  # in the drawing of the drift

kept_lots: Kept["Drawn | None"] = Kept(300)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Both drawings as blocks of a page; `drift` is None where there is no baseline or no lot since the last change."""

    chart: dict[str, Any]
    drift: dict[str, Any] | None
    drifts: bool


@dataclass(frozen=True, slots=True)
class Year:
    """The inspected lots of a year: as drawings, None with fewer than two, and by what they ask of the next one (AQL-5)."""

    drawn: Drawn | None
    states: dict[int, State]


# Which lot it was only of those that are drawn.
YEAR_OF_LOTS = Prepared("""
SELECT CASE WHEN is_drawn OR NOT is_accepted THEN (SELECT code FROM production_lot WHERE id = lot_id) END, inspection_id,
    inspected_on, {bad}, inspected, category_id, lot_id, is_accepted, critical, major, minor,
    CASE WHEN NOT is_accepted THEN (SELECT ARRAY[lot_quantity::text, severity] FROM production_inspection i WHERE i.id = inspection_id) END
FROM (
    SELECT *, row_number() OVER (ORDER BY inspected_on DESC, lot_id DESC) <= %(drawn)s AS is_drawn
    FROM production_lotoutcome WHERE factory_id = %(factory)s AND inspected_on BETWEEN %(first)s AND %(last)s
) AS year ORDER BY year.inspected_on, lot_id
""".format(bad="critical + major + CASE WHEN %(with_minor)s THEN minor ELSE 0 END"),
    factory="bigint", first="date", last="date", drawn="bigint", with_minor="boolean",
)  # fmt: skip


def lots(factory: Factory, last: datetime.date, with_minor: bool = False) -> Year:
    """What the inspected lots of the year to `last` look like, for a factory read with its standing.

    One query. The drift begins anew on the last day up to `last` on which a correction was confirmed.
    """
    year = windows.rolling(last, early_warning.BASELINE_DAYS)
    values = {"factory": factory.pk, "first": year.first, "last": year.last, "drawn": LOTS, "with_minor": with_minor}
    with connection.cursor() as cursor:
        YEAR_OF_LOTS.execute(cursor, values)
        every = cursor.fetchall()
    standing = getattr(factory, "standing", None)
    changed = [on for on in (standing.corrected_on or ()) if on <= last] if standing else []
    return Year(charted(every, max((on for on in changed if on >= year.first), default=None)), states(every, changed))


def charted(every: list[tuple], restart: datetime.date | None) -> Drawn | None:
    if len(every) < 2:
        return None
    found = [row[:5] for row in every]
    return kept_lots.get((get_language(), tuple(found), restart), lambda: drawn(found, restart))


def states(every: list[tuple], corrected_on: list[datetime.date]) -> dict[int, State]:
    names = ("category", "lot", "accepted", "critical", "major", "minor")
    rows = [
        dict(zip(names, row[5:11], strict=True))
        | {"code": row[0], "inspection": row[1], "on": row[2].isoformat()}
        | ({"quantity": row[11][0] and int(row[11][0]), "severity": row[11][1]} if row[11] else {})
        for row in every
        if row[7] is not None
    ]
    return switching.states(rows, corrected_on)


def drawn(every: list[tuple], restart: datetime.date | None) -> Drawn:
    since = early_warning.restart([on for _code, _inspection, on, *_counts in every], [restart] if restart else [])
    found = early_warning.drift(counts(every), since)
    return Drawn(
        draw_chart(every[-LOTS:]),
        draw_drift(every, found, restart) if found else None,
        found is not None and found.is_on,
    )


def counts(every: list[tuple]) -> list[tuple[int, int]]:
    return [(bad, inspected) for *_rest, bad, inspected in every]


def draw_chart(found: list[tuple]) -> dict[str, Any]:
    limits = early_warning.limits(counts(found))
    plotted = [
        charts.Lot(
            code, bad / inspected, _("%(bad)s of %(all)s") % {"bad": bad, "all": inspected}, place in limits.small
        )
        for place, (code, _inspection, _on, bad, inspected) in enumerate(found)
    ]
    said = (
        _("%(n)s lots, mean %(mean)s.") % {"n": len(found), "mean": percent(limits.p_bar, 1)}
        + " "
        + outside(plotted, limits)
    )
    title = _("Defect rate per lot")
    aside = _("last %(n)s lots, control limits 3 sigma") % {"n": len(found)}
    return {
        "title": title,
        "aside": aside + " " + _("(Laney, for big lots)") if limits.stretched else aside,
        "chart": charts.p_chart(plotted, limits.p_bar, limits.ucl, limits.lcl, title, said),
        "note": f"{said} {too_small(limits, len(found))}".strip(),
        "head": [_("Lot"), _("Inspected on"), _("Defective"), _("Rate"), _("Upper limit")],
        "rows": [
            [
                linked(code, inspection),
                date_format(on, "j M Y"),
                f"{bad} / {inspected}",
                percent(bad / inspected),
                percent(limits.ucl[place]) if place < len(limits.ucl) else percent(None),
            ]
            for place, (code, inspection, on, bad, inspected) in enumerate(found)
        ][::-1],
    }


def outside(plotted: Sequence[charts.Lot], limits: Limits) -> str:
    """Which of the points that have limits lie outside them; nothing where none has."""
    if len(limits.small) == len(plotted):
        return ""
    out = ", ".join(plotted[place].label for place in limits.out)
    return _("Outside the limits: %(names)s.") % {"names": out} if out else _("None is outside the limits.")


def too_small(limits: Limits, total: int) -> str:
    """Why some points are open and have no limits (SPC-1)."""
    if not limits.small:
        return ""
    facts = {"n": count(len(limits.small)), "least": count(limits.least), "mean": percent(limits.p_bar, 1)}
    if len(limits.small) == total:
        return (
            _("None is judged, so all are open and without limits: at a mean of %(mean)s that takes %(least)s each.")
            % facts
        )
    words = ngettext(
        "%(n)s is open and not judged: at a mean of %(mean)s that takes %(least)s.",
        "%(n)s are open and not judged: at a mean of %(mean)s that takes %(least)s each.",
        len(limits.small),
    )
    return words % facts


def draw_drift(every: list[tuple], found: Drift, restart: datetime.date | None) -> dict[str, Any]:
    """The smoothed rate as a picture, the lot with which its signal began, and what the cumulative sum says besides."""
    first = max(found.since, len(every) - MOST)
    skipped = first - found.since
    levels, limits = found.ewma.ewma[skipped:], found.ewma.limit[skipped:]
    signal = found.signals_at
    place = signal - first if signal is not None and signal >= first else None
    title = _("Slow drift of the lots")
    said = signal_words(every, found, signal)
    labels = [date_format(on, "j M") for _code, _inspection, on, *_counts in every[first:]]
    after = _("since the correction confirmed on %(day)s") % {"day": day(restart)} if restart and found.since else ""
    baseline = _("own baseline %(rate)s") % {"rate": percent(found.p0)}
    return {
        "title": title,
        "aside": " · ".join(part for part in (_("EWMA"), baseline, after) if part),
        "chart": charts.drift(labels, levels, limits, place, title, unescape(strip_tags(said))),
        "note": said,
        "more": _("Other signs"),
        "signs": [cusum_words(every, found)],
        "head": [_("Lot"), _("Inspected on"), _("Defective"), _("EWMA"), _("Limit")],
        "rows": [
            [
                linked(code, inspection),
                date_format(on, "j M Y"),
                f"{bad} / {inspected}",
                points(level, 2),
                points(limit, 2),
            ]
            for (code, inspection, on, bad, inspected), level, limit in zip(every[first:], levels, limits, strict=True)
        ][::-1],
    }


def signal_words(every: list[tuple], found: Drift, signal: int | None) -> SafeString:
    if signal is None:
        return format_html("{}", _("No drift: the smoothed rate has stayed below its limit. It changes no grade."))
    code, inspection, on, *_counts = every[signal]
    words = (
        _("The lots drift upwards since {lot} of {day}. It changes no grade.")
        if found.is_on
        else _("No drift now. The smoothed rate first passed its limit with {lot} of {day}. It changes no grade.")
    )
    return format_html(words, lot=linked(code, inspection), day=day(on))


def cusum_words(every: list[tuple], found: Drift) -> SafeString:
    """What the cumulative sum of the same lots says (SPC-4)."""
    if found.cusum.signal_at is None:
        return format_html("{}", _("CUSUM: no signal; the cumulative sum has stayed at 5 or below."))
    code, inspection, on, *_counts = every[found.since + found.cusum.signal_at]
    words = _("CUSUM: first signal with {lot} of {day}, where the cumulative sum passed 5.")
    return format_html(words, lot=linked(code, inspection), day=day(on))


def linked(code: str | None, inspection: int) -> SafeString:
    """A lot with a link to its inspection; of one that is not drawn only the code of the inspection is known."""
    row = Inspection(pk=inspection)
    return format_html('<a href="{}">{}</a>', row.get_absolute_url(), code or row.code)
