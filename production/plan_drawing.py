"""The milestones of an order as a drawing: a bar for each up to its planned day, what it slips, and today."""

from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from production import schedule
from production.plans import Course, Stage

# Colours of the light theme, for paper; on screen the classes of the charts win.
MUTED, GRID, LINE, OK, BREACH, PAPER = "#545C68", "#E3E7EC", "#0A58A8", "#008577", "#8F1D0B", "#FFFFFF"
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 900, 225, 70, 26, 24, 9
LONGEST = 32
TICKS = 6


def drawing(course: Course, today: date) -> SafeString:
    """Wide screens and paper only: on a phone the list of the milestones says the same."""
    stages = course.stages
    starts = _starts(stages)
    first = min([*starts.values(), *(s.row.planned_on for s in stages), *(s.projected_on for s in stages)])
    last = max([course.limit_on, *(s.row.planned_on for s in stages), *(s.projected_on for s in stages)])
    span = max((last - first).days, 1)
    bottom = TOP + ROW * len(stages)

    def x(on: date) -> str:
        return f"{LEFT + (on - first).days * (WIDTH - LEFT - RIGHT) / span:.1f}"

    step = timedelta(days=max(7, -(-span // TICKS // 7) * 7))
    ticks = [first + step * n for n in range(span // step.days + 1)]
    parts = [
        format_html_join(
            "",
            '<line class="cg" stroke="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="14" text-anchor="middle" fill="{}">{}</text>',
            ((GRID, x(on), x(on), TOP - 6, bottom, x(on), MUTED, date_format(on, "MONTH_DAY_FORMAT")) for on in ticks),
        ),
        *(_row(stage, starts[stage.row.code], place, x) for place, stage in enumerate(stages)),
        _upright("cli", BREACH, x(course.limit_on), bottom, _("last day on time"), "5 4", 14),
    ]
    if first <= today <= last:
        parts.append(_upright("cm", MUTED, x(today), bottom, _("today"), "2 3", 28))
    title = _("Milestones")
    desc = _("Planned to end on %(planned)s, heading for %(projected)s.") % {
        "planned": date_format(course.last.row.planned_on), "projected": date_format(course.last.projected_on),
    }  # fmt: skip
    return format_html(
        '<div class="chart wide"><svg class="w" viewBox="0 0 {} {}" role="img" font-size="12" font-family="sans-serif">'
        "<title>{}</title><desc>{}</desc>{}</svg></div>",
        WIDTH, bottom + 34, title, desc, format_html_join("", "{}", ((part,) for part in parts)),
    )  # fmt: skip


def _starts(stages: tuple[Stage, ...]) -> dict[str, date]:
    """Where the bar of each begins: the planned day of the last one it waits for."""
    planned = {stage.row.code: stage.row.planned_on for stage in stages}
    return {
        stage.row.code: max(
            (planned[code] for code in stage.row.predecessors if code in planned), default=stage.row.planned_on
        )
        for stage in stages
    }


def _row(stage: Stage, start: date, place: int, x) -> SafeString:
    """One bar: from what it waits for to its planned day, what it slips beyond in the colour of a breach, and its mark."""
    middle = TOP + ROW * place + ROW / 2
    planned, on = stage.row.planned_on, stage.projected_on
    width = max(float(x(planned)) - float(x(start)), 1.5)
    parts = [
        format_html(
            '<text class="{}" x="{}" y="{}" text-anchor="end" fill="{}">{}</text>',
            "cv" if stage.is_critical else "", LEFT - 10, middle + 4, MUTED, Truncator(stage.row.title).chars(LONGEST),
        ),
        format_html(
            '<rect class="ci" fill="{}" fill-opacity="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>',
            LINE, "0.75" if stage.is_done else "0.3", x(start), middle - BAR / 2, f"{width:.1f}", BAR,
        ),
    ]  # fmt: skip
    if on > planned:
        parts.append(
            format_html(
                '<rect class="cs" fill="{}" fill-opacity="0.75" x="{}" y="{}" width="{}" height="{}"/>',
                BREACH, x(planned), middle - 2, f"{float(x(on)) - float(x(planned)):.1f}", 4,
            )
        )  # fmt: skip
    mark = "cp" if stage.is_done else "co"
    bad = stage.status in (schedule.LATE, schedule.OVERDUE) or stage.is_done and on > planned
    colour = BREACH if bad else LINE
    fill, edge = (colour, PAPER) if stage.is_done else (PAPER, colour)
    shape = (
        '<rect class="{}" fill="{}" stroke="{}" stroke-width="1.5" x="{}" y="{}" width="8" height="8"/>'
        if bad
        else '<circle class="{}" fill="{}" stroke="{}" stroke-width="1.5" cx="{}" cy="{}" r="4"/>'
    )
    where = (f"{float(x(on)) - 4:.1f}", middle - 4) if bad else (x(on), middle)
    kind = ("cb" if stage.is_done else "co cb") if bad else mark
    parts.append(format_html(shape, kind, fill, edge, *where))
    if stage.slip_days:
        parts.append(
            format_html(
                '<text class="ct" x="{}" y="{}" fill="{}">{}</text>', f"{max(float(x(on)), float(x(planned))) + 9:.1f}", middle + 4,
                MUTED, _("%(days)+d d") % {"days": stage.slip_days},
            )
        )  # fmt: skip
    return format_html_join("", "{}", ((part,) for part in parts))


def _upright(kind: str, colour: str, at: str, bottom: float, label: str, dashes: str, below: int) -> SafeString:
    return format_html(
        '<line class="{}" stroke="{}" stroke-width="1.5" stroke-dasharray="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text x="{}" y="{}" text-anchor="middle" fill="{}">{}</text>',
        kind, colour, dashes, at, at, TOP - 6, bottom, at, bottom + below, MUTED, label,
    )  # fmt: skip
